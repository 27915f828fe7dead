"""Attempts by user, reason, place and device: the examples of the data dictionary, and what lies at the edges of each definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.gold.sign_ins import failure_reasons_daily, places_and_devices_daily, user_days
from tests.spark.gold.frames import Row, by_case, day, events

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
AGENTS: Mapping[str | None, str] = {
    FIREFOX: "firefox",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36": "chrome",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0": "edge",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/115.0": "opera",
    "Mozilla/5.0 (Linux; Android 10) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0 Mobile": "samsung",
    "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15": "safari",
    "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 Safari/604.1": "chrome",
    "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/132.0 Mobile/15E148 Safari/605.1.15": "firefox",
    "okhttp/4.12.0": "okhttp",
    "Stytch iOS SDK v1.2": "stytch",
    "(unnamed)": "unknown",
    None: "unknown",
}
WRONG: Row = {"outcome": "failure", "failure_reason": "unauthorized_credentials"}
FIRST = day("03-01")


def at(time: str, **fields: Any) -> Row:
    return {"time": f"03-01 {time}", **fields}


CASES: dict[str, list[Row]] = {
    "devices": [at("10:00:00", user_key=agent or "none", user_agent=agent) for agent in AGENTS],
    "user day": [
        {"time": "03-02 04:30:00", **WRONG, "auth_method": "passkey", "device": "mobile"},
        {"time": "03-02 04:31:00", "user_agent": FIREFOX},
        {"time": "03-02 04:32:00", "user_agent": FIREFOX},
        {"time": "03-02 04:33:00", "user_agent": FIREFOX, "device": "tablet"},
        {"time": "03-02 04:34:00", "user_key": None},
        {"time": "03-02 04:35:00", "user_key": "V", **WRONG},
    ],
    "reasons": [
        at("10:00:00", **WRONG),
        at("10:00:10", **WRONG),
        at("10:00:20"),
        at("10:01:00", user_key=None, **WRONG),
        at("10:02:00", auth_method="otp_sms", outcome="failure", failure_reason="otp_code_not_found"),
        at("10:03:00", auth_method="sso", outcome="failure"),
        at("10:04:00", phase="started", **WRONG),
    ],
    "places": [
        at("10:00:00", country="SE", device="mobile", ip="192.0.2.1"),
        at("10:01:00", country="SE", device="mobile", ip="192.0.2.1", **WRONG),
        at("10:02:00", user_key="V", ip="192.0.2.2"),
        at("10:03:00", user_key="V"),
        at("10:04:00", country="NO", user_key="V"),
    ],
}


@pytest.fixture(scope="module")
def signed_in(spark: SparkSession) -> DataFrame:
    return events(spark, CASES, {"user day": "America/New_York"})


@pytest.fixture(scope="module")
def days(signed_in: DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    return by_case(user_days(signed_in), "user_key", "day", "attempts", "successes", "auth_methods", "devices")


def test_a_device_is_its_kind_and_the_family_of_its_browser(days: dict[str, list[tuple[Any, ...]]]) -> None:
    assert {row[0]: row[-1] for row in days["devices"]} == {agent or "none": [f"desktop/{family}"] for agent, family in AGENTS.items()}


def test_a_day_of_a_user_counts_attempts_and_keeps_the_devices_of_successes(days: dict[str, list[tuple[Any, ...]]]) -> None:
    assert days["user day"] == [
        ("U", FIRST, 4, 3, ["passkey", "password"], ["desktop/firefox", "tablet/firefox"]),
        ("V", FIRST, 1, 0, ["password"], []),
    ]


def test_failures_by_reason(signed_in: DataFrame) -> None:
    made = by_case(failure_reasons_daily(signed_in), "auth_method", "failure_reason", "failures", "users")
    assert made["reasons"] == [
        ("otp_sms", "otp_code_not_found", 1, 1),
        ("password", "unauthorized_credentials", 3, 1),
        ("sso", "unknown", 1, 1),
    ]


def test_a_place_is_a_country_or_the_reason_why_there_is_none(signed_in: DataFrame) -> None:
    made = by_case(places_and_devices_daily(signed_in), "country", "country_reason", "device", "attempts", "successes", "users")
    assert made["places"] == [
        (None, "no_address", "desktop", 1, 1, 1),
        (None, "no_geoip_database", "desktop", 1, 1, 1),
        ("NO", None, "desktop", 1, 1, 1),
        ("SE", None, "mobile", 2, 1, 1),
    ]


def test_a_database_tells_the_country_and_the_point_that_a_source_does_not(spark: SparkSession) -> None:
    known = [("192.0.2.1", "NO", 59.9, 10.8), ("192.0.2.2", "DK", None, None)]
    places = spark.createDataFrame(known, "ip string, country string, latitude double, longitude double")
    tried = [
        at("10:00:00", country="SE", latitude=57.7, longitude=12.0, ip="192.0.2.1"),
        at("10:01:00", country="SE", ip="192.0.2.1"),
        at("10:02:00", ip="192.0.2.2"),
        at("10:03:00", ip="192.0.2.3"),
        at("10:04:00"),
    ]
    placed = events(spark, {"placed": tried}, places=places)
    assert sorted(by_case(placed, "event_id", "country", "latitude", "longitude", "country_reason")["placed"]) == [
        ("e0", "SE", 57.7, 12.0, None),
        ("e1", "SE", 59.9, 10.8, None),
        ("e2", "DK", None, None, None),
        ("e3", None, None, None, "not_in_database"),
        ("e4", None, None, None, "no_address"),
    ]
