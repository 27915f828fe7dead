"""The flows of one tenant and day as arrays, and their unrolling into events.

Does not belong here: the scripts themselves (scripts), or text of any record (records).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.config import SimConfig
from jobs.simulator.population import TEST_USERS, UNKNOWN_USER, Numbers, Population
from jobs.simulator.randomness import Keys, choose, draw_keys
from jobs.simulator.rhythm import SLOT_MS, slot_weights
from jobs.simulator.scripts import BACKEND, SESSION, ScriptBook, book_of
from jobs.simulator.tenants import SimTenant

DAY_MS = 86_400_000
MAX_WAIT_MS = 900_000

_BACKEND_SHARE = 0.015
_TEST_SHARE = 0.03
_BORROWED_DEVICE_SHARE = 0.003
_HABIT = 0.8
"""Share of sign-ins by the user's usual method."""


@dataclass(frozen=True)
class Flows:
    """One row per flow; `user` may be UNKNOWN_USER, `network` is a number in `world.NETWORKS`."""

    key: Keys
    start_ms: Numbers
    user: Numbers
    script: Numbers
    test: NDArray[np.bool_]
    device: Keys
    device_kind: Numbers
    network: Numbers
    host: Numbers
    ipv6: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.key)

    def head(self, count: int) -> Flows:
        """The first flows."""
        return Flows(*(getattr(self, f.name)[:count] for f in fields(Flows)))


def join(parts: list[Flows]) -> Flows:
    """All rows of all parts."""
    return parts[0] if len(parts) == 1 else Flows(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Flows)))


@dataclass(frozen=True)
class Events:
    """One row per event, in order of time; `flow` and `step` are numbers in the flows and in the tenant's script book."""

    flow: Numbers
    step: Numbers
    time_ms: Numbers
    after_ms: Numbers


def unroll(rng: np.random.Generator, book: ScriptBook, flows: Flows, day_end_ms: int | None) -> Events:
    """Every event of the flows; with `day_end_ms`, a flow that would cross it is moved to end shortly before."""
    lengths = book.lengths[flows.script]
    flow = np.repeat(np.arange(len(flows)), lengths)
    first = np.cumsum(lengths) - lengths
    step = np.repeat(book.first_step[flows.script] - first, lengths) + np.arange(len(flow))
    wait = np.minimum(book.after_ms[step] * np.exp(rng.standard_normal(len(flow)) * book.spread[step]), MAX_WAIT_MS).astype(np.int64)
    elapsed = np.cumsum(wait)
    offset = elapsed - (elapsed[first] - wait[first])[flow] if len(flow) else elapsed
    start = flows.start_ms
    if day_end_ms is not None and len(flow):
        latest = day_end_ms - 1 - offset[first + lengths - 1] - np.floor(rng.random(len(flows)) * MAX_WAIT_MS).astype(np.int64)
        start = np.where(start + offset[first + lengths - 1] >= day_end_ms, latest, start)
    time_ms = start[flow] + offset
    order = np.argsort(time_ms, kind="stable")
    return Events(flow[order], step[order], time_ms[order], wait[order])


@dataclass(frozen=True)
class Cast:
    """A tenant, its users, and what they can do."""

    tenant: SimTenant
    people: Population
    book: ScriptBook


def cast_of(config: SimConfig, tenant: SimTenant) -> Cast:
    """The cast of one tenant in a simulation."""
    return Cast(tenant, Population(config, tenant), book_of(tenant.tenant_id))


class FlowMaker:
    """Draws a tenant's ordinary flows."""

    def __init__(self, config: SimConfig, cast: Cast) -> None:
        self._config, self._tenant, self._people, self._book = config, cast.tenant, cast.people, cast.book
        book = cast.book
        self._weights = np.array(list(cast.tenant.methods.values()))
        self._session = book.methods.index(SESSION)
        self._backend = book.methods.index(BACKEND)
        self._biometric = book.methods.index("biometric") if "biometric" in book.methods else -1
        self._filler = book.find(SESSION, "completed")

    def day(self, rng: np.random.Generator, index: int, events: int) -> Flows:
        """Flows of a UTC day that unroll into exactly this many events.

        The last few are session checks of one event each, where the next flow would not fit.
        """
        # A flow has three events on average, so the first draw is enough; as many flows as events always are.
        for count in (int(events * 0.6) + 20, events):
            drawn = self._draw(rng, count, index, self._times(rng, count, index))
            reached = np.cumsum(self._book.lengths[drawn.script])
            kept = int(np.searchsorted(reached, events, side="right"))
            missing = events - (int(reached[kept - 1]) if kept else 0)
            if kept + missing <= count:
                break
        drawn.script[kept:] = self._filler
        return drawn.head(kept + missing)

    def moment(self, rng: np.random.Generator, index: int, start_ms: Numbers) -> Flows:
        """Flows that start at given times of a day."""
        return self._draw(rng, len(start_ms), index, start_ms)

    def _times(self, rng: np.random.Generator, count: int, index: int) -> Numbers:
        slots = choose(rng.random(count), slot_weights(self._tenant, self._config.day(index)))
        within = np.floor(rng.random(count) * SLOT_MS).astype(np.int64)
        return np.asarray(self._config.day_start_ms(index) + slots * SLOT_MS + within, dtype=np.int64)

    def _methods(self, rng: np.random.Generator, users: Numbers) -> Numbers:
        usual = self._people.method[users]
        other = choose(rng.random(len(users)), self._weights)
        signs_in = np.where(rng.random(len(users)) < _HABIT, usual, other)
        kind = rng.random(len(users))
        no_sign_in = np.where(kind < _BACKEND_SHARE, self._backend, self._session)
        return np.where(kind < _BACKEND_SHARE + self._tenant.session_share, no_sign_in, signs_in)

    def _draw(self, rng: np.random.Generator, count: int, index: int, start_ms: Numbers) -> Flows:
        people = self._people
        test = rng.random(count) < _TEST_SHARE
        user = np.where(test, rng.integers(0, TEST_USERS, count), choose(rng.random(count), people.active_weights(index)))
        method = self._methods(rng, user)
        on_phone = (rng.random(count) < people.prefers_phone(user)) | (method == self._biometric)
        device, kind = people.devices(user, on_phone, index)
        borrowed = rng.random(count) < _BORROWED_DEVICE_SHARE
        place = people.places(user, index)
        return Flows(
            key=draw_keys(rng, count),
            start_ms=start_ms,
            user=user,
            script=self._book.draw(method, rng.random(count)),
            test=test,
            device=np.where(borrowed, draw_keys(rng, count), device),
            device_kind=kind,
            network=place,
            host=people.hosts(user, place),
            ipv6=people.on_ipv6(user),
        )


def known(flows: Flows) -> Numbers:
    """The users of flows as valid numbers, user 0 standing in for unknown ones."""
    return np.where(flows.user == UNKNOWN_USER, 0, flows.user)
