"""Promises are kept or broken by the facts, cost their error budget, and say why where they are not judged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lakehouse.monitoring import promises
from lakehouse.monitoring.promises import Evaluation, Facts
from lakehouse.sources import SourceSla
from tests.scorecard.facts import Clock, FactStore
from tests.unit.monitoring.facts import BRONZE, MONDAY, PIPELINE, end, sources

NOON = MONDAY + timedelta(days=20, hours=12)
DECLARED = sources(sla=SourceSla(fresh_within_minutes=90, complete_by="06:00", success_rate=0.9))


def evaluated(store: FactStore, hours: float = 0) -> dict[str, Evaluation]:
    now = NOON + timedelta(hours=hours)
    store._clock.now = now
    found = promises.evaluate(Facts.read(store, now), DECLARED)
    store.append("ops.sla_evaluations", promises.changes(store, found))
    return {e.promise: e for e in found if e.table_name == BRONZE}


def store_with(runs: int = 1, failed: int = 0, age: timedelta = timedelta(minutes=30)) -> FactStore:
    store = FactStore(Clock(NOON))
    for number in range(runs):
        at = NOON - timedelta(minutes=runs - number)
        status = "FAILED" if number < failed else "SUCCEEDED"
        event = end(
            PIPELINE, BRONZE, f"r{number}", status, at, event_time_max=NOON - age, checks_passed=9, checks_warned=0, checks_failed=1
        )
        store.record("ops.run_events", at, [{k: v for k, v in event.items() if not k.startswith("recorded")}])
    return store


@pytest.mark.parametrize(("minutes", "state"), [(30, "kept"), (149, "kept"), (151, "broken")])
def test_freshness_is_the_age_of_the_newest_event_beyond_the_time_between_files(minutes: int, state: str) -> None:
    assert evaluated(store_with(age=timedelta(minutes=minutes)))["fresh_within"].state == state


@pytest.mark.parametrize(("hours", "state"), [(11, "kept"), (13, "broken")], ids=["a row of today", "none of today"])
def test_the_day_before_is_complete_once_the_next_one_has_begun_to_come(hours: int, state: str) -> None:
    assert evaluated(store_with(age=timedelta(hours=hours)))["complete_by"].state == state


def test_a_rate_burns_its_budget_by_the_failures_it_may_have() -> None:
    assert evaluated(store_with(runs=40, failed=2))["success_rate"].budget_burnt == pytest.approx(0.5)
    found = evaluated(store_with(runs=40, failed=6))["success_rate"]
    assert (found.state, found.budget_burnt) == ("broken", pytest.approx(1.5))


def test_what_cannot_be_judged_says_why() -> None:
    found = evaluated(store_with(runs=3))
    assert (found["success_rate"].state, found["success_rate"].reason) == ("not_judged", "3 of 20 that a rate needs")
    assert evaluated(FactStore(Clock(NOON)))["fresh_within"].reason == "no data yet"
    without = promises.evaluate(Facts.read(FactStore(Clock(NOON)), NOON), sources(expected_every_minutes=None, sla=DECLARED[PIPELINE].sla))
    assert {e.reason for e in without if e.table_name == BRONZE and e.promise == "fresh_within"} == {
        "no source with a declared rhythm feeds it"
    }


def test_minutes_in_which_freshness_was_broken_are_of_its_budget_and_only_changes_are_recorded() -> None:
    store = store_with()
    for hours in (0, 3, 3.1, 3.2, 6):
        found = evaluated(store, hours)["fresh_within"]
    assert found.state == "broken"
    assert found.budget_burnt == pytest.approx(3 * 60 / (30 * 1440 * 0.01))
    about = "table_name = ? and promise = 'fresh_within'"
    recorded = store.rows(f"select state, budget_burnt from ops.sla_evaluations where {about} order by evaluated_at", [BRONZE])
    assert [(row["state"], round(row["budget_burnt"], 2)) for row in recorded] == [("kept", 0.0), ("broken", 0.0), ("broken", 0.42)]
