"""What becomes of a record's text: its fields, or the reason why it cannot be used."""

from __future__ import annotations

import pytest
from pyspark.sql import Row, SparkSession

from jobs.parse import CORRUPT, TYPE_CONFLICT, UNPARSEABLE, parse_fields
from lakehouse.sources import Source
from lakehouse.spark import checkpoint

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


TEXTS: dict[str, str | None] = {
    '{"id": "x"}': "x",
    '  {"id": "x"}  ': "x",
    '{"id": 12345678901234567890}': "12345678901234567890",
    '{"id": true}': "true",
    '{"id": {"a": [1, null]}}': '{"a":[1,null]}',
    '{"id": null}': None,
    "{}": None,
    '{"ID": "other case is another field"}': None,
    '{"id": "x", "unknown": [1]}': "x",
}
UNUSABLE = (
    "", "x", "{", '{"id": "x"', "null", "5", '"text"', "[]", '[{"id": "x"}]', None,
    '{"id": "x"}{"id": "y"}', '{"id": "x"} {"id": "y"}', '{"id": "x"} trailing', '{"id": NaN}',
    '{"id": ' + "[" * 1500 + "]" * 1500 + "}",
)  # fmt: skip
CONFLICTING = ('{"id": "x", "who": "Ada"}', '{"id": "x", "who": [1]}', '{"id": "x", "who": 5}')
CLAIMING = '{"id": "x", "tenant_id": "other"}'


@pytest.fixture(scope="module")
def fields(spark: SparkSession) -> dict[str | None, Row]:
    """What each text was read as; one query for all, since queries are what takes time."""
    texts = (*TEXTS, *UNUSABLE, *CONFLICTING, CLAIMING)
    frame = spark.createDataFrame([("acme", text) for text in texts], "tenant_id string, raw string")
    return {row["raw"]: row for row in parse_fields(frame, SOURCE).collect()}


@pytest.mark.parametrize("raw", TEXTS)
def test_a_text_field_takes_any_value(fields: dict[str | None, Row], raw: str) -> None:
    assert (fields[raw]["id"], fields[raw][CORRUPT]) == (TEXTS[raw], None)


@pytest.mark.parametrize("raw", UNUSABLE)
def test_what_is_not_one_json_object_is_unparseable(fields: dict[str | None, Row], raw: str | None) -> None:
    assert (fields[raw]["id"], fields[raw][CORRUPT]) == (None, UNPARSEABLE)


@pytest.mark.parametrize("raw", CONFLICTING)
def test_a_conflict_of_types_is_named_and_spoils_no_other_field(fields: dict[str | None, Row], raw: str) -> None:
    assert (fields[raw]["id"], fields[raw]["who"], fields[raw][CORRUPT]) == ("x", None, TYPE_CONFLICT)


def test_a_field_never_replaces_a_column_of_the_lake(fields: dict[str | None, Row]) -> None:
    assert fields[CLAIMING]["tenant_id"] == "acme"


def test_derived_values_build_on_each_other(fields: dict[str | None, Row]) -> None:
    assert fields['{"id": "x"}']["louder"] == "X!"


LINE = '192.0.2.1 - ada [17/May/2015:10:05:03 +0000] "{request}" 200 12 "-" "{agent}"'
LONG = 'x\\"' * 100_000
"""With escaped quotation marks: what Java matches with a call for each goes beyond its stack, and takes the server along."""
LINES: dict[str, tuple[str | None, ...]] = {
    LINE.format(request="GET /a HTTP/1.1", agent="Mozilla"): ("GET", "/a", "HTTP/1.1", None, "Mozilla"),
    LINE.format(request='GET /a\\"b HTTP/1.1', agent="Mozilla"): ("GET", '/a\\"b', "HTTP/1.1", None, "Mozilla"),
    LINE.format(request="M-SEARCH * HTTP/1.1", agent=LONG): ("M-SEARCH", "*", "HTTP/1.1", None, LONG),
    LINE.format(request=LONG, agent="Mozilla"): (None, None, None, LONG, "Mozilla"),
    LINE.format(request="\\x16\\x03", agent="a\u0085b\u2028c\rd"): (None, None, None, "\\x16\\x03", "a\u0085b\u2028c\rd"),
    LINE.format(request="", agent="a\x01b"): (None, None, None, None, "a\ufffdb"),
    'no line of a log "GET /a HTTP/1.1" 200': (),
}


def test_a_line_of_text_is_read_by_its_pattern_whatever_is_in_it(spark: SparkSession) -> None:
    whole = SOURCE.model_dump(exclude={"fields", "derived", "delimiter"})
    declared = {**whole, "format": "text", "pattern": "combined_log", "event_id": "client"}
    source = Source.model_validate(declared)
    frame = spark.createDataFrame([("acme", n, line) for n, line in enumerate(LINES)], "tenant_id string, n int, raw string")
    rows = parse_fields(frame, source).orderBy("n").select("method", "path", "protocol", "request", "user_agent", CORRUPT).collect()
    assert [row[:-1] if row[CORRUPT] is None else () for row in rows] == list(LINES.values())
    assert rows[-1][CORRUPT] == UNPARSEABLE


def test_a_source_may_derive_many_values_from_those_before(spark: SparkSession) -> None:
    steps = {"step_0": "id", **{f"step_{n}": f"concat(step_{n // 2}, '.')" for n in range(1, 100)}}
    frame = spark.createDataFrame([("acme", '{"id": "x"}')], "tenant_id string, raw string")
    kept = checkpoint(parse_fields(frame, SOURCE.model_copy(update={"derived": steps})))
    assert [row["step_99"] for row in kept.collect()] == ["x......."]
