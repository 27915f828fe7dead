"""What the mapping of each source reads of bronze, held against the plan that Spark analyses of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.parse import parse_fields
from jobs.refine import expand
from jobs.silver import APPLICABLE, map_to_silver
from lakehouse.lineage.columns import columns_of_silver
from lakehouse.settings import SHIPPED_SOURCES
from lakehouse.sources import Source, read_source
from lakehouse.tables import table
from tests.spark.plans import made_from

LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
TYPE = re.compile(r"\b(array|map|struct)<")


def plain(sql: str) -> str:
    """An expression whose literals have none of the characters that a plan's text is taken apart by."""
    return LITERAL.sub(lambda found: found[0] if TYPE.search(found[0]) else re.sub(r"[][()#,]|\\[a-z]", "_", found[0]), sql)


def readable(source: Source) -> Source:
    """The source with expressions that read the same columns, and of a format whose plan is plain."""
    mapping = source.silver
    changed: dict[str, Any] = {
        "columns": {name: plain(sql) for name, sql in mapping.columns.items()},
        "applicable": plain(mapping.applicable),
        "expand": mapping.expand and plain(mapping.expand),
    }
    derived = {name: plain(sql) for name, sql in source.derived.items()}
    return source.model_copy(update={"pattern": None, "derived": derived, "silver": mapping.model_copy(update=changed)})


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED_SOURCES.glob("*.yaml")))
def test_a_mapping_reads_the_columns_that_its_expressions_name(spark: SparkSession, name: str) -> None:
    declared, _ = read_source(SHIPPED_SOURCES / f"{name}.yaml")
    assert declared
    source = readable(declared)
    stored = spark.createDataFrame([], source.bronze.ddl)
    mapped = map_to_silver(expand(parse_fields(stored, source), source), source, ())
    planned = made_from(mapped, {source.bronze.name: source.bronze.column_names})
    edges = columns_of_silver(declared)
    read = {made: {e.input_column for e in edges if e.output_column == made} for made in table(source.silver.table).column_names}
    assert read == {made: {column for _, column in planned.columns[made]} for made in read}
    rows = {column for _, column in planned.rows | planned.columns[APPLICABLE]}
    assert {e.input_column for e in edges if e.output_column is None} == rows
