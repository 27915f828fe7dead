"""Silver to gold: each gold table recomputes the days that its input's new versions touch, and no others.

The input's version is the transaction version of the gold commit: what a table has taken in stands in its own log.

Does not belong here: formulas (jobs.gold).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame

from dq_checks import Stage
from jobs.audit import audit, judge_published, lineage, view_of
from jobs.context import Context
from jobs.gold import MONTH_DAYS, TRANSFORMS, attempts, only_days, with_day
from lakehouse import failpoints
from lakehouse.delta import Changes, DeltaLog, replace
from lakehouse.ops.runs import Facts
from lakehouse.settings import Settings
from lakehouse.spark import checkpoint, tune
from lakehouse.tables import Table, table
from lakehouse.tenants import TenantRegistry

PIPELINE = "gold"
AUTH_EVENTS = "silver.auth_events"


@dataclass(frozen=True)
class Work:
    """What a gold table has to take in: its input's version, and the values of its partition column to recompute (None: all)."""

    declared: Table
    version: int
    days: frozenset[date] | None
    transaction: str

    @property
    def where(self) -> str | None:
        """Predicate on the rows to replace; None for the whole table."""
        if self.days is None:
            return None
        literals = ", ".join(f"date'{day.isoformat()}'" for day in sorted(self.days))
        return f"{self.declared.partition_by[0]} in ({literals})"


def aggregate(context: Context, declared: Table, *, days: Collection[date] | None = None) -> Work | None:
    """Bring a gold table up to its input's version. Returns what was recomputed, None where nothing had changed.

    Args:
        days: recompute these days of the input instead, as a backfill.
    """
    with context.recorded_if_failing(PIPELINE, declared):
        work = plan(context, declared, days)
    if work is None:
        return None
    with context.step(PIPELINE, declared) as facts, context.infrastructure_errors():
        _publish(context, work, facts)
    return work


def plan(context: Context, declared: Table, asked: Collection[date] | None) -> Work | None:
    """What a gold table has to recompute, from its own log and its input's."""
    source = DeltaLog(context.settings, table(declared.inputs[0]))
    transaction = taken_in(declared)
    done = DeltaLog(context.settings, declared).transaction(transaction)
    if done is None:
        return Work(declared, source.version, None, transaction) if source.version > 0 else None
    if asked is not None:
        return Work(declared, source.version, _reached(declared, asked), f"backfill.{context.run.run_id}")
    if done >= source.version:
        return None
    changes = source.changes_since(done)
    if changes is None:
        return Work(declared, source.version, None, transaction)
    touched = _touched(context, declared, changes)
    return Work(declared, source.version, _reached(declared, touched), transaction) if touched else None


def is_behind(settings: Settings, declared: Table) -> bool:
    """Whether a gold table's input has rows that the table has not taken in, e.g. because the run that brought them was killed."""
    source, done = DeltaLog(settings, table(declared.inputs[0])), DeltaLog(settings, declared).transaction(taken_in(declared))
    if done is None:
        return source.version > 0
    changes = source.changes_since(done)
    return changes is None or bool(changes.files)


def taken_in(declared: Table) -> str:
    """Transaction id of a gold table's commits: its input and the version of its definition, so that a new definition starts afresh."""
    version = declared.definition.version if declared.definition else 0
    return f"{declared.inputs[0]}#{version}"


def _reached(declared: Table, touched: Iterable[date]) -> frozenset[date]:
    return frozenset(day + timedelta(days=n) for day in touched for n in range(declared.reach_days + 1))


def _touched(context: Context, declared: Table, changes: Changes) -> set[date]:
    """Days of the table's partition column that the changed rows belong to."""
    column = declared.partition_by[0]
    if all(column in values for values in changes.partitions):
        return {date.fromisoformat(values[column]) for values in changes.partitions}
    changed = context.session.read.parquet(*changes.files).select("tenant_id", "event_time")
    return {row["day"] for row in with_day(changed, zones(context)).select("day").distinct().collect()}


def zones(context: Context) -> DataFrame:
    """tenant_id and time_zone of the declared tenants."""
    declared = TenantRegistry(context.settings).all().values()
    return context.session.createDataFrame([(t.tenant_id, t.time_zone) for t in declared], "tenant_id string, time_zone string")


def compute(context: Context, work: Work) -> DataFrame:
    """The rows of a gold table for the days of the work."""
    declared, column = work.declared, work.declared.partition_by[0]
    rows = context.session.table(declared.inputs[0])
    if declared.inputs[0] == AUTH_EVENTS:
        tried = attempts(only_days(rows, "event_date", _utc_days(work.days, column)), zones(context))
        return TRANSFORMS[declared.name](only_days(tried, column, work.days))
    needed = None if work.days is None else {day - timedelta(days=n) for day in work.days for n in range(MONTH_DAYS)}
    return only_days(TRANSFORMS[declared.name](only_days(rows, column, needed)), column, work.days)


def _utc_days(days: Collection[date] | None, column: str) -> set[date] | None:
    """UTC days that hold the events of some days of a tenant's zone: zones are up to 14 hours away."""
    if days is None or column == "event_date":
        return None if days is None else set(days)
    return {day + timedelta(days=n) for day in days for n in (-1, 0, 1)}


def _rows_to_read(context: Context, work: Work) -> int:
    """Rows of the input, in proportion to the days to compute."""
    read = DeltaLog(context.settings, table(work.declared.inputs[0]))
    partitions = max(read.file_counts()[1], 1)
    return read.row_count() * (partitions if work.days is None else min(len(work.days), partitions)) // partitions


def _publish(context: Context, work: Work, facts: Facts) -> None:
    declared = work.declared
    tune(context.session, _rows_to_read(context, work))
    facts.input_versions = f'{{"{declared.inputs[0]}": {work.version}}}'
    facts.partition = "all days" if work.days is None else f"{min(work.days)}..{max(work.days)}"
    computed = checkpoint(compute(context, work))
    audit(context, PIPELINE, declared, view_of(computed, declared), Stage.BATCH, facts, {})
    failpoints.reached(failpoints.STAGED)
    about = {"transaction": work.transaction, "version": work.version, "run_id": context.run.run_id}
    before = DeltaLog(context.settings, declared)
    replace(computed.repartition(declared.partition_by[0]), declared, work.where, work.transaction, work.version, about)
    failpoints.reached(failpoints.PUBLISHED)
    after = DeltaLog(context.settings, declared)
    facts.version_before, facts.version_after = before.version, after.version
    if commit := after.commit_of(work.transaction, work.version):
        facts.add(rows_inserted=commit.count("numOutputRows"), rows_updated=0, rows_deleted=commit.count("numDeletedRows"))
        facts.add(rows_read=commit.count("numOutputRows"))
        facts.bytes_written, facts.files_written = commit.count("numOutputBytes"), commit.count("numFiles")
    judge_published(context, PIPELINE, declared, facts, before.version)
    lineage(context, declared.name, after.version, {declared.inputs[0]: work.version})
