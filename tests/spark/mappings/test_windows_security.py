"""What Windows security events say in one place and leave out in another: clocks, names of one user, codes, shapes of one event.

Does not belong here: hand-checked records and kinds of events (tests/data/expected/windows_security.yaml).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.spark.mappings.landed import IDENTITY, silver_rows

CLOCKS: dict[str, tuple[dict[str, str], str]] = {
    "Winlogbeat: @timestamp is the event's": ({"@timestamp": "2024-01-01T10:00:00.5Z"}, "2024-01-01T10:00:00.500000"),
    "a zone of its own": (
        {"EventTime": "2024-01-01T10:00:00.25+05:30", "EventReceivedTime": "2024-01-01 10:00:02", "@timestamp": "2024-01-01T09:00:00Z"},
        "2024-01-01T04:30:00.250000",
    ),
    "clock in India, received 2 s later": (
        {"EventTime": "2024-01-01 10:00:00", "EventReceivedTime": "2024-01-01 10:00:02", "@timestamp": "2024-01-01T04:30:03.9Z"},
        "2024-01-01T04:30:00.000000",
    ),
    "clock in New York, a minute in a queue": (
        {"EventTime": "2024-01-01 10:00:00", "EventReceivedTime": "2024-01-01 10:00:00", "@timestamp": "2024-01-01T15:01:00Z"},
        "2024-01-01T15:00:00.000000",
    ),
    "two days in a queue: the zone is not known": (
        {"EventTime": "2024-01-01 10:00:00", "EventReceivedTime": "2024-01-01 10:00:00", "@timestamp": "2024-01-03T10:00:00Z"},
        "2024-01-01T10:00:00.000000",
    ),
    "without @timestamp": ({"EventTime": "2024-01-01 10:00:00", "EventReceivedTime": "2024-01-01 10:00:02"}, "2024-01-01T10:00:00.000000"),
    "TimeCreated is no time": ({"TimeCreated": "yesterday", "@timestamp": "2024-01-01T10:00:00Z"}, "2024-01-01T10:00:00.000000"),
    "the end of time": (
        {"EventTime": "9999-12-31 23:00:00", "EventReceivedTime": "9999-12-31 10:00:00", "@timestamp": "9999-12-31T10:00:00Z"},
        "9999-12-31T23:00:00.000000",
    ),
}

ADA: list[dict[str, Any]] = [
    {"EventID": 4624, "TargetUserName": "ada", "TargetDomainName": "CONTOSO", "TargetUserSid": "S-1-5-21-1-2-3-1104"},
    {"EventID": 4625, "TargetUserName": "Ada", "TargetDomainName": "contoso.local", "TargetUserSid": "S-1-0-0"},
    {"EventID": 4769, "TargetUserName": "ada@CONTOSO.LOCAL", "TargetDomainName": "CONTOSO.LOCAL"},
    {"EventID": 4768, "TargetUserName": "ada@CONTOSO.LOCAL", "TargetDomainName": "-"},
    {"EventID": 4771, "TargetUserName": "ada", "Hostname": "DC01.contoso.local"},
    {"EventID": 4776, "TargetUserName": "ADA", "Hostname": "DC01.contoso.local"},
    {"EventID": 4740, "TargetUserName": "ada", "TargetDomainName": "WIN81", "SubjectUserName": "DC01$", "SubjectDomainName": "CONTOSO"},
    {"EventID": 4723, "SubjectUserName": "ada", "SubjectDomainName": "CONTOSO", "TargetUserName": "bob"},
    {"EventID": 6273, "SubjectUserName": "CONTOSO\\ada", "SubjectDomainName": "CONTOSO"},
    {"EventID": 4822, "AccountName": "CONTOSO\\ada", "Hostname": "DC01.fabrikam.local"},
]
NOBODY: list[dict[str, Any]] = [
    {"EventID": 4624, "TargetUserName": "PC1$", "TargetDomainName": "CONTOSO", "TargetUserSid": "S-1-5-21-1-2-3-1110"},
    {"EventID": 4769, "TargetUserName": "PC1$@CONTOSO.LOCAL"},
    {"EventID": 4624, "TargetUserName": "SYSTÈME", "TargetUserSid": "S-1-5-18"},
    {"EventID": 4776, "TargetUserName": "Local Service"},
    {"EventID": 5632, "Identity": "host/pc1.contoso.local", "SubjectUserName": "-"},
    {"EventID": 4625, "TargetUserName": "-", "TargetUserSid": "S-1-0-0"},
]

REASONS: list[tuple[dict[str, Any], str]] = [
    ({"EventID": 4625, "Status": "0xC000006D", "SubStatus": "0xC0000064"}, "STATUS_NO_SUCH_USER"),
    ({"EventID": 4625, "Status": "0xc0000234", "SubStatus": "0x0", "FailureReason": "%%2307"}, "STATUS_ACCOUNT_LOCKED_OUT"),
    ({"EventID": 4625, "Status": "0xc0001234"}, "0xc0001234"),
    ({"EventID": 4625, "FailureReason": "%%2313"}, "%%2313"),
    ({"EventID": 4625}, "audit failure"),
    ({"EventID": 4771, "Status": "0x00000018"}, "KDC_ERR_PREAUTH_FAILED"),
    ({"EventID": 4769, "Status": "0x7"}, "KDC_ERR_S_PRINCIPAL_UNKNOWN"),
    ({"EventID": 4773, "FailureCode": "0x20"}, "KRB_AP_ERR_TKT_EXPIRED"),
    ({"EventID": 5632, "ErrorCode": "0x7"}, "0x7"),
    ({"EventID": 6273, "ReasonCode": "16"}, "reason 16"),
    ({"EventID": 4649}, "KRB_AP_ERR_REPEAT"),
]

ONE_EVENT: list[dict[str, Any]] = [
    {"winlog": {"computer_name": "dc01.contoso.local", "channel": "Security", "record_id": 77, "event_id": "4776"}},
    {"computer_name": "DC01.contoso.local", "log_name": "Security", "record_number": "77", "event_id": 4776},
    {"Hostname": "DC01.contoso.local", "Channel": "Security", "RecordNumber": 77, "EventID": 4776, "host": "collector"},
]
TWICE = '{"EventID": 4776, "TargetUserName": "ada", "TargetUserName": "bob", "Hostname": "pc1"}'


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> dict[str, list[dict[str, Any]]]:
    """The rows of all groups; one query for all, since queries are what takes time."""
    groups: dict[str, list[Any]] = {
        "clocks": [record for record, _ in CLOCKS.values()],
        "ada": ADA,
        "nobody": NOBODY,
        "reasons": [record for record, _ in REASONS],
        "one": ONE_EVENT,
    }
    texts = [json.dumps(record) for records in groups.values() for record in records]
    mapped = iter(silver_rows(spark, "windows_security", [*texts, TWICE]))
    return {name: [next(mapped) for _ in records] for name, records in groups.items()} | {"twice": list(mapped)}


def test_a_clock_without_zone_is_set_by_the_moment_of_receiving(rows: dict[str, list[dict[str, Any]]]) -> None:
    found = dict(zip(CLOCKS, (row["event_time"] for row in rows["clocks"]), strict=True))
    assert found == {what: time for what, (_, time) in CLOCKS.items()}


def test_a_user_has_one_identity_in_all_events(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert {row["action"]: row[IDENTITY] for row in rows["ada"]} == {str(record["EventID"]): "contoso/ada" for record in ADA}


def test_machines_and_well_known_accounts_are_no_users(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert [(row[IDENTITY], row["user_id"], row["user_email"]) for row in rows["nobody"]] == [(None, None, None)] * len(NOBODY)


def test_a_failure_is_named_by_its_most_telling_code(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert [row["failure_reason"] for row in rows["reasons"]] == [reason for _, reason in REASONS]


def test_one_event_in_three_shapes_has_one_id(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert {(row["event_id"], row["action"]) for row in rows["one"]} == {("dc01.contoso.local/Security/77", "4776")}


def test_a_key_that_comes_twice_fails_nothing(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert [row["user_email"] for row in rows["twice"]] == ["ada"]
