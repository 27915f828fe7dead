"""Keeping the lake small and quick: compaction, removal of old versions, expiry of landed copies and logs. Recorded like any step.

Does not belong here: Dagster's own history (assets), or what is worth keeping for how long (the constants here say it, once).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable

from jobs.audit import judge_published
from jobs.context import Context
from lakehouse import failpoints
from lakehouse.delta import DeltaLog, qualified
from lakehouse.ops.store import DELTA_RS_TABLES, table_uri
from lakehouse.store import delta_rs_options
from lakehouse.tables import Table

PIPELINE = "maintenance"
FILES_PER_PARTITION = 4
"""A partition with more files than this on average is compacted."""
OLD_VERSIONS_KEPT = timedelta(days=7)
OPS_VERSIONS_KEPT = timedelta(days=2)
EVENT_LOG_KEPT = timedelta(days=90)
LANDED_COPIES_KEPT = timedelta(days=14)


def maintain_table(context: Context, declared: Table) -> bool:
    """Compact a table that Spark writes where it has many small files, and remove old versions. Returns whether it compacted."""
    before = DeltaLog(context.settings, declared)
    files, partitions = before.file_counts()
    crowded = files > FILES_PER_PARTITION * max(partitions, 1)
    with context.step(PIPELINE, declared) as facts, context.infrastructure_errors():
        if crowded:
            context.session.sql(f"optimize {qualified(declared)}").collect()
        failpoints.reached(failpoints.MAINTENANCE)
        context.session.sql(f"vacuum {qualified(declared)} retain {OLD_VERSIONS_KEPT // timedelta(hours=1)} hours").collect()
        if before.version > 0:
            judge_published(context, PIPELINE, declared, facts, None)
        after = DeltaLog(context.settings, declared)
        facts.version_before, facts.version_after = before.version, after.version
        facts.files_written = after.file_counts()[0]
        facts.add(rows_inserted=0, rows_updated=0, rows_deleted=0)
    return crowded


def maintain_facts(context: Context) -> None:
    """Compact and expire the tables that delta-rs writes."""
    for declared in DELTA_RS_TABLES:
        with context.step(PIPELINE, declared) as facts:
            opened = DeltaTable(table_uri(context.settings, declared), storage_options=delta_rs_options(context.settings))
            facts.version_before = opened.version()
            if declared.name == "ops.event_log":
                oldest = (datetime.now(UTC) - EVENT_LOG_KEPT).date()
                facts.add(rows_deleted=opened.delete(f"recorded_date < '{oldest}'")["num_deleted_rows"] or 0)
            opened.optimize.compact()
            failpoints.reached(failpoints.MAINTENANCE)
            opened.vacuum(retention_hours=OPS_VERSIONS_KEPT // timedelta(hours=1), dry_run=False, enforce_retention_duration=False)
            opened.create_checkpoint()
            opened.cleanup_metadata()
            facts.version_after = opened.version()


def expire_landed_copies(context: Context) -> int:
    """Remove landed files that were published long enough ago and of which nothing is held back. Returns how many."""
    oldest = datetime.now(UTC) - LANDED_COPIES_KEPT
    removed = 0
    for source in context.sources.values():
        removed += context.ledger(source).expire(oldest)
    return removed
