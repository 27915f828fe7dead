"""Releasing a slice that was held back, broken off at any point and asked for again: its rows are published, once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.release import release
from lakehouse import failpoints
from lakehouse.errors import DataError
from lakehouse.ledger import BatchFile, Ledger, Release
from tests.lake import SOURCE, TestLake, event

pytestmark = pytest.mark.long

BROKEN = "{broken"


class Killed(Exception):
    """Stands for the end of the process."""


def hold(lake: TestLake, tenant: str) -> Release:
    """Land a slice that is held back: 15 good records and 15 broken ones."""
    lake.land(tenant, "a.jsonl", [*(event(n, tenant) for n in range(15)), *[BROKEN] * 15])
    lake.run(gold=False)
    return Release(str(lake.ledger(tenant)[-1]["batch_id"]), tenant)


def break_off_at(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    def reached(name: str) -> None:
        if name == point:
            raise Killed

    monkeypatch.setattr(failpoints, "reached", reached)


def after_the_claim(lake: TestLake, wanted: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Ledger.claim_waiting

    def claim_and_die(self: Ledger, asked: Release, look: Callable[[], list[BatchFile]]) -> None:
        claim(self, asked, look)
        raise Killed

    monkeypatch.setattr(Ledger, "claim_waiting", claim_and_die)


def before_the_commit(lake: TestLake, wanted: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    break_off_at(monkeypatch, failpoints.STAGED)


def before_the_rows_leave(lake: TestLake, wanted: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    break_off_at(monkeypatch, failpoints.PUBLISHED)


def before_the_record(lake: TestLake, wanted: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    break_off_at(monkeypatch, failpoints.TAKEN_OUT)


def before_the_record_of_duplicates(lake: TestLake, wanted: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.land(wanted.tenant_id, "clean.jsonl", [event(n, wanted.tenant_id) for n in range(15)])
    lake.run(gold=False)
    break_off_at(monkeypatch, failpoints.TAKEN_OUT)


BREAKS = (after_the_claim, before_the_commit, before_the_rows_leave, before_the_record, before_the_record_of_duplicates)


@pytest.mark.parametrize("breaks", BREAKS)
def test_a_release_that_was_broken_off_is_finished_by_the_next_one(
    lake: TestLake, monkeypatch: pytest.MonkeyPatch, breaks: Callable[[TestLake, Release, pytest.MonkeyPatch], None]
) -> None:
    tenant = breaks.__name__.replace("_", "-")
    wanted, source = hold(lake, tenant), lake.context.sources[SOURCE]
    with monkeypatch.context() as patch:
        breaks(lake, wanted, patch)
        with pytest.raises(Killed):
            release(lake.new_run(), source, wanted)
    lake.release(wanted.batch_id, tenant)
    assert len(lake.ids("silver.auth_events", tenant)) == len(set(lake.ids("silver.auth_events", tenant))) == 15
    assert lake.count("bronze.quarantine", f"tenant_id = '{tenant}' and disposition = 'held_back'") == 0
    assert lake.context.ledger(source).unfinished() == []


def test_nothing_is_released_twice_or_of_a_batch_that_is_none(lake: TestLake) -> None:
    source = lake.context.sources[SOURCE]
    wanted = hold(lake, "onlyonce")
    lake.release(wanted.batch_id, "onlyonce")
    assert release(lake.context, source, wanted) == []
    assert release(lake.context, source, Release(f"{SOURCE}-9999999999", "onlyonce")) == []


def test_a_batch_that_cannot_be_published_holds_up_no_other(lake: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.land("stuck", "a.jsonl", [event(1, "stuck")])
    with monkeypatch.context() as patch:
        patch.setattr("jobs.ingest.balance_bronze", refuse)
        with pytest.raises(DataError):
            lake.run(lake.new_run(), gold=False)
        lake.land("goeson", "a.jsonl", [event(1, "goeson")])
        patch.setattr("jobs.ingest.balance_bronze", refuse_stuck)
        with pytest.raises(DataError):
            lake.run(lake.new_run(), gold=False)
    assert len(lake.ids("bronze.provider_events", "goeson")) == 1
    lake.run(gold=False)
    assert len(lake.ids("silver.auth_events", "stuck")) == 1


def refuse(*_: object) -> None:
    raise DataError("books do not balance")


def refuse_stuck(batch: object, counts: dict[str, object]) -> None:
    if any("tenant=stuck" in path for path in counts):
        raise DataError("books do not balance")
