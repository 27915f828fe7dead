"""Which of a provider's people may come in, and by what name they are known here.

Does not belong here: how the provider proves who somebody is (oidc), or local accounts (accounts).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from dash_app.people import Person, Refused
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings

Claims: TypeAlias = Mapping[str, Any]

EVERYBODY = "*"
DOMAIN = re.compile(r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")
LONGEST_NAME = 300
ASK = "Sign in with another account, or ask whoever runs these pages to let you in."


@dataclass(frozen=True)
class Rules:
    """Who may come in: those of the addresses or domains, and of them only members of the groups where there are any.

    Attributes:
        addresses, domains: of verified e-mail addresses, in lower case. None of both: whoever is in a group.
        groups: of which a person must be in one.
        groups_claim: where the provider names a person's groups.
        fingerprint: changes with the rules and with the provider.
    """

    addresses: frozenset[str]
    domains: frozenset[str]
    groups: frozenset[str]
    groups_claim: str
    fingerprint: str

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """The rules as set. Raises ConfigurationError where they would let nobody in, or one of them is none."""
        allowed = [entry.lower() for entry in settings.oidc_allowed]
        if not allowed and not settings.oidc_allowed_groups:
            raise ConfigurationError(
                "LAKEHOUSE_OIDC_ISSUER is set, and nobody may come in",
                next_step="set LAKEHOUSE_OIDC_ALLOWED to addresses or domains (`*`: all that the provider lets in), "
                "or LAKEHOUSE_OIDC_ALLOWED_GROUPS",
            )
        named = [entry for entry in allowed if entry != EVERYBODY] if EVERYBODY not in allowed else []
        addresses = frozenset(entry for entry in named if "@" in entry[1:])
        return cls(
            addresses=addresses,
            domains=frozenset(_domain(entry) for entry in named if entry not in addresses),
            groups=frozenset(settings.oidc_allowed_groups),
            groups_claim=settings.oidc_groups_claim,
            fingerprint=_fingerprint(settings),
        )

    def lacks(self, claims: Claims) -> bool:
        """Whether claims say too little to judge and to name a person by."""
        return "email" not in claims or (bool(self.groups) and self.groups_claim not in claims)

    def admit(self, claims: Claims) -> Person:
        """The person of these claims, which are proven. Raises Refused where they may not come in."""
        name = name_of(claims)
        if (self.addresses or self.domains) and not self._is_listed(claims):
            reason = "not_allowed" if _verified_email(claims) else "email_not_verified"
            raise Refused(f"{name} may not come in here{WHY[reason]}.", next_step=ASK, reason=reason, name=name, status=403)
        if self.groups and not self.groups & _words(claims.get(self.groups_claim)):
            raise Refused(f"{name} is in no group that may come in here.", next_step=ASK, reason="not_in_group", name=name, status=403)
        return Person(name, self.fingerprint)

    def _is_listed(self, claims: Claims) -> bool:
        email = _verified_email(claims)
        return email is not None and (email in self.addresses or email.rpartition("@")[2] in self.domains)


WHY = {"not_allowed": "", "email_not_verified": ": the provider does not vouch for the e-mail address"}


def name_of(claims: Claims) -> str:
    """The verified e-mail address; else what the person is called, with the subject, which nobody can choose. Never a local account's name.

    Raises Refused for a name that cannot be shown.
    """
    called = claims.get("preferred_username") or claims.get("email") or ""
    name = _verified_email(claims) or f"{called} ({claims['sub']})".strip()
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise Refused("The provider gives you a name that cannot be shown.", next_step=ASK, reason="bad_name", status=403)
    return name


def _verified_email(claims: Claims) -> str | None:
    email = str(claims.get("email") or "").lower()
    is_verified = claims.get("email_verified") in (True, "true")
    return email if "@" in email and is_verified else None


def _words(value: object) -> frozenset[str]:
    return frozenset(str(each) for each in value) if isinstance(value, list) else frozenset((value,) if isinstance(value, str) else ())


def _domain(entry: str) -> str:
    domain = entry.removeprefix("@")
    if not DOMAIN.match(domain):
        raise ConfigurationError(
            f"{entry!r} in LAKEHOUSE_OIDC_ALLOWED is neither an e-mail address nor a domain",
            next_step="write `ana@example.org`, `example.org`, or `*` for all that the provider lets in",
        )
    return domain


def _fingerprint(settings: Settings) -> str:
    given = (settings.oidc_issuer, settings.oidc_client_id, settings.oidc_allowed, settings.oidc_allowed_groups, settings.oidc_groups_claim)
    return hashlib.sha256(repr(given).encode()).hexdigest()[:16]
