"""Spark's verdict on the expressions of a declaration: each mistake with its line and the nearest name, and none where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs.expressions import explained, quiet_errors, wrong_expressions
from jobs.preview import preview
from lakehouse.settings import SHIPPED_SOURCES
from lakehouse.sources import mistakes_at, read_source
from tests.pulling import EXAMPLE

SHIPPED = [*sorted(SHIPPED_SOURCES.glob("*.yaml")), EXAMPLE]

GOOD = """\
name: probe
description: A source for tests.
format: json_lines
earliest: 2020-01-01
fields:
  id: string
  at: string
  who: struct<name string, mail string>
  tags: array<struct<key string>>
  event_time: string
derived:
  short: left(id, 3)
  shorter: left(short, 2)
event_id: id
event_time: try_to_timestamp(at)
user: who.name
silver:
  table: silver.billing_customers
  version: 1
  applicable: id is not null
  expand: size(tags)
  columns:
    customer_id: shorter
    name: >-
      case
        when who.name like 'A%' then who.name
        when copy > 1 then get(tags, copy - 1).key
        else short end
    email: lower(name)
    as_of: event_time
"""

WRONG = {
    "a field that is not there": (
        "  short: left(id, 3)",
        "  short: left(idd, 3)",
        "12: derived.short: there is no field or derived value 'idd'; the nearest is 'id'",
    ),
    "a derived value that stands below": (
        "left(id, 3)",
        "left(shorter, 3)",
        "12: derived.short: there is no field or derived value 'shorter'",
    ),
    "a member without its field": (
        "user: who.name",
        "user: mail",
        "16: user: there is no field or derived value 'mail'; the nearest is 'who.mail'",
    ),
    "a member that is not there": ("user: who.name", "user: who.nam", "16: user: there is no 'nam' in it; the nearest is 'name'"),
    "a member of a text": (
        "event_id: id",
        "event_id: id.x",
        "14: event_id: id is declared string, which has no members: declare it struct<...>",
    ),
    "a regular expression that is none": (
        "user: who.name",
        "user: case when who.name rlike '^A(b' then who.name end",
        "16: user: '^A(b' is no regular expression of Java's",
    ),
    "a text without quotation marks": (
        "customer_id: shorter",
        "customer_id: live",
        "23: silver.columns.customer_id: there is no field or derived value 'live'; a text needs quotation marks of its own: \"'live'\"",
    ),
    "a line of several": (
        "        when copy > 1",
        "        when copyy > 1",
        "27: silver.columns.name: there is no field or derived value 'copyy'; the nearest is 'copy'",
    ),
    "no function": ("left(id, 3)", "lefft(id, 3)", "12: derived.short: Spark has no function 'lefft'"),
    "no syntax": ("email: lower(name)", "email: lower(name", "29: silver.columns.email: cannot be read at end of input"),
    "no type": (
        "  at: string",
        "  at: strin",
        "7: fields.at: 'strin' is no Spark type: Unsupported data type \"STRIN\"; the nearest is 'string'",
    ),
    "a type without its end": (
        "array<struct<key string>>",
        "array<struct<key string>",
        "9: fields.tags: 'array<struct<key string>' is no Spark type: Syntax error",
    ),
    "a time that is a text": (
        "try_to_timestamp(at)",
        "trim(at)",
        "15: event_time: gives string, and must give timestamp: try_to_timestamp(...) reads a text",
    ),
    "a time that is a number": (
        "try_to_timestamp(at)",
        "try_cast(at as bigint)",
        "15: event_time: gives bigint, and must give timestamp: timestamp_seconds, timestamp_millis",
    ),
    "no truth value": ("applicable: id is not null", "applicable: id", "20: silver.applicable: gives string, and must give boolean"),
    "what cannot become a number": (
        "    as_of:",
        "    balance: who\n    as_of:",
        "30: silver.columns.balance: struct<name: string, mail: string> cannot become bigint",
    ),
    "one row of many": ("left(id, 3)", "count(id)", "12: derived.short: an expression makes one value of one record"),
    "many rows of one": ("left(id, 3)", "explode(tags)", "12: derived.short: an expression makes one value of one record"),
    "copy before the mapping": ("event_id: id", "event_id: concat(id, copy)", "14: event_id: there is no field or derived value 'copy'"),
    "a pattern of times": (
        "try_to_timestamp(at)",
        "{text: at, format: 'EEE yyyy', zone: UTC}",
        "15: event_time.format: 'EEE yyyy' is no datetime pattern of Spark's",
    ),
    "the text of a time": (
        "try_to_timestamp(at)",
        "{text: att, format: 'yyyy', zone: UTC}",
        "15: event_time.text: there is no field or derived value 'att'; the nearest is 'at'",
    ),
}


def told(spark: SparkSession, folder: Path, text: str) -> list[str]:
    path = folder / "probe.yaml"
    path.write_text(text, encoding="utf-8")
    source, mistakes = read_source(path)
    assert source is not None, mistakes
    with quiet_errors():
        return [str(mistake) for mistake in mistakes_at(path, wrong_expressions(spark, source))]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_declaration_has_no_mistake(spark: SparkSession, path: Path) -> None:
    source, _ = read_source(path)
    assert source is not None
    assert wrong_expressions(spark, source) == []


def test_a_right_declaration_has_none(spark: SparkSession, tmp_path: Path) -> None:
    assert told(spark, tmp_path, GOOD) == []


@pytest.mark.parametrize("kind", WRONG)
def test_a_mistake_is_told_with_its_line(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    right, wrong, mistake = WRONG[kind]
    assert right in GOOD
    (found,) = told(spark, tmp_path, GOOD.replace(right, wrong, 1))
    assert found.startswith(f"probe.yaml:{mistake}")


def test_a_pattern_that_is_python_s_alone_is_told(spark: SparkSession, tmp_path: Path) -> None:
    text = GOOD.replace("format: json_lines", "format: text\npattern: '(?<id>[a-z]+)-(?<at>.*)(?(id)x|y)'")
    start, end = text.index("fields:"), text.index("derived:")
    text = (text[:start] + text[end:]).replace("user: who.name\n", "").replace("  expand: size(tags)\n", "")
    start, end = text.index("    name: >-"), text.index("    email:")
    text = (text[:start] + text[end:]).replace("    email: lower(name)\n", "")
    assert told(spark, tmp_path, text) == ["probe.yaml:4: pattern: is no regular expression of Java's, which Spark uses"]


def test_all_mistakes_are_told_at_once_and_each_of_them_once(spark: SparkSession, tmp_path: Path) -> None:
    text = GOOD.replace("left(id, 3)", "left(idd, 3)").replace("event_id: id", "event_id: idd").replace("lower(name)", "lowr(name)")
    assert [found.split(": ")[0] for found in told(spark, tmp_path, text)] == ["probe.yaml:12", "probe.yaml:14", "probe.yaml:29"]


def told_of_a_record(spark: SparkSession, folder: Path, text: str) -> str:
    """What is told of a declaration that fails on the record of id `x`."""
    path, records = folder / "probe.yaml", folder / "records.jsonl"
    path.write_text(text, encoding="utf-8")
    records.write_text('{"id": "x", "at": "2026-03-01 10:00:00"}\n')
    source, _ = read_source(path)
    assert source is not None
    with quiet_errors(), pytest.raises(PySparkException) as failed:
        preview(spark, source, records, 10)
    with quiet_errors():
        (found,) = mistakes_at(path, explained(spark, source, failed.value))
    return str(found)


def test_an_expression_that_fails_on_a_record_is_told_with_its_line(spark: SparkSession, tmp_path: Path) -> None:
    found = told_of_a_record(spark, tmp_path, GOOD.replace("else short end", "else cast(id as int) end"))
    assert found.startswith(
        "probe.yaml:28: silver.columns.name: cast(id as int) fails: The value 'x' of the type \"STRING\" cannot be cast"
    )
    assert "try_cast" in found


def test_a_cast_that_is_all_of_an_expression_is_told_with_its_own_line(spark: SparkSession, tmp_path: Path) -> None:
    text = GOOD.replace("as_of: event_time", "created_at: try_cast(id as timestamp)\n    as_of: cast(id as timestamp)")
    assert told_of_a_record(spark, tmp_path, text).startswith("probe.yaml:31: silver.columns.as_of: ")
