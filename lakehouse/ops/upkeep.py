"""Keeping the tables that delta-rs writes small and quick: compaction of small files, removal of what is past its time.

Every append of a fact makes a file, and a query opens each file of the days it reads. Compaction rewrites only days that have become
crowded, beside whatever is appended meanwhile.

Does not belong here: recording that it was done (jobs.maintenance), or the tables that Spark writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
from deltalake.exceptions import TableNotFoundError

from lakehouse.delta_rs import open_table
from lakehouse.ops.store import VERSIONS_KEPT, facts_store_errors
from lakehouse.settings import Settings
from lakehouse.tables import Table

OPEN_DAY_FILES = 20
"""The current day is compacted when it has more files than this; a day that is over, when it has more than one."""


@dataclass(frozen=True)
class Upkept:
    """What was done to a table: its versions, files written and rows deleted."""

    version_before: int
    version_after: int
    files_written: int = 0
    rows_deleted: int = 0


def crowded_days(settings: Settings, declared: Table, today: date) -> list[str]:
    """Days of a table, as text, that have more files than they should."""
    with facts_store_errors(f"looking at the files of {declared.name}"):
        try:
            opened = open_table(settings, declared)
        except TableNotFoundError:
            return []
        files = Counter(pa.table(opened.get_add_actions(flatten=True)).column("partition.recorded_date").to_pylist())
    return sorted(day.isoformat() for day, count in files.items() if count > (OPEN_DAY_FILES if day >= today else 1))


def compact(settings: Settings, declared: Table, days: Collection[str]) -> Upkept:
    """Rewrite the small files of some days into few. Raises InfrastructureError when the store does not answer."""
    with facts_store_errors(f"compacting {declared.name}"):
        opened = open_table(settings, declared)
        before = opened.version()
        done = opened.optimize.compact(partition_filters=[("recorded_date", "in", list(days))])
        opened.create_checkpoint()
        return Upkept(before, opened.version(), files_written=done["numFilesAdded"])


def clear(settings: Settings, declared: Table, oldest: date | None) -> Upkept:
    """Delete the rows recorded before a day (None: keep all), and the files and log entries of versions past their time.

    Raises InfrastructureError when the store does not answer.
    """
    with facts_store_errors(f"clearing {declared.name}"):
        opened = open_table(settings, declared)
        before = opened.version()
        deleted = opened.delete(f"recorded_date < '{oldest}'")["num_deleted_rows"] or 0 if oldest else 0
        opened.vacuum(retention_hours=VERSIONS_KEPT // timedelta(hours=1), dry_run=False, enforce_retention_duration=False)
        opened.create_checkpoint()
        opened.cleanup_metadata()
        return Upkept(before, opened.version(), rows_deleted=deleted)
