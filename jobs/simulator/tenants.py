"""The catalogue of simulated tenants: who they are, where, how large, and how their users sign in.

Does not belong here: the rights or settings of tenants in the lake, or single users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from jobs.simulator.randomness import number, uuids
from jobs.simulator.world import places_in
from lakehouse.errors import ConfigurationError


class Vertical(StrEnum):
    """The provider's two products."""

    CONSUMER = "consumer"
    B2B = "b2b"


@dataclass(frozen=True)
class SimTenant:
    """A simulated customer of the provider, with one live and one test project.

    Attributes:
        zone: IANA zone of its users' daily rhythm; also the zone to declare for its gold days.
        share: relative volume.
        growth: change of volume over six months, as a factor minus one.
        methods: how its users sign in, with relative weights.
        session_share: share of flows that only check or end a session.
        fingerprints: the project uses device fingerprinting, so that records carry verdict, device and geo fields.
    """

    tenant_id: str
    name: str
    zone: str
    share: float
    vertical: Vertical
    growth: float
    methods: Mapping[str, float]
    home_places: tuple[int, ...]
    backend_user_agent: str
    session_share: float = 0.35
    fingerprints: bool = True

    def project_id(self, environment: str) -> str:
        """Id of the live or the test project."""
        key = np.array([number(f"{self.tenant_id}:{environment}")], dtype=np.uint64)
        return f"project-{environment}-{uuids(key)[0]}"

    @property
    def project_name(self) -> str:
        """Name of its projects, which says that they are made up."""
        return f"{self.name} (synthetic)"


_AMERICAS = places_in("US", "CA")
_EUROPE = places_in("DE", "AT", "CH", "FR", "NL", "SE", "NO", "PL", "ES")

TENANTS: tuple[SimTenant, ...] = (
    SimTenant(
        "bluefin", "Bluefin Market", "America/New_York", 1.0, Vertical.CONSUMER, 0.25,
        {"password": 34, "magic_link": 16, "otp_sms": 14, "otp_email": 4, "oauth_google": 20, "passkey": 8, "biometric": 4},
        _AMERICAS, "Stytch Node v12.19.0",
    ),
    SimTenant(
        "ledgerly", "Ledgerly", "America/Los_Angeles", 0.48, Vertical.B2B, 0.40,
        {"sso": 38, "oauth_google": 18, "oauth_microsoft": 12, "password": 14, "totp": 12, "magic_link": 6},
        _AMERICAS, "Stytch Go v16.20.0",
    ),
    SimTenant(
        "kumo", "Kumo Games", "Asia/Tokyo", 0.31, Vertical.CONSUMER, 0.10,
        {"biometric": 22, "passkey": 22, "otp_sms": 18, "password": 22, "oauth_google": 16},
        places_in("JP", "KR"), "Stytch Python v13.20.0",
    ),
    SimTenant(
        "atlashr", "Atlas HR", "Europe/London", 0.23, Vertical.B2B, 0.15,
        {"sso": 46, "oauth_microsoft": 22, "magic_link": 18, "password": 14},
        places_in("GB", "IE"), "Stytch Ruby v10.22.0",
    ),
    SimTenant(
        "fjordfit", "FjordFit", "Europe/Berlin", 0.18, Vertical.CONSUMER, 0.30,
        {"magic_link": 34, "otp_email": 16, "password": 18, "oauth_google": 16, "biometric": 10, "totp": 6},
        _EUROPE, "Stytch Node v12.19.0",
    ),
    SimTenant(
        "sabor", "Sabor Delivery", "America/Sao_Paulo", 0.14, Vertical.CONSUMER, -0.10,
        {"otp_sms": 52, "oauth_google": 24, "password": 24},
        places_in("BR", "AR", "CL"), "Stytch Java v7.9.0", fingerprints=False,
    ),
    SimTenant(
        "chaidesk", "ChaiDesk", "Asia/Kolkata", 0.12, Vertical.B2B, 0.20,
        {"oauth_google": 26, "oauth_github": 26, "otp_email": 16, "password": 16, "totp": 16},
        places_in("IN", "SG"), "Stytch Go v16.20.0",
    ),
    SimTenant(
        "southgrid", "SouthGrid Energy", "Australia/Sydney", 0.10, Vertical.B2B, 0.05,
        {"sso": 50, "password": 26, "otp_sms": 24},
        places_in("AU", "NZ"), "Stytch Python v13.20.0", fingerprints=False,
    ),
)  # fmt: skip
"""All simulated tenants, the largest first; shares fall like a power of the rank."""

TENANT_BY_ID: Mapping[str, SimTenant] = {tenant.tenant_id: tenant for tenant in TENANTS}


def choose_tenants(wanted: str) -> tuple[str, ...]:
    """Tenant ids from `all`, a number (the largest so many), or ids separated by commas."""
    if wanted == "all":
        return tuple(TENANT_BY_ID)
    if wanted.isdigit() and 1 <= int(wanted) <= len(TENANTS):
        return tuple(TENANT_BY_ID)[: int(wanted)]
    ids = tuple(part.strip() for part in wanted.split(","))
    unknown = [i for i in ids if i not in TENANT_BY_ID]
    if unknown or len(set(ids)) < len(ids):
        raise ConfigurationError(
            f"{wanted!r} is not a choice of simulated tenants.",
            next_step=f"use all, a number from 1 to {len(TENANTS)}, or some of {','.join(TENANT_BY_ID)}",
        )
    return ids
