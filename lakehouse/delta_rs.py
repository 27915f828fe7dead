"""Delta tables made and opened without Spark: their address, and tables that stay open between uses.

Does not belong here: what is read from them or appended to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from operator import and_
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from lakehouse.settings import Settings
from lakehouse.store import delta_rs_options
from lakehouse.tables import Table

BEFORE_ANY = "1970-01-01"
"""A day of recording without files."""


def table_uri(settings: Settings, declared: Table) -> str:
    """Address of a table for delta-rs."""
    return f"s3://{settings.lake_bucket}/{declared.key_prefix}"


def open_table(settings: Settings, declared: Table) -> DeltaTable:
    """A table at its newest version. Raises deltalake's TableNotFoundError where there is none."""
    return DeltaTable(table_uri(settings, declared), storage_options=delta_rs_options(settings))


def create_table(settings: Settings, declared: Table, schema: pa.Schema, properties: Mapping[str, str]) -> None:
    """Make a table that has no log yet; nothing where it has one."""
    DeltaTable.create(
        table_uri(settings, declared),
        schema=schema,
        mode="ignore",
        partition_by=list(declared.partition_by),
        description=declared.description,
        configuration=dict(properties),
        storage_options=delta_rs_options(settings),
    )


class OpenTables:
    """Tables that stay open, for as long as the store's keys hold: bringing one up to date takes a tenth of opening it.

    Not safe to share between threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options: dict[str, str] = {}
        self._tables: dict[str, DeltaTable] = {}
        self._files: dict[str, Mapping[str, ds.ParquetFileFragment]] = {}

    def newest(self, declared: Table) -> DeltaTable:
        """The table, brought up to its newest version. Raises deltalake's TableNotFoundError where there is none."""
        options = delta_rs_options(self._settings)
        if options != self._options:
            self._options = options
            self._tables.clear()
            self._files.clear()
        opened = self._tables.pop(declared.name, None)
        if opened is None:
            opened = open_table(self._settings, declared)
        else:
            opened.update_incremental()
        self._tables[declared.name] = opened
        return opened

    def files(self, declared: Table) -> ds.FileSystemDataset:
        """The files of the version that `newest` has found last; the table is partitioned by the day of recording.

        Only files that have come are looked at.
        """
        opened = self._tables[declared.name]
        # What delta-rs makes of a file's statistics takes it 2 to 5 ms a file, of all files at each version.
        none = opened.to_pyarrow_dataset(file_pruning_predicate=[("recorded_date", "=", BEFORE_ANY)])
        added = pa.table(opened.get_add_actions(flatten=True))
        known, paths = self._files.get(declared.name, {}), added.column("path").to_pylist()
        come = added.filter(pa.array([path not in known for path in paths], pa.bool_()))
        made = {
            path: none.format.make_fragment(path, filesystem=none.filesystem, partition_expression=holds)
            for path, holds in zip(come.column("path").to_pylist(), _what_they_hold(come, none.schema), strict=True)
        }
        files = {path: made.get(path) or known[path] for path in paths}
        self._files[declared.name] = files
        return ds.FileSystemDataset(list(files.values()), none.schema, none.format, none.filesystem)

    def forget(self, declared: Table) -> None:
        """Open the table anew at its next use."""
        self._tables.pop(declared.name, None)
        self._files.pop(declared.name, None)


class SharedTables:
    """Open tables for several threads: each table is one thread's at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[str, tuple[Lock, OpenTables]] = {}
        self._lock = Lock()

    @contextmanager
    def held(self, declared: Table) -> Iterator[OpenTables]:
        """What keeps a table open, for this thread alone."""
        with self._lock:
            lock, opened = self._opened.setdefault(declared.name, (Lock(), OpenTables(self._settings)))
        with lock:
            yield opened


def _what_they_hold(added: pa.Table, schema: pa.Schema) -> list[pc.Expression]:
    """For each file what all its rows fulfil: their day, and each text that is the same in all of them, as in a file of one fact."""
    names = [f.name for f in schema if pa.types.is_string(f.type) and f"min.{f.name}" in added.column_names]
    known: list[list[pc.Expression]] = [[ds.field("recorded_date") == day] for day in added.column("partition.recorded_date").to_pylist()]
    for name in names:
        is_one = pc.and_(pc.equal(added[f"min.{name}"], added[f"max.{name}"]), pc.equal(added[f"null_count.{name}"], 0))
        for holds, text in zip(known, pc.if_else(is_one, added[f"min.{name}"], None).to_pylist(), strict=True):
            if text is not None:
                holds.append(ds.field(name) == text)
    return [reduce(and_, holds) for holds in known]
