"""What Delta tables tell of themselves, and bounded looks at their rows, without Spark and read-only.

Does not belong here: writing, or the ops and ctl tables' own queries (lakehouse.ops.store).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from threading import Timer
from typing import Any, Protocol, TypeVar

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from lakehouse.arrow import arrow_schema
from lakehouse.delta_rs import SharedTables
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.ops.store import facts_store_errors
from lakehouse.settings import Settings
from lakehouse.tables import Table

T = TypeVar("T")

TIME_LIMIT_S = 10.0
"""After which a query over rows is given up: somebody waits for a page."""
MEMORY_LIMIT = "512MB"
OPENERS = 6
INSERTED = ("numOutputRows", "numTargetRowsInserted", "num_added_rows")
"""Delta's own metrics of rows written: of Spark's writes and merges, and of delta-rs'."""
DELETED = ("numTargetRowsDeleted", "numDeletedRows", "num_deleted_rows")


@dataclass(frozen=True)
class TableState:
    """A table as its log tells it: version, rows and bytes of its present files, and when the newest of them was written (ms, UTC)."""

    version: int
    rows: int
    bytes: int
    files: int
    written_ms: int | None


@dataclass(frozen=True)
class Version:
    """One commit of a table: what it did, when (ms since 1970, UTC), rows by Delta's own metrics, and the run that made it."""

    version: int
    at_ms: int | None
    operation: str
    rows_written: int | None
    rows_deleted: int | None
    run_id: str | None


class Lake(Protocol):
    """What tells of tables and a few of their rows."""

    def states(self, tables: Sequence[Table]) -> dict[str, TableState]:
        """The tables that exist, by name."""
        ...

    def versions(self, declared: Table, most: int) -> list[Version]:
        """The newest commits that are still in the log, newest first."""
        ...

    def rows_by_day(self, declared: Table) -> dict[date, int]:
        """Rows by the day of the first partition column, out of the log alone."""
        ...

    def query(self, declared: Table, sql: str, parameters: Sequence[Any] = (), *, since: date) -> pa.Table:
        """DuckDB SQL over `lake_rows`: the table's rows of the partitions since a day."""
        ...

    def pick(self, declared: Table, columns: Sequence[str], among: Mapping[str, Collection[Any]], *, since: date) -> pa.Table:
        """Some columns of the rows since a day whose values are among those given."""
        ...


class LakeReader:
    """The lake of an instance. Safe to share between threads.

    Each call raises InfrastructureError when the store does not answer, or a query takes longer than `time_limit_s`.
    """

    def __init__(self, settings: Settings, *, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._settings, self._time_limit_s = settings, time_limit_s
        self._tables = SharedTables(settings)

    def states(self, tables: Sequence[Table]) -> dict[str, TableState]:
        """The tables that exist, by name."""
        with ThreadPoolExecutor(OPENERS) as pool:
            found = list(pool.map(lambda declared: self._read(declared, _state), tables))
        return {declared.name: state for declared, state in zip(tables, found, strict=True) if state}

    def versions(self, declared: Table, most: int) -> list[Version]:
        """The newest commits that are still in the log, newest first."""
        return self._read(declared, lambda opened: [_version(entry) for entry in opened.history(most)]) or []

    def rows_by_day(self, declared: Table) -> dict[date, int]:
        """Rows by the day of the first partition column, out of the log alone."""
        return self._read(declared, lambda opened: _rows_by_day(opened, declared.partition_by[0])) or {}

    def query(self, declared: Table, sql: str, parameters: Sequence[Any] = (), *, since: date) -> pa.Table:
        """DuckDB SQL over `lake_rows`: the table's rows of the partitions since a day."""
        with _store_errors(f"reading {declared.name}"), duckdb.connect(":memory:") as connection:
            connection.execute(f"set TimeZone = 'UTC'; set memory_limit = '{MEMORY_LIMIT}'")
            connection.register("lake_rows", self._dataset(declared, since))
            with self._time_limit(connection):
                return connection.sql(sql, params=list(parameters)).to_arrow_table()

    def pick(self, declared: Table, columns: Sequence[str], among: Mapping[str, Collection[Any]], *, since: date) -> pa.Table:
        """Some columns of the rows since a day whose values are among those given; files without such values are not read."""
        with _store_errors(f"reading {declared.name}"):
            return self._dataset(declared, since).to_table(columns=list(columns), filter=among_filter(among))

    def _dataset(self, declared: Table, since: date) -> ds.Dataset:
        newer = [(declared.partition_by[0], ">=", since.isoformat())]
        found = self._read(declared, lambda opened: opened.to_pyarrow_dataset(partitions=newer))
        return found if found is not None else ds.dataset(arrow_schema(declared).empty_table())

    def _read(self, declared: Table, look: Callable[[DeltaTable], T]) -> T | None:
        """What a look at the newest version gives; None where there is no such table."""
        with self._tables.held(declared) as opened, _store_errors(f"reading the log of {declared.name}"):
            try:
                return look(opened.newest(declared))
            except TableNotFoundError:
                return None

    @contextmanager
    def _time_limit(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        timer = Timer(self._time_limit_s, connection.interrupt)
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise InfrastructureError(
                f"the rows could not be read within {self._time_limit_s:g} s", next_step="narrow what is asked for: a day, a source"
            ) from error
        finally:
            timer.cancel()


def among_filter(among: Mapping[str, Collection[Any]]) -> ds.Expression:
    """That each column's value is among those given."""
    wanted: ds.Expression = pc.scalar(True)
    for name, values in among.items():
        wanted = wanted & pc.field(name).isin(list(values))
    return wanted


@contextmanager
def _store_errors(doing: str) -> Iterator[None]:
    """Pages keep up without a store; that none is known is to them as if it did not answer."""
    try:
        with facts_store_errors(doing):
            yield
    except ConfigurationError as error:
        raise InfrastructureError(error.message, next_step=error.next_step) from error


def _state(opened: DeltaTable) -> TableState:
    files = pa.table(opened.get_add_actions(flatten=True))
    rows, size, newest = (
        compute(files.column(name)).as_py()
        for compute, name in ((pc.sum, "num_records"), (pc.sum, "size_bytes"), (pc.max, "modification_time"))
    )
    return TableState(opened.version(), int(rows or 0), int(size or 0), files.num_rows, _ms(newest))


def _ms(moment: Any) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000) if hasattr(moment, "timestamp") else int(moment)


def _rows_by_day(opened: DeltaTable, column: str) -> dict[date, int]:
    files = pa.table(opened.get_add_actions(flatten=True))
    days = files.column(f"partition.{column}").cast(pa.string()).to_pylist()
    counted: dict[date, int] = {}
    for day, rows in zip(days, files.column("num_records").to_pylist(), strict=True):
        counted[date.fromisoformat(day)] = counted.get(date.fromisoformat(day), 0) + (rows or 0)
    return counted


def _version(entry: Mapping[str, Any]) -> Version:
    metrics, facts = _object(entry.get("operationMetrics")), _object(entry.get("userMetadata"))
    run_id = facts.get("run_id")
    return Version(
        int(entry["version"]),
        entry.get("timestamp"),
        str(entry.get("operation", "")),
        _count(metrics, INSERTED),
        _count(metrics, DELETED),
        str(run_id) if run_id else None,
    )


def _object(value: Any) -> Mapping[str, Any]:
    """A JSON object, read where it is text; an empty one where it is neither."""
    try:
        read = orjson.loads(value) if isinstance(value, str | bytes) else value
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, Mapping) else {}


def _count(metrics: Mapping[str, Any], names: Sequence[str]) -> int | None:
    found = [int(metrics[name]) for name in names if str(metrics.get(name, "")).isdigit()]
    return found[0] if found else None
