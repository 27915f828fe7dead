"""The numbers behind the pages on data, on facts made by hand.

Does not belong here: how they are shown (test_lake_pages).
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from dash_app import quarantine_queries
from dash_app.broken_queries import Broken, last_action, read_broken
from dash_app.lake_context import Sight
from dash_app.quality_queries import Asked, asked_in, read_failing_samples, read_quality
from dash_app.quarantine_queries import RAW_CHARACTERS, Wanted, read_quarantine, read_waiting, wanted_from
from dash_app.queries import Row
from dash_app.table_queries import NODES_OF_A_LEVEL, all_tables, known_edges, lineage_of, read_facts, read_stored, read_table_list
from lakehouse.delta_reads import TableState
from lakehouse.settings import Settings
from lakehouse.tables import table
from tests.unit.dash_app.facts import FakeReader, fact
from tests.unit.dash_app.lake_facts import FakeLake, checks_of_a_fortnight, file_row, quarantined

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date()
BAD_RAW = "record.unreadable"


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def sight(reader: FakeReader, lake: FakeLake | None = None, settings: Settings | None = None) -> Sight:
    return Sight(reader, lake or FakeLake(), settings or Settings(), now=lambda: NOW)


def broken(events: list[Row], files: list[Row] | None = None) -> Broken:
    return read_broken(sight(FakeReader({"ops.run_events": events, "ctl.files": files or []})))


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_a_table_fails_since_its_first_failure_after_the_last_success():
    events = [
        fact("end", "a", "FAILED", NOW - hours(30)),
        fact("end", "b", "SUCCEEDED", NOW - hours(20)),
        fact("end", "c", "FAILED", NOW - hours(9), error_class="DataError"),
        fact("end", "c", "FAILED", NOW - hours(8), error_class="DataError", attempt=2),
        fact("end", "d", "FAILED", NOW - hours(1), error_class="InfrastructureError", error_message="refused"),
        fact("start", "e", "RUNNING", NOW),
    ]
    (row,) = broken(events).failing
    assert row["since_ms"] == ms(NOW - hours(9) - timedelta(seconds=5))
    assert (row["attempts"], row["runs"], row["run_id"], row["error_message"]) == (3, 2, "d", "refused")
    assert "doctor" in row["next_step"]


def test_a_table_that_succeeded_since_is_not_broken_also_with_warnings():
    events = [fact("end", "a", "FAILED", NOW - hours(9)), fact("end", "b", "SUCCEEDED_WITH_WARNINGS", NOW - hours(8))]
    assert broken(events).failing == []


def test_what_is_missing_skipped_or_killed_is_broken_and_says_what_to_do():
    told = {
        status: broken([fact("verdict", "a", status, NOW - hours(1), started_at=None, nominal_start=NOW - hours(1))]).failing[0]
        for status in ("MISSING", "SKIPPED_UPSTREAM", "TERMINATED")
    }
    assert {status: row["tone"] for status, row in told.items()} == {"MISSING": "bad", "SKIPPED_UPSTREAM": "warn", "TERMINATED": "bad"}
    assert len({row["next_step"] for row in told.values()}) == 3


def test_a_file_counts_as_left_out_until_it_is_landed_again():
    files = [
        file_row("okta/x", NOW - hours(9), state="rejected", reason="no layout"),
        file_row("okta/y", NOW - hours(9), state="rejected", reason="overwritten"),
        file_row("okta/y", NOW - hours(8), state="published", sha256="1" * 64),
        file_row("okta/z", NOW - hours(7), state="bronze", reason="ends early"),
        file_row("okta/z", NOW - hours(6), state="published", first_seen=NOW - hours(7), reason="ends early"),
        file_row("okta/old", NOW - hours(5), state="expired", reason="gone before"),
        file_row("okta/good", NOW - hours(4)),
    ]
    found = broken([], files)
    assert [(row["path"], row["state"]) for row in found.files] == [("okta/z", "published"), ("okta/x", "rejected")]
    assert found.files_in_all == 2


def test_an_action_counts_for_what_it_was_done_to_and_all_within_since_the_rows_came():
    actions = [
        {"action": "reprocessed", "actor": "ann", "acted_ms": 50, "detail": {"source": "okta", "reason": "a", "run_id": "r"}},
        {"action": "reprocessed", "actor": "bob", "acted_ms": 40, "detail": {"source": "stripe"}},
        {"action": "reprocessed", "actor": "eve", "acted_ms": 30, "detail": {"source": "loki", "batch": "loki-1"}},
    ]

    def who(since_ms: int, **of: str) -> str | None:
        found = last_action(actions, "reprocessed", since_ms, **of)
        return found["actor"] if found else None

    assert who(20, source="okta", reason="a", tenant="acme") == "ann"
    assert who(20, source="okta", reason="b", tenant="acme") is None
    assert who(20, source="stripe", reason="b", tenant="acme") == "bob"
    assert who(41, source="stripe", reason="b", tenant="acme") is None
    assert who(20, source="loki", reason="b", tenant="acme") is None
    assert last_action(actions, "released", 0, source="stripe") is None


def slice_of(n: int, tenant: str, **more: object) -> list[Row]:
    return [quarantined(1000 + i, NOW - hours(2), disposition="held_back", reasons=["rejected share"], tenant_id=tenant, **more)
            for i in range(n)]  # fmt: skip


def test_what_waits_is_told_by_slice_and_by_reason():
    lake = FakeLake(
        [
            *slice_of(5, "acme", _batch_id="okta-1"),
            *slice_of(3, "globex", _batch_id="okta-1"),
            *[quarantined(n, NOW - hours(n), reasons=[BAD_RAW]) for n in range(1, 5)],
            quarantined(9, NOW - hours(1), reasons=[BAD_RAW, "event_time.missing"]),
            quarantined(10, NOW - hours(1), disposition="conflicting", reasons=["another_body_is_published"]),
        ]
    )
    waiting = read_waiting(lake)
    assert {(row["batch_id"], row["tenant_id"]): (row["held_rows"], row["reasons"]) for row in waiting.held} == {
        ("okta-1", "acme"): (5, ["rejected share"]),
        ("okta-1", "globex"): (3, ["rejected share"]),
    }
    assert {(row["reason"], row["disposition"]): row["left_rows"] for row in waiting.left} == {
        (BAD_RAW, "quarantined"): 5,
        ("event_time.missing", "quarantined"): 1,
        ("another_body_is_published", "conflicting"): 1,
    }
    assert (waiting.held_slices, waiting.held_rows, waiting.left_rows) == (2, 8, 6)


def test_only_the_newest_days_are_read_where_there_are_too_many_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quarantine_queries, "MOST_ROWS", 5)
    lake = FakeLake([quarantined(n, NOW - timedelta(days=n // 3)) for n in range(12)])
    seen = read_quarantine(lake, Wanted(days=30), TODAY)
    assert (seen.total, seen.window.older_rows, seen.window.since) == (3, 9, TODAY)
    assert read_waiting(lake).older_rows == 9


def test_a_view_counts_by_each_facet_under_all_filters():
    lake = FakeLake(
        [
            *[quarantined(n, NOW, tenant_id="acme", reasons=["a", "b"]) for n in range(3)],
            *[quarantined(10 + n, NOW, tenant_id="globex", reasons=["a"]) for n in range(2)],
            quarantined(20, NOW, source="stripe", reasons=["a"]),
            quarantined(21, NOW - timedelta(days=40), reasons=["a"]),
        ]
    )
    seen = read_quarantine(lake, Wanted(source="okta", reason="a"), TODAY)
    counts = {name: {row["value"]: row["n"] for row in values} for name, values in seen.facets.items()}
    assert seen.total == len(seen.rows) == 5
    assert counts["tenant"] == {"acme": 3, "globex": 2}
    assert counts["reason"] == {"a": 5, "b": 3}
    assert counts["source"] == {"okta": 5}
    assert sum(counts["file"].values()) == 5


def test_a_page_of_rows_has_its_text_and_the_next_page_has_other_rows():
    lake = FakeLake([quarantined(n, NOW - timedelta(seconds=n), raw=f'{{"n": {n}}}') for n in range(30)])
    pages = [read_quarantine(lake, Wanted(page=page), TODAY).rows for page in (1, 2, 3)]
    assert [len(rows) for rows in pages] == [25, 5, 0]
    assert [json.loads(row["raw"])["n"] for rows in pages for row in rows] == list(range(30))


def test_of_a_huge_record_only_its_beginning_is_read_onto_a_page():
    lake = FakeLake([quarantined(1, NOW, raw="x" * 3_000_000)])
    assert len(read_quarantine(lake, Wanted(), TODAY).rows[0]["raw"]) == RAW_CHARACTERS


def test_a_value_of_a_filter_is_bound_and_never_sql():
    lake = FakeLake([quarantined(1, NOW)])
    assert read_quarantine(lake, Wanted(source="x' or '1'='1"), TODAY).total == 0


def test_an_address_and_its_view_are_the_same():
    wanted = Wanted(source="okta", reason="a b&c", days=7, page=3)
    assert wanted.search(page=3) == "?reason=a+b%26c&source=okta&days=7&page=3"
    assert wanted_from({"source": "okta", "reason": "a b&c", "days": "7", "page": "3"}) == wanted
    assert wanted_from({"days": "0", "page": "-1", "source": ["a"]}) == Wanted(days=1)


def check(name: str, outcome: str, at: datetime, **more: object) -> Row:
    base = {
        "run_id": "r",
        "pipeline": "okta",
        "table_name": "bronze.okta",
        "check_name": name,
        "check_type": "failed_rows",
        "severity": "row",
        "outcome": outcome,
        "contract_version": "a",
        "recorded_at": at,
        "recorded_date": at.date(),
        "batch_id": "okta-1",
    }
    return {**base, **more}


def test_a_check_shows_its_last_outcome_and_the_worst_of_each_day():
    noon = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    results = [
        check("a", "failed", noon - hours(20)),
        check("a", "passed", noon - hours(19)),
        check("a", "passed", noon),
        check("a", "failed", noon, pipeline="stripe"),
        check("b", "warned", noon),
    ]
    quality = read_quality(sight(FakeReader({"ops.check_results": results})), Asked())
    (row,) = quality.within(Asked(check="a", pipeline="okta"))
    assert (row["outcome"], row["times"], row["times_failed"], row["last_failed_ms"]) == ("passed", 3, 1, ms(noon - hours(20)))
    assert [(day["worst"], day["times"], day["failed"]) for day in row["history"]] == [(0, 2, 1), (3, 1, 0)]
    assert [(r["pipeline"], r["check_name"], r["outcome"]) for r in quality.checks] == [
        ("stripe", "a", "failed"), ("okta", "b", "warned"), ("okta", "a", "passed"),
    ]  # fmt: skip
    yesterday = (TODAY - date(1970, 1, 1)).days - 1
    of_a_day = read_quality(sight(FakeReader({"ops.check_results": results})), Asked(day=yesterday))
    assert [(r["check_name"], r["outcome"]) for r in of_a_day.checks] == [("a", "failed")]


def test_outcomes_by_day_follow_the_filters_and_the_span():
    reader = FakeReader({"ops.check_results": checks_of_a_fortnight(NOW)})
    every, of_one = (read_quality(sight(reader), Asked(table=name)).days for name in ("", "gold.auth_daily"))
    assert sum(row["n"] for row in every) == 7 * sum(row["n"] for row in of_one)
    assert {row["outcome"] for row in of_one} == {"passed"}
    week = read_quality(sight(reader), Asked(days=7))
    assert len({row["day"] for row in week.days}) <= 7


def test_rows_that_broke_a_check_are_those_of_its_batch_and_name():
    lake = FakeLake(
        [
            *[quarantined(n, NOW, _batch_id="okta-1", reasons=["a"]) for n in range(5)],
            quarantined(9, NOW, _batch_id="okta-2", reasons=["a"]),
            quarantined(10, NOW, _batch_id="okta-1", reasons=["b"]),
        ]
    )
    checks = [check("a", "failed", NOW), check("c", "failed", NOW), check("b", "passed", NOW)]
    samples = read_failing_samples(sight(FakeReader(), lake), checks, 14)
    assert {key: [row["_row"] for row in rows] for key, rows in samples.items()} == {("okta-1", "a"): [0, 4, 1]}
    assert all(row["raw"] for rows in samples.values() for row in rows)


def test_an_address_of_checks_and_its_view_are_the_same():
    assert asked_in({"table": "bronze.okta", "days": "30", "day": "20000"}) == Asked(table="bronze.okta", days=30, day=20_000)
    assert asked_in({"days": "1000", "day": "x"}) == Asked()
    assert Asked(table="bronze.okta", days=30).search(outcome="failed") == "?table=bronze.okta&outcome=failed&days=30"


def test_the_list_of_tables_tells_freshness_by_successes_and_the_worst_promise():
    events = [
        fact("end", "a", "SUCCEEDED", NOW - hours(5), asset="gold.auth_daily", event_time_max=NOW - hours(6)),
        fact("end", "b", "FAILED", NOW - hours(1), asset="gold.auth_daily", event_time_max=NOW - hours(2)),
    ]
    promise = {"table_name": "gold.auth_daily", "expected": "x"}
    promises = [
        {**promise, "promise": "fresh_within", "state": "broken", "evaluated_at": NOW - hours(9), "budget_burnt": 0.2},
        {**promise, "promise": "fresh_within", "state": "kept", "evaluated_at": NOW - hours(3), "budget_burnt": 0.5},
        {**promise, "promise": "success_rate", "state": "broken", "evaluated_at": NOW - hours(4), "budget_burnt": 1.5},
    ]
    rows = {r["name"]: r for r in read_table_list(sight(FakeReader({"ops.run_events": events, "ops.sla_evaluations": promises})))}
    row = rows["gold.auth_daily"]
    assert (row["newest_event_ms"], row["last_success_ms"], row["last_label"]) == (ms(NOW - hours(6)), ms(NOW - hours(5)), "Failed")
    assert (row["promise"], row["budget_burnt"]) == ("broken", 1.5)
    assert (rows["gold.auth_hourly"]["promise"], rows["gold.auth_hourly"]["last_label"]) == (None, None)
    assert rows["silver.auth_events"]["pii_columns"] == 6


def test_one_table_tells_its_latest_promises_checks_runs_and_anomalies():
    stale = {"table_name": "silver.auth_events", "metric": "rows", "bucket_start": NOW - hours(2), "bucket_s": 3600, "actor": "evaluator"}
    facts = {
        "ops.run_events": [fact("end", f"r{n}", "SUCCEEDED", NOW - hours(n + 1), asset="silver.auth_events") for n in range(3)],
        "ops.check_results": [check("a", "failed", NOW - hours(9), table_name="silver.auth_events"),
                              check("a", "passed", NOW - hours(8), table_name="silver.auth_events")],
        "ops.anomalies": [{**stale, "verdict": "anomalous", "judged_at": NOW - hours(1)},
                          {**stale, "verdict": "expected", "judged_at": NOW, "actor": "ann"}],
    }  # fmt: skip
    found = read_facts(sight(FakeReader(facts)), table("silver.auth_events"))
    assert [row["run_id"] for row in found.runs] == ["r0", "r1", "r2"]
    assert [(row["check_name"], row["outcome"]) for row in found.checks] == [("a", "passed")]
    assert [(row["verdict"], row["actor"]) for row in found.anomalies] == [("expected", "ann")]


def test_a_table_that_is_not_there_has_no_state():
    lake = FakeLake(states={"silver.auth_events": TableState(7, 10, 100, 1, 5)})
    assert read_stored(sight(FakeReader(), lake), table("silver.auth_events")).state == TableState(7, 10, 100, 1, 5)
    assert read_stored(sight(FakeReader(), lake), table("gold.auth_daily")).state is None


def test_the_graph_knows_what_is_declared_and_what_runs_recorded():
    edge = {"run_id": "r", "output_version": 1, "recorded_date": TODAY}
    edges = [
        {**edge, "input_name": "okta_system_log/date=2026-11-12/tenant=acme/a.jsonl", "output_name": "bronze.okta_system_log"},
        {**edge, "input_name": "bronze.x", "output_name": "silver.y"},
        {**edge, "input_name": "bronze.x", "output_name": "silver.z", "input_column": "a", "output_column": "b"},
    ]
    known = known_edges(sight(FakeReader({"ops.lineage_edges": edges})))
    assert {("landing.okta_system_log", "bronze.okta_system_log"), ("bronze.x", "silver.y")} <= known
    assert ("bronze.okta_system_log", "silver.auth_events") in known
    assert ("silver.auth_events", "gold.user_days") in known
    assert ("bronze.x", "silver.z") not in known


def test_the_graph_goes_two_steps_each_way_and_names_what_a_crowded_level_hides():
    crowd = [(f"bronze.{n:02}", "silver.a") for n in range(NODES_OF_A_LEVEL + 3)]
    chain = [("silver.a", "gold.b"), ("gold.b", "gold.c"), ("gold.c", "gold.d"), ("landing.00", "bronze.00")]
    found = lineage_of("silver.a", crowd + chain)
    levels = {node.name: node.level for node in found.nodes}
    assert (levels["silver.a"], levels["gold.b"], levels["gold.c"], levels["bronze.00"], levels["landing.00"]) == (0, 1, 2, -1, -2)
    assert "gold.d" not in levels
    assert found.hidden == {-1: 3}
    assert all(levels[start] < levels[end] for start, end in found.edges)


def test_a_source_of_the_instances_own_has_its_table_on_the_page(tmp_path):
    assert {"bronze.okta_system_log", "silver.auth_events", "ctl.files"} <= all_tables(
        sight(FakeReader(), settings=Settings(home=tmp_path))
    ).keys()
