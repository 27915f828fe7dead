"""Rows that wait: how batches that take them up are told apart, grouped, and written down."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pyspark.errors import PySparkException
from tenacity import wait_none

from jobs import quarantine
from jobs.quarantine import COMMIT_ATTEMPTS
from jobs.waiting import MOST_BATCHES, _without_common_files, with_counted_records
from lakehouse.ledger import Batch, BatchFile, FileCounts, Release, Reprocess, Waiting

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def file(path: str, records: int) -> BatchFile:
    return BatchFile(path, "sha", "etag", 1, NOW, NOW, "acme", records)


@pytest.mark.parametrize("wanted", [Release("s-1", "acme"), Reprocess(("s-1", "s-2"), reason="unparseable"), None])
def test_a_batch_is_read_from_its_object_as_it_was_put(wanted: Waiting | None) -> None:
    release, again = (wanted if isinstance(wanted, kind) else None for kind in (Release, Reprocess))
    batch = Batch("s-3", "s", NOW, (file("a", 2),), release, {}, again)  # type: ignore[arg-type]
    read = Batch.from_json(batch.to_json())
    assert read == batch
    assert read.takes_out == wanted


def test_a_release_that_was_claimed_before_there_was_reprocessing_is_read() -> None:
    told = orjson.loads(Batch("s-3", "s", NOW, (file("a", 2),), Release("s-1", "acme")).to_json())
    del told["reprocess"]
    for one in told["files"]:
        del one["copied_for"]
    assert Batch.from_json(orjson.dumps(told)).takes_out == Release("s-1", "acme")


def test_batches_with_a_file_of_one_name_are_taken_up_one_after_the_other() -> None:
    groups = list(_without_common_files({"s-3": {"a"}, "s-1": {"a", "b"}, "s-2": {"c"}, "s-4": {"d"}}))
    assert groups == [["s-1", "s-2"], ["s-3", "s-4"]]


def test_a_batch_takes_up_rows_of_so_many_batches_at_most() -> None:
    groups = list(_without_common_files({f"s-{n:010d}": {str(n)} for n in range(MOST_BATCHES + 1)}))
    assert [len(group) for group in groups] == [MOST_BATCHES, 1]


def test_what_a_copy_of_some_records_is_called_differs_from_that_of_the_whole_file() -> None:
    whole = file("a", 2)
    some = BatchFile(**{**whole.__dict__, "copied_for": "s-3"})
    assert whole.copy_in("s") != some.copy_in("s")


def test_a_settled_batch_accounts_for_the_records_that_were_counted() -> None:
    batch = Batch("s-3", "s", NOW, (file("a", 1), file("b", 1)))
    counts = {"a": FileCounts(published=3, duplicate=1), "b": FileCounts(quarantined=1)}
    assert [f.records for f in with_counted_records(batch, counts).files] == [4, 1]


@pytest.mark.parametrize(("refused", "passes"), [(COMMIT_ATTEMPTS - 1, True), (COMMIT_ATTEMPTS, False)])
def test_settling_outlasts_other_commits_to_the_table_but_not_for_ever(monkeypatch: pytest.MonkeyPatch, refused: int, passes: bool) -> None:
    tried: list[str] = []

    def commit(_session: object, _statement: str, transaction: str, _about: object) -> None:
        tried.append(transaction)
        if len(tried) <= refused:
            raise PySparkException("[DELTA_CONCURRENT_APPEND] another transaction added files")

    monkeypatch.setattr(quarantine, "run_once", commit)
    settling: Any = quarantine._commit
    monkeypatch.setattr(settling.retry, "wait", wait_none())
    with nullcontext() if passes else pytest.raises(PySparkException):
        settling(None, "s-3.release", {})
    assert tried == ["s-3.release"] * COMMIT_ATTEMPTS
