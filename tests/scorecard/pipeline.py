"""A model of the pipeline's book-keeping: runs take what has landed, and leave the facts that the jobs leave.

Does not belong here: the files (tests.scorecard.world), what breaks (tests.scorecard.faults), or the form of a step's facts
(tests.scorecard.steps).
"""

from __future__ import annotations

import heapq
import json
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cronsim import CronSim

from lakehouse.schedules import MAINTENANCE
from lakehouse.sources import Source
from lakehouse.tables import TABLES, Layer, Table, table
from lakehouse.tables.silver import AUTH_EVENTS
from tests.scorecard import measures
from tests.scorecard.disturbance import Disturbance
from tests.scorecard.drift import Fields
from tests.scorecard.facts import Bulk, FactStore
from tests.scorecard.ledger import Batch, ledger_row, rejected_tenants, short_hash
from tests.scorecard.steps import Attempt, Broken, Failure, verdicts
from tests.scorecard.world import BEGIN, HOUR, LandedFile, Stream, World

GOLD = tuple(t for t in TABLES.values() if t.layer is Layer.GOLD)
GOLD_PIPELINE = "gold"
EVERY = timedelta(minutes=5)
"""A run looks this often for what has landed, unless one is under way."""
START = timedelta(seconds=4)
"""From the sensor's request to the first step of a run."""
TRIES = 4
RETRY_WAIT_S = 10
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=15)
DEPLOYS = (timedelta(days=5, hours=14), timedelta(days=12, hours=9), timedelta(days=18, hours=15), timedelta(days=24, hours=10))
"""When new code is put in place that changes no row, after the beginning."""
HICCUP_SHARE = 0.0002
"""Attempts that fail for once in a run of the mill way, and succeed when tried again."""
HICCUP = Failure("InfrastructureError", "another run wrote the table at the same time during the step", 1.0, retries=True)
GOLD_READS = 60_000
"""Rows of the days that a gold table is made from anew."""


@dataclass
class RunState:
    """A run that is under way: its id, the moment that it has come to, and which tables have failed in it for good."""

    run_id: str
    now: datetime
    code_version: str
    failed: list[str] = field(default_factory=list)


class Pipeline:
    """The pipeline of a world; facts wait in it until they are due.

    Args:
        world: whose files it takes.
        faults: what goes wrong; may be set at any moment.
        begin: the first hour (UTC) whose files land.
    """

    def __init__(self, world: World, faults: Sequence[Disturbance] = (), begin: datetime = BEGIN) -> None:
        self.world, self.faults = world, list(faults)
        self._due: deque[tuple[datetime, str, Any]] = deque()
        self._landing: list[tuple[datetime, int, LandedFile]] = []
        self._landed, self._next_hour, self._next_look, self._free_at = 0, begin, begin + EVERY, begin
        self._numbers: dict[str, int] = defaultdict(int)
        self._versions: dict[str, int] = defaultdict(int)
        self._bronze: list[Batch] = []
        self._silver: list[Batch] = []
        self._stale: set[str] = set()
        self._maintained_next = _night_after(begin)
        self._fields = Fields(world.sources)
        self._failing: dict[tuple[str, str], tuple[int, datetime]] = {}

    def advance(self, until: datetime, store: FactStore) -> None:
        """Live on to a moment (UTC), and hand the store every fact recorded before it."""
        while self._next_look < until:
            self._land(self._next_look)
            if self._next_look >= self._free_at and not any(fault.is_blind(self._next_look) for fault in self.faults):
                self._look(self._next_look)
                self._maintain(self._next_look)
            self._next_look += EVERY
        self._hand_over(until, store)

    def _hand_over(self, until: datetime, store: FactStore) -> None:
        while self._due and self._due[0][0] < until:
            at, name, what = self._due.popleft()
            store.record(name, at, what)

    def _tell(self, at: datetime, name: str, what: Sequence[Mapping[str, Any]] | Bulk) -> None:
        self._due.append((at, name, what))

    def _land(self, now: datetime) -> None:
        """Have the files of all hours that have ended put where they will be."""
        while self._next_hour + HOUR <= now:
            hour = self._next_hour
            files = [file for stream in self.world.streams for file in self._files(stream, hour)]
            for file in (*files, *(f for fault in self.faults for f in fault.further(self.world, hour))):
                self._landed += 1
                heapq.heappush(self._landing, (file.landed_at, self._landed, file))
            self._next_hour += HOUR

    def _files(self, stream: Stream, hour: datetime) -> list[LandedFile]:
        count, rates = self.world.count(stream, hour), self.world.rates(stream)
        for fault in self.faults:
            count, rates = fault.count(self.world, stream, hour, count), fault.rates(stream, hour, rates)
        files = [self.world.file(stream, hour, count, rates)]
        for fault in self.faults:
            files = [landed for file in files for landed in fault.land(file)]
        return files

    def _look(self, now: datetime) -> None:
        """Run what has something to do, as the sensor does: what has failed time after time pauses."""
        pending: dict[str, list[LandedFile]] = defaultdict(list)
        while self._landing and self._landing[0][0] <= now:
            file = heapq.heappop(self._landing)[2]
            pending[file.source].append(file)
        for source, files in sorted(pending.items()):
            self._claim(source, files, now + START)
        bronze = [b for b in self._bronze if not self._pauses(b.source, f"bronze.{b.source}", now)]
        silver = [b for b in self._silver if not self._pauses(b.source, AUTH_EVENTS.name, now)]
        gold = [t for t in GOLD if not self._pauses(GOLD_PIPELINE, t.name, now)]
        if bronze or silver or any(t.name in self._stale for t in gold):
            self._run(now, bronze, gold)

    def _maintain(self, now: datetime) -> None:
        """Compact what is due at night, in a run of its own beside the others."""
        if now >= self._maintained_next:
            self._maintained_next = _night_after(now)
            run = self._new_run("maintenance", now)
            for attempt in self._attempts(run, MAINTENANCE.pipeline, table(MAINTENANCE.evidence), None, 3.0):
                self._tell(run.now, "ops.run_events", [attempt.end(run.now, {})])

    def _pauses(self, pipeline: str, asset: str, now: datetime) -> bool:
        runs, last = self._failing.get((pipeline, asset), (0, now))
        return runs > 1 and now < last + min(FIRST_PAUSE * 2 ** min(runs - 2, 16), LONGEST_PAUSE)

    def _claim(self, source: str, files: Sequence[LandedFile], at: datetime) -> None:
        self._numbers[source] += 1
        batch = Batch(f"{source}-{self._numbers[source]:010d}", source, at, tuple(files))
        self._bronze.append(batch)
        self._tell(at, "ctl.files", [ledger_row(batch, f, "claimed") for f in files])

    def _run(self, now: datetime, bronze: Sequence[Batch], gold: Sequence[Table]) -> None:
        run = self._new_run("run", now)
        planned = sorted({b.source for b in bronze})
        for batch in bronze:
            self._to_bronze(run, batch)
        waiting = [b for b in self._silver if not self._pauses(b.source, AUTH_EVENTS.name, now)]
        if run.failed:
            self._skip(run, [(source, AUTH_EVENTS) for source in planned], run.failed[0])
        else:
            self._refine_all(run, waiting)
        for declared in gold:
            self._aggregate(run, declared)
        self._free_at = run.now

    def _new_run(self, kind: str, now: datetime) -> RunState:
        version = next((v for fault in self.faults if (v := fault.code_version(now))), None) or usual_code_version(self.world.seed, now)
        return RunState(short_hash(self.world.seed, kind, now)[:32], now + START, version)

    def _skip(self, run: RunState, steps: Sequence[tuple[str, Table]], upstream: str) -> None:
        """Record what will not be tried, and what is made from it."""
        behind = {declared.name for _, declared in steps}
        for declared in GOLD:
            if behind & set(declared.inputs):
                behind.add(declared.name)
        tables = [*steps, *((GOLD_PIPELINE, t) for t in GOLD if t.name in behind and t not in [s for _, s in steps])]
        run.failed += [name for name in behind if name not in run.failed]
        rows = [Attempt(run.run_id, p, t, 1, run.code_version, run.now).skipped(run.now, upstream) for p, t in tables]
        self._tell(run.now, "ops.run_events", rows)

    def _attempts(self, run: RunState, pipeline: str, declared: Table, batch_id: str | None, seconds: float) -> Iterator[Attempt]:
        """The attempt that may succeed, after those that failed; none where the step fails for good."""
        for number in range(1, TRIES + 1):
            attempt = Attempt(run.run_id, pipeline, declared, number, run.code_version, run.now)
            self._tell(run.now, "ops.run_events", [attempt.start()])
            failure = self._failure(run, attempt)
            if failure is None:
                self._failing.pop((pipeline, declared.name), None)
                run.now += timedelta(seconds=round(seconds * self._noise(run, attempt), 3))
                yield attempt
                return
            run.now += timedelta(seconds=failure.after_s)
            about = {"batch_id": batch_id} if batch_id else {}
            self._tell(run.now, "ops.run_events", [attempt.end(run.now, about, failure)])
            if not failure.retries:
                break
            if number < TRIES:
                run.now += timedelta(seconds=RETRY_WAIT_S * 2 ** (number - 1))
        self._failing[pipeline, declared.name] = (self._failing.get((pipeline, declared.name), (0, run.now))[0] + 1, run.now)

    def _failure(self, run: RunState, attempt: Attempt) -> Failure | None:
        for fault in self.faults:
            if failure := fault.failure(attempt.pipeline, attempt.declared.name, run.now):
                return failure
        chance = int(short_hash(run.run_id, attempt.pipeline, attempt.declared.name)[:8], 16) / 16**8
        return HICCUP if attempt.number == 1 and chance < HICCUP_SHARE else None

    def _noise(self, run: RunState, attempt: Attempt) -> float:
        chance = int(short_hash(run.run_id, attempt.pipeline, attempt.declared.name, "noise")[:8], 16) / 16**8
        return 0.85 + 0.4 * chance**2

    def _to_bronze(self, run: RunState, batch: Batch) -> None:
        source = self.world.sources[batch.source]
        done = replace(batch, held=rejected_tenants(batch.files))
        for attempt in self._attempts(run, source.name, source.bronze, batch.batch_id, 2.5 + batch.records / 3_000):
            taken = measures.in_bronze(batch.files, batch.claimed_at, done.held)
            broken = {"unparseable": _failed(taken.total["quarantined_rows"])}
            broken |= {"rejected_share": _failed(len(done.held))}
            drift = self._fields.look(source, batch.batch_id, batch.files)
            facts = self._bronze_facts(source, batch, taken)
            self._conclude(run, attempt, batch, taken, batch.records, broken, facts, drift.check)
            self._tell(run.now, "ctl.source_fields", drift.rows)
            edges = [_edge(run.run_id, f.path, None, source.bronze.name, facts.get("version_after", 0)) for f in batch.files]
            self._tell(run.now, "ops.lineage_edges", edges if taken.total["rows"] else [])
            self._tell(run.now, "ctl.files", [ledger_row(done, f, "bronze") for f in batch.files])
            self._bronze.remove(batch)
            self._silver.append(done)
            return
        run.failed.append(source.bronze.name)

    def _bronze_facts(self, source: Source, batch: Batch, taken: measures.Taken) -> dict[str, Any]:
        times = {"event_time_min": taken.oldest, "event_time_max": taken.newest}
        return self._committed(source.bronze, taken.total["rows"]) | {
            "batch_id": batch.batch_id,
            "rows_read": batch.records,
            "rows_quarantined": taken.total["quarantined_rows"],
            "rows_held_back": taken.total["held_back_rows"],
            "rows_duplicate": taken.total["duplicate_rows"],
            **(times if taken.newest else {}),
        }

    def _committed(self, declared: Table, rows: int) -> dict[str, Any]:
        counted = {"rows_inserted": rows, "rows_updated": 0, "rows_deleted": 0}
        if not rows:
            return counted
        before = self._versions[declared.name]
        self._versions[declared.name] += 1
        size = {"bytes_written": rows * measures.BYTES_PER_ROW[declared.layer], "files_written": 1 + rows // 100_000}
        return counted | size | {"version_before": before, "version_after": before + 1}

    def _conclude(
        self, run: RunState, attempt: Attempt, batch: Batch | None, taken: measures.Taken | None, rows: int,
        broken: Mapping[str, Broken | None], facts: Mapping[str, Any], further: Bulk | None = None,
    ) -> None:  # fmt: skip
        """Record checks, measurements and the end of an attempt that succeeded."""
        batch_id = batch.batch_id if batch else None
        results, counts = verdicts(attempt, batch_id, rows, {name: bad for name, bad in broken.items() if bad})
        if further:
            results = Bulk(results.columns, results.rows + [(attempt.run_id, *row) for row in further.rows])
            counts["checks_warned"] += len(further.rows)
        self._tell(run.now, "ops.check_results", results)
        took = (run.now - attempt.started_at).total_seconds()
        about = (attempt.run_id, attempt.pipeline, attempt.declared.name, batch_id)
        if taken is None:
            taken = measures.Taken(run.now)
            taken.total["rows"] = facts["rows_inserted"]
        measured = [(*about, *row) for row in measures.measurements(taken, took, attempt.declared.layer)]
        self._tell(run.now, "ops.metrics", Bulk(measures.COLUMNS, measured))
        self._tell(run.now, "ops.run_events", [attempt.end(run.now, {**facts, **counts})])

    def _refine_all(self, run: RunState, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._refine(run, batch)
        if AUTH_EVENTS.name in run.failed:
            self._skip(run, [(GOLD_PIPELINE, t) for t in GOLD if AUTH_EVENTS.name in t.inputs], AUTH_EVENTS.name)

    def _refine(self, run: RunState, batch: Batch) -> None:
        source = self.world.sources[batch.source]
        taken = measures.in_silver(batch.let_through, batch.claimed_at)
        read = sum(part.published for f in batch.let_through for part in f.parts)
        for attempt in self._attempts(run, source.name, AUTH_EVENTS, batch.batch_id, 2.0 + read / 2_500):
            facts = self._committed(AUTH_EVENTS, taken.total["rows"]) | {
                "batch_id": batch.batch_id,
                "rows_read": read,
                "rows_expanded": 0,
                "rows_late": measures.late_rows(batch.let_through, batch.claimed_at),
                "rows_quarantined": taken.total["quarantined_rows"],
                "rows_held_back": 0,
                "rows_duplicate": 0,
                "rows_conflicting": 0,
                "rows_not_applicable": taken.total["not_applicable_rows"],
            }
            age = {"event_time.freshness": Broken("passed", (run.now - taken.newest) / timedelta(minutes=1))} if taken.newest else {}
            self._conclude(run, attempt, batch, taken, read, {"ip.malformed": _failed(taken.total["quarantined_rows"]), **age}, facts)
            if taken.total["rows"]:
                self._stale |= {t.name for t in GOLD}
                read_version = self._versions[source.bronze.name]
                edge = _edge(run.run_id, source.bronze.name, read_version, AUTH_EVENTS.name, facts["version_after"])
                self._tell(run.now, "ops.lineage_edges", [edge])
            self._tell(run.now, "ctl.files", [ledger_row(batch, f, "published") for f in batch.files])
            self._silver.remove(batch)
            return
        run.failed.append(AUTH_EVENTS.name)

    def _aggregate(self, run: RunState, declared: Table) -> None:
        if declared.name not in self._stale or declared.name in run.failed:
            return
        for attempt in self._attempts(run, GOLD_PIPELINE, declared, None, 1.8 + GOLD_READS / 60_000):
            versions = {name: self._versions[name] for name in declared.inputs}
            facts = self._committed(declared, 200 + int(short_hash(run.run_id, declared.name)[:4], 16) // 700) | {
                "rows_read": GOLD_READS,
                "input_versions": json.dumps(versions),
                "partition": f"{run.now - HOUR:%Y-%m-%d}..{run.now:%Y-%m-%d}",
            }
            facts["rows_deleted"] = facts["rows_inserted"] - 1
            self._conclude(run, attempt, None, None, facts["rows_inserted"], {}, facts)
            edges = [_edge(run.run_id, name, version, declared.name, facts["version_after"]) for name, version in versions.items()]
            self._tell(run.now, "ops.lineage_edges", edges)
            self._stale.discard(declared.name)
            return
        self._skip(run, [(GOLD_PIPELINE, t) for t in GOLD if declared.name in t.inputs], declared.name)
        run.failed.append(declared.name)


def _night_after(now: datetime) -> datetime:
    return next(CronSim(MAINTENANCE.cron, now))  # type: ignore[no-any-return]


def usual_code_version(seed: int, at: datetime) -> str:
    """The version of the code that runs at a moment where nobody has put a bad one in place."""
    return short_hash(seed, "code", sum(BEGIN + deploy <= at for deploy in DEPLOYS))[:12]


def _failed(rows: int) -> Broken | None:
    return Broken("failed", float(rows), rows) if rows else None


def _edge(run_id: str, read: str, read_version: int | None, written: str, version: int) -> dict[str, Any]:
    told = {"input_name": read, "input_version": read_version, "output_name": written, "output_version": version}
    return {"run_id": run_id, **told}
