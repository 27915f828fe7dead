"""The history of a simulation as landing files: who delivers what on which day, late and twice included.

Does not belong here: writing files anywhere (sink), or the running stream (live).
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from jobs.simulator.attacks import PlannedAttack, plan_attacks
from jobs.simulator.config import LANDING_SOURCE, MAX_DELAY_DAYS, SimConfig
from jobs.simulator.flows import DAY_MS, Cast, Events, FlowMaker, cast_of, join, unroll
from jobs.simulator.manifest import Manifest
from jobs.simulator.population import Numbers
from jobs.simulator.randomness import Purpose, draw_keys, generator, number
from jobs.simulator.records import RecordWriter
from jobs.simulator.rhythm import SLOT_MS, SLOTS, allocate, offsets_ms
from jobs.simulator.tenants import SimTenant

MAX_RECORDS_PER_FILE = 50_000
"""About 50 MB before compression: what a simulation holds in memory at a time, whatever its volume."""
GZIP_LEVEL = 3
"""Per million events (1.2 GB) level 3 takes 8 s, level 6 15 s for files that are a fifth smaller."""


@dataclass(frozen=True)
class LandingFile:
    """One file for the landing bucket: `lines` are its JSON lines, `body` the bytes to write."""

    key: str
    lines: bytes
    records: int
    tenant_id: str
    metadata: Mapping[str, str]

    @property
    def body(self) -> bytes:
        """The bytes of the file; equal lines give equal bytes."""
        return self.lines if self.key.endswith(".jsonl") else compress(self.lines)


def compress(data: bytes) -> bytes:
    """Gzip without a time or a name in the header."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, wbits=31)
    return packer.compress(data) + packer.flush()


@dataclass(frozen=True)
class SimDay:
    """All events of a tenant's UTC day in order of time, and on which days they are delivered, first and perhaps again."""

    lines: list[bytes]
    events: Events
    landed: Numbers
    repeated: dict[int, int]


class TenantHistory:
    """One tenant's days; a day depends on seed, tenant and configuration, not on which other days were made."""

    def __init__(self, config: SimConfig, cast: Cast, attacks: tuple[PlannedAttack, ...], counts: Numbers) -> None:
        self.config, self.tenant, self.book, self.counts = config, cast.tenant, cast.book, counts
        self._maker, self._writer = FlowMaker(config, cast), RecordWriter(cast)
        self._attacks: dict[int, list[PlannedAttack]] = defaultdict(list)
        for attack in attacks:
            self._attacks[attack.facts.day].append(attack)

    def day(self, index: int) -> SimDay:
        """Make one day."""
        key = (number(self.tenant.tenant_id), index, self.config.fingerprint_number)
        rng = generator(self.config.seed, Purpose.DAY, *key)
        flows = join([*(attack.flows for attack in self._attacks[index]), self._maker.day(rng, index, int(self.counts[index]))])
        events = unroll(rng, self.book, flows, self.config.day_start_ms(index) + DAY_MS)
        lines = self._writer.lines(flows, events, draw_keys(rng, len(events.flow)))
        return self._delivered(generator(self.config.seed, Purpose.DELIVERY, *key), index, lines, events)

    def _delivered(self, rng: np.random.Generator, index: int, lines: list[bytes], events: Events) -> SimDay:
        count, last = len(lines), self.config.days - 1
        is_late = rng.random(count) < self.config.late_share
        landed = index + np.where(is_late, _delay(rng, np.full(count, last - index)), 0)
        twice = np.flatnonzero(rng.random(count) < self.config.duplicate_share)
        soon = rng.random(len(twice)) < 0.5
        again = landed[twice] + np.where(soon, 0, _delay(rng, last - landed[twice]))
        return SimDay(lines, events, landed, dict(zip(twice.tolist(), again.tolist(), strict=True)))


def _delay(rng: np.random.Generator, room: Numbers) -> Numbers:
    """From 1 to 30 days, and not beyond the end of the history."""
    room = np.minimum(room, MAX_DELAY_DAYS)
    return np.minimum(1 + np.floor(rng.random(len(room)) * room).astype(np.int64), room)


def tenant_histories(config: SimConfig) -> list[TenantHistory]:
    """Every tenant's history; with the attacks they hold exactly `config.events` events."""
    casts = [cast_of(config, tenant) for tenant in config.sim_tenants]
    planned = [plan_attacks(config, cast) for cast in casts]
    counts = allocate(config, config.events - sum(attack.facts.events for attacks in planned for attack in attacks))
    return [TenantHistory(config, cast, attacks, counts[cast.tenant.tenant_id]) for cast, attacks in zip(casts, planned, strict=True)]


def generate(config: SimConfig, manifest: Manifest | None = None) -> Iterator[LandingFile]:
    """The files of a simulation in order of their landing dates; `manifest` is filled in step."""
    counted = manifest if manifest is not None else new_manifest(config)
    writers = [_TenantFiles(history, counted) for history in tenant_histories(config)]
    for first in range(0, config.days, config.days_per_file):
        for writer in writers:
            yield from writer.files(first)


def new_manifest(config: SimConfig) -> Manifest:
    """An empty manifest of a simulation."""
    return Manifest(seed=config.seed, anchor=config.anchor)


class _TenantFiles:
    """Cuts one tenant's history into files, and carries late and repeated lines over to the file in which they land."""

    def __init__(self, history: TenantHistory, manifest: Manifest) -> None:
        self._history, self._config, self._manifest = history, history.config, manifest
        self._carried: dict[int, list[bytes]] = defaultdict(list)

    def files(self, first: int) -> Iterator[LandingFile]:
        """The files of the days from `first` on; none where nothing lands."""
        last = min(first + self._config.days_per_file, self._config.days) - 1
        lines = self._carried.pop(first, [])
        part = 0
        for index in range(first, last + 1):
            lines += self._landing(index, first)
            while len(lines) >= MAX_RECORDS_PER_FILE:
                yield self._file(lines[:MAX_RECORDS_PER_FILE], first, last, part)
                lines, part = lines[MAX_RECORDS_PER_FILE:], part + 1
        if lines:
            yield self._file(lines, first, last, part)

    def _landing(self, index: int, first: int) -> list[bytes]:
        day = self._history.day(index)
        self._count(index, day)
        span = self._config.days_per_file
        file_of = day.landed // span * span
        here = day.lines
        late = np.flatnonzero(file_of != first)
        for at in late.tolist():
            self._carried[int(file_of[at])].append(day.lines[at])
        if len(late):
            here = [day.lines[at] for at in np.flatnonzero(file_of == first).tolist()]
        self._manifest.late += len(late)
        return here + self._repeats(day, first)

    def _repeats(self, day: SimDay, first: int) -> list[bytes]:
        span = self._config.days_per_file
        here = []
        for at, landed in day.repeated.items():
            original, again = int(day.landed[at]) // span * span, landed // span * span
            if again == original:
                self._manifest.duplicates_in_same_file += 1
            else:
                self._manifest.duplicates_in_other_file += 1
            if again == first:
                here.append(day.lines[at])
            else:
                self._carried[again].append(day.lines[at])
        return here

    def _count(self, index: int, day: SimDay) -> None:
        tenant, count = self._history.tenant, len(day.lines)
        if not count:
            return
        counted, utc_day = self._manifest, self._config.day(index)
        counted.events += count
        counted.by_utc_day[tenant.tenant_id, utc_day] += count
        counted.saw(int(day.events.time_ms[0]), int(day.events.time_ms[-1]))
        counted.by_local_day.update(_local_days(tenant, utc_day, day.events.time_ms))
        happened = np.bincount(day.events.step)
        for at in np.flatnonzero(happened).tolist():
            step = self._history.book.steps[at]
            counted.by_action[tenant.tenant_id, step.action, step.status.value] += int(happened[at])

    def _file(self, lines: list[bytes], first: int, last: int, part: int) -> LandingFile:
        config, tenant_id = self._config, self._history.tenant.tenant_id
        days = f"{config.day(first):%Y%m%d}-{config.day(last):%Y%m%d}"
        name = f"synthetic-seed{config.seed}-anchor{config.anchor:%Y%m%d}-{config.layout_fingerprint}-{days}-{part:03d}"
        key = f"{LANDING_SOURCE}/date={config.day(last)}/tenant={tenant_id}/{name}.jsonl{'' if config.plain else '.gz'}"
        metadata = {"synthetic": "true", "seed": str(config.seed), "anchor": str(config.anchor), "records": str(len(lines))}
        self._manifest.files += 1
        self._manifest.records += len(lines)
        return LandingFile(key, b"".join(lines), len(lines), tenant_id, metadata)


def _local_days(tenant: SimTenant, utc_day: date, time_ms: Numbers) -> Counter[tuple[str, date]]:
    slots = time_ms // SLOT_MS % SLOTS
    local = (time_ms + offsets_ms(tenant.zone, utc_day)[slots]) // DAY_MS
    days, counts = np.unique(local, return_counts=True)
    epoch = date(1970, 1, 1)
    return Counter({(tenant.tenant_id, epoch + timedelta(days=int(day))): int(count) for day, count in zip(days, counts, strict=True)})
