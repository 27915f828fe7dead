"""No row doubled, none missed, whatever is landed how often."""

from __future__ import annotations

import pytest

from lakehouse.errors import DataError
from lakehouse.sources import Source
from tests.lake import SOURCE, TestLake, event


def test_each_landed_record_is_once_in_bronze_and_silver(lake: TestLake) -> None:
    landed = [event(n, "once") for n in range(30)]
    lake.land("once", "a.jsonl", landed)
    lake.run()
    expected = sorted(e["event_id"] for e in landed)
    assert lake.ids("bronze.provider_events", "once") == expected
    assert lake.ids("silver.auth_events", "once") == expected


def test_a_second_run_moves_no_tables_version(lake: TestLake) -> None:
    lake.land("still", "a.jsonl", [event(1, "still")])
    lake.run()
    before = lake.versions()
    lake.run(lake.new_run())
    assert lake.versions() == before


def test_a_renamed_file_is_counted_and_adds_no_row(lake: TestLake) -> None:
    records = [event(n, "renamed") for n in range(5)]
    lake.land("renamed", "a.jsonl", records)
    lake.run()
    lake.land("renamed", "b.jsonl", records)
    lake.run()
    assert len(lake.ids("bronze.provider_events", "renamed")) == 5
    last = lake.ledger("renamed")[-1]
    assert (last["path"].endswith("b.jsonl"), last["state"], last["published"], last["duplicate"]) == (True, "published", 0, 5)


def test_a_file_put_again_unchanged_is_not_read_again(lake: TestLake) -> None:
    for _ in range(2):
        lake.land("again", "a.jsonl", [event(1, "again")])
        lake.run()
    assert [row["state"] for row in lake.ledger("again")] == ["claimed", "bronze", "published"]


def test_a_file_landed_again_with_other_content_adds_what_is_new(lake: TestLake) -> None:
    lake.land("grown", "a.jsonl", [event(n, "grown") for n in range(3)])
    lake.run()
    lake.land("grown", "a.jsonl", [event(n, "grown") for n in range(5)])
    lake.run()
    assert len(lake.ids("silver.auth_events", "grown")) == 5
    last = lake.ledger("grown")[-1]
    assert (last["records"], last["published"], last["duplicate"]) == (5, 2, 3)


def test_duplicates_within_a_file_are_counted(lake: TestLake) -> None:
    lake.land("twice", "a.jsonl", [event(1, "twice"), event(2, "twice"), event(1, "twice")])
    lake.run()
    assert len(lake.ids("bronze.provider_events", "twice")) == 2
    assert lake.ledger("twice")[-1]["duplicate"] == 1


def test_another_body_under_an_id_is_kept_and_the_first_one_counts(lake: TestLake) -> None:
    lake.land("clash", "a.jsonl", [event(1, "clash", ok=True)])
    lake.run()
    lake.land("clash", "b.jsonl", [event(1, "clash", ok=False)])
    lake.run()
    assert [r["outcome"] for r in lake.rows("select outcome from silver.auth_events where tenant_id = 'clash'")] == ["success"]
    assert lake.count("bronze.provider_events", "tenant_id = 'clash'") == 2
    kept = lake.rows("select disposition, layer from bronze.quarantine where tenant_id = 'clash'")
    assert kept == [{"disposition": "conflicting", "layer": "silver"}]


def test_a_rotten_line_is_quarantined_with_its_text_and_place(lake: TestLake) -> None:
    lake.land("rotten", "a.jsonl", [event(1, "rotten"), "", '{"event_id": "x", ', event(2, "rotten")])
    lake.run()
    rows = lake.rows("select raw, _row, _source_file, reasons from bronze.quarantine where tenant_id = 'rotten'")
    assert [(r["raw"], r["_row"]) for r in rows] == [('{"event_id": "x", ', 3)]
    assert rows[0]["_source_file"].endswith("rotten/a.jsonl") and "unparseable" in rows[0]["reasons"]
    assert len(lake.ids("silver.auth_events", "rotten")) == 2


def test_rows_know_the_line_they_came_from(lake: TestLake) -> None:
    lake.land("lines", "a.jsonl", ["", *(event(n, "lines") for n in range(3))])
    lake.run()
    places = lake.rows("select event_id, _row from bronze.provider_events where tenant_id = 'lines' order by _row")
    assert [(p["event_id"][-1], p["_row"]) for p in places] == [("0", 2), ("1", 3), ("2", 4)]


@pytest.mark.parametrize("name", ["with space.jsonl", "a[1]{b}*?.jsonl", "per%20cent.jsonl", "ümlaut.jsonl", "n" * 180 + ".jsonl"])
def test_any_file_name_is_read(lake: TestLake, name: str) -> None:
    tenant = f"name{abs(hash(name)) % 10**6}"
    key = lake.land(tenant, name, [event(1, tenant)])
    lake.run(gold=False)
    assert [r["_source_file"] for r in lake.rows(f"select _source_file from bronze.provider_events where tenant_id = '{tenant}'")] == [key]


def test_a_file_that_is_not_what_its_name_says_is_quarantined_whole(lake: TestLake) -> None:
    lake.land("nogzip", "a.jsonl.gz", [event(1, "nogzip")])
    lake.run(gold=False)
    rows = lake.rows("select raw, detail from bronze.quarantine where tenant_id = 'nogzip'")
    assert len(rows) == 1 and "not gzip" in rows[0]["detail"]


def test_a_file_outside_the_layout_is_rejected_and_kept_in_the_ledger(lake: TestLake) -> None:
    lake.store.put_object(Bucket=lake.settings.landing_bucket, Key=f"{SOURCE}/stray.jsonl", Body=b"{}")
    lake.run(gold=False)
    rows = lake.context.reader.rows("select state, reason from ctl.files where path = ?", [f"{SOURCE}/stray.jsonl"])
    assert [r["state"] for r in rows] == ["rejected"] and "date=" in rows[0]["reason"]


def test_a_transform_that_leaks_a_row_fails_the_run_before_anything_is_published(lake: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    import jobs.ingest as module

    whole = module.identify
    monkeypatch.setattr(module, "identify", lambda records, source, keys: whole(records.where("raw not like '%000001\"%'"), source, keys))
    lake.land("leak", "a.jsonl", [event(n, "leak") for n in range(3)])
    with pytest.raises(DataError, match="do not balance"):
        lake.run()
    monkeypatch.undo()
    assert lake.ids("bronze.provider_events", "leak") == []
    lake.run()
    assert len(lake.ids("silver.auth_events", "leak")) == 3


def test_a_mapping_that_doubles_rows_fails_the_run(lake: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    import jobs.refine as module

    whole = module.map_to_silver
    monkeypatch.setattr(module, "map_to_silver", lambda rows, source: whole(rows, source).unionByName(whole(rows.limit(1), source)))
    lake.land("double", "a.jsonl", [event(n, "double") for n in range(3)])
    with pytest.raises(DataError, match="do not balance"):
        lake.run(gold=False)
    monkeypatch.undo()
    lake.run()
    assert len(lake.ids("silver.auth_events", "double")) == 3


def test_a_held_back_slice_waits_while_others_go_on_and_is_released_once(lake: TestLake) -> None:
    bad = ["{broken" for _ in range(15)]
    lake.land("heldbad", "a.jsonl", [*(event(n, "heldbad") for n in range(15)), *bad])
    lake.land("heldgood", "a.jsonl", [event(n, "heldgood") for n in range(30)])
    lake.run()
    assert lake.ids("silver.auth_events", "heldbad") == [] and len(lake.ids("silver.auth_events", "heldgood")) == 30
    row = lake.ledger("heldbad")[-1]
    assert (row["published"], row["quarantined"], row["held_back"]) == (0, 15, 15)
    lake.land("heldgood", "b.jsonl", [event(n, "heldgood") for n in range(30, 40)])
    lake.run()
    for _ in range(2):
        lake.release(row["batch_id"], "heldbad")
    assert lake.ids("silver.auth_events", "heldbad") == sorted(event(n, "heldbad")["event_id"] for n in range(15))
    assert lake.count("bronze.quarantine", "tenant_id = 'heldbad' and disposition = 'held_back'") == 0
    assert len(lake.ids("silver.auth_events", "heldgood")) == 40


def test_users_are_hashed_under_their_tenants_key(lake: TestLake) -> None:
    import hashlib
    import hmac

    from lakehouse.tenants import tenant_key

    lake.land("hashed", "a.jsonl", [event(1, "hashed")])
    lake.run(gold=False)
    (row,) = lake.rows("select user_key, raw from bronze.provider_events where tenant_id = 'hashed'")
    source: Source = lake.context.sources[SOURCE]
    (user,) = lake.rows(f"select {_over_raw(source)} as user from bronze.provider_events where tenant_id = 'hashed'")
    expected = hmac.new(tenant_key(lake.settings, "hashed"), user["user"].encode(), hashlib.sha256).hexdigest()
    assert row["user_key"] == expected


def _over_raw(source: Source) -> str:
    return "raw:user_id" if source.user is None else "get_json_object(raw, '$.user_id')"
