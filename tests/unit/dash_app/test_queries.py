"""The numbers behind the operations pages, on facts made by hand.

Does not belong here: how they are shown.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest

from dash_app.queries import FAILURES_PER_TABLE, RATED_ATTEMPTS, TREND_DAYS, Operations, Overview, Row
from dash_app.statuses import STATUSES, Tone, worst
from lakehouse.tables.ops import RUN_STATUSES
from tests.unit.dash_app.facts import NOON, TABLES, FakeReader, fact


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


@cache
def shared_reader() -> FakeReader:
    return FakeReader()


def look(events: list[Row], **others: list[Row]) -> Overview:
    facts = {"ops.run_events": events, **{name.replace("__", "."): rows for name, rows in others.items()}}
    for name in TABLES:
        shared_reader().put(name, facts.get(name, []))
    seen = Operations(shared_reader(), now=lambda: NOON).overview().value
    assert seen is not None
    return seen


def only(events: list[Row]) -> Row:
    (row,) = look(events).pipelines
    return row


def test_a_tables_row_tells_the_last_attempt_that_is_over():
    row = only(
        [
            fact("end", "a", "SUCCEEDED", NOON - hours(2), rows_read=10, rows_inserted=8, rows_quarantined=2, rows_held_back=0),
            fact("start", "b", "RUNNING", NOON - hours(1)),
        ]
    )
    assert (row["status"], row["label"], row["run_id"]) == ("RUNNING", "Running", "b")
    assert (row["rows_read"], row["rows_inserted"], row["rows_quarantined"], row["rows_updated"]) == (10, 8, 2, None)
    assert (row["duration_s"], row["last_status"], row["health"]) == (5.0, "SUCCEEDED", Tone.GOOD)


def test_last_success_is_the_end_of_the_last_attempt_that_succeeded_also_with_warnings():
    row = only(
        [
            fact("end", "a", "SUCCEEDED", NOON - hours(9)),
            fact("end", "b", "SUCCEEDED_WITH_WARNINGS", NOON - hours(5)),
            fact("end", "c", "FAILED", NOON - hours(1), error_class="DataError"),
        ]
    )
    assert row["last_success_ms"] == int((NOON - hours(5)).timestamp() * 1000)
    assert (row["status"], row["last_error"], row["health"]) == ("FAILED", "DataError", Tone.BAD)


def test_a_table_that_never_succeeded_has_no_last_success():
    row = only([fact("end", "a", "FAILED", NOON)])
    assert (row["last_success_ms"], row["succeeded"], row["rated"], row["success_rate"]) == (None, 0, 1, 0.0)


def test_success_rate_counts_attempts_so_a_retry_counts_twice():
    row = only(
        [
            fact("end", "a", "FAILED", NOON - hours(1), attempt=1),
            fact("end", "a", "SUCCEEDED", NOON - hours(0.9), attempt=2, rows_inserted=4),
        ]
    )
    assert (row["succeeded"], row["rated"], row["success_rate"], row["status"]) == (1, 2, 0.5, "SUCCEEDED")


def test_success_rate_leaves_out_what_is_under_way_skipped_or_late_and_counts_missing_as_failed():
    row = only(
        [
            fact("end", "a", "SUCCEEDED", NOON - hours(6)),
            fact("verdict", "b", "SKIPPED_UPSTREAM", NOON - hours(5)),
            fact("verdict", "c", "MISSING", NOON - hours(4), started_at=None, nominal_start=NOON - hours(4)),
            fact("verdict", "d", "LATE", NOON - hours(3)),
            fact("start", "e", "RUNNING", NOON - hours(2)),
        ]
    )
    assert (row["succeeded"], row["rated"]) == (1, 2)
    assert (row["status"], row["last_status"], row["health"]) == ("RUNNING", "LATE", Tone.WARN)


def test_success_rate_looks_at_the_newest_attempts_only():
    old = [fact("end", f"old{n}", "FAILED", NOON - hours(500 + n)) for n in range(10)]
    new = [fact("end", f"new{n:02}", "SUCCEEDED", NOON - hours(n), rows_inserted=n) for n in range(RATED_ATTEMPTS - 1)]
    row = only(old + new)
    assert (row["succeeded"], row["rated"]) == (RATED_ATTEMPTS - 1, RATED_ATTEMPTS)
    assert [run["rows"] for run in row["trend"]] == [None, *reversed(range(RATED_ATTEMPTS - 1))]


def test_a_killed_attempt_is_terminated_until_its_end_comes_late():
    began = NOON - hours(3)
    killed = [fact("start", "a", "RUNNING", began), fact("verdict", "a", "TERMINATED", NOON - hours(2), started_at=began)]
    assert only(killed)["status"] == "TERMINATED"
    late_end = fact("end", "a", "SUCCEEDED", NOON - hours(2.5), rows_inserted=7, started_at=began)
    row = only([*killed, late_end])
    assert (row["status"], row["rows_inserted"], row["succeeded"], row["rated"]) == ("SUCCEEDED", 7, 1, 1)


def test_failed_runs_say_whether_the_table_has_recovered_since():
    other = {"pipeline": "gold", "asset": "gold.auth_daily", "layer": "gold"}
    seen = look(
        [
            fact("end", "a", "FAILED", NOON - hours(3), error_class="DataError", error_message="no"),
            fact("end", "b", "SUCCEEDED", NOON - hours(2)),
            fact("verdict", "c", "TERMINATED", NOON - hours(1), **other),
        ]
    )
    assert [(r["run_id"], r["status"], r["recovered"]) for r in seen.failures] == [("c", "TERMINATED", False), ("a", "FAILED", True)]
    assert seen.failures[1]["error_message"] == "no"


def test_failed_runs_keep_the_newest_of_each_table_and_a_month():
    many = [fact("end", f"r{n}", "FAILED", NOON - timedelta(minutes=n)) for n in range(FAILURES_PER_TABLE + 5)]
    old = [fact("end", "old", "FAILED", NOON - timedelta(days=40), asset="silver.auth_events")]
    assert [r["run_id"] for r in look(many + old).failures] == [f"r{n}" for n in range(FAILURES_PER_TABLE)]


def test_days_add_up_rows_by_table_and_utc_day():
    early = NOON.replace(hour=0, minute=0, second=5)
    seen = look(
        [
            fact("end", "a", "SUCCEEDED", early, rows_inserted=3),
            fact("end", "b", "SUCCEEDED", NOON, rows_inserted=4),
            fact("end", "c", "FAILED", NOON),
            fact("end", "d", "SUCCEEDED", NOON - timedelta(days=1), rows_inserted=5),
            fact("end", "e", "SUCCEEDED", NOON - timedelta(days=TREND_DAYS), rows_inserted=9),
        ]
    )
    today = seen.first_day + TREND_DAYS - 1
    assert [(r["day"], r["rows_inserted"], r["failed"]) for r in seen.days] == [(today - 1, 5, 0), (today, 7, 1)]


def test_a_pipeline_is_as_well_as_its_worst_table_and_comes_first_when_it_is_not():
    seen = look(
        [
            fact("end", "a", "SUCCEEDED", NOON),
            fact("end", "a", "FAILED", NOON, asset="silver.auth_events", layer="silver"),
            fact("end", "b", "SUCCEEDED", NOON, pipeline="cloudtrail", asset="bronze.cloudtrail"),
            fact("end", "c", "SUCCEEDED_WITH_WARNINGS", NOON, pipeline="gold", asset="gold.auth_daily"),
            fact("start", "d", "RUNNING", NOON, pipeline="stripe", asset="bronze.stripe"),
        ]
    )
    assert seen.health() == {"cloudtrail": Tone.GOOD, "gold": Tone.WARN, "okta": Tone.BAD, "stripe": Tone.NONE}
    assert seen.running() == {"stripe"}
    assert [r["pipeline"] for r in seen.pipelines] == ["okta", "okta", "gold", "cloudtrail", "stripe"]


def test_choosing_narrows_days_and_failures_but_not_the_pipelines():
    seen = look(
        [fact("end", "a", "FAILED", NOON), fact("end", "b", "FAILED", NOON, pipeline="gold", asset="gold.auth_daily", layer="gold")]
    ).within("gold", None)
    assert len(seen.pipelines) == 2
    assert {r["pipeline"] for r in seen.days + seen.failures} == {"gold"}


def test_synthetic_data_are_marked_where_they_land_and_where_they_flow_but_not_on_other_sources():
    file = {"sha256": "0", "etag": "e", "size": 1, "modified_at": NOON, "first_seen": NOON, "tenant_id": "acme", "state": "published"}
    edge = {"run_id": "x", "input_version": 1, "output_version": 1}
    seen = look(
        [
            fact("end", "a", "SUCCEEDED", NOON, pipeline="provider_events", asset="bronze.provider_events"),
            fact("end", "a", "SUCCEEDED", NOON, pipeline="okta", asset="silver.auth_events"),
            fact("end", "b", "SUCCEEDED", NOON, pipeline="gold", asset="gold.auth_daily"),
            fact("end", "b", "SUCCEEDED", NOON, pipeline="gold", asset="gold.billing"),
        ],
        ctl__files=[
            {**file, "source": "provider_events", "path": "a/synthetic-1.jsonl"},
            {**file, "source": "okta", "path": "okta/1.jsonl"},
        ],
        ops__lineage_edges=[
            {**edge, "input_name": "bronze.provider_events", "output_name": "silver.auth_events"},
            {**edge, "input_name": "silver.auth_events", "output_name": "gold.auth_daily"},
            {**edge, "input_name": "silver.billing_customers", "output_name": "gold.billing"},
        ],
    )
    assert {r["asset"]: r["synthetic"] for r in seen.pipelines} == {
        "bronze.provider_events": True,
        "silver.auth_events": False,
        "gold.auth_daily": True,
        "gold.billing": False,
    }


def test_nothing_recorded_is_an_empty_overview():
    seen = look([])
    assert (seen.pipelines, seen.days, seen.failures, seen.recorded_ms, seen.health()) == ([], [], [], None, {})


def test_facts_that_have_not_changed_are_not_read_again():
    reader = FakeReader({"ops.run_events": [fact("end", "a", "SUCCEEDED", NOON)]})
    operations = Operations(reader, ttl_s=0, now=lambda: NOON)
    operations.overview()
    before = reader.queries
    operations.overview()
    assert reader.queries - before == 1
    reader.put("ops.run_events", [fact("end", "a", "SUCCEEDED", NOON), fact("end", "b", "FAILED", NOON)])
    assert len(operations.overview().value.failures) == 1


def test_a_run_shows_tables_that_it_moved_not_their_columns():
    edge = {"run_id": "a", "input_name": "bronze.okta", "input_version": 4, "output_name": "silver.auth_events", "output_version": 7}
    columns = [{**edge, "input_column": "raw", "output_column": "action"}, {**edge, "input_column": "raw"}]
    run = Operations(FakeReader({"ops.lineage_edges": [edge, *columns]})).run("a").value
    assert run is not None
    assert run.lineage == [{name: value for name, value in edge.items() if name != "run_id"}]


def test_a_run_in_full(reader: FakeReader):
    run_id = reader.query("select run_id from ops.run_log where status = 'FAILED' limit 1").to_pylist()[0]["run_id"]
    run = Operations(reader).run(run_id).value
    assert run is not None
    for rows, name in (
        (run.steps, "ops.run_log"),
        (run.checks, "ops.check_results"),
        (run.log, "ops.event_log"),
        (run.lineage, "ops.lineage_edges"),
    ):
        assert len(rows) == reader.query(f"select * from {name} where run_id = ?", [run_id]).num_rows > 0
    assert [line["logged_ms"] for line in run.log] == sorted(line["logged_ms"] for line in run.log)


def test_a_run_knows_what_retried_it():
    reader = FakeReader({"ops.run_events": [fact("end", "a", "FAILED", NOON), fact("end", "b", "SUCCEEDED", NOON, retry_of="a")]})
    run = Operations(reader).run("a").value
    assert run is not None
    assert run.retries == ["b"]


@pytest.mark.parametrize("name", RUN_STATUSES)
def test_every_status_has_words_and_a_tone(name: str):
    assert STATUSES[name].label
    assert STATUSES[name].meaning


def test_the_worst_tone_wins():
    assert worst([Tone.GOOD, Tone.WARN]) is Tone.WARN
    assert worst([]) is Tone.NONE
