"""Each source's mapping to silver: hand-checked records, every kind of event, and records that are bent out of shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from pyspark.sql import SparkSession

from dq_checks import REASONS
from jobs.parse import CORRUPT
from jobs.refine import expand
from jobs.silver import APPLICABLE, map_to_silver
from lakehouse.tables import TABLES
from tests.spark.mappings.cases import (
    BAD_VALUES,
    CLOUDTRAIL_EVENTS,
    OKTA_EVENTS,
    OKTA_FACTORS,
    PASSWORD,
    PROVIDER_ACTIONS,
    PROVIDER_NUMBERS,
    SIMULATED,
    TIMES,
    VERDICT,
    Verdict,
    bent_records,
    composed,
    groups,
    kinds,
)
from tests.spark.mappings.landed import (
    CHECKED_SOURCES,
    EVENT_SOURCES,
    IDENTITY,
    LINEAGE,
    SOURCES,
    TIMED_SOURCES,
    declaration,
    expected,
    parsed,
    silver,
)

Rows = list[dict[str, Any]]
Mapped = Callable[[str, str], Rows]

CHECKED = 20
ALWAYS = ("project_id", "environment", "activity", "auth_method", "phase", "outcome", "device")


@pytest.fixture(scope="module")
def mapped(spark: SparkSession) -> Mapped:
    """The silver rows of a group of a source's records, in their order."""

    @cache
    def all_of(name: str) -> dict[str, Rows]:
        records = groups(name)
        rows = iter(silver(spark, name, [text for texts in records.values() for text in texts]))
        return {group: [row for _ in texts for row in next(rows)] for group, texts in records.items()}

    return lambda name, group: [dict(row) for row in all_of(name)[group]]


def _as_text(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f") if isinstance(value, datetime) else value


def _whole(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row as written by hand, with the columns that it leaves out."""
    columns = [c.name for c in TABLES[declaration(name).silver.table].columns if c.name not in (*LINEAGE, "user_key")]
    return dict.fromkeys((*columns, IDENTITY)) | {k: _as_text(v) for k, v in row.items()}


def _verdicts(rows: Rows, columns: tuple[str, ...] = VERDICT["silver.auth_events"]) -> list[Verdict]:
    return [tuple(row[column] for column in columns) if row[APPLICABLE] else None for row in rows]


@pytest.mark.parametrize("name", CHECKED_SOURCES)
def test_hand_checked_records_map_field_by_field(mapped: Mapped, name: str) -> None:
    cases = expected(name)["records"]
    assert [case["line"] for case in cases] == list(range(1, CHECKED + 1))
    _assert_rows(name, cases, mapped(name, "samples"))


@pytest.mark.parametrize("name", [name for name in EVENT_SOURCES if composed(name)])
def test_composed_records_map_field_by_field(mapped: Mapped, name: str) -> None:
    _assert_rows(name, composed(name), mapped(name, "composed"))


def _assert_rows(name: str, cases: Rows, found: Rows) -> None:
    wanted = [(case, row) for case in cases for row in case.get("rows", [case.get("row")])]
    for (case, row), mapped_row in zip(wanted, found, strict=True):
        assert mapped_row.pop(APPLICABLE) is case.get("applicable", True), case["what"]
        if row:
            assert mapped_row == _whole(name, row), case["what"]


@pytest.mark.parametrize("name", SOURCES)
def test_silver_has_the_declared_columns_in_order_and_type(spark: SparkSession, name: str) -> None:
    source = declaration(name)
    table = TABLES[source.silver.table]
    found = map_to_silver(expand(parsed(spark, name, ["{}"]), source), source, ())
    assert found.columns == [*table.column_names, APPLICABLE, CORRUPT, REASONS]
    assert [kind for _, kind in found.dtypes[:-3]] == [{"long": "bigint"}.get(c.type, c.type) for c in table.columns]


def test_every_kind_of_provider_action_is_told_apart(mapped: Mapped) -> None:
    assert dict(zip(PROVIDER_ACTIONS, _verdicts(mapped("provider_events", "kinds")), strict=True)) == PROVIDER_ACTIONS


def test_every_action_of_the_simulator_maps_to_its_method(mapped: Mapped) -> None:
    def is_right(flow: str, action: str, method: str) -> bool:
        if action in ("EmailDelivery", "OTPsAuthenticate"):
            return method == "unknown"
        return method == ("oauth" if flow.startswith("oauth_") else flow) or (flow, method) == ("totp", "password")

    verdicts = dict(zip(SIMULATED, _verdicts(mapped("provider_events", "simulated")), strict=True))
    assert {flow for (flow, _), verdict in verdicts.items() if verdict is None} == {"backend"}
    assert [(k, v) for k, v in verdicts.items() if v and not is_right(*k, v[1])] == []


def test_every_kind_of_okta_event_is_told_apart(mapped: Mapped) -> None:
    assert dict(zip(OKTA_EVENTS, _verdicts(mapped("okta_system_log", "kinds")), strict=True)) == OKTA_EVENTS


def test_okta_names_the_factor_of_a_challenge(mapped: Mapped) -> None:
    methods = [row["auth_method"] for row in mapped("okta_system_log", "factors")]
    assert dict(zip(OKTA_FACTORS, methods, strict=True)) == OKTA_FACTORS


def test_every_kind_of_cloudtrail_event_is_told_apart(mapped: Mapped) -> None:
    assert dict(zip(CLOUDTRAIL_EVENTS, _verdicts(mapped("aws_cloudtrail", "kinds")), strict=True)) == CLOUDTRAIL_EVENTS


def test_a_failed_console_sign_in_of_nobody_known_has_no_identity(mapped: Mapped) -> None:
    nobody, _, _ = mapped("aws_cloudtrail", "console")
    assert (nobody[IDENTITY], nobody["user_id"], nobody["user_email"]) == (None, None, None)
    assert (nobody["outcome"], nobody["failure_reason"]) == ("failure", "No username found in supplied account")


def test_an_iam_user_has_one_identity_whether_the_sign_in_succeeds_or_not(mapped: Mapped) -> None:
    _, succeeds, fails = mapped("aws_cloudtrail", "console")
    assert (succeeds["outcome"], fails["outcome"]) == ("success", "failure")
    assert succeeds[IDENTITY] == fails[IDENTITY] == "AIDAEXAMPLE"


def test_no_password_that_a_honeypot_was_told_reaches_silver(mapped: Mapped) -> None:
    rows = mapped("dionaea_connections", "passwords")
    told = [(row["user_email"], row[IDENTITY]) for row in rows]
    assert told == [("ada", "ada"), ("ada", None), ("eve", None), (None, None), (None, None)]
    assert [row for row in rows if PASSWORD.lower() in str(row).lower()] == []


@pytest.mark.parametrize("name", [name for name in SOURCES if kinds(name)])
def test_every_kind_of_record_is_told_apart(mapped: Mapped, name: str) -> None:
    wanted = [(kind["record"], kind["means"] and tuple(kind["means"])) for kind in kinds(name) for _ in range(kind.get("rows", 1))]
    found = _verdicts(mapped(name, "kinds"), VERDICT[declaration(name).silver.table])
    assert [(record, verdict) for (record, _), verdict in zip(wanted, found, strict=True)] == wanted


@pytest.mark.parametrize("name", TIMED_SOURCES)
def test_times_are_utc_and_what_is_no_time_is_null(mapped: Mapped, name: str) -> None:
    column = TABLES[declaration(name).silver.table].latest_by or "event_time"
    assert dict(zip(TIMES, (row[column] for row in mapped(name, "times")), strict=True)) == TIMES


def test_provider_times_in_numbers_are_read_and_never_overflow(mapped: Mapped) -> None:
    assert [row["event_time"] for row in mapped("provider_events", "numbers")] == list(PROVIDER_NUMBERS.values())


@pytest.mark.parametrize("name", SOURCES)
def test_no_value_in_any_field_makes_the_query_fail(mapped: Mapped, name: str) -> None:
    assert len(mapped(name, "bent")) >= len(bent_records(name)) >= len(BAD_VALUES)


@pytest.mark.parametrize("name", EVENT_SOURCES)
@pytest.mark.parametrize("group", ["samples", "demo", "kinds", "bent"])
def test_an_applicable_row_always_says_what_was_attempted_and_how_it_ended(mapped: Mapped, name: str, group: str) -> None:
    rows = [row for row in mapped(name, group) if row[APPLICABLE]]
    assert [row for row in rows if any(row[column] is None for column in ALWAYS)] == []
    closed = {c.name: c.values for c in TABLES["silver.auth_events"].columns if c.values and c.name not in LINEAGE}
    assert {(column, row[column]) for row in rows for column, values in closed.items() if row[column] not in values} == set()


def test_a_record_cannot_choose_its_tenant(spark: SparkSession) -> None:
    frame = parsed(spark, "provider_events", [json.dumps({"tenant_id": "other", "event_id": "e1"})])
    assert [(row.tenant_id, row.event_id) for row in frame.collect()] == [("acme", "e1")]


@pytest.mark.parametrize("name", SOURCES)
def test_the_demo_data_fills_the_columns_that_matter(mapped: Mapped, name: str) -> None:
    rows = [row for row in mapped(name, "demo") if row[APPLICABLE]]
    wanted = expected(name)["demo"]
    assert len(rows) == wanted["applicable"]
    shares = {column: sum(row[column] is not None for row in rows) / len(rows) for column in wanted["filled"]}
    assert {column: share for column, share in shares.items() if share < wanted["filled"][column]} == {}


def test_a_stripe_customer_maps_field_by_field(mapped: Mapped) -> None:
    (row,) = (r for r in mapped("stripe_customers", "demo") if r["customer_id"] == "cus_IuKuZJLG9mNRn2")
    assert row == {
        "customer_id": "cus_IuKuZJLG9mNRn2",
        "external_id": "80755622-45b3-40a6-9544-25af39e0e50c",
        "name": "37a6259cc0c1dae299a7866489dff0bd",
        "email": None,
        "currency": None,
        "balance": 0,
        "is_delinquent": False,
        "is_deleted": True,
        "is_live": True,
        "created_at": "2021-02-08T09:40:39.000000",
        "as_of": "2021-02-08T14:21:18.000000",
        APPLICABLE: True,
    }


def test_a_stripe_subscription_maps_field_by_field(mapped: Mapped) -> None:
    _, row = mapped("stripe_subscriptions", "demo")
    assert row == {
        "subscription_id": "sfjytkyu876",
        "customer_id": "123fsdf",
        "status": "active",
        "quantity": 5,
        "tax_percent": 6.0,
        "is_live": True,
        "cancels_at_period_end": True,
        "created_at": "2021-02-18T14:16:37.000000",
        "started_at": "2021-02-18T14:16:37.000000",
        "current_period_start": "2021-02-18T14:16:37.000000",
        "current_period_end": "2021-02-19T14:16:37.000000",
        "canceled_at": "2021-02-18T14:16:37.000000",
        "ended_at": "2021-02-19T14:16:37.000000",
        "as_of": "2021-02-18T14:16:37.000000",
        APPLICABLE: True,
    }


@pytest.mark.parametrize("name", ["stripe_customers", "stripe_subscriptions"])
def test_each_reading_of_a_stripe_row_is_a_record_of_its_own(spark: SparkSession, name: str) -> None:
    first = {"id": "x1", "_fivetran_synced": "2021-02-18 14:16:37"}
    records = [first, {**first, "_fivetran_synced": "2021-02-19 00:00:00"}, {"id": ""}]
    found = parsed(spark, name, [json.dumps(record) for record in records]).orderBy("_row").collect()
    assert [row.event_id for row in found] == ["x1@2021-02-18 14:16:37", "x1@2021-02-19 00:00:00", None]
