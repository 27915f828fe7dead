"""A copy on this machine of the newest days of the ops tables, brought up to date by the files that have come or gone.

Each round of the evaluator and each refresh of a page asks a dozen questions of the same facts: read from the store anew each time, they
cost seconds once the log is long. A file that has been read is not read again; a day that was compacted is read anew.

Does not belong here: what is asked, or writing.
"""

from __future__ import annotations

import shutil
import uuid
import weakref
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from lakehouse.arrow import arrow_schema
from lakehouse.ops.processes import is_running, this_process
from lakehouse.ops.store import DELTA_RS_TABLES, OpsReader
from lakehouse.ops.views import VIEWS, views_over
from lakehouse.settings import Settings
from lakehouse.tables import Table

DAYS_KEPT = 35
"""Error budgets look back 30 days, anomalies four weeks."""
MEMORY = "768MB"
"""What it may take of memory; the copy is a compressed file, of which it keeps in memory what is asked for."""
UNSETTLED = "128MB"
"""Compressing after each day that is taken over doubles the time of the first look."""


class Mirror(OpsReader):
    """Answers SQL over the newest days of the ops and ctl tables, from a file of its own. Safe to share between threads.

    Args:
        settings: of the instance.
        days: how many days are kept.
    """

    def __init__(self, settings: Settings, days: int = DAYS_KEPT) -> None:
        super().__init__(settings)
        self._days = days
        self._versions: dict[str, tuple[int, date]] = {}
        self._files: dict[str, dict[date, frozenset[str]]] = {}
        kept = _new_file(settings.state_dir / "mirrors")
        weakref.finalize(self, _remove, kept)
        self._connection.execute(
            f"set memory_limit = '{MEMORY}'; set temp_directory = '{kept}.tmp'; set checkpoint_threshold = '{UNSETTLED}'"
        )
        self._connection.execute(f"attach '{kept}' as kept; use kept; create schema ops; create schema ctl")
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
            self._take_over(declared, self._opened.files(declared), _files_by_day(opened, oldest))
            self._versions[declared.name] = as_of

    def _take_over(self, declared: Table, every: ds.FileSystemDataset, now: Mapping[date, frozenset[str]]) -> None:
        """Day by day, so that no more than one is in memory at a time."""
        known = self._files.setdefault(declared.name, {})
        for day in sorted({*known, *now}):
            files, had = now.get(day, frozenset()), known.get(day, frozenset())
            if files != had:
                self._take_over_day(declared, every, day, files, had)
                known[day] = files

    def _take_over_day(self, declared: Table, every: ds.FileSystemDataset, day: date, files: frozenset[str], had: frozenset[str]) -> None:
        is_rewritten = not had <= files
        wanted = files if is_rewritten else files - had
        rows = _read(declared, every, wanted) if wanted else None
        self._connection.execute("begin")
        if is_rewritten:
            self._connection.execute(f"delete from {declared.name} where recorded_date = ?", [day])
        if rows is not None:
            self._connection.register("read_now", rows)
            self._connection.execute(f"insert into {declared.name} by name select * from read_now")
            self._connection.unregister("read_now")
        self._connection.execute("commit")


def _files_by_day(opened: DeltaTable, oldest: date) -> dict[date, frozenset[str]]:
    """The data files of a table that is partitioned by the day of recording."""
    added = pa.table(opened.get_add_actions(flatten=True))
    found: dict[date, set[str]] = defaultdict(set)
    for path, day in zip(added.column("path").to_pylist(), added.column("partition.recorded_date").to_pylist(), strict=True):
        if day >= oldest:
            found[day].add(path)
    return {day: frozenset(files) for day, files in found.items()}


def _read(declared: Table, every: ds.FileSystemDataset, paths: frozenset[str]) -> pa.Table:
    """The rows of some of a table's files."""
    chosen = [part for part in every.get_fragments() if part.path in paths]
    dataset = ds.FileSystemDataset(chosen, every.schema, every.format, every.filesystem)
    return dataset.to_table(columns=[name for name in declared.column_names if name in every.schema.names])


def _new_file(folder: Path) -> Path:
    """A place for a copy; those that dead processes left behind are removed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.glob("*.duckdb"):
        if not is_running(left.name.split(".")[0]):
            _remove(left)
    return folder / f"{this_process()}.{uuid.uuid4().hex}.duckdb"


def _remove(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
