"""The users of a tenant: identities, habits, devices and places, each a pure function of seed, tenant and user number.

Nothing is stored but a few numbers per user, and user n is the same person in a small and in a large simulation.

Does not belong here: what users do on a day (flows), or how it is written (records).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.config import SimConfig
from jobs.simulator.randomness import Keys, Purpose, choose, draw_keys, generator, mix, number, unit, uuids
from jobs.simulator.tenants import SimTenant, Vertical
from jobs.simulator.world import DESKTOPS, EMAIL_DOMAINS, FIRST_NAMES, LAST_NAMES, PHONES, PLACES

Numbers = NDArray[np.int64]

EVENTS_PER_USER = 40
"""Over six months; together with the skew of activity it gives many rare users and a few daily ones."""
MEMBERS_PER_ORGANIZATION = 12
TEST_USERS = 5
"""Users of a test project: the people who build the tenant's product."""
UNKNOWN_USER = -1

_DEVICE_LIFE_DAYS = 540
_TRIP_SHARE = 0.03
_ALWAYS = 1_000_000


class Trait(IntEnum):
    """Salts: each property of a user has its own."""

    ACTIVITY = 11
    JOINED = 12
    LEFT = 13
    LEFT_AFTER = 14
    HOME = 15
    METHOD = 16
    DESKTOP = 17
    PHONE = 18
    PHONE_FIRST = 19
    IPV6 = 20
    ORGANIZATION = 21
    FIRST_NAME = 22
    LAST_NAME = 23
    EMAIL_DOMAIN = 24
    HOST = 25
    TRIP = 26
    TRIP_PLACE = 27
    DEVICE = 28
    DEVICE_AGE = 29
    TEST_IDENTITY = 30
    PHONE_NUMBER = 31


class Population:
    """All users of one tenant in one simulation."""

    def __init__(self, config: SimConfig, tenant: SimTenant) -> None:
        self.tenant = tenant
        self.size = max(8, round(config.expected_events(tenant) / EVENTS_PER_USER))
        root = draw_keys(generator(config.seed, Purpose.USERS, number(tenant.tenant_id)), 1)
        self._root = root
        self.keys: Keys = mix(np.repeat(root, self.size), np.arange(self.size))
        self.activity = (unit(self.keys, Trait.ACTIVITY) + 0.02) ** -0.8
        self.home = np.array(tenant.home_places)[choose(unit(self.keys, Trait.HOME), 1 / np.arange(1, len(tenant.home_places) + 1))]
        self.method = choose(unit(self.keys, Trait.METHOD), np.array(list(tenant.methods.values())))
        self._joined, self._left = self._membership(config.days)

    def _membership(self, days: int) -> tuple[Numbers, Numbers]:
        joined = np.floor((unit(self.keys, Trait.JOINED) - 0.62) / 0.38 * days).astype(np.int64)
        stays = unit(self.keys, Trait.LEFT) > 0.3
        after = np.ceil(-np.log1p(-unit(self.keys, Trait.LEFT_AFTER)) * days * 0.6).astype(np.int64)
        left = np.where(stays, _ALWAYS, np.maximum(joined, 0) + after)
        joined[:TEST_USERS], left[:TEST_USERS] = -1, _ALWAYS
        return joined, left

    def active_weights(self, day: int) -> NDArray[np.float64]:
        """How likely each user acts on a day; 0 before joining, after leaving and while travelling.

        Nobody signs in on the first day of a trip or of the return, so that honest users never move faster than an aeroplane.
        """
        alive = (self._joined <= day) & (day < self._left)
        if day % 7 == 0:
            moving = self._away(np.arange(self.size), day) | self._away(np.arange(self.size), day - 7)
            moving[0] = False
            alive &= ~moving
        return np.where(alive, self.activity, 0.0)

    def _away(self, users: Numbers, day: int) -> NDArray[np.bool_]:
        return (users > 0) & (unit(self.keys[users], Trait.TRIP * 100_000 + day // 7) < _TRIP_SHARE)

    def places(self, users: Numbers, day: int) -> Numbers:
        """Where users are on a day: at home, or away for a whole week."""
        abroad = np.floor(unit(self.keys[users], Trait.TRIP_PLACE * 100_000 + day // 7) * len(PLACES)).astype(np.int64)
        return np.where(self._away(users, day), abroad, self.home[users])

    def hosts(self, users: Numbers, places: Numbers) -> Numbers:
        """Number of each user's address within the network of a place."""
        return np.floor(unit(self.keys[users], Trait.HOST * 1000 + places) * 2046).astype(np.int64)

    def on_ipv6(self, users: Numbers) -> NDArray[np.bool_]:
        """Whether users come by IPv6."""
        return unit(self.keys[users], Trait.IPV6) < 0.12

    def prefers_phone(self, users: Numbers) -> NDArray[np.float64]:
        """Share of each user's flows that happen on the phone."""
        phone_first = unit(self.keys[users], Trait.PHONE_FIRST) < (0.55 if self.tenant.vertical is Vertical.CONSUMER else 0.12)
        return np.where(phone_first, 0.85, 0.10)

    def devices(self, users: Numbers, on_phone: NDArray[np.bool_], day: int) -> tuple[Keys, Numbers]:
        """Identity and kind (number in `world.DEVICES`) of the device in use; it is replaced every 18 months."""
        slot = on_phone.astype(np.int64)
        age = np.floor(unit(self.keys[users], Trait.DEVICE_AGE * 10 + slot) * _DEVICE_LIFE_DAYS).astype(np.int64)
        generation = (day + age) // _DEVICE_LIFE_DAYS
        identity = mix(self.keys[users], Trait.DEVICE * 1000 + slot * 100 + generation)
        desktop = choose(unit(self.keys[users], Trait.DESKTOP), np.array([d.weight for d in DESKTOPS]))
        phone = choose(unit(self.keys[users], Trait.PHONE), np.array([d.weight for d in PHONES])) + len(DESKTOPS)
        return identity, np.where(on_phone, phone, desktop)

    def identities(self, users: Numbers, test: NDArray[np.bool_]) -> Keys:
        """Key of each user's id; a user of the test project is another one than of the live project."""
        return np.where(test, mix(self.keys[users], Trait.TEST_IDENTITY), self.keys[users])

    def user_ids(self, users: Numbers) -> list[str]:
        """Ids of users of the live project, as records name them."""
        prefix = "member" if self.tenant.vertical is Vertical.B2B else "user"
        return [f"{prefix}-live-{text}" for text in uuids(self.keys[users])]

    def organizations(self, users: Numbers) -> Keys:
        """Key of each user's organisation; a few are large."""
        count = max(2, self.size // MEMBERS_PER_ORGANIZATION)
        member_of = np.floor(unit(self.keys[users], Trait.ORGANIZATION) ** 2 * count).astype(np.int64)
        return mix(np.repeat(self._root, len(users)), Trait.ORGANIZATION * 1_000_000 + member_of)

    def emails(self, users: Numbers) -> list[str]:
        """E-mail address of each user."""
        return email_addresses(self.keys[users], users)

    def phone_numbers(self, users: Numbers) -> list[str]:
        """Phone number of each user, from the block that is reserved for fiction (555-0100 to 555-0199)."""
        keys = self.keys[users]
        areas = np.floor(unit(keys, Trait.PHONE_NUMBER) * 800).astype(np.int64) + 200
        lines = np.floor(unit(keys, Trait.PHONE_NUMBER + 1000) * 100).astype(np.int64)
        return [f"+1{area}55501{line:02d}" for area, line in zip(areas.tolist(), lines.tolist(), strict=True)]


def email_addresses(keys: Keys, numbers: Numbers) -> list[str]:
    """A made-up address per key, at domains that are reserved for examples."""
    first = np.floor(unit(keys, Trait.FIRST_NAME) * len(FIRST_NAMES)).astype(np.int64).tolist()
    last = np.floor(unit(keys, Trait.LAST_NAME) * len(LAST_NAMES)).astype(np.int64).tolist()
    domain = np.floor(unit(keys, Trait.EMAIL_DOMAIN) * len(EMAIL_DOMAINS)).astype(np.int64).tolist()
    return [
        f"{FIRST_NAMES[f]}.{LAST_NAMES[s]}{n}@{EMAIL_DOMAINS[d]}" for f, s, d, n in zip(first, last, domain, numbers.tolist(), strict=True)
    ]
