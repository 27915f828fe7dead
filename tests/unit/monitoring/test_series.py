"""Series are judged by their own weeks: what falls, rises, goes missing or shifts is told, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lakehouse.monitoring.series import SeriesWatch, as_symptom
from lakehouse.monitoring.symptoms import Kind
from tests.scorecard.facts import Clock, FactStore
from tests.unit.monitoring.facts import BRONZE, MONDAY, SILVER, Change, Row, measurements, unchanged

FAULT = MONDAY + timedelta(days=21, hours=10)
"""A Monday morning, when all are awake."""
Found = set[tuple[Kind, str | None, str | None, str | None]]


def judged(change: Change, after: timedelta, *, seed: int = 1, days: int = 22) -> Found:
    """Kind, table, tenant and dimension of what is found some time after the fault's beginning."""
    store = FactStore(Clock(FAULT + after))
    rows = [row for row in measurements(days, change, seed=seed) if row["recorded_at"] <= FAULT + after]
    store.append("ops.metrics", [])
    for row in rows:
        store.record("ops.metrics", row["recorded_at"], [{k: v for k, v in row.items() if not k.startswith("recorded")}])
    return {(s.kind, s.table, s.tenant, s.dimension) for s in map(as_symptom, SeriesWatch(store).judge(FAULT + after))}


def from_fault(of: str | None, **factors: float) -> Change:
    """Counts of a tenant, or of all, times a factor from the fault on."""

    def change(tenant: str, hour: datetime, counts: Row) -> Row:
        if hour < FAULT or tenant != (of or tenant):
            return counts
        return {name: int(count * factors.get(name, factors.get("all", 1))) for name, count in counts.items()}

    return change


@pytest.mark.parametrize("seed", range(3))
def test_healthy_weeks_are_left_alone(seed: int) -> None:
    for hours in (0, 9, 14, 22):
        assert judged(unchanged, timedelta(hours=hours, minutes=20), seed=seed, days=23) == set()


def test_a_tenant_that_falls_silent_is_told_within_hours_and_no_other_is() -> None:
    found = judged(from_fault("middle", all=0), timedelta(hours=3, minutes=20))
    assert found == {(Kind.VOLUME_LOW, BRONZE, "middle", None), (Kind.VOLUME_LOW, SILVER, "middle", None)}


def test_all_tenants_down_by_two_fifths_is_told_of_the_platform() -> None:
    found = judged(from_fault(None, all=0.6), timedelta(hours=4, minutes=20))
    assert {(kind, table, tenant) for kind, table, tenant, _ in found if tenant is None} == {
        (Kind.VOLUME_LOW, BRONZE, None),
        (Kind.VOLUME_LOW, SILVER, None),
    }


def test_values_that_vanish_are_told_with_the_first_hour_that_shows_it() -> None:
    assert judged(from_fault("large", with_ip=0.5), timedelta(hours=1, minutes=20)) == {(Kind.NULLS, SILVER, "large", "ip")}


def test_shares_that_shift_are_told_on_both_sides() -> None:
    found = judged(from_fault("other", success=0.6), timedelta(hours=1, minutes=20))
    assert found == {(Kind.VALUES, SILVER, "other", "outcome=success"), (Kind.VALUES, SILVER, "other", "outcome=failure")}


def test_rows_that_come_twice_are_told() -> None:
    def twice(tenant: str, hour: datetime, counts: Row) -> Row:
        return {**counts, "duplicate": counts["rows"]} if hour >= FAULT and tenant == "other" else counts

    assert {kind for kind, _, _, _ in judged(twice, timedelta(hours=1, minutes=20))} == {Kind.DUPLICATES}


def test_what_is_over_is_no_longer_told() -> None:
    def for_two_hours(tenant: str, hour: datetime, counts: Row) -> Row:
        is_hit = tenant == "large" and FAULT <= hour < FAULT + timedelta(hours=2)
        return dict.fromkeys(counts, 0) if is_hit else counts

    assert judged(for_two_hours, timedelta(hours=2, minutes=20)) != set()
    assert judged(for_two_hours, timedelta(hours=5, minutes=20)) == set()


def test_a_series_that_is_too_young_is_not_judged_and_says_why() -> None:
    now = MONDAY + timedelta(days=7, hours=12)
    store = FactStore(Clock(now))
    for row in measurements(7, from_fault(None)):
        store.record("ops.metrics", row["recorded_at"], [{k: v for k, v in row.items() if not k.startswith("recorded")}])
    watch = SeriesWatch(store)
    assert watch.judge(now) == []
    assert {row["reason"] for row in watch.unjudged()} == {"7 of 14 days of history"}


def test_a_batch_that_was_measured_twice_counts_once() -> None:
    def measured_twice() -> Found:
        store = FactStore(Clock(FAULT + timedelta(hours=2)))
        for row in measurements(22):
            told = [{k: v for k, v in row.items() if not k.startswith("recorded")}]
            if row["recorded_at"] <= FAULT + timedelta(hours=2):
                store.record("ops.metrics", row["recorded_at"], told)
                if row["bucket_start"] >= FAULT:
                    store.record("ops.metrics", row["recorded_at"] + timedelta(minutes=2), told)
        return {(s.kind, s.table, s.tenant, s.dimension) for s in map(as_symptom, SeriesWatch(store).judge(FAULT + timedelta(hours=2)))}

    assert measured_twice() == set()


def test_what_a_person_marks_as_expected_is_what_the_series_is_compared_with_from_then_on() -> None:
    def halved_and_then_gone(tenant: str, hour: datetime, counts: Row) -> Row:
        if tenant != "large" or hour < FAULT:
            return counts
        return {name: count // (4 if hour < FAULT + timedelta(hours=5) else 40) for name, count in counts.items()}

    store = FactStore(Clock(FAULT + timedelta(hours=3)))
    for row in measurements(22, halved_and_then_gone):
        store.record("ops.metrics", row["recorded_at"], [{k: v for k, v in row.items() if not k.startswith("recorded")}])
    watch, at = SeriesWatch(store), FAULT + timedelta(hours=3, minutes=20)
    found = watch.judge(at)
    assert {(a.tenant_id, a.metric) for a in found} == {("large", "rows")}
    told = ("pipeline", "table_name", "tenant_id", "metric", "dimension", "bucket_start", "bucket_s", "observed", "expected")
    verdict = {"verdict": "expected", "actor": "ann", "judged_at": at}
    store.record("ops.anomalies", at, [{**{name: getattr(a, name) for name in told}, **verdict} for a in found])
    assert watch.judge(at + timedelta(minutes=1)) == []
    later = watch.judge(FAULT + timedelta(hours=8, minutes=20))
    assert {(a.tenant_id, a.metric) for a in later} == {("large", "rows")}
