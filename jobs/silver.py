"""From bronze records to silver rows.

Does not belong here: what a source's columns mean (assets/sources), deduplicating, or writing.
"""

from __future__ import annotations

import re

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.bronze import IDENTIFIED
from jobs.parse import CORRUPT, to_type
from lakehouse.sources import FILLED_BY_THE_LAKE, Source
from lakehouse.tables import TABLES
from lakehouse.tables import Column as Declared

APPLICABLE = "_applicable"
EARLY = "_early_"
"""Before the name of a value that was worked out when the record was parsed, so that silver need not parse it again."""


def can_map_early(source: Source) -> bool:
    """Whether the mapping asks for nothing that is known only once the whole batch was read, such as a record's place."""
    late = {column.name for column in source.bronze.columns} - set(IDENTIFIED)
    words = set(re.findall(r"\w+", " ".join((source.silver.applicable, *source.silver.columns.values()))))
    return source.event_id is not None and source.silver.expand is None and not late & words


def mapped_early(source: Source) -> list[Column]:
    """The values of the mapping, over identified records with their parsed fields."""
    types = {column.name: column.type for column in TABLES[source.silver.table].columns}
    values = [to_type(F.expr(sql), types[name]).alias(EARLY + name) for name, sql in source.silver.columns.items()]
    return [*values, _applicable(source).alias(EARLY + APPLICABLE)]


def _applicable(source: Source) -> Column:
    return F.coalesce(F.expr(source.silver.applicable), F.lit(False))


def map_to_silver(parsed: DataFrame, source: Source) -> DataFrame:
    """Apply the source's mapping: the silver table's columns in their declared order and type, `_applicable`, and `_corrupt` as it came.

    `parsed` has bronze's columns, and what `parse_fields` adds or what was `mapped_early`. No value makes the query fail: what cannot be
    cast is null, and the table's contract keeps out rows that lack a required value.
    """
    present = set(parsed.columns)

    def early(name: str, otherwise: Column) -> Column:
        return F.col(EARLY + name) if EARLY + name in present else otherwise

    columns = [
        early(column.name, to_type(_value(column, source), column.type)).alias(column.name)
        for column in TABLES[source.silver.table].columns
    ]
    return parsed.select(*columns, early(APPLICABLE, _applicable(source)).alias(APPLICABLE), CORRUPT)


def _value(column: Declared, source: Source) -> Column:
    mapped = source.silver.columns.get(column.name)
    if mapped is not None:
        return F.expr(mapped)
    made_here = {"source": F.lit(source.name), "mapping_version": F.lit(source.silver.version)}
    if column.name in made_here:
        return made_here[column.name]
    return F.col(column.name) if column.name in FILLED_BY_THE_LAKE else F.lit(None)
