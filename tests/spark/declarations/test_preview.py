"""What a preview says of a file, worked out by hand from its records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from infra.preview_text import lines_of
from jobs.preview import Preview, preview
from lakehouse.sources import Source

DECLARED: dict[str, Any] = {
    "name": "probe",
    "description": "A source for tests.",
    "format": "json_lines",
    "earliest": "2020-01-01",
    "fields": {
        "id": "string", "at": "string", "who": "struct<name string>", "tags": "array<string>", "a.b": "string", "EVENT_ID": "string",
    },
    "event_id": "id",
    "event_time": "try_to_timestamp(at)",
    "silver": {
        "table": "silver.auth_events",
        "version": 1,
        "applicable": "who.name <> 'nobody' or who is null",
        "columns": {
            "project_id": "`a.b`", "environment": "'live'", "action": "id", "activity": "'sign_in'", "auth_method": "'password'",
            "phase": "'completed'", "outcome": "coalesce(who.name, 'success')", "device": "'unknown'", "ip": "get(tags, 0)",
        },
    },
}  # fmt: skip
AT = "2026-03-01T10:00:00Z"
RECORDS = (
    {"id": "1", "at": AT, "a.b": "p", "EVENT_ID": "other"},
    {"id": "2", "at": AT, "a.b": "p", "who": {"name": "failure", "age": 3}, "tags": ["203.0.113.9"], "more": 1},
    {"id": "3", "at": AT, "a.b": "p", "who": {"name": "nobody"}, "more": 2},
    {"id": "4", "at": "12 March", "a.b": "p"},
    {"id": "5", "at": AT, "a.b": "p", "who": "Ada", "tags": {"x": 1}},
    {"id": "6", "at": AT, "a.b": "p", "who": {"name": "lost"}},
    {"id": "7", "at": AT, "a.b": "p", "tags": ["nowhere"]},
    {"id": "1", "at": AT, "a.b": "p", "who": {"name": "failure"}},
)  # fmt: skip


@pytest.fixture(scope="module")
def seen(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Preview:
    file = tmp_path_factory.mktemp("preview") / "records.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS) + "not JSON\n" + '{"id": "beyond the limit"}\n')
    return preview(spark, Source.model_validate(DECLARED), file, 9)


def test_each_record_is_counted_once(seen: Preview) -> None:
    assert (seen.records, len(seen.rows), len(seen.rejects), seen.not_applicable) == (9, 3, 5, 1)


def test_rows_are_in_the_order_of_their_records(seen: Preview) -> None:
    assert [(row["_row"], row["event_id"], row["outcome"], row["ip"]) for row in seen.rows] == [
        (1, "1", "success", None),
        (2, "2", "failure", "203.0.113.9"),
        (8, "1", "failure", None),
    ]


def test_a_field_with_a_dot_in_its_name_is_the_field(seen: Preview) -> None:
    assert {row["project_id"] for row in seen.rows} == {"p"}


def test_what_is_rejected_is_told_with_reason_and_value(seen: Preview) -> None:
    assert [(reject.record, reject.reasons, reject.why) for reject in seen.rejects] == [
        (4, ["event_time.missing", "event_date.missing"], ""),
        (5, ["unparseable"], "type_conflict: who, tags"),
        (6, ["outcome.invalid"], "outcome = 'lost'"),
        (7, ["ip.malformed"], "ip = 'nowhere'"),
        (9, ["event_id.missing", "event_time.missing", "event_date.missing", "unparseable"], "unparseable"),
    ]
    assert seen.rejects[-1].text == "not JSON"
    assert seen.rejected_by_reason["event_time.missing"] == 2


def test_what_the_declaration_does_not_name_is_counted(seen: Preview) -> None:
    assert seen.unnamed == {"more": 2, "who.age": 1}


def test_columns_that_no_row_fills_are_named(seen: Preview) -> None:
    assert "user_id" in seen.empty
    assert {"ip", "action", "failure_reason"} & set(seen.empty) == {"failure_reason"}


def test_an_event_id_that_comes_again_is_counted(seen: Preview) -> None:
    assert seen.repeated == 1


def test_what_is_the_same_in_all_rows_is_shown_once(seen: Preview) -> None:
    shown = list(lines_of(seen, 2, 100))
    assert [line for line in shown if line.startswith("record ")] == ["record 1", "record 2"]
    assert sum("auth_method=password" in line for line in shown) == 1
    assert "... and 1 rows more" in shown
    assert "rejected, ip.malformed: 1" in shown
    assert '  record 4: {"id": "4", "at": "12 March", "a.b": "p"}' in shown
    assert "fields that the declaration does not name, and in how many records: more (2), who.age (1)" in shown
    assert shown[-1] == "9 records read: 3 rows, 5 rejected, 1 not applicable"
    assert max(len(line) for line in shown if line.startswith("  ") and "record" not in line) <= 100


def test_a_file_that_cannot_be_read_is_one_reject(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(b"PK\x03\x04 and so on")
    (reject,) = preview(spark, Source.model_validate(DECLARED), file, 10).rejects
    assert reject.why == "a zip archive; unpack it before landing it"
