"""What gold declares to read, held against the plans that Spark analyses of its transforms."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import jobs.gold.signals
import jobs.gold.users
from jobs.gold import TRANSFORMS
from jobs.gold.sign_ins import located, sign_ins
from lakehouse.lineage.columns import columns_of_gold
from lakehouse.tables import table
from tests.spark.plans import MadeFrom, made_from


def empty(spark: SparkSession, name: str, *, is_located: bool) -> DataFrame:
    """An input of gold without rows; of the auth events the sign-ins among them, which a GeoIP database may locate by their address."""
    rows = spark.createDataFrame([], table(name).ddl)
    if name != "silver.auth_events":
        return rows
    signed_in = sign_ins(rows, spark.createDataFrame([], "tenant_id string, time_zone string"))
    if not is_located:
        return signed_in
    by_address = {"country": F.upper("ip"), "latitude": F.crc32("ip"), "longitude": F.crc32("ip")}
    return located(signed_in, signed_in.select("ip", *(value.cast("string").alias(name) for name, value in by_address.items())))


def plan_of(spark: SparkSession, name: str, monkeypatch: pytest.MonkeyPatch) -> MadeFrom:
    """What a gold table's transform reads; its checkpoints, which would hide what is behind them, are left out."""
    for transforms in (jobs.gold.signals, jobs.gold.users):
        monkeypatch.setattr(transforms, "checkpoint", lambda frame: frame)
    declared = table(name)
    assert declared.definition
    frames = (empty(spark, i, is_located=declared.definition.is_located) for i in declared.inputs)
    made = made_from(TRANSFORMS[name](*frames), {i: table(i).column_names for i in declared.inputs})
    return MadeFrom({column: read for column, read in made.columns.items() if column in declared.column_names}, made.rows)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_gold_table_declares_the_columns_that_its_transform_reads(
    spark: SparkSession, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan_of(spark, name, monkeypatch)
    declared = columns_of_gold(table(name))
    columns = {made: {(e.input_name, e.input_column) for e in declared if e.output_column == made} for made in table(name).column_names}
    assert columns == {made: set(read) for made, read in planned.columns.items()}
    assert {(e.input_name, e.input_column) for e in declared if e.output_column is None} == planned.rows
