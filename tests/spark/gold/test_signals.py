"""Signals: from which event on a condition is met, what is evidence of it, and what raises its severity."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.gold.sign_ins import user_days
from jobs.gold.signals import security_signals
from jobs.gold.users import user_features_daily
from lakehouse.spark import checkpoint
from lakehouse.tables.gold.signals import RULE_VERSION
from tests.spark.gold.frames import Row, by_case, events

FAILED: Row = {"outcome": "failure"}
PHONE: Row = {"device": "mobile", "user_agent": "Mozilla/5.0 (iPhone) Version/18.1 Mobile/15E148 Safari/604.1"}
COLUMNS = (
    "signal",
    "subject_kind",
    "subject",
    "event_date",
    "detected_at",
    "window_start",
    "window_end",
    "severity",
    "evidence",
    "event_ids",
    "distance_km",
    "speed_kmh",
    "speed_reason",
    "rule_version",
)


def failure(time: str, **fields: Any) -> Row:
    return {"time": time, **FAILED, **fields}


def success(time: str, **fields: Any) -> Row:
    return {"time": time, **fields}


def failures(first: str, count: int, **fields: Any) -> list[Row]:
    """One a minute from a time on, `MM-DD hh:mm`, within its hour."""
    hour, minute = first[:-2], int(first[-2:])
    return [failure(f"{hour}{minute + n:02d}:00", **fields) for n in range(count)]


def sprayed(first: str, users: int, **fields: Any) -> list[Row]:
    """A failure each of many users, every five minutes from a full hour on."""
    begin = int(first[-2:])
    return [failure(f"{first[:-2]}{begin + n * 5 // 60:02d}:{n * 5 % 60:02d}:00", user_key=f"V{n}", **fields) for n in range(users)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def told(
    signal: str,
    subject: str,
    found: str,
    severity: str,
    window: tuple[str, str],
    ids: list[int],
    evidence: int = 0,
    speed: tuple[float, float] | None = None,
) -> tuple[Any, ...]:
    """A row as it must be; `speed` is of a journey, in km and km/h."""
    kind = "address" if signal == "credential_stuffing" else "user"
    moments = [at(text) for text in (found, *window)]
    behind = (evidence or len(ids), [f"e{n}" for n in ids])
    unknown = "no_coordinates" if signal == "impossible_travel" and not speed else None
    return (signal, kind, subject, moments[0].date(), *moments, severity, *behind, *(speed or (None, None)), unknown, RULE_VERSION)


def placed(time: str, north: float, east: float, country: str | None = None) -> Row:
    return success(time, latitude=north, longitude=east, country=country)


STOCKHOLM, NEW_YORK, UPPSALA = (59.3, 18.1), (40.7, -74.0), (59.9, 17.6)


CASES: dict[str, tuple[list[Row], list[tuple[Any, ...]]]] = {
    "brute force over midnight, followed by a success": (
        [*failures("03-01 23:50", 10), failure("03-02 00:01:00"), success("03-02 00:05:00")],
        [told("brute_force", "U", "03-01 23:59:00", "high", ("03-01 23:50:00", "03-01 23:59:00"), list(range(10)))],
    ),
    "nine failures, and a tenth ten minutes after the first": ([*failures("03-01 10:00", 9), failure("03-01 10:10:00")], []),
    "a tenth a second earlier": (
        [*failures("03-01 10:00", 9), failure("03-01 10:09:59")],
        [told("brute_force", "U", "03-01 10:09:59", "medium", ("03-01 10:00:00", "03-01 10:09:59"), list(range(10)))],
    ),
    "a success before the tenth failure, and one ten minutes after it": (
        [*failures("03-01 10:00", 10), success("03-01 10:08:30"), success("03-01 10:19:00")],
        [told("brute_force", "U", "03-01 10:09:00", "medium", ("03-01 10:00:00", "03-01 10:09:00"), list(range(10)))],
    ),
    "two bursts on a day are one signal, and what lies between is no evidence": (
        [*failures("03-01 10:00", 10), failure("03-01 11:00:00"), *failures("03-01 12:00", 11)],
        [told("brute_force", "U", "03-01 10:09:00", "medium", ("03-01 10:00:00", "03-01 12:10:00"), [*range(10), *range(11, 21)], 21)],
    ),
    "a burst that is hot on two days is a signal of each, and each failure counts once": (
        [*failures("03-01 23:50", 10), *failures("03-02 00:00", 2)],
        [
            told("brute_force", "U", "03-01 23:59:00", "medium", ("03-01 23:50:00", "03-01 23:59:00"), list(range(10))),
            told("brute_force", "U", "03-02 00:00:00", "medium", ("03-02 00:00:00", "03-02 00:01:00"), [10, 11]),
        ],
    ),
    "ten failures of two users": ([*failures("03-01 10:00", 5), *failures("03-01 10:05", 5, user_key="V")], []),
    "one address, ten users within an hour, a success of one of them": (
        [*sprayed("03-01 10", 10, ip="192.0.2.1"), success("03-01 11:44:59", user_key="V3", ip="192.0.2.1")],
        [told("credential_stuffing", "192.0.2.1", "03-01 10:45:00", "high", ("03-01 10:00:00", "03-01 10:45:00"), list(range(10)))],
    ),
    "nine users, one of them twice": (
        [*sprayed("03-01 10", 9, ip="192.0.2.1"), failure("03-01 10:50:00", user_key="V1", ip="192.0.2.1")],
        [],
    ),
    "the first of ten users an hour before the last": (
        [*sprayed("03-01 10", 9, ip="192.0.2.1"), failure("03-01 11:00:00", user_key="V9", ip="192.0.2.1")],
        [],
    ),
    "the first of ten users fails again meanwhile": (
        [
            *sprayed("03-01 10", 9, ip="192.0.2.1"),
            failure("03-01 10:50:00", user_key="V0", ip="192.0.2.1"),
            failure("03-01 11:00:00", user_key="V9", ip="192.0.2.1"),
        ],
        [told("credential_stuffing", "192.0.2.1", "03-01 11:00:00", "medium", ("03-01 10:05:00", "03-01 11:00:00"), list(range(1, 11)))],
    ),
    "ten users at ten addresses": ([failure(f"03-01 10:0{n}:00", user_key=f"V{n}", ip=f"192.0.2.{n}") for n in range(10)], []),
    "nobody known from one address": ([failure(f"03-01 10:{n}:00", user_key=None, ip="192.0.2.1") for n in range(10, 30)], []),
    "two countries within an hour, over midnight": (
        [success("03-01 23:30:00", country="SE"), success("03-02 00:29:59", country="US"), success("03-02 00:40:00", country="US")],
        [told("impossible_travel", "U", "03-02 00:29:59", "medium", ("03-01 23:30:00", "03-02 00:29:59"), [0, 1])],
    ),
    "two countries an hour apart, a failure, and a place that is not known": (
        [
            success("03-01 10:00:00", country="SE"),
            failure("03-01 10:30:00", country="US"),
            success("03-01 10:31:00"),
            success("03-01 11:00:00", country="US"),
        ],
        [],
    ),
    "there and back, and again on the next day": (
        [
            success("03-01 23:30:00", country="SE"),
            success("03-01 23:40:00", country="US"),
            success("03-01 23:50:00", country="SE"),
            success("03-02 00:10:00", country="US"),
        ],
        [
            told("impossible_travel", "U", "03-01 23:40:00", "medium", ("03-01 23:30:00", "03-01 23:50:00"), [0, 1, 2]),
            told("impossible_travel", "U", "03-02 00:10:00", "medium", ("03-01 23:50:00", "03-02 00:10:00"), [2, 3]),
        ],
    ),
    "from Stockholm to New York in five hours": (
        [placed("03-01 10:00:00", *STOCKHOLM), placed("03-01 15:00:00", *NEW_YORK)],
        [
            told("impossible_travel", "U", "03-01 15:00:00", "high", ("03-01 10:00:00", "03-01 15:00:00"), [0, 1], speed=(6323.8, 1264.8)),
        ],
    ),
    "from Stockholm to New York by plane": ([placed("03-01 10:00:00", *STOCKHOLM), placed("03-01 16:20:00", *NEW_YORK)], []),
    "from one town to the next, at once": ([placed("03-01 10:00:00", *STOCKHOLM), placed("03-01 10:00:01", *UPPSALA)], []),
    "two countries within an hour, at a border": (
        [placed("03-01 10:00:00", 55.6, 13.0, "SE"), placed("03-01 10:30:00", 55.7, 12.6, "DK")],
        [],
    ),
    "111 km over the 180th meridian, within the same second": (
        [placed("03-01 10:00:00", 0.0, 179.5), placed("03-01 10:00:00", 0.0, -179.5)],
        [
            told("impossible_travel", "U", "03-01 10:00:00", "high", ("03-01 10:00:00", "03-01 10:00:00"), [0, 1], speed=(111.2, 400301.7)),
        ],
    ),
    "half way round the earth in 20 hours, over midnight; a country alone between them": (
        [placed("03-01 23:00:00", 0.0, 0.0, "GA"), success("03-02 12:00:00", country="GA"), placed("03-02 19:00:00", 0.0, 180.0, "KI")],
        [],
    ),
    "half way round the earth in 20 hours, over midnight": (
        [placed("03-01 23:00:00", 0.0, 0.0), placed("03-02 19:00:00", 0.0, 180.0)],
        [
            told("impossible_travel", "U", "03-02 19:00:00", "high", ("03-01 23:00:00", "03-02 19:00:00"), [0, 1], speed=(20015.1, 1000.8)),
        ],
    ),
    "there by coordinates, back by country": (
        [placed("03-01 10:00:00", *STOCKHOLM, "SE"), placed("03-01 12:00:00", *NEW_YORK, "US"), success("03-01 12:30:00", country="SE")],
        [
            told(
                "impossible_travel", "U", "03-01 12:00:00", "high", ("03-01 10:00:00", "03-01 12:30:00"), [0, 1, 2], speed=(6323.8, 3161.9)
            ),
        ],
    ),
    "a device on a later day than the first": (
        [
            success("03-01 10:00:00"),
            success("03-01 11:00:00", device="tablet"),
            success("03-05 10:00:00"),
            failure("03-05 11:00:00", **PHONE),
            success("03-05 12:00:00", **PHONE),
            success("03-05 13:00:00", **PHONE),
            success("03-06 10:00:00", **PHONE),
        ],
        [told("new_device", "U", "03-05 12:00:00", "low", ("03-05 12:00:00", "03-05 12:00:00"), [4])],
    ),
    "two devices on one day of a tenant in New York, which is two in UTC": (
        [success("03-01 10:00:00"), success("03-05 23:00:00", **PHONE), success("03-06 01:00:00", device="tablet")],
        [
            told("new_device", "U", "03-05 23:00:00", "low", ("03-05 23:00:00", "03-05 23:00:00"), [1]),
            told("new_device", "U", "03-06 01:00:00", "low", ("03-06 01:00:00", "03-06 01:00:00"), [2]),
        ],
    ),
}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[str, list[tuple[Any, ...]]]:
    zones = {case: "America/New_York" for case in CASES if "New York" in case}
    # What arrives first must not matter: the order is turned round, the ids stay.
    steps = checkpoint(events(spark, {case: steps for case, (steps, _) in CASES.items()}, zones).orderBy("event_id", ascending=False))
    return by_case(security_signals(steps, user_features_daily(user_days(steps))), *COLUMNS)


@pytest.mark.parametrize("case", CASES)
def test_signals(made: dict[str, list[tuple[Any, ...]]], case: str) -> None:
    found = [tuple(value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row) for row in made.get(case, [])]
    assert found == CASES[case][1]
