"""What Spark says of a value that it cannot cast is recorded without the value, with its condition and where it failed."""

from __future__ import annotations

import uuid

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings

VALUE = "Zaphod O'Brien"
FAILING = {
    "cast": ("select cast(value as int) from {rows}", "[CAST_INVALID_INPUT]"),
    "time": ("select to_timestamp(value, 'yyyy') from {rows}", "[CANNOT_PARSE_TIMESTAMP]"),
    "own": ("select raise_error(value) from {rows}", "[USER_RAISED_EXCEPTION]"),
}


@pytest.mark.parametrize(("query", "condition"), FAILING.values(), ids=FAILING.keys())
def test_a_value_that_spark_quotes_is_recorded_nowhere(spark: SparkSession, spark_stack: Settings, query: str, condition: str) -> None:
    run, rows = Run(str(uuid.uuid4())), spark.createDataFrame([(VALUE,)], "value string")
    with pytest.raises(PySparkException, match="Zaphod"), Step(OpsWriter(spark_stack), run, "p", "silver.x"):
        spark.sql(query, rows=rows).collect()
    reader = OpsReader(spark_stack)
    (ended,) = reader.rows("select error_class, error_message from ops.run_log where run_id = ?", [run.run_id])
    lines = [row["message"] for row in reader.rows("select message from ops.event_log where run_id = ?", [run.run_id])]
    assert ended["error_message"].startswith(condition)
    (stack,) = [line for line in lines if line.startswith(f"{ended['error_class']}: {condition}")]
    assert f'File "{__file__}"' in stack
    assert "  at org.apache.spark.sql." in stack
    assert not [text for text in (*lines, *map(str, ended.values())) if "Zaphod" in text or "Brien" in text]
