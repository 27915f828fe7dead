"""Landing local files never loses content that nobody has read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from infra.landing import land_files
from lakehouse.errors import ConfigurationError
from lakehouse.ledger import FileCounts, Ledger, State
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import Source, load_sources
from lakehouse.store import list_objects, s3_client

DAY = date(2026, 6, 1)
KEY = "provider_events/date=2026-06-01/tenant=acme/a.jsonl"


def source(settings: Settings) -> Source:
    return load_sources(settings)["provider_events"]


def ledger(settings: Settings) -> Ledger:
    return Ledger(settings, source(settings), OpsReader(settings), OpsWriter(settings))


def land(settings: Settings, *files: Path) -> dict[str, bool]:
    return land_files(settings, source(settings), files, "acme", DAY)


def file(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    written = folder / "a.jsonl"
    written.write_text(text)
    return written


def in_bucket(settings: Settings) -> dict[str, bytes]:
    client, bucket = s3_client(settings), settings.landing_bucket
    return {o.key: client.get_object(Bucket=bucket, Key=o.key)["Body"].read() for o in list_objects(client, bucket)}


def test_two_files_of_one_name_are_refused_before_anything_is_put(settings: Settings, tmp_path: Path) -> None:
    one, other = file(tmp_path / "one", "{}"), file(tmp_path / "other", "{} ")
    with pytest.raises(ConfigurationError, match=f"{one} and {other} have the same name"):
        land(settings, one, other)
    assert in_bucket(settings) == {}


def test_the_same_content_is_put_once(settings: Settings, tmp_path: Path) -> None:
    assert land(settings, file(tmp_path, "{}")) == {KEY: True}
    assert land(settings, file(tmp_path, "{}")) == {KEY: False}


def test_the_same_content_put_by_another_tool_is_there_already(settings: Settings, tmp_path: Path) -> None:
    s3_client(settings).put_object(Bucket=settings.landing_bucket, Key=KEY, Body=b"{}")
    assert land(settings, file(tmp_path, "{}")) == {KEY: False}


def test_content_that_no_batch_has_taken_is_not_overwritten(settings: Settings, tmp_path: Path) -> None:
    land(settings, file(tmp_path, "{}"))
    with pytest.raises(ConfigurationError, match="not in bronze yet"):
        land(settings, file(tmp_path, '{"corrected": 1}'))
    assert in_bucket(settings) == {KEY: b"{}"}


def test_content_that_a_batch_has_claimed_and_not_read_is_not_overwritten(settings: Settings, tmp_path: Path) -> None:
    land(settings, file(tmp_path, "{}"))
    assert ledger(settings).claim() is not None
    with pytest.raises(ConfigurationError, match="not in bronze yet"):
        land(settings, file(tmp_path, '{"corrected": 1}'))
    assert in_bucket(settings) == {KEY: b"{}"}


def test_a_corrected_file_replaces_what_is_in_bronze(settings: Settings, tmp_path: Path) -> None:
    land(settings, file(tmp_path, "{}"))
    batch = ledger(settings).claim()
    assert batch is not None
    ledger(settings).record(batch, State.BRONZE, {KEY: FileCounts(published=1)})
    assert land(settings, file(tmp_path, '{"corrected": 1}')) == {KEY: True}
    assert in_bucket(settings) == {KEY: b'{"corrected": 1}'}
    assert [found.key for found in ledger(settings).pending()] == [KEY]
