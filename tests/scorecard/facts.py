"""The facts of a simulated lake: an in-memory store that answers SQL as OpsReader does and takes rows as OpsWriter does.

A store may stand on the file of another one, whose facts up to a moment it shows as its own: so that a fortnight that many runs have in
common is simulated once and copied by none.

Does not belong here: what the facts are (tests.scorecard.pipeline), or the product's own store (lakehouse.ops.store).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.arrow import ARROW_TYPES, arrow_table
from lakehouse.errors import InfrastructureError
from lakehouse.ops.store import DELTA_RS_TABLES, Row
from lakehouse.ops.views import VIEWS, tables_read_by
from lakehouse.tables import Table, table

MICROSECOND = timedelta(microseconds=1)
UNAVAILABLE = "the store did not answer while reading the ops tables: Generic S3 error: server error 503 Service Unavailable"
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """The simulated time (UTC)."""

    now: datetime


@dataclass(frozen=True)
class History:
    """The file of another store, and the moment (UTC) up to which, exclusively, its facts count."""

    path: Path
    until: datetime


@dataclass(frozen=True)
class Bulk:
    """Many rows of one table recorded at one moment, as tuples of the named columns."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def micros(at: datetime) -> int:
    """Microseconds since 1970 of a moment."""
    return (at - UNIX_EPOCH) // MICROSECOND


class FactStore:
    """Reader and writer over all ops and ctl tables.

    Args:
        clock: by which appended rows are stamped, and by which the store is up or down.
        history: what the store stands on.
        down: from when (inclusive) until when (exclusive) it does not answer; what is appended meanwhile arrives afterwards.
    """

    def __init__(self, clock: Clock, *, history: History | None = None, down: tuple[datetime, datetime] | None = None) -> None:
        self._clock, self._down = clock, down
        self._waiting: dict[str, list[tuple[datetime, Sequence[Row] | Bulk]]] = defaultdict(list)
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute(
            "set global TimeZone = 'UTC'; set enable_progress_bar = false; create schema facts; create schema ops; create schema ctl"
        )
        if history:
            self._connection.execute(f"attach '{history.path}' as history (read_only)")
        for declared in DELTA_RS_TABLES:
            self._create(declared.name, history)
        for name, view in VIEWS.items():
            self._connection.execute(f"create view {name} as {view.sql}")

    def _create(self, name: str, history: History | None) -> None:
        local = f"facts.{_local(name)}"
        self._connection.register("given", arrow_table(table(name), []))
        self._connection.execute(f"create table {local} as select * from given")
        shown = f"select * from {local}"
        if history:
            past = f"select * from history.{local} where recorded_at < timestamptz '{history.until.isoformat()}'"
            shown = f"{past} union all {shown}"
        self._connection.execute(f"create view {name} as {shown}")

    @property
    def is_down(self) -> bool:
        """Whether the store does not answer now."""
        return self._down is not None and self._down[0] <= self._clock.now < self._down[1]

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run one statement with bound values. Raises InfrastructureError while the store is down."""
        if self.is_down:
            answer = "An error occurred (503) when calling the ListObjectsV2 operation (reached max retries: 2): Service Unavailable"
            raise InfrastructureError(
                f"the store did not answer while reading the ops tables: {answer}", next_step="run `lakehouse doctor`"
            )
        for name in tables_read_by(sql):
            self._arrive(name)
        return self._connection.cursor().sql(sql, params=list(parameters)).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The same, as a list of dictionaries."""
        return list(self.query(sql, parameters).to_pylist())

    def ask(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The answer to a judge, who sees all facts: `facts.<table>` and those of the history, with named parameters."""
        for name in list(self._waiting):
            self._arrive(name)
        values = {name: value for name, value in parameters.items() if f"${name}" in sql}
        return list(self._connection.cursor().sql(sql, params=values).to_arrow_table().to_pylist())

    def append(self, name: str, rows: Sequence[Row]) -> bool:
        """Append rows, recorded now. They are kept in any case, as the real writer's spool keeps them."""
        if rows:
            self.record(name, self._clock.now, rows)
        return True

    def record(self, name: str, at: datetime, rows: Sequence[Row] | Bulk) -> None:
        """Append rows that were recorded at a moment (UTC). They are taken in when the table is next asked for."""
        self._waiting[name].append((at, rows))

    def _arrive(self, name: str) -> None:
        stamped = self._waiting.pop(name, [])
        rows = [
            {**row, "recorded_at": at, "recorded_date": at.date()} for at, what in stamped if not isinstance(what, Bulk) for row in what
        ]
        bulks = [(at, what) for at, what in stamped if isinstance(what, Bulk) and what.rows]
        arriving = ([arrow_table(table(name), rows)] if rows else []) + ([_bulk_table(table(name), bulks)] if bulks else [])
        if arriving:
            self._connection.register("arriving", pa.concat_tables(arriving))
            self._connection.execute(f"insert into facts.{_local(name)} select * from arriving")
            self._connection.unregister("arriving")

    def save(self, path: Path) -> None:
        """Write all facts to a new file, for other stores to stand on."""
        self._connection.execute(f"attach '{path}' as saved; create schema saved.facts")
        for declared in DELTA_RS_TABLES:
            self._arrive(declared.name)
            local = f"facts.{_local(declared.name)}"
            self._connection.execute(f"create table saved.{local} as select * from {local}")
        self._connection.execute("detach saved")


def _local(name: str) -> str:
    return name.replace(".", "__")


def _array(kind: str, values: Sequence[Any] | None, count: int) -> pa.Array:
    return pa.nulls(count, ARROW_TYPES[kind]) if values is None else pa.array(values, type=ARROW_TYPES[kind])


def _bulk_table(declared: Table, bulks: Sequence[tuple[datetime, Bulk]]) -> pa.Table:
    """Bulks, which all tell the same columns, as one Arrow table."""
    given = dict(zip(bulks[0][1].columns, zip(*(row for _, bulk in bulks for row in bulk.rows), strict=True), strict=True))
    given["recorded_at"] = [stamp for at, bulk in bulks for stamp in [micros(at)] * len(bulk.rows)]
    count = len(given["recorded_at"])
    arrays = {c.name: _array(c.type, given.get(c.name), count) for c in declared.columns if c.name != "recorded_date"}
    arrays["recorded_date"] = pc.cast(arrays["recorded_at"], pa.date32())
    return pa.table({c.name: arrays[c.name] for c in declared.columns})
