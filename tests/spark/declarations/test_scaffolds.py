"""A scaffold is a right declaration as it is printed, and gives rows: of the demo data, of every format, whatever the fields are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.expressions import quiet_errors, wrong_expressions
from jobs.preview import Preview, preview
from lakehouse.scaffold import scaffold_of
from lakehouse.scaffold.shapes import quoted
from lakehouse.sources import Source, TimeText, read_source
from tests.unit.sources.files import FORMATS, TIMES

pytestmark = pytest.mark.long

DEMO = Path(__file__).resolve().parents[3] / "demo_data"
FOLDERS = sorted(path for path in DEMO.iterdir() if path.is_dir())
RECORDS = 100
TABLES = {"stripe_customers": "silver.billing_customers", "stripe_subscriptions": "silver.billing_subscriptions"}
LANDED_ON = "2026-03-01"


def scaffolded(spark: SparkSession, folder: Path, file: Path, table: str) -> tuple[Source, Preview]:
    """The declaration that is guessed from a file, which has no mistakes, and what it makes of the file."""
    path = folder / "probe.yaml"
    path.write_text(scaffold_of(file, "probe", table).text, encoding="utf-8")
    source, mistakes = read_source(path)
    assert source is not None, mistakes
    with quiet_errors():
        assert wrong_expressions(spark, source) == []
        return source, preview(spark, source, file, RECORDS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_scaffold_of_demo_data_gives_rows(spark: SparkSession, tmp_path: Path, folder: Path) -> None:
    file = min(path for path in folder.iterdir() if not path.name.startswith("LICENSE"))
    source, seen = scaffolded(spark, tmp_path, file, TABLES.get(folder.name, "silver.auth_events"))
    assert seen.rows
    assert len(seen.rows) + len(seen.rejects) + seen.not_applicable == seen.records
    assert {name.split(".")[0].lower() for name in seen.unnamed} <= {name.lower() for name in source.fields}
    assert source.event_time_sql != "cast(landed_on as timestamp)"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_scaffold_of_every_format_gives_rows(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "records"
    file.write_bytes(FORMATS[kind][0])
    _, seen = scaffolded(spark, tmp_path, file, "silver.auth_events")
    assert seen.rows
    unread = {reason for reject in seen.rejects for reason in reject.reasons} - {"unparseable"}
    assert unread <= {"event_id.missing", "event_time.missing", "event_date.missing"}


def test_times_are_read_as_the_instants_that_they_are(spark: SparkSession) -> None:
    wanted = {str(value): instant for value, (_, _, instant) in TIMES.items()}
    made = {str(value): TimeText.model_validate(told).sql if isinstance(told, dict) else told for value, (told, _, _) in TIMES.items()}
    rows = spark.createDataFrame([(value,) for value in made], "ts string").withColumn("landed_on", F.lit(LANDED_ON).cast("date"))
    chosen = F.coalesce(*(F.when(F.col("ts") == value, F.expr(sql)) for value, sql in made.items()))
    found = rows.select("ts", F.date_format(chosen, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS").alias("instant")).collect()
    assert {row["ts"]: row["instant"] for row in found} == wanted


@pytest.mark.parametrize("sql", {str(told): told for told, _, _ in TIMES.values() if isinstance(told, str) and "ts" in told}.values())
def test_no_value_makes_the_reading_of_a_time_fail(spark: SparkSession, sql: str) -> None:
    bad = ("", "x", "-1", "0", "12:30", "1e400", "NaN", "9" * 30, "9223372036854775807", "253402300799.9", "2024-13-41 99:99:99", "日")
    rows = spark.createDataFrame([(value,) for value in bad], "ts string").withColumn("landed_on", F.lit(LANDED_ON).cast("date"))
    assert rows.select(F.expr(sql)).count() == len(bad)
    assert rows.where(F.expr(sql).isNotNull()).where("ts in ('', 'x', '-1', '0', '12:30', '日')").count() == 0


def test_a_field_may_be_called_like_any_word_of_sql(spark: SparkSession) -> None:
    words = [row["keyword"].lower() for row in spark.sql("select keyword from sql_keywords()").collect()]
    assert len(words) > 300
    rows = spark.createDataFrame([], ", ".join(f"`{word}` string" for word in words))
    uses = ("nullif({}, '')", "lower({}) rlike 'x'", "case when {0} like '____-__-___%' then {0} end", "try_cast({} as int)")
    assert len(rows.select(*(F.expr(use.format(quoted(word))) for word in words for use in uses)).schema) == len(words) * len(uses)


def test_odd_names_are_read_under_their_own(spark: SparkSession, tmp_path: Path) -> None:
    record = {"a.b": "1", "x y": "2", "select": "3", "no": "4", "it's": "5", "back\\slash": "6", "日本": "7", "#": "8", "Event_ID": "e1"}
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps({**record, "user": name, "timestamp": "2026-03-01T10:00:00Z"}) + "\n" for name in ("ada", "bob")))
    _, seen = scaffolded(spark, tmp_path, file, "silver.auth_events")
    assert [row["user_id"] for row in seen.rows] == ["ada", "bob"]
    assert seen.unnamed == {}
