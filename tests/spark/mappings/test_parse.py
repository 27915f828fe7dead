"""What becomes of a record's text: its fields, or the reason why it cannot be used."""

from __future__ import annotations

import pytest
from pyspark.sql import Row, SparkSession

from jobs.parse import CORRUPT, TYPE_CONFLICT, UNPARSEABLE, parse_fields
from lakehouse.sources import Source

SOURCE = Source.model_validate(
    {
        "name": "probe",
        "description": "A source for tests.",
        "format": "json_lines",
        "earliest": "2020-01-01",
        "fields": {"id": "string", "who": "struct<name string>", "tenant_id": "string"},
        "derived": {"loud": "upper(id)", "louder": "concat(loud, '!')"},
        "event_id": "id",
        "event_time": "current_timestamp()",
        "silver": {
            "table": "silver.billing_customers",
            "version": 1,
            "columns": {"customer_id": "id", "as_of": "event_time"},
        },
    }
)


def _parse(spark: SparkSession, raw: str | None) -> Row:
    frame = spark.createDataFrame([("acme", raw)], "tenant_id string, raw string")
    return parse_fields(frame, SOURCE).first()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"id": "x"}', "x"),
        ('  {"id": "x"}  ', "x"),
        ('{"id": 12345678901234567890}', "12345678901234567890"),
        ('{"id": true}', "true"),
        ('{"id": {"a": [1, null]}}', '{"a":[1,null]}'),
        ('{"id": null}', None),
        ("{}", None),
        ('{"ID": "other case is another field"}', None),
        ('{"id": "x", "unknown": [1]}', "x"),
    ],
)
def test_a_text_field_takes_any_value(spark: SparkSession, raw: str, value: str | None) -> None:
    row = _parse(spark, raw)
    assert (row["id"], row[CORRUPT]) == (value, None)


@pytest.mark.parametrize(
    "raw",
    [
        "", "x", "{", '{"id": "x"', "null", "5", '"text"', "[]", '[{"id": "x"}]', None,
        '{"id": "x"}{"id": "y"}', '{"id": "x"} {"id": "y"}', '{"id": "x"} trailing', '{"id": NaN}', '{"id": ' + "[" * 1500 + "]" * 1500 + "}",
    ],
)  # fmt: skip
def test_what_is_not_one_json_object_is_unparseable(spark: SparkSession, raw: str | None) -> None:
    row = _parse(spark, raw)
    assert (row["id"], row[CORRUPT]) == (None, UNPARSEABLE)


@pytest.mark.parametrize("who", ['"Ada"', "[1]", "5"])
def test_a_conflict_of_types_is_named_and_spoils_no_other_field(spark: SparkSession, who: str) -> None:
    row = _parse(spark, f'{{"id": "x", "who": {who}}}')
    assert (row["id"], row["who"], row[CORRUPT]) == ("x", None, TYPE_CONFLICT)


def test_a_field_never_replaces_a_column_of_the_lake(spark: SparkSession) -> None:
    row = _parse(spark, '{"id": "x", "tenant_id": "other"}')
    assert row["tenant_id"] == "acme"


def test_derived_values_build_on_each_other(spark: SparkSession) -> None:
    assert _parse(spark, '{"id": "x"}')["louder"] == "X!"
