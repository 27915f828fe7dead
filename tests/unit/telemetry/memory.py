"""The ops tables in memory, and facts to append to them.

Does not belong here: assertions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse.arrow import arrow_schema, arrow_table
from lakehouse.ops.views import VIEWS
from lakehouse.tables import table

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TABLES = ("ops.metrics", "ops.run_events", "ops.incident_events")


class Facts:
    """The ops tables in memory: a Reader, to which facts are appended as of a time."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set TimeZone = 'UTC'; create schema ops")
        for name in TABLES:
            self._connection.register("empty", arrow_schema(table(name)).empty_table())
            self._connection.execute(f"create table {name} as select * from empty")
        self._connection.execute(f"create view ops.incidents as {VIEWS['ops.incidents'].sql}")

    def append(self, name: str, at: datetime, *rows: dict[str, Any]) -> None:
        """Append rows as the writer does."""
        added = arrow_table(table(name), [{**row, "recorded_at": at, "recorded_date": at.date()} for row in rows])
        self._connection.register("added", added)
        self._connection.execute(f"insert into {name} select * from added")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """As a Reader."""
        return self._connection.sql(sql, params=list(parameters)).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """As a Reader."""
        return list(self.query(sql, parameters).to_pylist())


def measured(metric: str, value: float, **more: Any) -> dict[str, Any]:
    """A measurement of a batch."""
    return {"run_id": "r", "pipeline": "okta", "table_name": "silver.auth_events", "metric": metric, "value": value, **more}


def attempt(status: str, **more: Any) -> dict[str, Any]:
    """The end of an attempt."""
    known = {"fact": "end", "run_id": "r", "attempt": 1, "pipeline": "okta", "asset": "silver.auth_events", "status": status}
    return {**known, "ended_at": NOW, **more}
