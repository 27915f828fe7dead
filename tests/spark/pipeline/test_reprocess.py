"""Rejected rows under a mended declaration: what passes moves once, what fails stays where it was, whatever dies in between."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from jobs.quarantine import LEFT_OUT
from jobs.refine import refine
from jobs.release import reprocess
from lakehouse import failpoints
from lakehouse.ledger import Reprocess
from lakehouse.sources import Drift, Source
from tests.lake import SOURCE, TestLake, event

pytestmark = pytest.mark.long

RUN = uuid.uuid4().hex[:6]
BOTH, AGAIN, CLASH, KILLED, CHANGED, COPIES = (f"{name}-{RUN}" for name in ("both", "again", "clash", "killed", "changed", "copies"))
WRAPPED, GONE, CELLS = (f"{name}-{RUN}" for name in ("wrapped", "gone", "cells"))
LOCAL, AMERICAN = "02.03.2026 10:00", "03/02/2026 10:00"
FORMATS = {LOCAL: "dd.MM.yyyy HH:mm", AMERICAN: "MM/dd/yyyy HH:mm"}
BROKEN = '{"event_id": "x", '
EVENTS = "silver.auth_events"


class Killed(Exception):
    """Stands for the end of the process."""


def mended_for(source: Source, *times: str) -> Source:
    """The declaration once it reads such times, maps status 42 to none and 299 to 200, and lets no undeclared field pass."""
    attempts = ", ".join(f"try_to_timestamp(`time`, '{FORMATS[time]}')" for time in times)
    status = "case http_code when 42 then null when 299 then 200 else http_code end"
    silver = source.silver.model_copy(update={"columns": {**source.silver.columns, "http_status": status}})
    update = {"event_time": f"coalesce({source.event_time_sql}, {attempts})", "silver": silver, "drift": Drift.QUARANTINE}
    return source.model_copy(update=update)


def kill_at(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    def reached(name: str) -> None:
        if name == point:
            raise Killed

    monkeypatch.setattr(failpoints, "reached", reached)


def numbers(lake: TestLake, name: str, tenant: str) -> list[int]:
    return [int(event_id[-6:]) for event_id in lake.ids(name, tenant)]


def kept_out(lake: TestLake, tenant: str) -> list[dict[str, Any]]:
    columns = "layer, disposition, reasons, _row, _batch_id, _source_file, _ingested_at"
    return lake.rows(f"select {columns} from bronze.quarantine where tenant_id = '{tenant}' order by _source_file, layer, _row")


def batch_of(lake: TestLake, tenant: str, source: str = SOURCE) -> str:
    return str(lake.ledger(tenant, source)[0]["batch_id"])


@pytest.fixture(scope="module")
def moved(lake: TestLake) -> dict[str, Any]:
    """What was kept out before, the batches that took it up, and the run that did."""
    source = lake.context.sources[SOURCE]
    mended = mended_for(source, LOCAL)
    lake.run(gold=False)
    late = [{**event(n, BOTH), "time": LOCAL} for n in (3, 4)]
    undeclared = {**event(7, BOTH), "time": LOCAL, "extra": 1}
    silver = [event(n, BOTH, http_status_code=42) for n in (5, 6)]
    lake.land(BOTH, "a.jsonl", [*(event(n, BOTH) for n in range(3)), BROKEN, *late, *silver, undeclared])
    lake.land(AGAIN, "a.jsonl", [{**event(1, AGAIN), "time": LOCAL}])
    lake.land(CLASH, "a.jsonl", [event(1, CLASH), event(2, CLASH), event(1, CLASH, http_status_code=299), event(2, CLASH, ok=False)])
    lake.run(gold=False)
    before = {tenant: kept_out(lake, tenant) for tenant in (BOTH, AGAIN, CLASH)}
    lake.land(AGAIN, "copy.jsonl", [{**event(1, AGAIN), "time": LOCAL}])
    lake.context.sources[SOURCE] = mended
    lake.run(gold=False)
    lake.context.sources[SOURCE] = source
    context = lake.new_run()
    batches = lake.reprocess(mended, Reprocess((batch_of(lake, BOTH),)), context)
    return {"before": before, "batches": batches, "run": context.run.run_id, "mended": mended}


def test_rows_that_pass_now_are_once_in_bronze_and_silver(lake: TestLake, moved: dict[str, Any]) -> None:
    assert numbers(lake, f"bronze.{SOURCE}", BOTH) == [0, 1, 2, 3, 4, 5, 6]
    assert numbers(lake, EVENTS, BOTH) == [0, 1, 2, 3, 4, 5, 6]


def test_rows_that_still_fail_stay_rows_of_their_batch_and_tell_the_reasons_of_now(lake: TestLake, moved: dict[str, Any]) -> None:
    was = {row["_row"]: row for row in moved["before"][BOTH]}
    broken, undeclared = kept_out(lake, BOTH)
    assert broken == was[4]
    assert undeclared == {**was[9], "reasons": ["undeclared_field"]}
    assert "undeclared_field" not in was[9]["reasons"]


def test_a_row_that_was_published_meanwhile_leaves_and_is_not_doubled(lake: TestLake, moved: dict[str, Any]) -> None:
    assert len(moved["before"][AGAIN]) == 1
    assert kept_out(lake, AGAIN) == []
    assert numbers(lake, EVENTS, AGAIN) == numbers(lake, f"bronze.{SOURCE}", AGAIN) == [1]
    assert (lake.ledger(AGAIN)[-1]["published"], lake.ledger(AGAIN)[-1]["duplicate"]) == (0, 1)


def test_a_conflicting_row_leaves_only_where_it_says_the_same_now(lake: TestLake, moved: dict[str, Any]) -> None:
    assert [(row["disposition"], row["_row"]) for row in moved["before"][CLASH]] == [("conflicting", 3), ("conflicting", 4)]
    assert kept_out(lake, CLASH) == moved["before"][CLASH][1:]
    assert numbers(lake, EVENTS, CLASH) == [1, 2]


def test_the_books_of_each_batch_and_of_each_file_balance(lake: TestLake, moved: dict[str, Any]) -> None:
    for tenant in (BOTH, AGAIN, CLASH):
        rows = [row for row in lake.ledger(tenant) if row["state"] == "published"]
        assert rows
        for row in rows:
            assert row["records"] == row["published"] + row["quarantined"] + row["duplicate"] + row["held_back"]
        for path in {row["path"] for row in rows}:
            of_it = [row for row in rows if row["path"] == path]
            there = lake.count(f"bronze.{SOURCE}", f"_source_file = '{path}'")
            waiting = lake.count("bronze.quarantine", f"_source_file = '{path}' and layer = 'bronze'")
            assert of_it[0]["records"] == there + waiting + sum(row["duplicate"] for row in of_it)


def test_the_run_log_tells_what_was_read_and_what_became_of_it(lake: TestLake, moved: dict[str, Any]) -> None:
    steps = lake.context.reader.rows("select * from ops.run_log where run_id = ? order by started_at", [moved["run"]])
    (batch,) = moved["batches"]
    told = [(s["asset"], s["rows_read"], s["rows_inserted"], s["rows_quarantined"], s["rows_duplicate"], s["rows_deleted"]) for s in steps]
    assert {step["batch_id"] for step in steps} == {batch.batch_id}
    assert told == [
        (f"bronze.{SOURCE}", 5, 2, 2, 1, 0),
        ("bronze.quarantine", 5, 0, 2, None, 3),
        (EVENTS, 4, 2, 0, 1, 0),
        ("bronze.quarantine", 4, 0, 1, None, 3),
        (EVENTS, 2, 2, 0, 0, 0),
    ]


def test_a_second_time_moves_nothing(lake: TestLake, moved: dict[str, Any]) -> None:
    tenants = (BOTH, AGAIN, CLASH)
    names = (f"bronze.{SOURCE}", EVENTS)
    before = [(numbers(lake, name, tenant), kept_out(lake, tenant)) for tenant in tenants for name in names]
    (batch,) = lake.reprocess(moved["mended"], Reprocess((batch_of(lake, BOTH),)))
    assert [(numbers(lake, name, tenant), kept_out(lake, tenant)) for tenant in tenants for name in names] == before
    assert sum(f.records for f in batch.files) == 2


def dies_at(point: str, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, point)
        with pytest.raises(Killed):
            work()


POINTS = (failpoints.STAGED, failpoints.PUBLISHED, failpoints.TAKEN_OUT, failpoints.RECORDED)


def test_killed_at_each_point_in_turn_it_publishes_once(lake: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    source = lake.context.sources[SOURCE]
    lake.land(KILLED, "a.jsonl", [event(0, KILLED), BROKEN, {**event(1, KILLED), "time": LOCAL}, event(2, KILLED, http_status_code=42)])
    lake.run(gold=False)
    (broken,) = [row for row in kept_out(lake, KILLED) if row["_row"] == 2]
    mended, asked = mended_for(source, LOCAL), Reprocess((batch_of(lake, KILLED),), KILLED)
    for point in POINTS:
        dies_at(point, monkeypatch, lambda: reprocess(lake.new_run(), mended, asked))
    for point in POINTS:
        dies_at(point, monkeypatch, lambda: refine(lake.new_run(), mended))
    refine(lake.new_run(), mended)
    assert numbers(lake, f"bronze.{SOURCE}", KILLED) == numbers(lake, EVENTS, KILLED) == [0, 1, 2]
    assert kept_out(lake, KILLED) == [broken]
    last = lake.ledger(KILLED)[-1]
    assert (last["state"], last["records"], last["published"], last["quarantined"]) == ("published", 2, 1, 1)


def test_a_declaration_that_changes_between_two_attempts_loses_and_doubles_nothing(lake: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    source = lake.context.sources[SOURCE]
    lake.land(CHANGED, "a.jsonl", [{**event(n, CHANGED), "time": time} for n, time in enumerate((LOCAL, AMERICAN))])
    lake.run(gold=False)
    asked = Reprocess((batch_of(lake, CHANGED),), CHANGED)
    dies_at(failpoints.PUBLISHED, monkeypatch, lambda: reprocess(lake.new_run(), mended_for(source, LOCAL), asked))
    context, other = lake.new_run(), mended_for(source, AMERICAN)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.release.parts_of", lambda *_: [])
        reprocess(context, other, asked)
    assert numbers(lake, f"bronze.{SOURCE}", CHANGED) == [0]
    assert [(row["_row"], row["reasons"]) for row in kept_out(lake, CHANGED)] == [(2, [LEFT_OUT])]
    refine(context, other)
    lake.reprocess(other, asked)
    assert numbers(lake, EVENTS, CHANGED) == [0, 1]
    assert kept_out(lake, CHANGED) == []


def test_a_record_that_expands_again_is_published_with_all_of_its_events(lake: TestLake) -> None:
    name = "linux_auth_log"
    source = lake.context.sources[name]
    failed = "Failed password for root from 192.0.2.1 port 4711 ssh2"
    lake.land(COPIES, "auth.log", [f"May 31 10:00:10 host sshd[1]: message repeated 3000000000 times: [ {failed}]"], source=name)
    lake.run(source=name, gold=False)
    assert [row["layer"] for row in kept_out(lake, COPIES)] == ["silver"]
    silver = source.silver.model_copy(update={"expand": f"least(3, {source.silver.expand})"})
    lake.reprocess(source.model_copy(update={"silver": silver}), Reprocess((batch_of(lake, COPIES, name),)))
    assert [event_id.partition("#")[2] for event_id in lake.ids(EVENTS, COPIES)] == ["", "2", "3"]
    assert kept_out(lake, COPIES) == []


SIGN_IN = {
    "eventVersion": "1.08", "eventTime": "2026-03-02T10:00:00Z", "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin",
    "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.1", "recipientAccountId": "123456789012",
    "responseElements": {"ConsoleLogin": "Success"},
}  # fmt: skip


def test_a_file_that_could_not_be_read_is_read_again_where_it_still_lies(lake: TestLake) -> None:
    name = "aws_cloudtrail"
    for tenant in (WRAPPED, GONE):
        records = [{**SIGN_IN, "eventID": f"{tenant}-{n}"} for n in (1, 2)]
        key = lake.land(tenant, "a.json", [json.dumps({"Events": records})], source=name)
    lake.run(source=name, gold=False)
    before = kept_out(lake, GONE)
    assert len(before) == len(kept_out(lake, WRAPPED)) == 1
    lake.store.delete_object(Bucket=lake.settings.landing_bucket, Key=key)
    mended = lake.context.sources[name].model_copy(update={"records_field": "Events"})
    lake.reprocess(mended, Reprocess((batch_of(lake, WRAPPED, name),)))
    assert lake.ids(f"bronze.{name}", WRAPPED) == [f"{WRAPPED}-1", f"{WRAPPED}-2"]
    assert kept_out(lake, WRAPPED) == []
    last = lake.ledger(WRAPPED, name)[-1]
    assert (last["records"], last["published"], last["state"]) == (2, 2, "published")
    assert kept_out(lake, GONE) == before
    assert lake.ids(f"bronze.{name}", GONE) == []


def test_cells_are_named_anew_from_their_file(lake: TestLake) -> None:
    name = "stripe_customers"
    lake.land(CELLS, "a.csv", ["id;_fivetran_synced;email", "cus_1;2026-03-01 10:00:00;a@example.com"], source=name)
    lake.run(source=name, gold=False)
    assert len(kept_out(lake, CELLS)) == 1
    mended = lake.context.sources[name].model_copy(update={"delimiter": ";"})
    lake.reprocess(mended, Reprocess((batch_of(lake, CELLS, name),)))
    assert lake.count("silver.billing_customers", f"tenant_id = '{CELLS}'") == 1
    assert kept_out(lake, CELLS) == []
