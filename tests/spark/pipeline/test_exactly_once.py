"""No row doubled, none missed, whatever is landed how often.

Each scenario is a tenant of its own; what lands first is taken in by one run, what lands later by a second, as in real life.
"""

from __future__ import annotations

import hashlib
import hmac

import pytest

import jobs.ingest
import jobs.refine
from lakehouse.errors import DataError
from lakehouse.tenants import tenant_key
from tests.lake import SOURCE, TestLake, event

ODD_NAMES = ("with space.jsonl", "a[1]{b}*?.jsonl", "per%20cent.jsonl", "ümlaut.jsonl", "n" * 180 + ".jsonl")
BROKEN = '{"event_id": "x", '
BEYOND_9999 = "9999-12-31T23:59:59-05:00"
STRAY = f"{SOURCE}/stray.jsonl"


def events(tenant: str, *numbers: int) -> list[dict[str, object]]:
    return [event(n, tenant) for n in numbers]


def ids(tenant: str, *numbers: int) -> list[str]:
    return sorted(event(n, tenant)["event_id"] for n in numbers)


@pytest.fixture(scope="module")
def once(lake: TestLake) -> TestLake:
    """The lake after two runs; `moved` tells the versions before and after a third one with nothing to do."""
    lake.land("plain", "a.jsonl", events("plain", *range(30)))
    lake.land("renamed", "a.jsonl", events("renamed", *range(5)))
    lake.land("again", "a.jsonl", events("again", 1))
    lake.land("grown", "a.jsonl", events("grown", 0, 1, 2))
    lake.land("twice", "a.jsonl", events("twice", 1, 2, 1))
    lake.land("clash", "a.jsonl", [event(1, "clash", ok=True)])
    lake.land("rotten", "a.jsonl", [event(1, "rotten"), "", BROKEN, event(2, "rotten")])
    lake.land("lines", "a.jsonl", ["", *events("lines", 0, 1, 2)])
    lake.land("heldbad", "a.jsonl", [*events("heldbad", *range(15)), *("{broken" for _ in range(15))])
    lake.land("far", "a.jsonl", [event(1, "far"), {**event(2, "far"), "time": BEYOND_9999}])
    for number, name in enumerate(ODD_NAMES):
        lake.land(f"odd{number}", name, events(f"odd{number}", 1))
    lake.store.put_object(Bucket=lake.settings.landing_bucket, Key=STRAY, Body=b"{}")
    lake.run(gold=False)
    lake.land("renamed", "b.jsonl", events("renamed", *range(5)))
    lake.land("again", "a.jsonl", events("again", 1))
    lake.land("grown", "a.jsonl", events("grown", *range(5)))
    lake.land("clash", "b.jsonl", [event(1, "clash", ok=False)])
    lake.land("plain", "b.jsonl", events("plain", *range(30, 40)))
    lake.run()
    return lake


def test_each_landed_record_is_once_in_bronze_and_silver(once: TestLake) -> None:
    assert once.ids("bronze.provider_events", "plain") == ids("plain", *range(40))
    assert once.ids("silver.auth_events", "plain") == ids("plain", *range(40))


def test_a_run_with_nothing_to_do_moves_no_tables_version(once: TestLake) -> None:
    before = once.versions()
    once.run(once.new_run())
    assert once.versions() == before


def test_a_renamed_file_is_counted_and_adds_no_row(once: TestLake) -> None:
    assert once.ids("bronze.provider_events", "renamed") == ids("renamed", *range(5))
    last = once.ledger("renamed")[-1]
    assert (last["path"][-7:], last["state"], last["published"], last["duplicate"]) == ("b.jsonl", "published", 0, 5)


def test_a_time_that_no_reader_can_represent_is_quarantined(once: TestLake) -> None:
    kept = once.rows("select event_id, reasons from bronze.quarantine where tenant_id = 'far'")
    assert [(row["event_id"], "event_time.missing" in row["reasons"]) for row in kept] == [(*ids("far", 2), True)]
    assert once.ids("silver.auth_events", "far") == ids("far", 1)


def test_a_file_put_again_unchanged_is_not_read_again(once: TestLake) -> None:
    assert [row["state"] for row in once.ledger("again")] == ["claimed", "bronze", "published"]


def test_a_file_landed_again_with_other_content_adds_what_is_new(once: TestLake) -> None:
    assert once.ids("silver.auth_events", "grown") == ids("grown", *range(5))
    last = once.ledger("grown")[-1]
    assert (last["records"], last["published"], last["duplicate"]) == (5, 2, 3)


def test_duplicates_within_a_file_are_counted(once: TestLake) -> None:
    assert once.ids("bronze.provider_events", "twice") == ids("twice", 1, 2)
    assert once.ledger("twice")[-1]["duplicate"] == 1


def test_another_body_under_an_id_is_kept_and_the_first_one_counts(once: TestLake) -> None:
    assert [r["outcome"] for r in once.rows("select outcome from silver.auth_events where tenant_id = 'clash'")] == ["success"]
    assert once.count("bronze.provider_events", "tenant_id = 'clash'") == 2
    kept = once.rows("select disposition, layer from bronze.quarantine where tenant_id = 'clash'")
    assert kept == [{"disposition": "conflicting", "layer": "silver"}]


def test_a_rotten_line_is_quarantined_with_its_text_and_place(once: TestLake) -> None:
    (row,) = once.rows("select raw, _row, _source_file, reasons from bronze.quarantine where tenant_id = 'rotten'")
    assert (row["raw"], row["_row"]) == (BROKEN, 3)
    assert row["_source_file"].endswith("rotten/a.jsonl")
    assert "unparseable" in row["reasons"]
    assert once.ids("silver.auth_events", "rotten") == ids("rotten", 1, 2)


def test_rows_know_the_line_they_came_from(once: TestLake) -> None:
    places = once.rows("select event_id, _row from bronze.provider_events where tenant_id = 'lines' order by _row")
    assert [(p["event_id"][-1], p["_row"]) for p in places] == [("0", 2), ("1", 3), ("2", 4)]


@pytest.mark.parametrize("number", range(len(ODD_NAMES)))
def test_any_file_name_is_read(once: TestLake, number: int) -> None:
    (row,) = once.rows(f"select _source_file from bronze.provider_events where tenant_id = 'odd{number}'")
    assert row["_source_file"].endswith(f"/tenant=odd{number}/{ODD_NAMES[number]}")


def test_a_file_outside_the_layout_is_rejected_and_kept_in_the_ledger(once: TestLake) -> None:
    (row,) = once.context.reader.rows("select state, reason from ctl.files where path = ?", [STRAY])
    assert row["state"] == "rejected"
    assert "date=" in row["reason"]


def test_the_books_of_every_file_balance(once: TestLake) -> None:
    rows = once.context.reader.rows(
        "select path from ctl.files where state = 'published' and records != published + quarantined + duplicate + held_back"
    )
    assert rows == []


def test_uniqueness_and_freshness_are_judged_after_publishing_and_warn(once: TestLake) -> None:
    judged = once.context.reader.rows(
        "select distinct check_name, outcome from ops.check_results where table_name = 'silver.auth_events' "
        "and check_name in ('key.duplicate', 'event_time.freshness') order by 1"
    )
    assert [(r["check_name"], r["outcome"]) for r in judged] == [("event_time.freshness", "warned"), ("key.duplicate", "passed")]


def test_users_are_hashed_under_their_tenants_key(once: TestLake) -> None:
    (row,) = once.rows("select user_key from bronze.provider_events where tenant_id = 'again'")
    expected = hmac.new(tenant_key(once.settings, "again"), b"user-live-again-1", hashlib.sha256).hexdigest()
    assert row["user_key"] == expected


def test_a_held_back_slice_waits_while_others_go_on_and_is_released_once(once: TestLake) -> None:
    assert once.ids("silver.auth_events", "heldbad") == []
    row = once.ledger("heldbad")[-1]
    assert (row["published"], row["quarantined"], row["held_back"]) == (0, 15, 15)
    for _ in range(2):
        once.release(row["batch_id"], "heldbad")
    assert once.ids("silver.auth_events", "heldbad") == ids("heldbad", *range(15))
    assert once.count("bronze.quarantine", "tenant_id = 'heldbad' and disposition = 'held_back'") == 0


def test_a_transform_that_leaks_a_row_fails_the_run_before_anything_is_published(once: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = jobs.ingest.identify
    monkeypatch.setattr(jobs.ingest, "identify", lambda rows, source, keys: whole(rows.where("raw not like '%leak-000001%'"), source, keys))
    once.land("leak", "a.jsonl", events("leak", 0, 1, 2))
    with pytest.raises(DataError, match="do not balance"):
        once.run(gold=False)
    monkeypatch.undo()
    assert once.ids("bronze.provider_events", "leak") == []
    once.run(gold=False)
    assert once.ids("silver.auth_events", "leak") == ids("leak", 0, 1, 2)


def test_a_mapping_that_doubles_rows_fails_the_run(once: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = jobs.refine.map_to_silver
    monkeypatch.setattr(jobs.refine, "map_to_silver", lambda *given: whole(*given).unionByName(whole(*given)))
    once.land("double", "a.jsonl", events("double", 0, 1, 2))
    with pytest.raises(DataError, match="do not balance"):
        once.run(gold=False)
    monkeypatch.undo()
    assert once.ids("silver.auth_events", "double") == []
    once.run(gold=False)
    assert once.ids("silver.auth_events", "double") == ids("double", 0, 1, 2)
