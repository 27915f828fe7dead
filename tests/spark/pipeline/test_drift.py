"""Records whose fields change: nothing is lost under any policy, and the change is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.ingest import ingest
from jobs.refine import refine
from lakehouse.drift import LEAST_RECORDS
from lakehouse.sources import Drift
from tests.lake import SOURCE, TestLake, event

BEFORE = LEAST_RECORDS
Changed = dict[str, list[dict[str, Any]]]


def _renamed(record: dict[str, Any]) -> dict[str, Any]:
    return {"mail" if name == "email_address" else name: value for name, value in record.items()}


CHANGES = {
    "added": lambda record: {**record, "device": {"os": "x"}},
    "dropped": lambda record: {name: value for name, value in record.items() if name != "http_status_code"},
    "renamed": _renamed,
    "narrowed": lambda record: {**record, "request_id": 7},
    "widened": lambda record: {**record, "http_status_code": "200"},
}


def records(tenant: str, first: int, change: str | None = None) -> list[dict[str, Any]]:
    plain = [event(first + n, tenant) for n in range(BEFORE)]
    return [CHANGES[change](record) for record in plain] if change else plain


def take_in(lake: TestLake, policy: Drift) -> None:
    context = lake.new_run()
    declared = context.sources[SOURCE].model_copy(update={"drift": policy})
    ingest(context, declared)
    refine(context, declared)


@pytest.fixture(scope="module")
def changed(lake: TestLake) -> Changed:
    """What `ctl.source_fields` tells of each tenant: one tenant for each policy and change, whose second file has changed."""
    for policy in Drift:
        for part in (0, 1):
            for change in CHANGES:
                tenant = f"{policy}-{change}"
                lake.land(tenant, f"{part}.jsonl", records(tenant, part * BEFORE, change if part else None))
            take_in(lake, policy)
    rows = lake.context.reader.rows("select * from ctl.source_fields where change <> 'first_seen' order by recorded_at, field")
    found: Changed = {f"{policy}-{change}": [] for policy in Drift for change in CHANGES}
    for row in rows:
        found.get(row["tenant_id"], []).append(row)
    return found


SAID = {
    "added": [("device", "added")],
    "dropped": [("http_status_code", "dropped")],
    "renamed": [("email_address", "dropped"), ("mail", "added")],
    "narrowed": [("request_id", "type_added")],
    "widened": [("http_status_code", "type_added")],
}


@pytest.mark.parametrize("policy", Drift)
def test_each_change_is_recorded_under_each_policy(changed: Changed, policy: Drift) -> None:
    for change, wanted in SAID.items():
        rows = changed[f"{policy}-{change}"]
        assert [(row["field"], row["change"]) for row in rows] == wanted, change
        assert {row["policy"] for row in rows} == {policy.value}
        assert {row["is_accepted"] for row in rows} == {policy is not Drift.FREEZE}
    renamed = changed[f"{policy}-renamed"]
    assert [row["detail"] for row in renamed] == ["perhaps renamed to mail", "perhaps the new name of email_address"]


@pytest.mark.parametrize("policy", Drift)
def test_no_record_is_lost_under_any_policy(lake: TestLake, changed: Changed, policy: Drift) -> None:
    for change in CHANGES:
        tenant = f"{policy}-{change}"
        kept = {name: lake.count(name, f"tenant_id = '{tenant}'") for name in (f"bronze.{SOURCE}", "bronze.quarantine")}
        assert sum(kept.values()) == 2 * BEFORE, (tenant, kept)


def test_evolving_records_load_and_keep_their_values(lake: TestLake, changed: Changed) -> None:
    loaded = {change: lake.count("silver.auth_events", f"tenant_id = 'evolve-{change}'") for change in CHANGES}
    assert loaded == dict.fromkeys(CHANGES, 2 * BEFORE)
    assert lake.count(f"bronze.{SOURCE}", "tenant_id = 'evolve-added' and raw like '%\"device\"%'") == BEFORE


def test_a_frozen_source_holds_back_the_slice_that_has_changed(lake: TestLake, changed: Changed) -> None:
    rows = lake.rows("select tenant_id, disposition, reasons from bronze.quarantine where tenant_id like 'freeze-%'")
    assert {row["tenant_id"] for row in rows} == {f"freeze-{change}" for change in CHANGES}
    assert {(row["disposition"], *row["reasons"]) for row in rows} == {("held_back", "schema_drift")}


def test_a_released_slice_is_known_from_then_on(lake: TestLake, changed: Changed) -> None:
    (batch,) = {row["batch_id"] for row in changed["freeze-added"]}
    lake.release(batch, "freeze-added")
    assert lake.count("silver.auth_events", "tenant_id = 'freeze-added'") == 2 * BEFORE
    lake.land("freeze-added", "2.jsonl", records("freeze-added", 2 * BEFORE, "added"))
    take_in(lake, Drift.FREEZE)
    assert lake.count("silver.auth_events", "tenant_id = 'freeze-added'") == 3 * BEFORE


def test_a_source_that_quarantines_keeps_out_the_records_with_undeclared_fields(lake: TestLake, changed: Changed) -> None:
    rows = lake.rows(
        "select tenant_id, reasons, count(*) as n from bronze.quarantine where tenant_id like 'quarantine-%' group by all order by 1"
    )
    assert [(row["tenant_id"], *row["reasons"], row["n"]) for row in rows] == [
        ("quarantine-added", "undeclared_field", BEFORE),
        ("quarantine-renamed", "undeclared_field", BEFORE),
    ]


def test_a_run_that_sees_a_change_ends_with_warnings(lake: TestLake, changed: Changed) -> None:
    batches = {change: {row["batch_id"] for row in changed[f"evolve-{change}"]} for change in CHANGES}
    for (batch,) in batches.values():
        (row,) = lake.context.reader.rows("select status, checks_warned from ops.run_log where batch_id = ? and layer = 'bronze'", [batch])
        assert row["status"] == "SUCCEEDED_WITH_WARNINGS"
        assert row["checks_warned"] >= 1
