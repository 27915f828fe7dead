"""Silver to gold: each gold table recomputes the days that its input's new versions touch, and no others.

The input's version is the transaction version of the gold commit: what a table has taken in stands in its own log.

Does not belong here: formulas (jobs.gold).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from dq_checks import Stage
from jobs.audit import audit, judge_published, lineage, view_of
from jobs.context import Context
from jobs.days import around
from jobs.gold import TRANSFORMS, attempts, only_days, with_day
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


def aggregate(context: Context, declared: Table) -> Work | None:
    """Bring a gold table up to its input's version. Returns what was recomputed, None where nothing had changed."""
    with context.recorded_if_failing(PIPELINE, declared):
        work = plan(context, declared)
    if work is None:
        return None
    with context.step(PIPELINE, declared) as facts, context.infrastructure_errors():
        _publish(context, work, facts)
    return work


def plan(context: Context, declared: Table) -> Work | None:
    """What a gold table has to recompute, from its own log and its input's."""
    source = DeltaLog(context.settings, table(declared.inputs[0]))
    transaction = taken_in(declared)
    done = DeltaLog(context.settings, declared).transaction(transaction)
    if done is None:
        return Work(declared, source.version, None, transaction) if source.version > 0 else None
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
    return frozenset(around(touched, 0, declared.reach_days))


def _touched(context: Context, declared: Table, changes: Changes) -> set[date]:
    """Days of the table's partition column that the changed rows belong to."""
    column = declared.partition_by[0]
    if all(column in values for values in changes.partitions):
        return {date.fromisoformat(values[column]) for values in changes.partitions}
    try:
        changed = context.session.read.parquet(*changes.files).select("tenant_id", "event_time")
        return {row["day"] for row in with_day(changed, zones(context)).select("day").distinct().collect()}
    except AnalysisException as error:
        if error.getCondition() != FILE_IS_GONE:
            raise
    return _around({date.fromisoformat(values["event_date"]) for values in changes.partitions})


FILE_IS_GONE = "PATH_NOT_FOUND"
"""An old version's file that maintenance has removed: then all days that its partition can reach count as touched."""


def zones(context: Context) -> DataFrame:
    """tenant_id and time_zone of the declared tenants."""
    declared = TenantRegistry(context.settings).all().values()
    return context.session.createDataFrame([(t.tenant_id, t.time_zone) for t in declared], "tenant_id string, time_zone string")


def compute(context: Context, work: Work) -> DataFrame:
    """The rows of a gold table for the days of the work."""
    declared, column = work.declared, work.declared.partition_by[0]
    source = table(declared.inputs[0])
    rows = only_days(context.session.table(source.name), source.partition_by[0], _days_to_read(work))
    if source.name == AUTH_EVENTS:
        return TRANSFORMS[declared.name](only_days(attempts(rows, zones(context)), column, work.days))
    return only_days(TRANSFORMS[declared.name](rows), column, work.days)


def _days_to_read(work: Work) -> set[date] | None:
    """Partitions of the input that the days of the work are computed from; None for all."""
    if work.days is None:
        return None
    if work.declared.inputs[0] != AUTH_EVENTS:
        return around(work.days, work.declared.reach_days, 0)
    return set(work.days) if work.declared.partition_by[0] == "event_date" else _around(work.days)


def _around(days: Iterable[date]) -> set[date]:
    """The days with those next to them: zones are up to 14 hours away, so a zone's day shares hours with up to three UTC days."""
    return around(days, 1, 1)


def _rows_to_read(context: Context, work: Work) -> int:
    """Rows of the input in the partitions that the work reads."""
    source = table(work.declared.inputs[0])
    return DeltaLog(context.settings, source).row_count(_days_to_read(work))


def _publish(context: Context, work: Work, facts: Facts) -> None:
    declared = work.declared
    facts.rows_read = _rows_to_read(context, work)
    tune(context.session, facts.rows_read)
    facts.input_versions = f'{{"{declared.inputs[0]}": {work.version}}}'
    facts.partition = "all days" if work.days is None else f"{min(work.days)}..{max(work.days)}"
    computed = checkpoint(compute(context, work))
    view = view_of(computed, declared)
    audit(context, PIPELINE, declared, view, Stage.BATCH, facts, {})
    failpoints.reached(failpoints.STAGED)
    about = {"transaction": work.transaction, "version": work.version, "run_id": context.run.run_id}
    before = DeltaLog(context.settings, declared)
    replace(computed.repartition(declared.partition_by[0]), context.settings, declared, work.where, work.transaction, work.version, about)
    failpoints.reached(failpoints.PUBLISHED)
    after = DeltaLog(context.settings, declared)
    facts.version_before, facts.version_after = before.version, after.version
    if commit := after.commit_of(work.transaction, work.version):
        facts.add(rows_inserted=commit.count("numOutputRows"), rows_updated=0, rows_deleted=commit.count("numDeletedRows"))
        facts.bytes_written, facts.files_written = commit.count("numOutputBytes"), commit.count("numFiles")
    judge_published(context, PIPELINE, declared, facts, before.version, within=view)
    lineage(context, declared.name, after.version, {declared.inputs[0]: work.version})
