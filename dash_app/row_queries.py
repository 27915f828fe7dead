"""SQL behind the Rows page: the rows of one ops or ctl table that have given values.

Does not belong here: tables of the lake, which Trino reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from dash_app.cache import Cache, Look
from lakehouse.ops.store import DELTA_RS_TABLES, Reader
from lakehouse.ops.views import VIEWS

Row = dict[str, Any]

READABLE = frozenset((*(t.name for t in DELTA_RS_TABLES), *VIEWS))
MOST_ROWS = 1000
TIMES = ("recorded_at", "changed_at", "started_at")
"""The first of them that a relation has is what its newest rows are told by."""


@dataclass(frozen=True)
class Found:
    """Rows with given values: the newest of them, and how many there are in all; `times` are in milliseconds since 1970, UTC."""

    rows: list[Row] = field(default_factory=list)
    total: int = 0
    columns: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


class Rows:
    """The rows behind what the pages say."""

    def __init__(self, reader: Reader, *, ttl_s: float = 4) -> None:
        self._reader, self._looks = reader, Cache(ttl_s)

    def of(self, relation: str, where: Mapping[str, str]) -> Look[Found]:
        """Rows of an ops or ctl table, or a view over one, whose columns have these values; an empty value means none.

        Columns that the relation does not have are told in `unknown`; then nothing is found. A relation that is not readable has no rows.
        """
        if relation not in READABLE:
            return Look(Found())
        return self._looks.look(repr((relation, sorted(where.items()))), lambda: self._read(relation, where))

    def _read(self, relation: str, where: Mapping[str, str]) -> Found:
        schema = self._reader.query(f"select * from {relation} limit 0").schema
        if unknown := sorted(set(where) - set(schema.names)):
            return Found(columns=schema.names, unknown=unknown)
        conditions = [_condition(schema.field(name), value) for name, value in where.items()]
        filtered = f"from {relation} where {' and '.join(c for c, _ in conditions) or 'true'}"
        values = [value for _, bound in conditions for value in bound]
        newest = next((f"order by {name} desc" for name in TIMES if name in schema.names), "")
        total = self._reader.query(f"select count(*) as n {filtered}", values).to_pylist()[0]["n"]
        rows = self._reader.query(f"select * {filtered} {newest} limit {MOST_ROWS}", values).to_pylist()
        times = [column.name for column in schema if pa.types.is_timestamp(column.type)]
        return Found([{k: _plain(v) for k, v in row.items()} for row in rows], total, schema.names, times)


def _condition(column: pa.Field, value: str) -> tuple[str, list[Any]]:
    name = f'"{column.name}"'
    if value == "":
        return f"coalesce(cast({name} as varchar), '') = ''", []
    if pa.types.is_list(column.type):
        return f"list_contains({name}, ?)", [value]
    if pa.types.is_timestamp(column.type) and (moment := _moment(value)):
        return f"{name} = ?", [moment]
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return f"{name} = try_cast(? as double)", [value]
    return f"cast({name} as varchar) = ?", [value]


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
