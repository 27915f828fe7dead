"""Table declarations as Arrow schemas, and rows as Arrow tables.

Does not belong here: Spark types (a declaration's `ddl` is Spark's own), or any particular table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from lakehouse.tables import Table

ARROW_TYPES = {
    "string": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "float": pa.float32(),
    "short": pa.int16(),
    "array<string>": pa.list_(pa.string()),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The declared columns as an Arrow schema; comments become field metadata."""
    return pa.schema(
        [pa.field(c.name, ARROW_TYPES[c.type], nullable=not c.required, metadata={"comment": c.comment}) for c in table.columns]
    )


def arrow_table(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table in the declared order; a column that a row lacks is null.

    Without comments: delta-rs refuses rows whose comments are not those that the table was created with.

    Raises KeyError for a column that is not declared.
    """
    rows = list(rows)
    unknown = {name for row in rows for name in row} - set(table.column_names)
    if unknown:
        raise KeyError(f"{table.name} has no columns {', '.join(sorted(unknown))}")
    return pa.Table.from_pylist([dict(row) for row in rows], schema=_without_comments(arrow_schema(table)))


def _without_comments(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.remove_metadata() for field in schema])
