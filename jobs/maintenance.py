"""Keeping the lake small and quick: compaction, removal of old versions, expiry of landed copies and logs. Recorded like any step.

Does not belong here: reaching into Dagster's own history (assets), or what is worth keeping for how long (the constants here say it, once).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from jobs.audit import judge_published
from jobs.context import Context
from lakehouse import failpoints
from lakehouse.delta import VERSIONS_KEPT, DeltaLog, on_days, qualified
from lakehouse.ops.runs import Facts, Step
from lakehouse.ops.store import DELTA_RS_TABLES
from lakehouse.ops.upkeep import Upkept, clear, compact, crowded_days
from lakehouse.tables import Table

PIPELINE = "maintenance"
FILES_PER_DAY = 4
"""A day with more files than this is compacted."""
EVENT_LOG_KEPT = timedelta(days=90)
LANDED_COPIES_KEPT = timedelta(days=14)
HISTORY_KEPT = timedelta(days=3)
"""A run leaves some 2 MB in Dagster's SQLite files, so runs every five minutes more than half a gigabyte a day."""
LANDING = "landing"
HISTORY = "dagster.runs"


def maintain_table(context: Context, declared: Table) -> bool:
    """Compact a table that Spark writes where it has many small files, and remove old versions. Returns whether it compacted."""
    before = DeltaLog(context.settings, declared)
    days = before.crowded(FILES_PER_DAY)
    with context.step(PIPELINE, declared) as facts, context.infrastructure_errors():
        if days != ():
            facts.files_written = _compact(context, declared, days)
        failpoints.reached(failpoints.MAINTENANCE)
        context.session.sql(f"vacuum {qualified(declared)} retain {VERSIONS_KEPT / timedelta(hours=1)} hours").collect()
        after = DeltaLog(context.settings, declared)
        if before.version > 0:
            judge_published(context, PIPELINE, declared, facts, after)
        facts.version_before, facts.version_after = before.version, after.version
        facts.add(rows_inserted=0, rows_updated=0, rows_deleted=0)
    return days != ()


def _compact(context: Context, declared: Table, days: Sequence[str] | None) -> int:
    """Rewrite the small files of some days, or of the whole table, into few. Returns how many were written."""
    where = "" if days is None else f" where {on_days(declared.partition_by[0], days)}"
    return int(context.session.sql(f"optimize {qualified(declared)}{where}").collect()[0]["metrics"]["numFilesAdded"])


def compact_facts(context: Context) -> None:
    """Compact the days of the tables that delta-rs writes where they have become crowded; where none has, nothing is written."""
    for declared in DELTA_RS_TABLES:
        with context.recorded_if_failing(PIPELINE, declared):
            days = crowded_days(context.settings, declared, datetime.now(UTC).date())
        if days:
            with context.step(PIPELINE, declared) as facts:
                failpoints.reached(failpoints.MAINTENANCE)
                _tell(facts, compact(context.settings, declared, days))
                facts.partition = f"{days[0]}..{days[-1]}"


def clear_facts(context: Context) -> None:
    """Remove rows and versions past their time from the tables that delta-rs writes."""
    oldest = (datetime.now(UTC) - EVENT_LOG_KEPT).date()
    for declared in DELTA_RS_TABLES:
        with context.step(PIPELINE, declared) as facts:
            failpoints.reached(failpoints.MAINTENANCE)
            _tell(facts, clear(context.settings, declared, oldest if declared.name == "ops.event_log" else None))


def _tell(facts: Facts, done: Upkept) -> None:
    facts.version_before, facts.version_after = done.version_before, done.version_after
    facts.files_written, facts.rows_deleted = done.files_written, done.rows_deleted


def expire_landed_copies(context: Context) -> None:
    """Remove landed files that were published long enough ago and of which nothing is held back; the step counts files as rows."""
    oldest = datetime.now(UTC) - LANDED_COPIES_KEPT
    with Step(context.writer, context.run, PIPELINE, LANDING) as facts, context.infrastructure_errors():
        facts.add(rows_deleted=0)
        for source in context.sources.values():
            facts.add(rows_deleted=context.ledger(source).expire(oldest))


def free_frames(context: Context) -> None:
    """Have Spark give up the frames that killed runs have left on its disk; a run under way computes its own once more."""
    with context.infrastructure_errors():
        context.session.catalog.clearCache()


def forget_history(context: Context, forget: Callable[[datetime], int]) -> None:
    """Remove runs past their time from the orchestrator's own history; the run log keeps their facts.

    Args:
        forget: removes the finished runs created before a time, and tells how many.
    """
    with Step(context.writer, context.run, PIPELINE, HISTORY) as facts:
        facts.rows_deleted = forget(datetime.now(UTC) - HISTORY_KEPT)
