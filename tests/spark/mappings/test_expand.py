"""How many rows a record becomes that says that it stands for several events."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.parse import CORRUPT
from jobs.refine import MOST_COPIES, TOO_MANY_COPIES, expand
from lakehouse.sources import Source
from tests.spark.mappings.landed import declaration

TOLD: dict[str | None, tuple[int, str | None]] = {
    "1": (1, None),
    "3": (3, None),
    str(MOST_COPIES): (MOST_COPIES, None),
    str(MOST_COPIES + 1): (1, TOO_MANY_COPIES),
    "9" * 400: (1, TOO_MANY_COPIES),
    "0": (1, None),
    "-5": (1, None),
    "many": (1, None),
    None: (1, None),
}
"""What a record says: its rows, and why it cannot be used."""


@pytest.fixture(scope="module")
def counting() -> Source:
    """A source whose records say in `told` how many events they are."""
    shipped = declaration("linux_auth_log")
    return shipped.model_copy(update={"silver": shipped.silver.model_copy(update={"expand": "told"})})


def test_a_record_becomes_as_many_rows_as_it_says_within_reason(spark: SparkSession, counting: Source) -> None:
    frame = spark.createDataFrame([(str(told), told, None) for told in TOLD], f"event_id string, told string, {CORRUPT} string")
    rows = expand(frame, counting).groupBy("told").agg(F.count("*").alias("rows"), F.max("copy").alias("last"), F.max(CORRUPT).alias("why"))
    found = {row["told"]: (row["rows"], row["why"]) for row in rows.collect() if row["rows"] == row["last"]}
    assert found == TOLD


def test_each_further_row_has_an_id_of_its_own(spark: SparkSession, counting: Source) -> None:
    frame = spark.createDataFrame([("e", "3", None)], f"event_id string, told string, {CORRUPT} string")
    assert [row["event_id"] for row in expand(frame, counting).orderBy("copy").collect()] == ["e", "e#2", "e#3"]
