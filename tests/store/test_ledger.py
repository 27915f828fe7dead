"""The file ledger: of racing claims one wins, and a claim whose process died is found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pyarrow.parquet as pq
import pytest

from lakehouse import ledger as ledger_module
from lakehouse.ledger import Batch, BatchFile, FileCounts, Ledger, Release, Reprocess, State, standings
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.store import list_objects, s3_client

SOURCE = "provider_events"
LATER = datetime.now(UTC) + timedelta(days=1)


def ledger(settings: Settings) -> Ledger:
    return Ledger(settings, load_sources(settings)[SOURCE], OpsReader(settings), OpsWriter(settings))


def land(settings: Settings, name: str, body: bytes) -> str:
    key = f"{SOURCE}/date=2026-06-01/tenant=acme/{name}"
    s3_client(settings).put_object(Bucket=settings.landing_bucket, Key=key, Body=body)
    return key


def test_records_are_counted_before_parsing(settings: Settings) -> None:
    land(settings, "a.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \n{"b": 2}\n{"c": 3}')
    batch = ledger(settings).claim()
    assert batch is not None
    assert [f.records for f in batch.files] == [3]


def test_of_racing_claims_one_gets_the_files(settings: Settings) -> None:
    for n in range(5):
        land(settings, f"{n}.jsonl", b'{"a": %d}\n' % n)
    with ThreadPoolExecutor(6) as pool:
        claimed = [b for b in pool.map(lambda _: ledger(settings).claim(), range(6)) if b]
    assert sorted(f.path for b in claimed for f in b.files) == sorted({f.path for b in claimed for f in b.files})
    assert len([f for b in claimed for f in b.files]) == 5


def test_a_claim_whose_process_died_before_telling_the_ledger_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land(settings, "a.jsonl", b"{}\n")
    dying = ledger(settings)
    monkeypatch.setattr(dying, "_record_claims", lambda batches: None)
    batch = dying.claim()
    assert batch is not None
    assert ledger(settings).pending() == []
    assert [b.batch_id for b in ledger(settings).unfinished()] == [batch.batch_id]


def test_a_batch_goes_from_claimed_to_published_with_its_counts(settings: Settings) -> None:
    key = land(settings, "a.jsonl", b"{}\n")
    book = ledger(settings)
    batch = book.claim()
    assert batch is not None
    book.record(batch, State.BRONZE, {key: FileCounts(published=1)})
    assert book.unfinished() == []
    assert [b.batch_id for b in book.awaiting_silver()] == [batch.batch_id]
    book.advance(batch, State.PUBLISHED)
    assert book.awaiting_silver() == []
    (row,) = OpsReader(settings).rows("select published from ctl.files where state = 'published'")
    assert row["published"] == 1


def test_a_batch_reads_back_as_it_was_claimed(settings: Settings) -> None:
    land(settings, "a.jsonl", b"{}\n")
    batch = ledger(settings).claim()
    assert batch is not None
    assert Batch.from_json(batch.to_json()) == batch


def test_the_same_bytes_under_a_new_time_are_not_claimed_again(settings: Settings) -> None:
    land(settings, "a.jsonl", b"{}\n")
    assert ledger(settings).claim() is not None
    land(settings, "a.jsonl", b"{}\n")
    assert ledger(settings).claim() is None


def publish(settings: Settings) -> Batch:
    book = ledger(settings)
    batch = book.claim()
    assert batch is not None
    book.record(batch, State.PUBLISHED, {f.path: FileCounts(published=f.records) for f in batch.files})
    return batch


def landed(settings: Settings) -> list[str]:
    return [found.key for found in list_objects(s3_client(settings), settings.landing_bucket)]


def expired(settings: Settings) -> dict[str, str | None]:
    rows = OpsReader(settings).rows("select sha256, reason from ctl.files where state = 'expired'")
    return {row["sha256"]: row["reason"] for row in rows}


def test_expiry_removes_what_was_published_and_says_so(settings: Settings) -> None:
    land(settings, "a.jsonl", b"{}\n")
    batch = publish(settings)
    assert ledger(settings).expire(LATER) == 1
    assert landed(settings) == []
    assert expired(settings) == {batch.files[0].sha256: None}
    assert ledger(settings).expire(LATER) == 0


def test_expiry_leaves_what_was_landed_under_the_same_key_since(settings: Settings) -> None:
    key = land(settings, "a.jsonl", b"{}\n")
    batch = publish(settings)
    land(settings, "a.jsonl", b'{"corrected": 1}\n')
    assert ledger(settings).expire(LATER) == 0
    assert [found.key for found in ledger(settings).pending()] == [key]
    assert expired(settings) == {batch.files[0].sha256: ledger_module.GONE_BEFORE_EXPIRY}


def test_of_two_contents_of_a_key_expiry_removes_the_one_that_is_there(settings: Settings) -> None:
    land(settings, "a.jsonl", b"{}\n")
    first = publish(settings)
    land(settings, "a.jsonl", b'{"corrected": 1}\n')
    second = publish(settings)
    assert ledger(settings).expire(LATER) == 1
    assert landed(settings) == []
    assert expired(settings) == {first.files[0].sha256: ledger_module.GONE_BEFORE_EXPIRY, second.files[0].sha256: None}


def test_what_was_lost_before_it_was_read_is_taken_once_when_landed_again(settings: Settings) -> None:
    key = land(settings, "a.jsonl", b"{}\n")
    first = ledger(settings).claim()
    assert first is not None
    s3_client(settings).delete_object(Bucket=settings.landing_bucket, Key=key)
    ledger(settings).record(first, State.REJECTED, {}, reason="overwritten or removed before it was read")
    land(settings, "a.jsonl", b"{}\n")
    assert [found.key for found in ledger(settings).pending()] == [key]
    second = ledger(settings).claim()
    assert second is not None
    assert ([f.path for f in second.files], second.batch_id == first.batch_id) == ([key], False)
    assert ledger(settings).pending() == []
    assert ledger(settings).claim() is None


def test_what_a_batch_lost_stays_out_of_it_when_landed_again(settings: Settings) -> None:
    key = land(settings, "a.jsonl", b"{}\n")
    batch = ledger(settings).claim()
    assert batch is not None
    ledger(settings).record(batch, State.REJECTED, {}, reason="overwritten or removed before it was read")
    assert [f.path for f in ledger(settings).changed_since_claim(batch)] == [key]


def test_what_lies_outside_the_layout_is_rejected_once(settings: Settings) -> None:
    s3_client(settings).put_object(Bucket=settings.landing_bucket, Key=f"{SOURCE}/stray.jsonl", Body=b"{}\n")
    assert ledger(settings).claim() is None
    assert ledger(settings).pending() == []


def test_a_batch_takes_files_up_to_its_size_and_at_least_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_BATCH_BYTES", 8)
    for name, size in (("a", 20), ("b", 4), ("c", 4), ("d", 1)):
        land(settings, name, b"x" * size)
    claims = [ledger(settings).claim() for _ in range(3)]
    assert [[f.path[-1] for f in claim.files] for claim in claims if claim] == [["a"], ["b", "c"], ["d"]]
    assert ledger(settings).pending() == []


def standing(settings: Settings) -> tuple[bool, bool]:
    found = standings(settings, load_sources(settings).values(), OpsReader(settings))
    assert [name for name, one in found.items() if name != SOURCE and (one.bronze_waits or one.silver_waits)] == []
    return found[SOURCE].bronze_waits, found[SOURCE].silver_waits


def test_a_source_waits_from_the_landing_of_a_file_until_silver_has_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert standing(settings) == (False, False)
    key = land(settings, "a.jsonl", b"{}\n{}\n")
    assert standing(settings) == (True, False)
    dying = ledger(settings)
    monkeypatch.setattr(dying, "_record_claims", lambda batches: None)
    assert dying.claim() is not None
    assert standing(settings) == (True, False)
    (batch,) = ledger(settings).unfinished()
    assert standing(settings) == (True, False)
    ledger(settings).record(batch, State.BRONZE, {key: FileCounts(published=1, held_back=1)})
    assert standing(settings) == (False, True)
    ledger(settings).advance(batch, State.PUBLISHED)
    assert standing(settings) == (False, False)
    assert dying.claim_waiting(Release(batch.batch_id, "acme"), lambda: batch.files) is not None
    assert standing(settings) == (True, False)


def published(settings: Settings, name: str, counts: FileCounts) -> Batch:
    """A batch of one file that has gone through bronze and silver."""
    key = land(settings, name, f'{{"file": "{name}"}}\n'.encode())
    batch = ledger(settings).claim()
    assert batch
    ledger(settings).record(batch, State.BRONZE, {key: counts})
    ledger(settings).advance(batch, State.PUBLISHED)
    return batch


def test_of_racing_claims_of_the_same_rows_one_gets_them_and_the_others_get_to_finish_it(settings: Settings) -> None:
    batch = published(settings, "a.jsonl", FileCounts(quarantined=1))
    wanted = Reprocess((batch.batch_id,))
    with ThreadPoolExecutor(4) as pool:
        claimed = list(pool.map(lambda _: ledger(settings).claim_waiting(wanted, lambda: batch.files), range(4)))
    assert len({one.batch_id for one in claimed if one}) == 1
    assert [one.takes_out for one in ledger(settings).unfinished()] == [wanted]


def test_rows_are_looked_at_after_the_number_was_taken_so_that_who_took_them_meanwhile_is_seen(settings: Settings) -> None:
    batch = published(settings, "a.jsonl", FileCounts(quarantined=1))
    wanted = Reprocess((batch.batch_id,))
    left = list(batch.files)

    def look() -> list[BatchFile]:
        found = list(left)
        if left:
            other = ledger(settings).claim_waiting(wanted, lambda: found)
            assert other
            ledger(settings).record(other, State.BRONZE, {found[0].path: FileCounts(published=1)})
            left.clear()
        return found

    assert ledger(settings).claim_waiting(wanted, look) is None


def test_a_batch_that_took_up_rejected_rows_does_not_have_a_file_expire_of_which_others_are_held_back(settings: Settings) -> None:
    whole = published(settings, "a.jsonl", FileCounts(quarantined=1, held_back=1))
    book = ledger(settings)
    again = book.claim_waiting(Reprocess((whole.batch_id,)), lambda: whole.files)
    assert again
    book.record(again, State.BRONZE, {whole.files[0].path: FileCounts(published=1)})
    book.advance(again, State.PUBLISHED)
    assert ledger(settings).expire(LATER) == 0


def test_a_file_is_read_again_as_it_was_claimed_only_and_by_place_only_where_nothing_of_it_is_published(settings: Settings) -> None:
    book = ledger(settings)
    batches = [published(settings, name, FileCounts(published=n)) for n, name in enumerate(("a.jsonl", "b.jsonl", "c.jsonl"))]
    files = [file for batch in batches for file in batch.files]
    land(settings, "c.jsonl", b"other")
    assert book.readable_again(files) == {files[0].path, files[1].path}
    by_place = load_sources(settings)[SOURCE].model_copy(update={"event_id": None})
    assert Ledger(settings, by_place, OpsReader(settings), OpsWriter(settings)).readable_again(files) == {files[0].path}


def test_of_a_file_that_is_read_again_only_the_wanted_places_are_copied(settings: Settings) -> None:
    land(settings, "a.jsonl", b"1\n2\n3\n4\n5\n")
    book = ledger(settings)
    batch = book.claim()
    assert batch
    read, _ = book.read_again(batch, batch.files[0], [2], 4)
    assert (read.records, read.as_it_lies) == (3, False)
    copy = s3_client(settings).get_object(Bucket=settings.lake_bucket, Key=read.copy_in(SOURCE))["Body"].read()
    assert pq.read_table(BytesIO(copy)).column("row").to_pylist() == [2, 4, 5]
