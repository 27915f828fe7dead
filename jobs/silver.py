"""From bronze records to silver rows.

Does not belong here: what a source's columns mean (assets/sources), deduplicating, or writing.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.parse import CORRUPT, to_type
from lakehouse.sources import FILLED_BY_THE_LAKE, Source
from lakehouse.tables import TABLES
from lakehouse.tables import Column as Declared

APPLICABLE = "_applicable"


def map_to_silver(parsed: DataFrame, source: Source) -> DataFrame:
    """Apply the source's mapping: the silver table's columns in their declared order and type, `_applicable`, and `_corrupt` as it came.

    `parsed` has bronze's columns and what `parse_fields` adds. No value makes the query fail: what cannot be cast is null, and
    the table's contract keeps out rows that lack a required value.
    """
    columns = [to_type(_value(column, source), column.type).alias(column.name) for column in TABLES[source.silver.table].columns]
    applicable = F.coalesce(F.expr(source.silver.applicable), F.lit(False))
    return parsed.select(*columns, applicable.alias(APPLICABLE), CORRUPT)


def _value(column: Declared, source: Source) -> Column:
    mapped = source.silver.columns.get(column.name)
    if mapped is not None:
        return F.expr(mapped)
    made_here = {"source": F.lit(source.name), "mapping_version": F.lit(source.silver.version)}
    if column.name in made_here:
        return made_here[column.name]
    return F.col(column.name) if column.name in FILLED_BY_THE_LAKE else F.lit(None)
