"""What the days of users add up to: the examples of the data dictionary, and the edges of windows, weeks and months."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.gold.users import retention_weekly, usage_and_billing_monthly, user_features_daily
from lakehouse.spark import checkpoint
from lakehouse.tables import table
from tests.spark.gold.frames import Row, by_case, day, frame, user_days

PASSKEY: Row = {"auth_methods": ["passkey"]}
FAILED: Row = {"successes": 0, "devices": []}
PHONE: Row = {"devices": ["mobile/safari"]}
CASES: dict[str, list[Row]] = {
    "example": [
        {"day": day("03-01"), "attempts": 3},
        {"day": day("03-08"), **PASSKEY, **FAILED},
        {"day": day("03-31"), **PASSKEY, **PHONE},
    ],
    "window edges": [{"day": day(text)} for text in ("03-01", "03-07", "03-30")],
    "a failure first": [{"day": day("03-01"), **FAILED}, {"day": day("03-02")}, {"day": day("03-05"), **FAILED}],
    "devices": [
        {"day": day("03-01"), "devices": ["desktop/firefox", "mobile/safari"]},
        {"day": day("03-02"), "devices": ["desktop/chrome", "mobile/safari"]},
        {"day": day("03-03"), "devices": ["desktop/chrome", "desktop/edge", "desktop/firefox", "tablet/safari"]},
    ],
    "two users, two projects": [
        {"day": day("03-01")},
        {"day": day("03-02"), "user_key": "V"},
        {"day": day("03-03"), "project_id": "q"},
    ],
    "retention": [
        {"day": day("03-04")},
        {"day": day("03-09")},
        {"day": day("03-15")},
        {"day": day("03-08"), "user_key": "V", **FAILED},
        {"day": day("03-10"), "user_key": "V"},
        {"day": day("03-16"), "user_key": "W"},
    ],
    "monthly": [
        {"day": day("01-31"), "time_zone": "America/New_York"},
        {"day": day("02-02"), "time_zone": "America/New_York"},
        {"day": day("02-03"), "time_zone": "America/New_York", "user_key": "V", **FAILED},
    ],
    "a long month": [{"day": day("01-01")}, {"day": day("01-31")}, {"day": day("02-01")}],
}


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    days = [{"tenant_id": case, **row} for case, rows in CASES.items() for row in rows]
    return checkpoint(user_features_daily(user_days(spark, days)))


def of(made: DataFrame, case: str, *columns: str) -> list[tuple[Any, ...]]:
    return by_case(made.where(f"tenant_id = '{case}'"), *columns)[case]


def test_the_example_of_features(features: DataFrame) -> None:
    sums = [f"{measure}_{length}d" for measure in ("attempts", "successes", "failures") for length in (1, 7, 30)]
    others = ("failure_ratio_30d", "active_days_30d", "auth_methods_30d", "days_since_first_success", "days_since_previous_success")
    assert of(features, "example", "day", *sums, *others, "new_devices") == [
        (day("03-01"), 3, 3, 3, 1, 1, 1, 2, 2, 2, 2 / 3, 1, 1, 0, None, ["desktop/firefox"]),
        (day("03-08"), 1, 1, 4, 0, 0, 1, 1, 1, 3, 0.75, 1, 2, 7, 7, []),
        (day("03-31"), 1, 1, 2, 1, 1, 1, 0, 0, 1, 0.5, 1, 1, 30, 30, ["mobile/safari"]),
    ]


def test_a_window_of_7_or_30_days_reaches_6_or_29_days_back(features: DataFrame) -> None:
    assert of(features, "window edges", "day", "attempts_7d", "attempts_30d") == [
        (day("03-01"), 1, 1),
        (day("03-07"), 2, 2),
        (day("03-30"), 1, 3),
    ]


def test_days_since_a_success_are_counted_from_successes_only(features: DataFrame) -> None:
    assert of(features, "a failure first", "day", "days_since_first_success", "days_since_previous_success", "active_days_30d") == [
        (day("03-01"), None, None, 0),
        (day("03-02"), 0, None, 1),
        (day("03-05"), 3, 3, 1),
    ]


def test_a_device_is_new_once(features: DataFrame) -> None:
    assert [row[1] for row in of(features, "devices", "day", "new_devices")] == [
        ["desktop/firefox", "mobile/safari"],
        ["desktop/chrome"],
        ["desktop/edge", "tablet/safari"],
    ]


def test_users_and_projects_are_kept_apart(features: DataFrame) -> None:
    assert of(features, "two users, two projects", "day", "attempts_30d", "new_devices") == [
        (day(text), 1, ["desktop/firefox"]) for text in ("03-01", "03-02", "03-03")
    ]


def test_the_example_of_retention(features: DataFrame) -> None:
    assert of(retention_weekly(features), "retention", "cohort_week", "week", "weeks_since", "cohort_users", "active_users") == [
        (day("03-02"), day("03-02"), 0, 1, 1),
        (day("03-02"), day("03-09"), 1, 1, 1),
        (day("03-02"), day("03-16"), 2, 1, 0),
        (day("03-09"), day("03-09"), 0, 1, 1),
        (day("03-09"), day("03-16"), 1, 1, 0),
        (day("03-16"), day("03-16"), 0, 1, 1),
    ]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


SUBSCRIBED: Row = {"source": "billing", "customer_id": "c", "status": "active", "quantity": 5, "started_at": moment("01-20 00:00")}
SUBSCRIPTIONS: dict[str, list[Row]] = {
    "monthly": [
        {**SUBSCRIBED, "quantity": 10, "status": "canceled", "started_at": moment("01-15 00:00"), "ended_at": moment("02-01 03:00")},
        SUBSCRIBED,
        {**SUBSCRIBED, "status": "incomplete_expired"},
        {**SUBSCRIBED, "is_live": False},
        {**SUBSCRIBED, "started_at": moment("03-01 05:00")},
    ],
    "a long month": [
        {**SUBSCRIBED, "quantity": None, "started_at": None, "created_at": moment("01-31 23:59")},
        {**SUBSCRIBED, "quantity": 7, "started_at": moment("02-01 00:00")},
        {**SUBSCRIBED, "quantity": 70, "status": "canceled", "canceled_at": moment("01-31 12:00")},
        {**SUBSCRIBED, "quantity": 700, "canceled_at": moment("01-31 12:00")},
    ],
    "retention": [{**SUBSCRIBED, "is_live": False}],
}


@pytest.fixture(scope="module")
def monthly(spark: SparkSession, features: DataFrame) -> DataFrame:
    known = [
        {"tenant_id": case, "subscription_id": f"{number}", **row}
        for case, rows in SUBSCRIPTIONS.items()
        for number, row in enumerate(rows)
    ]
    subscriptions = frame(spark, table("silver.billing_subscriptions"), {}, known)
    daily = features.groupBy("tenant_id", "project_id", "day", "time_zone").agg({"attempts_1d": "sum", "successes_1d": "sum"})
    daily = daily.withColumnsRenamed({"sum(attempts_1d)": "attempts", "sum(successes_1d)": "successes"})
    return checkpoint(usage_and_billing_monthly(features, daily, subscriptions))


BILLED = ("month", "monthly_active_users", "attempts", "successes", "tenant_subscriptions", "tenant_quantity")


def test_the_example_of_usage_and_billing(monthly: DataFrame) -> None:
    assert of(monthly, "monthly", *BILLED) == [(day("01-01"), 1, 1, 1, 1, 5), (day("02-01"), 1, 2, 1, 1, 5)]


def test_a_user_counts_once_in_a_month_of_31_days_and_again_on_the_first_of_the_next(monthly: DataFrame) -> None:
    # January: no quantity is 1, created before its end; a cancellation ends a cancelled subscription (70) but not one that goes on (700).
    assert of(monthly, "a long month", *BILLED) == [(day("01-01"), 1, 2, 2, 2, 701), (day("02-01"), 1, 1, 1, 3, 708)]


def test_a_tenant_that_billing_does_not_know_has_no_paid_side(monthly: DataFrame) -> None:
    assert of(monthly, "example", *BILLED) == [(day("03-01"), 1, 5, 2, None, None)]
    assert of(monthly, "retention", *BILLED) == [(day("03-01"), 3, 6, 5, None, None)]
