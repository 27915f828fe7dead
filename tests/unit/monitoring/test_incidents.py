"""One incident per cause: what follows from a break folds into it, what does not opens its own, and each has its likely cause first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from lakehouse.incidents.causes import rank
from lakehouse.incidents.graph import Graph
from lakehouse.incidents.grouping import group
from lakehouse.incidents.tracker import Tracker
from lakehouse.monitoring import attempts
from lakehouse.monitoring.symptoms import Kind, Symptom
from tests.scorecard.facts import Clock, FactStore
from tests.unit.monitoring.facts import BRONZE, MONDAY, PIPELINE, SILVER, Row, end, skipped, sources

NOON = MONDAY + timedelta(days=20, hours=12)
GRAPH = Graph(sources())
OOM = {
    "error_class": "SparkConnectGrpcException",
    "error_message": "java.lang.OutOfMemoryError: Java heap space",
    "error_fingerprint": "f1",
}


def store_with(*events: Row, at: datetime = NOON) -> FactStore:
    store = FactStore(Clock(at))
    for event in events:
        told = {name: value for name, value in event.items() if not name.startswith("recorded")}
        store.record("ops.run_events", event["recorded_at"], [told])
    return store


def symptom(kind: Kind, table: str, tenant: str | None = None, *, since: datetime = NOON, pipeline: str = PIPELINE, **more: Any) -> Symptom:
    return Symptom(kind, since, "seen", "wanted", pipeline=pipeline, table=table, tenant=tenant, **more)


def roots(symptoms: Iterable[Symptom]) -> dict[str, int]:
    """Key of each group's root, and how many symptoms it has."""
    return {f"{g.root.kind}:{g.root.table}:{g.root.tenant}": len(g.symptoms) for g in group(symptoms, GRAPH)}


def test_what_is_skipped_and_stale_downstream_folds_into_the_failure() -> None:
    seen = [
        symptom(Kind.SLA, "gold.auth_daily", dimension="fresh_within"),
        symptom(Kind.SKIPPED, SILVER),
        symptom(Kind.SKIPPED, "gold.user_days", pipeline="gold"),
        symptom(Kind.FAILED, BRONZE),
    ]
    assert roots(seen) == {f"failed:{BRONZE}:None": 4}


def test_a_failure_elsewhere_opens_its_own() -> None:
    seen = [symptom(Kind.FAILED, BRONZE), symptom(Kind.FAILED, "bronze.stripe_fees", pipeline="stripe_fees")]
    assert roots(seen) == {f"failed:{BRONZE}:None": 1, "failed:bronze.stripe_fees:None": 1}


def test_tenants_whose_windows_are_longer_than_that_of_others_have_the_same_trouble() -> None:
    seen = [
        symptom(Kind.NOT_APPLICABLE, SILVER, "large", since=NOON, until=NOON),
        symptom(Kind.NOT_APPLICABLE, SILVER, "small", since=NOON - timedelta(hours=23), until=NOON),
        symptom(Kind.VALUES, SILVER, "small", dimension="outcome=success", since=NOON - timedelta(hours=23), until=NOON),
    ]
    (found,) = group(seen, GRAPH)
    assert found.tenants == {"large", "small"}


def server_down(name: str) -> Symptom:
    return Symptom(Kind.SERVER_DOWN, NOON, "it does not answer", "it answers", table=name)


def test_what_stops_once_spark_is_down_is_its_trouble_and_what_failed_before_is_not() -> None:
    before, after = symptom(Kind.FAILED, BRONZE, since=NOON - timedelta(minutes=5)), symptom(Kind.FAILED, BRONZE)
    assert roots([server_down("spark"), after]) == {"server_down:spark:None": 2}
    assert roots([server_down("spark"), before]) == {"server_down:spark:None": 1, f"failed:{BRONZE}:None": 1}


def test_a_server_that_only_answers_questions_stops_no_step_and_the_daemon_keeps_runs_from_starting() -> None:
    failed, missing = symptom(Kind.FAILED, BRONZE), symptom(Kind.MISSING, BRONZE)
    assert roots([server_down("trino"), failed]) == {"server_down:trino:None": 1, f"failed:{BRONZE}:None": 1}
    assert roots([server_down("dagster daemon"), failed]) == {"server_down:dagster daemon:None": 1, f"failed:{BRONZE}:None": 1}
    assert roots([server_down("dagster daemon"), missing]) == {"server_down:dagster daemon:None": 2}


def test_steps_that_fail_for_want_of_memory_in_several_pipelines_have_one_cause() -> None:
    seen = [symptom(Kind.FAILED, BRONZE, facts=OOM), symptom(Kind.FAILED, "bronze.okta_system_log", pipeline="okta_system_log", facts=OOM)]
    (found,) = group(seen, GRAPH)
    assert [cause.name for cause in rank(found, store_with())] == ["out_of_memory"]


def test_a_dropped_field_explains_the_nulls_of_its_tenant_and_not_those_of_another() -> None:
    seen = [
        symptom(Kind.NULLS, SILVER, "acme", dimension="ip"),
        symptom(Kind.FIELD_DROPPED, BRONZE, "acme", dimension="ip"),
        symptom(Kind.NULLS, SILVER, "zenith", dimension="session_id"),
    ]
    assert roots(seen) == {f"field_dropped:{BRONZE}:acme": 2, f"nulls:{SILVER}:zenith": 1}


def test_tenants_that_fall_with_all_others_fold_into_the_platform() -> None:
    seen = [symptom(Kind.VOLUME_LOW, table, tenant) for table in (BRONZE, SILVER) for tenant in (None, "acme", "zenith", "coral")]
    assert roots(seen) == {f"volume_low:{BRONZE}:None": 8}


def test_one_silent_tenant_is_its_own() -> None:
    seen = [symptom(Kind.VOLUME_LOW, BRONZE, "acme"), symptom(Kind.VOLUME_LOW, SILVER, "acme"), symptom(Kind.VOLUME_LOW, BRONZE, "zenith")]
    assert roots(seen) == {f"volume_low:{BRONZE}:acme": 2, f"volume_low:{BRONZE}:zenith": 1}


def test_rows_that_no_longer_apply_since_new_code_are_laid_to_the_code() -> None:
    deployed = NOON - timedelta(minutes=20)
    store = store_with(
        end(PIPELINE, SILVER, "before", "SUCCEEDED", deployed - timedelta(hours=1)),
        end(PIPELINE, SILVER, "after", "SUCCEEDED", deployed, code_version="bbb"),
    )
    (found,) = group([symptom(Kind.NOT_APPLICABLE, SILVER, tenant) for tenant in ("acme", "zenith")], GRAPH)
    first = rank(found, store)[0]
    assert first.name == "code_change"
    assert "from aaa to bbb" in first.evidence[0].text
    assert first.evidence[0].where == {"run_id": "after", "asset": SILVER}


def test_new_code_is_the_cause_though_a_long_window_began_before_it() -> None:
    deployed = NOON - timedelta(minutes=20)
    versions = ((deployed - timedelta(hours=1), "aaa"), (deployed, "bbb"))
    store = store_with(*(end(PIPELINE, SILVER, v, "SUCCEEDED", at, code_version=v) for at, v in versions))
    windows = {"acme": 1, "zenith": 24}
    seen = [
        symptom(Kind.NOT_APPLICABLE, SILVER, t, since=NOON - timedelta(hours=h), until=NOON - timedelta(hours=1))
        for t, h in windows.items()
    ]
    (found,) = group(seen, GRAPH)
    assert rank(found, store)[0].name == "code_change"


def test_rows_that_no_longer_apply_in_several_pipelines_at_once_are_one_trouble() -> None:
    okta = "okta_system_log"
    seen = [
        symptom(Kind.NOT_APPLICABLE, SILVER, "acme"),
        symptom(Kind.NOT_APPLICABLE, SILVER, "zenith", pipeline=okta, since=NOON + timedelta(minutes=5)),
        symptom(Kind.VOLUME_LOW, SILVER, None, pipeline=okta, since=NOON - timedelta(hours=2), until=NOON),
    ]
    (found,) = group(seen, GRAPH)
    assert found.tenants == {"acme", "zenith"}


def test_an_error_that_was_seen_before_tells_what_came_after_it() -> None:
    past = NOON - timedelta(days=3)
    failing = {"error_class": "KeyError", "error_message": "x", "error_fingerprint": "f9"}
    store = store_with(
        end(PIPELINE, BRONZE, "r1", "FAILED", past, **failing),
        end(PIPELINE, BRONZE, "r2", "SUCCEEDED", past + timedelta(hours=2), code_version="bbb"),
        end(PIPELINE, BRONZE, "r3", "FAILED", NOON - timedelta(minutes=5), code_version="bbb", **failing),
    )
    (found,) = group(attempts.standing(store, NOON), GRAPH)
    told = [evidence.text for cause in rank(found, store) for evidence in cause.evidence]
    assert any("the same error in 1 earlier runs" in text and "with code bbb" in text for text in told)


@pytest.mark.parametrize(
    ("after_s", "more", "is_seen"),
    [(20, [], False), (70, [], True), (20, [skipped(PIPELINE, SILVER, "bad", NOON)], True)],
    ids=["tried again within seconds", "left alone", "given up"],
)
def test_a_failure_counts_once_it_is_not_about_to_be_tried_again(after_s: int, more: list[Row], is_seen: bool) -> None:
    store = store_with(end(PIPELINE, BRONZE, "bad", "FAILED", NOON, error_class="E", error_message="m"), *more, at=NOON)
    seen = [s.table for s in attempts.standing(store, NOON + timedelta(seconds=after_s)) if s.kind is Kind.FAILED]
    assert seen == ([BRONZE] if is_seen else [])


def incidents(store: FactStore) -> list[tuple[str, str, str]]:
    rows = store.rows("select incident_id, state, severity from ops.incidents order by opened_at")
    return [(row["incident_id"], row["state"], row["severity"]) for row in rows]


def follow(store: FactStore, tracker: Tracker, at: datetime, *seen: Symptom) -> list[str]:
    store._clock.now = at
    return [change.event for change in tracker.round(seen, at)]


def test_an_incident_is_followed_through_its_life_under_one_id() -> None:
    store = store_with()
    tracker = Tracker(store, store, GRAPH)
    failing = symptom(Kind.FAILED, BRONZE)
    minute = timedelta(minutes=1)
    assert follow(store, tracker, NOON, failing) == ["opened"]
    assert follow(store, tracker, NOON + minute, failing) == []
    assert follow(store, tracker, NOON + 2 * minute, failing, symptom(Kind.SKIPPED, SILVER)) == ["changed"]
    assert follow(store, tracker, NOON + 3 * minute) == ["resolved"]
    assert follow(store, tracker, NOON + 4 * minute, failing) == ["reopened"]
    assert len({incident_id for incident_id, _, _ in incidents(store)}) == 1


def test_an_incident_worsens_when_others_are_hit_too() -> None:
    store = store_with()
    tracker = Tracker(store, store, GRAPH)
    rows = [{"run_id": "r", "pipeline": PIPELINE, "table_name": BRONZE, "metric": "rows", "value": 1.0, "tenant_id": t} for t in "abcd"]
    store.append("ops.metrics", rows)
    one = symptom(Kind.FIELD_DROPPED, BRONZE, "a", dimension="ip")
    assert follow(store, tracker, NOON, one) == ["opened"]
    assert incidents(store)[0][2] == "major"
    others = [symptom(Kind.FIELD_DROPPED, BRONZE, tenant, dimension="ip") for tenant in "bc"]
    assert follow(store, tracker, NOON + timedelta(minutes=1), one, *others) == ["worsened"]
    row = store.rows("select severity, scope, hit_tenants, symptoms from ops.incidents")[0]
    assert (row["severity"], row["scope"], row["hit_tenants"]) == ("critical", "platform", ["a", "b", "c"])
    assert len(json.loads(row["symptoms"])) == 3


def test_another_evaluator_that_sees_the_same_opens_no_second_incident() -> None:
    store = store_with()
    failing = symptom(Kind.FAILED, BRONZE)
    for tracker in (Tracker(store, store, GRAPH), Tracker(store, store, GRAPH)):
        tracker.round([failing], NOON)
    assert len(incidents(store)) == 1


def test_a_cause_that_is_found_later_takes_over_the_incident_of_its_symptom() -> None:
    store = store_with()
    tracker = Tracker(store, store, GRAPH)
    nulls = symptom(Kind.NULLS, SILVER, "acme", dimension="ip")
    follow(store, tracker, NOON, nulls)
    follow(store, tracker, NOON + timedelta(minutes=1), nulls, symptom(Kind.FIELD_DROPPED, BRONZE, "acme", dimension="ip"))
    assert [row["cause"] for row in store.rows("select cause from ops.incidents")] == ["schema_dropped"]
