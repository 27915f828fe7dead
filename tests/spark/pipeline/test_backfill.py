"""Mapping days again: every row once, the same one as before, nothing outside the days touched, what is held back stays so."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import lakehouse.delta
from jobs.aggregate import aggregate
from jobs.ingest import ingest
from jobs.refine import backfill
from lakehouse.delta import DeltaLog
from lakehouse.sources import Source
from lakehouse.store import s3_client
from lakehouse.tables import table
from tests.lake import SOURCE, TestLake, event

pytestmark = pytest.mark.long

DAY, NEXT_DAY = "2023-04-10", "2023-04-11"
FIRST = date.fromisoformat(DAY)
UNMAPPABLE = {"http_status_code": 42}
DAILY = tuple(map(table, ("gold.user_days", "gold.auth_daily")))
FILES = "select distinct input_file_name() as file from {} where {} >= date'{}'"


def on_day(tenant: str, number: int, **fields: Any) -> dict[str, Any]:
    return event(number, tenant, DAY, **fields)


def statuses(lake: TestLake, tenant: str) -> list[tuple[str, int]]:
    found = lake.rows(f"select event_id, http_status from silver.auth_events where tenant_id = '{tenant}' order by event_id")
    return [(row["event_id"][-2:], row["http_status"]) for row in found]


def kept_out(lake: TestLake, tenant: str) -> list[tuple[str, str]]:
    found = lake.rows(f"select disposition, raw from bronze.quarantine where tenant_id = '{tenant}' and layer = 'silver'")
    return sorted((row["disposition"], row["raw"]) for row in found)


def files_after(lake: TestLake) -> set[str]:
    """Data files of the days behind the one that is mapped again."""
    after = [(declared.name, declared.partition_by[0]) for declared in (table("silver.auth_events"), *DAILY)]
    return {row["file"] for name, column in after for row in lake.rows(FILES.format(name, column, "2023-04-12"))}


@pytest.fixture(scope="module")
def mapped(lake: TestLake) -> TestLake:
    """The lake after three runs: files landed again under their name, a conflict, a slice held back by silver and one released."""
    lake.land("relanded", "a.jsonl", [on_day("relanded", 1, http_status_code=201)])
    lake.land("order", "b.jsonl", [on_day("order", 1, http_status_code=201)])
    lake.land("stays", "a.jsonl", [*(on_day("stays", n) for n in range(20)), *(on_day("stays", n, **UNMAPPABLE) for n in range(20, 30))])
    lake.land("freed", "a.jsonl", [*(on_day("freed", n) for n in range(20)), *(on_day("freed", n, **UNMAPPABLE) for n in range(20, 30))])
    lake.land("later", "a.jsonl", [event(n, "later", f"2023-04-{12 + n}") for n in range(5)])
    lake.run(gold=False)
    lake.land("relanded", "a.jsonl", [on_day("relanded", 1, http_status_code=202)])
    lake.land("order", "a.jsonl", [on_day("order", 1, http_status_code=202)])
    lake.run(gold=False)
    lake.release(lake.ledger("freed")[-1]["batch_id"], "freed")
    for declared in DAILY:
        aggregate(lake.context, declared)
    return lake


@pytest.fixture(scope="module")
def again(mapped: TestLake) -> dict[str, Any]:
    """What was there before the day was mapped again, which this does with a batch still waiting for silver."""
    before = {tenant: (statuses(mapped, tenant), kept_out(mapped, tenant)) for tenant in ("relanded", "order", "stays", "freed")}
    before["files"] = files_after(mapped)
    mapped.land("waiting", "a.jsonl", [on_day("waiting", n) for n in range(3)])
    ingest(mapped.context, mapped.context.sources[SOURCE])
    backfill(mapped.new_run(), mapped.context.sources[SOURCE], FIRST, FIRST)
    for declared in DAILY:
        aggregate(mapped.context, declared)
    return before


@pytest.mark.parametrize("tenant", ["relanded", "order", "stays", "freed"])
def test_mapping_again_with_the_same_mapping_changes_nothing(mapped: TestLake, again: dict[str, Any], tenant: str) -> None:
    assert (statuses(mapped, tenant), kept_out(mapped, tenant)) == again[tenant]


def test_the_first_body_counts_and_the_second_is_kept(mapped: TestLake, again: dict[str, Any]) -> None:
    for tenant in ("relanded", "order"):
        assert statuses(mapped, tenant) == [("01", 201)]
        assert [(kind, '"http_status_code": 202' in raw) for kind, raw in kept_out(mapped, tenant)] == [("conflicting", True)]


def test_what_is_held_back_stays_so_and_what_was_released_stays_published(mapped: TestLake, again: dict[str, Any]) -> None:
    assert statuses(mapped, "stays") == []
    assert len(statuses(mapped, "freed")) == 20
    assert [kind for kind, _ in kept_out(mapped, "freed")] == ["quarantined"] * 10


def test_a_batch_that_waited_for_silver_is_there_once(mapped: TestLake, again: dict[str, Any]) -> None:
    mapped.run(gold=False)
    assert len(statuses(mapped, "waiting")) == 3
    assert mapped.ledger("waiting")[-1]["state"] == "published"


def test_files_of_other_days_are_untouched(mapped: TestLake, again: dict[str, Any]) -> None:
    assert again["files"]
    assert files_after(mapped) == again["files"]


def test_a_mended_mapping_reaches_the_days_asked_for_and_the_run_log_counts_them(mapped: TestLake, again: dict[str, Any]) -> None:
    source = mapped.context.sources[SOURCE]
    silver = source.silver.model_copy(update={"columns": {**source.silver.columns, "device": "'bot'"}})
    mended: Source = source.model_copy(update={"silver": silver})
    run = mapped.new_run()
    before = mapped.count("silver.auth_events", f"source = '{SOURCE}' and event_date = '{DAY}'")
    backfill(run, mended, FIRST, FIRST)
    devices = mapped.rows(
        f"select distinct event_date = '{DAY}' as asked, device from silver.auth_events where tenant_id in ('freed', 'later')"
    )
    assert sorted((row["asked"], row["device"]) for row in devices) == [(False, "unknown"), (True, "bot")]
    step = mapped.context.reader.rows("select * from ops.run_log where run_id = ?", [run.run.run_id])[-1]
    assert (step["rows_inserted"], step["rows_deleted"], step["partition"]) == (before, before, f"{DAY}..{DAY}")
    backfill(mapped.new_run(), source, FIRST, FIRST)


def test_gold_catches_up_after_the_files_of_old_versions_are_gone(mapped: TestLake, again: dict[str, Any]) -> None:
    daily = table("gold.auth_daily")
    expected = mapped.rows(f"select * from gold.auth_daily where day = '{DAY}' order by all")
    silver = DeltaLog(mapped.settings, table("silver.auth_events"))
    backfill(mapped.new_run(), mapped.context.sources[SOURCE], FIRST, FIRST)
    changes = DeltaLog(mapped.settings, table("silver.auth_events")).changes_since(silver.version)
    assert changes
    live = {row["file"] for row in mapped.rows("select distinct input_file_name() as file from silver.auth_events")}
    gone = [path for path in changes.files if path not in live]
    assert gone
    for path in gone:
        s3_client(mapped.settings).delete_object(Bucket=mapped.settings.lake_bucket, Key=path.removeprefix(mapped.settings.lake_uri()))
    assert aggregate(mapped.context, daily) is not None
    assert mapped.rows(f"select * from gold.auth_daily where day = '{DAY}' order by all") == expected


def test_batches_that_wait_for_silver_longer_than_the_log_is_searched_are_published(
    mapped: TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lakehouse.delta, "HISTORY_SEARCHED", 1)
    for number in range(3):
        mapped.land("longwait", f"{number}.jsonl", [event(number, "longwait", NEXT_DAY)])
        ingest(mapped.context, mapped.context.sources[SOURCE])
    mapped.run(mapped.new_run(), gold=False)
    assert [event_id[-1] for event_id in mapped.ids("silver.auth_events", "longwait")] == list("012")
