"""The funnel: which steps make a request, which requests a flow, which day it counts on, and how long it took."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.gold.funnel import signin_funnel_daily
from tests.spark.gold.frames import Row, by_case, day, events

MEASURES = ("flows", "started", "delivered", "completed", "succeeded", "median_seconds_to_complete")
LINK: Row = {"auth_method": "magic_link", "flow_id": "A"}
PASSWORD: Row = {"auth_method": "password", "flow_id": "P"}
ADDRESS: Row = {"user_key": "address of U"}
NOBODY: Row = {"user_key": None}
FIRST, SECOND = day("03-01"), day("03-02")


def sent(time: str, **fields: Any) -> Row:
    return {**LINK, "time": time, "phase": "started", **fields}


def delivered(time: str, **fields: Any) -> Row:
    return {**LINK, **ADDRESS, "time": time, "phase": "delivered", "auth_method": "unknown", **fields}


def used(time: str, ok: bool = True, **fields: Any) -> Row:
    return {**LINK, "time": time, "outcome": "success" if ok else "failure", **fields}


IN_ORDER = [
    sent("03-01 10:00:00", outcome="pending", **NOBODY),
    sent("03-01 10:00:01"),
    delivered("03-01 10:00:03"),
    used("03-01 10:00:30", flow_id="B"),
]
CASES: dict[str, tuple[list[Row], list[tuple[Any, ...]]]] = {
    "a flow over midnight counts on its first day, whatever ids its requests have": (
        [
            sent("03-01 23:58:00"),
            delivered("03-01 23:58:05"),
            used("03-02 00:01:00", ok=False, flow_id="B"),
            used("03-02 00:02:00", flow_id="C"),
            sent("03-01 12:00:00", flow_id="D", user_key="V"),
        ],
        [(FIRST, "magic_link", 2, 2, 1, 1, 1, 180.0)],
    ),
    "all steps in order": (IN_ORDER, [(FIRST, "magic_link", 1, 1, 1, 1, 1, 30.0)]),
    "the same steps, the last first": (IN_ORDER[::-1], [(FIRST, "magic_link", 1, 1, 1, 1, 1, 30.0)]),
    "the day is the tenant's, here in New York": (
        [sent("03-02 04:59:00"), used("03-02 05:01:00", flow_id="B"), sent("03-02 05:00:00", user_key="V", flow_id="C")],
        [(FIRST, "magic_link", 1, 1, 0, 1, 1, 120.0), (SECOND, "magic_link", 1, 1, 0, 0, 0, None)],
    ),
    "a step without a flow id is a flow of its own": (
        [used("03-01 10:00:00", flow_id=None), used("03-01 10:00:00", flow_id=None)],
        [(FIRST, "magic_link", 2, 0, 0, 2, 2, None)],
    ),
    "of two sendings the second takes the answer": (
        [sent("03-01 10:00:00"), sent("03-01 10:05:00", flow_id="B"), used("03-01 10:05:40", flow_id="C")],
        [(FIRST, "magic_link", 2, 2, 0, 1, 1, 40.0)],
    ),
    "what is answered under its own id takes no more": (
        [
            {**PASSWORD, "time": "03-01 11:00:00", "phase": "started", "outcome": "pending"},
            {**PASSWORD, "time": "03-01 11:00:02", "outcome": "failure"},
            {**PASSWORD, "time": "03-01 11:00:09", "flow_id": "Q"},
        ],
        [(FIRST, "password", 2, 1, 0, 2, 1, 2.0)],
    ),
    "another user, another method and nobody do not answer": (
        [
            sent("03-01 10:00:00"),
            used("03-01 10:01:00", flow_id="B", user_key="V"),
            used("03-01 10:02:00", flow_id="C", auth_method="otp_email"),
            used("03-01 10:03:00", flow_id="D", **NOBODY),
            sent("03-01 10:03:30", flow_id="E", **NOBODY),
            used("03-01 10:04:00", flow_id="F", **NOBODY),
        ],
        [(FIRST, "magic_link", 5, 2, 0, 3, 3, None), (FIRST, "otp_email", 1, 0, 0, 1, 1, None)],
    ),
    "three hours after the sending it is still answered": (
        [sent("03-01 10:00:00"), used("03-01 13:00:00", flow_id="B")],
        [(FIRST, "magic_link", 1, 1, 0, 1, 1, 10_800.0)],
    ),
    "a second later it is not": (
        [sent("03-01 10:00:00"), used("03-01 13:00:01", flow_id="B")],
        [(FIRST, "magic_link", 2, 1, 0, 1, 1, None)],
    ),
    # 12:00 and 13:00 belong to 10:00; 14:00 belongs to 12:00, the earliest since 11:00; 20:00 begins anew.
    "steps under one id belong to the earliest of the three hours before them": (
        [
            sent("03-01 10:00:00", **NOBODY),
            sent("03-01 12:00:00", **NOBODY),
            used("03-01 13:00:00", **NOBODY),
            used("03-01 14:00:00", **NOBODY),
            used("03-01 20:00:00", **NOBODY),
        ],
        [(FIRST, "magic_link", 3, 1, 0, 3, 3, 10_800.0)],
    ),
    "the user is the one that an answer names, else the one that is named": (
        [
            sent("03-01 10:00:00", outcome="pending", **ADDRESS),
            sent("03-01 10:00:01"),
            used("03-01 10:01:00", flow_id="B"),
            sent("03-01 15:00:00", flow_id="C", outcome="pending", **ADDRESS),
            used("03-01 15:01:00", flow_id="D", **ADDRESS),
        ],
        [(FIRST, "magic_link", 2, 2, 0, 2, 2, 60.0)],
    ),
    "a bounced message is not delivered, and a pending answer completes nothing": (
        [sent("03-01 10:00:00"), delivered("03-01 10:00:05", outcome="failure"), used("03-01 10:01:00", outcome="pending")],
        [(FIRST, "magic_link", 1, 1, 0, 0, 0, None)],
    ),
    "the method is the first that is known": (
        [
            delivered("03-01 10:00:00"),
            sent("03-01 10:00:01", auth_method="totp"),
            used("03-01 10:00:02", auth_method="password"),
            delivered("03-01 12:00:00", flow_id="B"),
        ],
        [(FIRST, "totp", 1, 1, 1, 1, 1, 1.0), (FIRST, "unknown", 1, 0, 1, 0, 0, None)],
    ),
    "the median of an even number lies between the two in the middle": (
        [
            step
            for number, after in enumerate((10, 40, 21, 3))
            for step in (sent("03-01 10:00:00", flow_id=f"{number}"), used(f"03-01 10:00:{after:02d}", flow_id=f"{number}"))
        ],
        [(FIRST, "magic_link", 4, 4, 0, 4, 4, 15.5)],
    ),
    "an answer before its question has no time": (
        [used("03-01 10:00:00"), sent("03-01 10:00:02")],
        [(FIRST, "magic_link", 1, 1, 0, 1, 1, None)],
    ),
    "only live sign-ins of a plausible time are steps": (
        [
            sent("03-01 10:00:00"),
            *(
                used("03-01 10:01:00", **fields)
                for fields in ({"environment": "test"}, {"time_quality": "too_early"}, {"activity": "session"}, {"activity": "challenge"})
            ),
        ],
        [(FIRST, "magic_link", 1, 1, 0, 0, 0, None)],
    ),
}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[str, list[tuple[Any, ...]]]:
    zones = {case: "America/New_York" for case in CASES if "New York" in case}
    steps = events(spark, {case: steps for case, (steps, _) in CASES.items()}, zones)
    return by_case(signin_funnel_daily(steps), "day", "auth_method", *MEASURES)


@pytest.mark.parametrize("case", CASES)
def test_funnel(made: dict[str, list[tuple[Any, ...]]], case: str) -> None:
    assert made[case] == CASES[case][1]
