"""From bronze records to silver rows.

Does not belong here: what a source's columns mean (assets/sources), deduplicating, or writing.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dq_checks import REASONS, RowRule
from jobs.bronze import STAGED, askable, broken, known_early, mentions
from jobs.parse import CORRUPT, to_type
from lakehouse.sources import FILLED_BY_THE_LAKE, Source
from lakehouse.tables import TABLES
from lakehouse.tables import Column as Declared

APPLICABLE = "_applicable"
FOUND_EARLY = "_found_early"
"""The names of silver's rules that a record breaks, as far as they could be asked when it was parsed."""


def can_map_early(source: Source) -> bool:
    """Whether silver's values of a record can be worked out when it is parsed, and stand beside its bronze columns under their names.

    They cannot where the mapping asks for what is known only when all of the batch was read, such as a record's place.
    """
    bronze, mapping = set(source.bronze.column_names), source.silver.columns
    wanted = " ".join((source.silver.applicable, *mapping.values()))
    return source.silver.expand is None and bronze.isdisjoint(mapping) and not mentions(wanted, bronze - known_early(source))


def map_early(judged: DataFrame, source: Source, rules: Iterable[RowRule]) -> DataFrame:
    """Staged records with `_reasons`; in the place of their parsed fields silver's values, and what silver's rules find in these."""
    values = [_typed(column, source) for column in TABLES[source.silver.table].columns if column.name in source.silver.columns]
    mapped = judged.select(*STAGED, REASONS, *values, _applicable(source).alias(APPLICABLE))
    return mapped.withColumn(FOUND_EARLY, F.when(F.col(APPLICABLE), broken(_askable_early(source, rules)[0])))


def _askable_early(source: Source, rules: Iterable[RowRule]) -> tuple[list[RowRule], list[RowRule]]:
    return askable(rules, set(TABLES[source.silver.table].column_names) - known_early(source) - set(source.silver.columns))


def _applicable(source: Source) -> Column:
    return F.coalesce(F.expr(source.silver.applicable), F.lit(False))


def map_to_silver(parsed: DataFrame, source: Source, rules: Iterable[RowRule]) -> DataFrame:
    """Apply the source's mapping: the silver table's columns in their declared order and type, `_applicable`, `_corrupt` as it came, and
    `_reasons`, the names of the rules that a row breaks where it is applicable.

    `parsed` has bronze's columns, and what `parse_fields` adds. No value makes the query fail: what cannot be cast is null, and the
    table's contract keeps out rows that lack a required value.
    """
    columns = [_typed(column, source) for column in TABLES[source.silver.table].columns]
    mapped = parsed.select(*columns, _applicable(source).alias(APPLICABLE), CORRUPT)
    return mapped.withColumn(REASONS, F.when(F.col(APPLICABLE), broken(rules)))


def mapped_to_silver(mapped: DataFrame, source: Source, rules: Iterable[RowRule]) -> DataFrame:
    """The same from published records that were mapped early."""
    columns = [
        F.col(column.name) if column.name in source.silver.columns else _typed(column, source)
        for column in TABLES[source.silver.table].columns
    ]
    further = F.concat(FOUND_EARLY, broken(_askable_early(source, rules)[1]))
    return mapped.select(*columns, APPLICABLE, CORRUPT, FOUND_EARLY).withColumn(REASONS, further).drop(FOUND_EARLY)


def _typed(column: Declared, source: Source) -> Column:
    return to_type(_value(column, source), column.type).alias(column.name)


def _value(column: Declared, source: Source) -> Column:
    mapped = source.silver.columns.get(column.name)
    if mapped is not None:
        return F.expr(mapped)
    made_here = {"source": F.lit(source.name), "mapping_version": F.lit(source.silver.version)}
    if column.name in made_here:
        return made_here[column.name]
    return F.col(column.name) if column.name in FILLED_BY_THE_LAKE else F.lit(None)
