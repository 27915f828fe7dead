"""Which columns each column of a table is made from: silver's by the mapping of a source, gold's by the table's declaration.

Does not belong here: what runs recorded (lakehouse.lineage.recorded), or whether gold's declarations are right (tests/spark/gold).
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from lakehouse.sources import COPY, FILLED_BY_THE_LAKE, Source
from lakehouse.tables import Table, table

RAW = "raw"
"""Bronze's column with the record's text, which holds every declared field."""
DIALECT = "spark"


class ColumnEdge(NamedTuple):
    """A column of an input and the column that is made from it; `output_column` None: it decides which rows the table has."""

    input_name: str
    input_column: str
    output_column: str | None


def columns_of_silver(source: Source) -> frozenset[ColumnEdge]:
    """The edges from a source's bronze table to its silver table; what a contract keeps out of it is not told here."""
    name, mapping = source.bronze.name, source.silver
    rows = {ColumnEdge(name, read, None) for read in bronze_columns(source, mapping.applicable) | _read_by_copy(source)}
    declared = table(mapping.table).column_names
    return frozenset(rows.union(*({ColumnEdge(name, read, made) for read in _read_for(source, made)} for made in declared)))


def columns_of_gold(declared: Table) -> frozenset[ColumnEdge]:
    """The edges to a gold table from its inputs, as it declares them."""
    found: set[ColumnEdge] = set()
    for name, reads in declared.reads.items():
        found |= {ColumnEdge(name, read, None) for read in reads.rows}
        found |= {ColumnEdge(name, read, made) for made, columns in reads.columns.items() for read in columns}
    return frozenset(found)


def _read_for(source: Source, column: str) -> set[str]:
    mapped = source.silver.columns.get(column)
    if mapped is not None:
        return bronze_columns(source, mapped)
    if column not in FILLED_BY_THE_LAKE or column not in source.bronze.column_names:
        return set()
    return {column} | (_read_by_copy(source) if column == "event_id" else set())


def _read_by_copy(source: Source) -> set[str]:
    """What decides how many rows a record stands for; the number of each is behind its event id."""
    return bronze_columns(source, source.silver.expand) if source.silver.expand else set()


def bronze_columns(source: Source, sql: str) -> set[str]:
    """The columns of bronze that an expression of a mapping reads: by their name, or `raw` for a field; derived values are followed."""
    own, fields = set(source.bronze.column_names), {name.lower() for name in source.fields}
    derived = {name.lower(): text for name, text in source.derived.items()} | {COPY: source.silver.expand or "1"}
    found, seen, waiting = set[str](), set[str](), set(names_in(sql))
    while waiting:
        name = waiting.pop()
        seen.add(name)
        if name in own:
            found.add(name)
        elif name in derived:
            waiting |= names_in(derived[name]) - seen
        elif name in fields:
            found.add(RAW)
    return found


@cache
def names_in(sql: str) -> frozenset[str]:
    """The columns that a Spark SQL expression names, in lower case; of a path into a structure, its first part.

    Where the expression cannot be read here, though Spark may read it: every word in it.
    """
    # Imported here since that takes half a second, which what has no mapping to read can do without.
    import sqlglot

    try:
        tree = sqlglot.parse_one(sql, dialect=DIALECT)
    except sqlglot.errors.SqlglotError:
        return frozenset(word.lower() for word in re.findall(r"\w+", sql))
    return frozenset(column.parts[0].name.lower() for column in tree.find_all(sqlglot.exp.Column))
