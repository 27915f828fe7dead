"""Which days a change reaches and which days a period is made from, by the calendar alone.

Does not belong here: what Spark finds in changed files (tests/spark/pipeline).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from jobs.reach import Work, _day_at, days_of, days_to_read, margins, period_of, spread
from lakehouse.delta import DeltaLogs
from lakehouse.settings import Settings
from lakehouse.tables import Table, table

DAY, HOUR, NOTHING = timedelta(days=1), timedelta(hours=1), timedelta()


def days(*texts: str) -> set[date]:
    return {date.fromisoformat(f"2026-{text}") for text in texts}


def named(name: str) -> Table:
    return table(f"gold.{name}")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (NOTHING, NOTHING, days("03-02")),
        (HOUR, NOTHING, days("03-01", "03-02")),
        (NOTHING, DAY, days("03-02", "03-03")),
        (DAY, DAY + HOUR, days("03-01", "03-02", "03-03", "03-04")),
    ],
)
def test_days_share_a_moment_with_the_time_around_a_day(before: timedelta, after: timedelta, found: set[date]) -> None:
    assert spread(days("03-02"), before, after) == found


def test_days_end_where_the_calendar_does() -> None:
    assert spread({date.max}, NOTHING, 30 * DAY) == {date.max}
    assert spread({date.min}, 2 * DAY, NOTHING) == {date.min}
    assert max(days_of(named("usage_and_billing_monthly"), date(9999, 12, 1))) == date.max
    assert _day_at(datetime(9999, 12, 31, 23, tzinfo=UTC), NOTHING, ZoneInfo("Pacific/Kiritimati")) == date.max
    assert _day_at(datetime(1, 1, 1, tzinfo=UTC), -HOUR, UTC) == date.min


def test_a_period_is_a_day_a_week_from_its_monday_or_a_month() -> None:
    friday = date(2026, 2, 27)
    names = ("auth_daily", "retention_weekly", "usage_and_billing_monthly")
    assert [period_of(named(name), friday) for name in names] == [friday, date(2026, 2, 23), date(2026, 2, 1)]
    assert [len(days_of(named(name), period_of(named(name), friday))) for name in names] == [1, 7, 28]


def test_a_tenants_day_has_hours_of_three_days_in_utc() -> None:
    assert spread(days("03-02"), *margins(of=named("user_days"), to=table("silver.auth_events"))) == days("03-01", "03-02", "03-03")


@pytest.mark.parametrize(
    ("name", "source", "read"),
    [
        ("auth_hourly", "silver.auth_events", days("03-02")),
        ("signin_funnel_daily", "silver.auth_events", days("03-01", "03-02", "03-03")),
        ("security_signals", "silver.auth_events", days("03-01", "03-02", "03-03")),
        ("active_users_daily", "gold.user_days", spread(days("03-02"), 29 * DAY, NOTHING)),
        ("user_features_daily", "gold.user_days", None),
    ],
)
def test_a_day_is_made_from_the_days_that_reach_it(name: str, source: str, read: set[date] | None) -> None:
    declared = named(name)
    assert days_to_read(Work(declared, {}, frozenset(days("03-02")), "", DeltaLogs(Settings())), table(source)) == read
