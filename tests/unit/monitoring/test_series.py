"""Series are judged by their own weeks: what falls, rises, goes missing or shifts is told, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lakehouse.monitoring import series
from lakehouse.monitoring.series import SeriesWatch, as_symptom
from lakehouse.monitoring.series_sql import HISTORY
from lakehouse.monitoring.symptoms import Kind
from lakehouse.monitoring.unjudged import Unjudged
from tests.scorecard.facts import Clock, FactStore
from tests.unit.monitoring.facts import BRONZE, MONDAY, PIPELINE, SILVER, Change, Row, measurements, unchanged

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


def store_of(days: int, change: Change = unchanged) -> FactStore:
    """Some days of measurements."""
    store = FactStore(Clock(MONDAY + timedelta(days=days)))
    for row in measurements(days, change):
        store.record("ops.metrics", row["recorded_at"], [{k: v for k, v in row.items() if not k.startswith("recorded")}])
    return store


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


def test_a_platform_that_falls_a_little_everywhere_is_seen_by_its_tenants_together() -> None:
    """At night no single tenant, nor the sum that the largest one sways, is far enough off; all of them together are."""
    night = FAULT + timedelta(hours=15)

    def at_night(_tenant: str, hour: datetime, counts: Row) -> Row:
        return {name: int(count * 0.6) for name, count in counts.items()} if hour >= night else counts

    assert (Kind.VOLUME_LOW, BRONZE, None, None) in judged(at_night, timedelta(hours=18, minutes=20), days=23)


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


def test_rows_that_came_twice_are_not_told_again_by_the_longer_windows_of_a_small_tenant() -> None:
    def for_an_hour(tenant: str, hour: datetime, counts: Row) -> Row:
        is_hit = tenant == "middle" and hour == FAULT
        return {**counts, "duplicate": counts["rows"]} if is_hit else few(tenant, hour, counts)

    def few(tenant: str, hour: datetime, counts: Row) -> Row:
        return {**counts, "rows": 9, "success": 8, "with_ip": 9, "duplicate": 0} if tenant == "middle" and hour > FAULT else counts

    assert Kind.DUPLICATES in {kind for kind, _, _, _ in judged(for_an_hour, timedelta(hours=1, minutes=20))}
    assert Kind.DUPLICATES not in {kind for kind, _, _, _ in judged(for_an_hour, timedelta(hours=3, minutes=20))}


def test_a_small_tenant_that_lags_is_judged_by_the_whole_day_before_its_newest_rows() -> None:
    def fails_for_a_day_and_stops(tenant: str, hour: datetime, counts: Row) -> Row:
        if tenant != "small" or hour <= FAULT - timedelta(days=1):
            return counts
        return {**counts, "success": 0} if hour <= FAULT else dict.fromkeys(counts, 0)

    for hours in (1, 16):
        found = judged(fails_for_a_day_and_stops, timedelta(hours=hours, minutes=20))
        assert (Kind.VALUES, SILVER, "small", "outcome=failure") in found


def test_however_many_tenants_are_taken_at_once_the_verdicts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [from_fault("middle", all=0), from_fault(None, all=0.6), from_fault("large", with_ip=0.5)]
    together = [judged(change, timedelta(hours=4, minutes=20)) for change in changes]
    monkeypatch.setattr(series, "TENANTS_AT_ONCE", 1)
    assert [judged(change, timedelta(hours=4, minutes=20)) for change in changes] == together
    assert all(together)


def test_a_round_renews_the_baseline_of_few_tenants_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "TENANTS_AT_ONCE", 1)
    store = store_of(22)
    watch, asked = SeriesWatch(store), []
    query = store.query
    monkeypatch.setattr(store, "query", lambda sql, given=(): (asked.append(given[1]) if sql == HISTORY else None) or query(sql, given))
    for minutes in (0, 1, 360, 361, 362, 363, 364):
        watch.judge(FAULT + timedelta(minutes=minutes))
    assert asked == [0, 1, 2, 3, 0, 1, 2, 3]


def test_the_band_of_a_table_holds_its_healthy_hours_and_not_those_that_fell_off() -> None:
    hours = SeriesWatch(store_of(22, from_fault(None, all=0.05))).band(PIPELINE, BRONZE, FAULT + timedelta(hours=4))
    assert {row["hour"] for row in hours} == {FAULT + timedelta(hours=n) for n in range(4 - 7 * 24, 3)}
    assert [row["hour"] for row in hours if row["observed"] < row["lower"]] == [FAULT + timedelta(hours=n) for n in range(3)]
    assert all(row["observed"] < row["upper"] and row["lower"] < row["expected"] < row["upper"] for row in hours)


def test_the_band_of_a_table_that_is_too_young_says_so_and_one_without_hours_has_none() -> None:
    assert {row["reason"] for row in SeriesWatch(store_of(7)).band(PIPELINE, BRONZE, MONDAY + timedelta(days=7))} == {
        "7 of 14 days of history"
    }
    assert SeriesWatch(store_of(7)).band(PIPELINE, "gold.logins_daily", MONDAY + timedelta(days=7)) == []


def test_why_a_series_is_not_judged_is_recorded_where_it_changes_and_where_it_ends() -> None:
    store, told = FactStore(Clock(MONDAY)), [{"pipeline": PIPELINE, "table_name": BRONZE, "tenant_id": "large", "reason": "7 of 14 days"}]

    def changes(unjudged: Unjudged, day: int, found: list[Row]) -> list[tuple[str, str | None]]:
        rows = unjudged.changes(found, MONDAY + timedelta(days=day))
        store.record("ops.anomalies", MONDAY + timedelta(days=day), rows)
        return [(row["verdict"], row["reason"]) for row in rows]

    watching = Unjudged(store)
    assert changes(watching, 7, told) == [("not_judged", "7 of 14 days")]
    assert changes(watching, 8, told) == []
    assert changes(Unjudged(store), 8, told) == [], "an evaluator that was started anew tells nothing again"
    assert changes(Unjudged(store), 9, [{**told[0], "reason": "9 of 14 days"}]) == [("not_judged", "9 of 14 days")]
    assert changes(Unjudged(store), 14, []) == [("judged", None)]
    assert changes(Unjudged(store), 15, []) == []


def test_a_series_that_is_too_young_is_not_judged_and_says_why() -> None:
    now = MONDAY + timedelta(days=7, hours=12)
    watch = SeriesWatch(store_of(7))
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
