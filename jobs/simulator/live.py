"""A running stream of synthetic events at real clock times, in small files.

Sizes, rhythm of the hour and users are those of the history with the same parameters; there are no attacks, no late and no
repeated deliveries, and no two runs are alike, for the clock is part of every draw.

Does not belong here: the history (history), or where files go (sink).
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np

from jobs.simulator.config import LANDING_SOURCE, SimConfig
from jobs.simulator.flows import DAY_MS, FlowMaker, cast_of, unroll
from jobs.simulator.history import LandingFile, new_manifest
from jobs.simulator.manifest import Manifest
from jobs.simulator.randomness import Purpose, draw_keys, generator, number
from jobs.simulator.records import RecordWriter
from jobs.simulator.rhythm import SLOT_MS, SLOTS, slot_weights
from jobs.simulator.tenants import SimTenant

FILE_EVERY_S = 5.0
MIN_INTERVAL_S = 0.5


@dataclass
class _LiveTenant:
    """A tenant's part of the stream; what its flows do in the future waits in `pending`."""

    config: SimConfig
    tenant: SimTenant
    pending: list[tuple[int, int, bytes]] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        cast = cast_of(self.config, self.tenant)
        self.book = cast.book
        self._maker, self._writer = FlowMaker(self.config, cast), RecordWriter(cast)

    def events_per_flow(self) -> float:
        """Mean length of a flow, from some thousand drawn ones."""
        start_ms = np.full(2000, self.config.day_start_ms(self.config.days - 1))
        flows = self._maker.moment(generator(0, Purpose.LIVE), self.config.days - 1, start_ms)
        return float(self.book.lengths[flows.script].mean())

    def activity(self, now_ms: int) -> float:
        """How much of the stream is this tenant's at a moment."""
        weights = slot_weights(self.tenant, _utc_day(now_ms))
        return float(self.tenant.share * weights[now_ms // SLOT_MS % SLOTS] / weights.mean())

    def start(self, flows: int, from_ms: int, to_ms: int) -> None:
        """Let new flows begin within a span of time."""
        rng = generator(self.config.seed, Purpose.LIVE, number(self.tenant.tenant_id), from_ms)
        starts = np.sort(rng.integers(from_ms, to_ms, flows))
        # Users join and leave within the history; the stream goes on with those of its last day.
        begun = self._maker.moment(rng, self.config.days - 1, starts)
        events = unroll(rng, self.book, begun, None)
        lines = self._writer.lines(begun, events, draw_keys(rng, len(events.flow)))
        for time_ms, line in zip(events.time_ms.tolist(), lines, strict=True):
            self.made += 1
            heapq.heappush(self.pending, (time_ms, self.made, line))

    def due(self, now_ms: int) -> list[tuple[int, bytes]]:
        """Take what has happened by now, in order of time."""
        happened = []
        while self.pending and self.pending[0][0] <= now_ms:
            time_ms, _, line = heapq.heappop(self.pending)
            happened.append((time_ms, line))
        return happened


class LiveStream:
    """A stream of about `rate` events a second over all tenants."""

    def __init__(self, config: SimConfig, rate: float, *, clock: Callable[[], float] = time.time) -> None:
        self.manifest: Manifest = new_manifest(config)
        self.manifest.anchor = None
        self._config, self._clock = config, clock
        self._tenants = [_LiveTenant(config, tenant) for tenant in config.sim_tenants]
        lengths = [tenant.events_per_flow() for tenant in self._tenants]
        self._flows_per_ms = rate / 1000 / float(np.average(lengths, weights=[tenant.tenant.share for tenant in self._tenants]))
        self._reached_ms = self._now_ms()

    def tick(self) -> Iterator[LandingFile]:
        """The files of what has happened since the last call."""
        now_ms = self._now_ms()
        if now_ms <= self._reached_ms:
            return
        activity = np.array([tenant.activity(now_ms) for tenant in self._tenants])
        rng = generator(self._config.seed, Purpose.LIVE, self._reached_ms)
        flows = rng.poisson(self._flows_per_ms * (now_ms - self._reached_ms) * activity / activity.sum())
        for tenant, count in zip(self._tenants, flows.tolist(), strict=True):
            tenant.start(count, self._reached_ms, now_ms)
            happened = tenant.due(now_ms)
            if happened:
                yield self._file(tenant, happened, now_ms)
        self._reached_ms = now_ms

    def run(self, seconds: float | None = None, *, every_s: float = FILE_EVERY_S,
            sleep: Callable[[float], None] = time.sleep) -> Iterator[LandingFile]:  # fmt: skip
        """Files until `seconds` have passed, or for ever."""
        started = self._clock()
        while seconds is None or self._clock() - started < seconds:
            left = every_s if seconds is None else min(every_s, max(0.01, seconds - (self._clock() - started)))
            sleep(left)
            yield from self.tick()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _file(self, tenant: _LiveTenant, happened: list[tuple[int, bytes]], now_ms: int) -> LandingFile:
        tenant_id, count = tenant.tenant.tenant_id, len(happened)
        landed = datetime.fromtimestamp(now_ms / 1000, UTC)
        for time_ms, _ in happened:
            self.manifest.by_utc_day[tenant_id, _utc_day(time_ms)] += 1
        self.manifest.saw(happened[0][0], happened[-1][0])
        self.manifest.events += count
        self.manifest.records += count
        self.manifest.files += 1
        name = f"synthetic-live-seed{self._config.seed}-{landed:%Y%m%dT%H%M%S}{now_ms % 1000:03d}Z"
        key = f"{LANDING_SOURCE}/date={landed:%Y-%m-%d}/tenant={tenant_id}/{name}.jsonl{'' if self._config.plain else '.gz'}"
        metadata = {"synthetic": "true", "seed": str(self._config.seed), "records": str(count)}
        return LandingFile(key, b"".join(line for _, line in happened), count, tenant_id, metadata)


def _utc_day(time_ms: int) -> date:
    return date.fromordinal(time_ms // DAY_MS + date(1970, 1, 1).toordinal())
