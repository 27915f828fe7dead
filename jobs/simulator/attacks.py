"""The attacks in a simulation, and the ground truth about them.

No record says that it belongs to an attack: who wants to know asks `attacks(config)`, which the seed decides.

Does not belong here: detecting anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

import numpy as np

from jobs.simulator.config import SimConfig
from jobs.simulator.flows import DAY_MS, Cast, Flows, cast_of
from jobs.simulator.population import TEST_USERS, UNKNOWN_USER, Numbers, email_addresses
from jobs.simulator.randomness import Purpose, draw_keys, generator, number
from jobs.simulator.scripts import EMAIL_NOT_FOUND, UNAUTHORIZED
from jobs.simulator.world import BRUTE_FORCE_NETWORK, NETWORKS, SCRIPTED_DEVICE, STUFFING_NETWORK, TRAVEL_NETWORK

MAX_SHARE = 0.04
"""Attacks make up at most this share of a tenant's events; a small simulation has few or none."""


class AttackKind(StrEnum):
    """What an attacker does."""

    BRUTE_FORCE = "brute_force"
    CREDENTIAL_STUFFING = "credential_stuffing"
    IMPOSSIBLE_TRAVEL = "impossible_travel"


@dataclass(frozen=True)
class Attack:
    """One attack as it happened; `started_at` and `ended_at` enclose the starts of its flows."""

    kind: AttackKind
    tenant_id: str
    day: int
    started_at: datetime
    ended_at: datetime
    ips: tuple[str, ...]
    user_ids: tuple[str, ...]
    emails: tuple[str, ...]
    attempts: int
    successes: int
    events: int


@dataclass(frozen=True)
class PlannedAttack:
    """An attack and its flows."""

    facts: Attack
    flows: Flows


def attacks(config: SimConfig) -> tuple[Attack, ...]:
    """The ground truth: every attack in the simulation of these parameters."""
    return tuple(planned.facts for tenant in config.sim_tenants for planned in plan_attacks(config, cast_of(config, tenant)))


def plan_attacks(config: SimConfig, cast: Cast) -> tuple[PlannedAttack, ...]:
    """The attacks on a tenant, within its share of events."""
    if "password" not in cast.tenant.methods or config.days < 2:
        return ()
    planned: list[PlannedAttack] = []
    left = config.expected_events(cast.tenant) * MAX_SHARE
    for at_most, plan in _Planner(config, cast).candidates():
        if at_most <= left:
            planned.append(plan())
            left -= planned[-1].facts.events
    return tuple(planned)


class _Planner:
    def __init__(self, config: SimConfig, cast: Cast) -> None:
        self._config, self._tenant, self._people, self._book = config, cast.tenant, cast.people, cast.book
        self._rng = generator(config.seed, Purpose.ATTACKS, number(cast.tenant.tenant_id), config.fingerprint_number)
        self._succeeds = cast.book.find("password", "completed")
        self._wrong = cast.book.find("password", "failed", UNAUTHORIZED)
        self._nobody = cast.book.find("password", "failed", EMAIL_NOT_FOUND)

    def candidates(self) -> Iterator[tuple[int, Callable[[], PlannedAttack]]]:
        """Attacks in the order in which they are taken as long as there is room, with the events of each."""
        expected = self._config.expected_events(self._tenant)
        guesses = int(np.clip(expected * 0.004, 30, 400))
        sprayed = int(np.clip(expected * 0.008, 60, 3000))
        yield 4, self.impossible_travel
        yield 2 * guesses, partial(self.brute_force, guesses, succeeds=False)
        yield 2 * sprayed, partial(self.credential_stuffing, sprayed)
        yield 4, self.impossible_travel
        yield 2 * guesses + 2, partial(self.brute_force, guesses, succeeds=True)
        yield 4, self.impossible_travel

    def brute_force(self, guesses: int, *, succeeds: bool) -> PlannedAttack:
        """Many wrong passwords for one user from one address within minutes, in the end perhaps the right one."""
        day, victim = self._day_and_victim()
        count = guesses + succeeds
        script = np.full(count, self._wrong)
        if succeeds:
            script[-1] = self._succeeds
        start = np.sort(self._rng.integers(0, 20 * 60_000, count)) + self._start_of(day, 20 * 60_000)
        host = np.full(count, self._rng.integers(0, 254))
        flows = self._from_script(np.full(count, victim), script, start, BRUTE_FORCE_NETWORK, host)
        return self._planned(AttackKind.BRUTE_FORCE, day, flows, successes=int(succeeds))

    def credential_stuffing(self, attempts: int) -> PlannedAttack:
        """One leaked password each for many addresses, most of them unknown here, from a range of addresses."""
        day, _ = self._day_and_victim()
        victims = self._rng.permutation(np.flatnonzero(self._people.active_weights(day) > 0))[: attempts // 3]
        user = np.full(attempts, UNKNOWN_USER)
        user[: len(victims)] = victims
        user = self._rng.permutation(user)
        known = user != UNKNOWN_USER
        guessed = known & (self._rng.random(attempts) < 0.05)
        script = np.where(known, np.where(guessed, self._succeeds, self._wrong), self._nobody)
        start = np.sort(self._rng.integers(0, 90 * 60_000, attempts)) + self._start_of(day, 90 * 60_000)
        host = self._rng.integers(0, 40, attempts) + self._rng.integers(0, 200)
        flows = self._from_script(user, script, start, STUFFING_NETWORK, host)
        return self._planned(AttackKind.CREDENTIAL_STUFFING, day, flows, successes=int(guessed.sum()))

    def impossible_travel(self) -> PlannedAttack:
        """A user signs in at home, and within the hour from another continent."""
        day, victim = self._day_and_victim()
        user = np.full(2, victim)
        gap = int(self._rng.integers(10 * 60_000, 50 * 60_000))
        start = self._start_of(day, gap) + np.array([0, gap])
        place = self._people.places(user, day)
        device, kind = self._people.devices(user, np.zeros(2, dtype=np.bool_), day)
        elsewhere = np.array([False, True])
        flows = Flows(
            key=draw_keys(self._rng, 2),
            start_ms=start,
            user=user,
            script=np.full(2, self._succeeds),
            test=np.zeros(2, dtype=np.bool_),
            device=np.where(elsewhere, draw_keys(self._rng, 2), device),
            device_kind=kind,
            network=np.where(elsewhere, TRAVEL_NETWORK, place),
            host=np.where(elsewhere, self._rng.integers(0, 254, 2), self._people.hosts(user, place)),
            ipv6=~elsewhere & self._people.on_ipv6(user),
        )
        return self._planned(AttackKind.IMPOSSIBLE_TRAVEL, day, flows, successes=2)

    def _day_and_victim(self) -> tuple[int, int]:
        day = int(self._rng.integers(min(7, self._config.days - 1), self._config.days))
        active = np.flatnonzero(self._people.active_weights(day) > 0)
        candidates = active[active >= TEST_USERS]
        return day, int(self._rng.choice(candidates if len(candidates) else active))

    def _start_of(self, day: int, duration_ms: int) -> int:
        return self._config.day_start_ms(day) + int(self._rng.integers(0, DAY_MS - duration_ms - 3_600_000))

    def _from_script(self, user: Numbers, script: Numbers, start: Numbers, network: int, host: Numbers) -> Flows:
        count = len(user)
        return Flows(
            key=draw_keys(self._rng, count),
            start_ms=start,
            user=user,
            script=script,
            test=np.zeros(count, dtype=np.bool_),
            device=np.repeat(draw_keys(self._rng, 1), count),
            device_kind=np.full(count, SCRIPTED_DEVICE),
            network=np.full(count, network),
            host=host,
            ipv6=np.zeros(count, dtype=np.bool_),
        )

    def _planned(self, kind: AttackKind, day: int, flows: Flows, successes: int) -> PlannedAttack:
        known = np.unique(flows.user[flows.user != UNKNOWN_USER])
        strangers = flows.user == UNKNOWN_USER
        ips = {NETWORKS[n].address(h) for n, h in zip(flows.network.tolist(), flows.host.tolist(), strict=True) if n >= BRUTE_FORCE_NETWORK}
        start, end = (datetime.fromtimestamp(int(ms) / 1000, UTC) for ms in (flows.start_ms.min(), flows.start_ms.max()))
        facts = Attack(
            kind=kind,
            tenant_id=self._tenant.tenant_id,
            day=day,
            started_at=start,
            ended_at=end,
            ips=tuple(sorted(ips)),
            user_ids=tuple(self._people.user_ids(known)),
            emails=(*self._people.emails(known), *email_addresses(flows.key[strangers], stranger_numbers(flows)[strangers])),
            attempts=len(flows),
            successes=successes,
            events=int(self._book.lengths[flows.script].sum()),
        )
        return PlannedAttack(facts, flows)


def stranger_numbers(flows: Flows) -> Numbers:
    """The number in the e-mail address of somebody who is no user."""
    return (flows.key % np.uint64(90_000)).astype(np.int64) + 10_000
