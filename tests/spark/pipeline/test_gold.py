"""Gold: examples worked by hand, late events, and incremental against full."""

from __future__ import annotations

import random
from datetime import date, timedelta

from jobs.aggregate import AUTH_EVENTS, Work, aggregate, compute, taken_in
from lakehouse.tables import table
from lakehouse.tenants import Tenant, TenantRegistry
from tests.lake import GOLD, TestLake, event


def gold(lake: TestLake, name: str, tenant: str, columns: str, order: str) -> list[tuple[object, ...]]:
    return [tuple(r.values()) for r in lake.rows(f"select {columns} from {name} where tenant_id = '{tenant}' order by {order}")]


def test_a_days_edge_is_the_tenants_midnight(lake: TestLake) -> None:
    TenantRegistry(lake.settings).declare(Tenant("newyork", "New York", "America/New_York"))
    lake.land("newyork", "a.jsonl", [
        event(1, "newyork", "2026-07-02", time="03:30:00", ok=False),
        event(2, "newyork", "2026-07-02", time="03:31:00", ok=True),
    ])  # fmt: skip
    lake.run()
    assert gold(lake, "gold.user_days", "newyork", "day, time_zone, auth_methods, attempts, successes", "day") == [
        (date(2026, 7, 1), "America/New_York", ["password"], 2, 1)
    ]


def test_an_hours_edge_is_utc(lake: TestLake) -> None:
    lake.land("hours", "a.jsonl", [
        event(1, "hours", time="09:59:59", ok=False),
        event(2, "hours", time="10:00:00", ok=True),
    ])  # fmt: skip
    lake.run()
    rows = gold(lake, "gold.auth_hourly", "hours", "hour(hour), attempts, successes, failures, users", "hour")
    assert rows == [(9, 1, 0, 1, 1), (10, 1, 1, 0, 1)]


def test_active_users_follow_the_windows_worked_by_hand(lake: TestLake) -> None:
    u, v, w = 1, 2, 3
    days = [("2026-03-01", u), ("2026-03-05", u), ("2026-03-08", v), ("2026-03-15", w)]
    lake.land("active", "a.jsonl", [event(n, "active", day, user=user) for n, (day, user) in enumerate(days)])
    lake.run()
    columns = "day(day), daily_active_users, weekly_active_users, monthly_active_users"
    assert gold(lake, "gold.active_users_daily", "active", columns, "day") == [(1, 1, 1, 1), (5, 1, 1, 1), (8, 1, 2, 2), (15, 1, 1, 3)]


def test_a_late_event_updates_the_days_it_reaches_and_leaves_others_files(lake: TestLake) -> None:
    first = date(2025, 1, 1)
    days = [(first + timedelta(days=n)).isoformat() for n in range(0, 60, 5)]
    lake.land("late", "a.jsonl", [event(n, "late", day, user=1) for n, day in enumerate(days)])
    lake.run()
    files = "select distinct day, input_file_name() as file from gold.{} where day between '2025-01-01' and '2025-03-05'"
    before = {name: {(r["day"], r["file"]) for r in lake.rows(files.format(name))} for name in ("auth_daily", "active_users_daily")}
    lake.land("late", "b.jsonl", [event(99, "late", days[2], user=2)])
    lake.run()
    changed = {name: {day for day, _ in {(r["day"], r["file"]) for r in lake.rows(files.format(name))} - before[name]} for name in before}
    hit = first + timedelta(days=10)
    assert changed["auth_daily"] == {hit}
    assert changed["active_users_daily"] == {hit + timedelta(days=n) for n in range(0, 30, 5)}
    monthly = dict(gold(lake, "gold.active_users_daily", "late", "day, monthly_active_users", "day"))
    assert [monthly[date.fromisoformat(day)] for day in days] == [1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]


def test_incremental_equals_full_after_shuffled_late_arrivals(lake: TestLake) -> None:
    rng = random.Random(20260302)
    zones = ("Pacific/Kiritimati", "America/Los_Angeles", "UTC")
    for n, zone in enumerate(zones):
        TenantRegistry(lake.settings).declare(Tenant(f"shuffled{n}", zone, zone))
    events = [
        (f"shuffled{n % 3}", event(n, f"shuffled{n % 3}", (date(2024, 1, 1) + timedelta(days=rng.randrange(75))).isoformat(),
                                   time=f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:00",
                                   ok=rng.random() < 0.7, user=rng.randrange(9)))
        for n in range(240)
    ]  # fmt: skip
    rng.shuffle(events)
    for part in range(4):
        for tenant in {t for t, _ in events}:
            lake.land(tenant, f"{part}.jsonl", [e for t, e in events[part::4] if t == tenant])
        lake.run()
        assert_incremental_equals_full(lake)


def assert_incremental_equals_full(lake: TestLake) -> None:
    for declared in GOLD:
        whole = compute(lake.context, Work(declared, 0, None, taken_in(declared))).select(*declared.column_names)
        kept = lake.context.session.table(declared.name).select(*declared.column_names)
        assert whole.exceptAll(kept).count() == 0, declared.name
        assert kept.exceptAll(whole).count() == 0, declared.name


def test_gold_counts_only_live_plausible_attempts(lake: TestLake) -> None:
    lake.land("only", "a.jsonl", [
        event(1, "only"),
        event(2, "only", project_id="project-test-only"),
        event(3, "only", "1999-01-01"),
        event(4, "only", "2999-01-01"),
    ])  # fmt: skip
    lake.run()
    assert lake.count("silver.auth_events", "tenant_id = 'only'") == 4
    assert gold(lake, "gold.auth_daily", "only", "attempts", "day") == [(1,)]


def test_a_new_definition_starts_afresh(lake: TestLake) -> None:
    assert taken_in(table("gold.auth_daily")).startswith(AUTH_EVENTS)
    assert aggregate(lake.context, table("gold.auth_daily")) is None
