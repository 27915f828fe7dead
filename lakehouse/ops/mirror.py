"""A copy in memory of the newest days of the ops tables, brought up to date by the files that have come or gone.

Each round of the evaluator and each refresh of a page asks a dozen questions of the same facts: read from the store anew each time, they
cost seconds once the log is long. A file that has been read is not read again; a day that was compacted is read anew.

Does not belong here: what is asked, or writing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from lakehouse.arrow import arrow_schema
from lakehouse.ops.store import DELTA_RS_TABLES, OpsReader
from lakehouse.ops.views import VIEWS, views_over
from lakehouse.settings import Settings
from lakehouse.tables import Table

DAYS_KEPT = 35
"""Error budgets look back 30 days, anomalies four weeks."""


class Mirror(OpsReader):
    """Answers SQL over the newest days of the ops and ctl tables, from memory. Safe to share between threads.

    Args:
        settings: of the instance.
        days: how many days are kept.
    """

    def __init__(self, settings: Settings, days: int = DAYS_KEPT) -> None:
        super().__init__(settings)
        self._days = days
        self._versions: dict[str, tuple[int, date]] = {}
        self._files: dict[str, dict[date, frozenset[str]]] = {}
        self._connection.execute("attach ':memory:' as kept (compress); use kept; create schema ops; create schema ctl")
        for declared in DELTA_RS_TABLES:
            self._create(declared)

    def _create(self, declared: Table) -> None:
        self._connection.register("empty", arrow_schema(declared).empty_table())
        self._connection.execute(f"create table {declared.name} as select * from empty")
        self._connection.unregister("empty")
        for view in views_over(declared.name):
            self._connection.execute(f"create view {view} as {VIEWS[view].sql}")

    def _refresh(self, declared: Table) -> None:
        try:
            opened = self._opened.newest(declared)
        except TableNotFoundError:
            return
        oldest = datetime.now(UTC).date() - timedelta(days=self._days)
        as_of = (opened.version(), oldest)
        if self._versions.get(declared.name) != as_of:
            self._take_over(declared, opened, _files_by_day(opened, oldest))
            self._versions[declared.name] = as_of

    def _take_over(self, declared: Table, opened: DeltaTable, now: Mapping[date, frozenset[str]]) -> None:
        known = self._files.get(declared.name, {})
        rewritten = [day for day, files in known.items() if not files <= now.get(day, frozenset())]
        wanted = {day: files - (frozenset() if day in rewritten else known.get(day, frozenset())) for day, files in now.items()}
        rows = _read(declared, opened, {day: files for day, files in wanted.items() if files})
        self._connection.execute("begin")
        for day in rewritten:
            self._connection.execute(f"delete from {declared.name} where recorded_date = ?", [day])
        if rows is not None:
            self._connection.register("read_now", rows)
            self._connection.execute(f"insert into {declared.name} by name select * from read_now")
            self._connection.unregister("read_now")
        self._connection.execute("commit")
        self._files[declared.name] = dict(now)


def _files_by_day(opened: DeltaTable, oldest: date) -> dict[date, frozenset[str]]:
    """The data files of a table that is partitioned by the day of recording."""
    added = pa.table(opened.get_add_actions(flatten=True))
    found: dict[date, set[str]] = defaultdict(set)
    for path, day in zip(added.column("path").to_pylist(), added.column("partition.recorded_date").to_pylist(), strict=True):
        if day >= oldest:
            found[day].add(path)
    return {day: frozenset(files) for day, files in found.items()}


def _read(declared: Table, opened: DeltaTable, wanted: Mapping[date, frozenset[str]]) -> pa.Table | None:
    """The rows of some files."""
    if not wanted:
        return None
    of_days = opened.to_pyarrow_dataset(partitions=[("recorded_date", "in", [day.isoformat() for day in wanted])])
    names = {path.rsplit("/", 1)[-1] for files in wanted.values() for path in files}
    chosen = [part for part in of_days.get_fragments() if part.path.rsplit("/", 1)[-1] in names]
    dataset = ds.FileSystemDataset(chosen, of_days.schema, of_days.format, chosen[0].filesystem)
    return dataset.to_table(columns=[name for name in declared.column_names if name in of_days.schema.names])
