"""The file ledger: of racing claims one wins, and a claim whose process died is found."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from lakehouse.ledger import Batch, FileCounts, Ledger, State
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import SHIPPED_SOURCES, Settings
from lakehouse.sources import load_sources
from lakehouse.store import s3_client

SOURCE = "provider_events"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def settings(endpoint: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    name = f"t{abs(hash(request.node.name)) % 10**8}"
    made = Settings(
        home=tmp_path, s3_endpoint=endpoint, s3_access_key_id=SecretStr("key"), s3_secret_access_key=SecretStr("secret"),
        lake_bucket=f"{name}-lake", landing_bucket=f"{name}-landing", sources_dirs=(SHIPPED_SOURCES,),
    )  # fmt: skip
    for bucket in (made.lake_bucket, made.landing_bucket):
        s3_client(made).create_bucket(Bucket=bucket)
    OpsWriter(made).create_tables()
    return made


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
