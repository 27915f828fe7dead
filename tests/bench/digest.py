"""Whether two tables hold the same rows: their number, and a hash that does not depend on their order.

Does not belong here: which tables should be equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from lakehouse.delta_rs import open_table
from lakehouse.settings import Settings
from lakehouse.tables import Column, Table
from tests.bench.record import Digest

ROUNDED_TO = 6
"""Digits behind the point of a floating number that count: a sum depends on the order of its terms."""


def delta_digests(settings: Settings, tables: Iterable[Table]) -> dict[str, Digest]:
    """Digests of Delta tables of a lake, by name."""
    found = {}
    with duckdb.connect(":memory:") as connection:
        for declared in tables:
            connection.register("wanted", open_table(settings, declared).to_pyarrow_dataset())
            found[declared.name] = _digest(connection, "wanted", declared)
    return found


def duckdb_digest(path: Path, relation: str, declared: Table) -> Digest:
    """Digest of a table in a DuckDB file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return _digest(connection, relation, declared)


def _digest(connection: duckdb.DuckDBPyConnection, relation: str, declared: Table) -> Digest:
    said = ", ".join(_canonical(column) for column in declared.columns if not column.name.startswith("_"))
    sql = f"select count(*), coalesce(sum(hash({said})::hugeint), 0)::varchar from {relation}"
    rows, value = connection.sql(sql).fetchall()[0]
    return int(rows), str(value)


def _canonical(column: Column) -> str:
    """SQL for a column's value, alike for every engine that may have written it."""
    name = f'"{column.name}"'
    if column.type.startswith("map"):
        return f"list_sort(map_entries({name}))"
    forms = {
        "timestamp": f"epoch_us({name})",
        "double": f"round({name}, {ROUNDED_TO})",
        "long": f"{name}::bigint",
        "int": f"{name}::bigint",
    }
    return forms.get(column.type, name)
