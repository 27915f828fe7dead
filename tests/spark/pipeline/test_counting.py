"""What is counted in a file before parsing is what Spark reads from it, whatever bytes it holds; else the books would not balance."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from io import BytesIO

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.bronze import hmac_keys, identify, splits_of, stage, with_places
from jobs.records import key_of, read_records
from lakehouse.landing import inspect
from lakehouse.ledger import Batch, BatchFile
from lakehouse.settings import Settings
from lakehouse.sources import Format, Source
from lakehouse.spark import checkpoint
from lakehouse.split_copies import key_of_copy, put_copy
from lakehouse.store import s3_client

TENANT = "counting"
NOW = datetime(2026, 6, 1, tzinfo=UTC)

LINES: dict[bytes, int] = {
    b'{"a":1}\n\t\n{"b":2}': 2,
    b'{"a":1}\r{"b":2}': 1,
    b'{"a":1}\r\n\r\n \t\r\n{"b":2}\r\n': 2,
    b"\r": 0,
    b"\n\n": 0,
    b"x\r\r\n\ry": 2,
    b"\f\n\v\n\x1c\n\x85\n": 4,
    "\u00a0\n\u2028\n\u0085\n\u3000".encode(): 4,
    b"\0\n\0\0": 2,
    b"\xef\xbb\xbf": 0,
    b"\xef\xbb\xbf\n\xef\xbb\xbf\n": 1,
    b'\xef\xbb\xbf{"a":1}\n': 1,
    b"\xff\n\xe2\x80\n\xe2\r\n\xf0": 4,
    b" \xe2\n \xe2\r": 2,
}
NAMES = (
    "_hidden.jsonl", ".hidden.jsonl", "half._COPYING_", "a.bz2", "a.Zst", "a.deflate", "a.snappy", "plain.GZ", "-", "a,b;c", "{a}[b]*?",
    "plus+per%20cent and space.jsonl", "n" * 200, "é\u4e2d\U0001f600",
)  # fmt: skip
PACKED = gzip.compress(b"x\ny\n")
GZIPPED: dict[bytes, int] = {
    PACKED: 2,
    PACKED + PACKED: 4,
    gzip.compress(b"") + PACKED: 2,
    gzip.compress(b"x") + gzip.compress(b"y"): 1,
    gzip.compress((b"x" * 99 + b"\n") * 60_000): 60_000,
    PACKED + b"\0": 3,
    PACKED + b"\0" * 600 + PACKED: 3,
    PACKED + b"more": 3,
    PACKED[:-4]: 3,
}
"""Content with its records: lines, and one that says so where the content is not gzip to its end."""


def declared(format_: Format) -> Source:
    return Source.model_validate({
        "name": "counting", "description": "A source for tests.", "format": format_, "earliest": "2020-01-01",
        "fields": {"a": "string"}, "event_id": "a", "event_time": "current_timestamp()",
        "silver": {"table": "silver.billing_customers", "version": 1, "columns": {"customer_id": "a", "as_of": "event_time"}},
    })  # fmt: skip


class Landing:
    """Lands files for no ledger and counts them on both sides."""

    def __init__(self, spark: SparkSession, instance: Settings) -> None:
        self._spark = spark
        self._settings = instance
        self._client = s3_client(instance)

    def land(self, source: Source, bodies: Mapping[str, bytes]) -> Batch:
        """Put files by name, and count them in Python."""
        prefix = f"{source.name}/date=2026-06-01/tenant={TENANT}/{uuid.uuid4().hex}"
        return Batch("counting-0000000001", source.name, NOW, tuple(self._put(source, f"{prefix}/{n}", b) for n, b in bodies.items()))

    def _put(self, source: Source, key: str, body: bytes) -> BatchFile:
        self._client.put_object(Bucket=self._settings.landing_bucket, Key=key, Body=body)
        seen = inspect(source, key, lambda: BytesIO(body), partial(put_copy, self._settings, key, key_of_copy(source.name, key, "etag")))
        return BatchFile(key, seen.sha256, "etag", len(body), NOW, NOW, TENANT, seen.records, seen.as_it_lies, seen.problem)

    def staged(self, source: Source, batch: Batch) -> DataFrame:
        """The rows that bronze would judge."""
        records = read_records(self._spark, self._settings, source, batch).withColumn("tenant_id", F.lit(TENANT))
        staged = checkpoint(stage(identify(records, source, hmac_keys(self._spark, {TENANT: b"key"})), source, batch))
        splits, _ = splits_of(staged)
        return with_places(staged, splits, {s.path: batch.by_path[key_of(self._settings, s.path, s.block)] for s in splits}, source, batch)

    def in_spark(self, source: Source, batch: Batch) -> dict[str, int]:
        """Records by key."""
        counted = {row["_source_file"]: row["count"] for row in self.staged(source, batch).groupBy("_source_file").count().collect()}
        return {f.path: counted.get(f.path, 0) for f in batch.files}


@pytest.fixture(scope="module")
def landing(spark: SparkSession, spark_stack: Settings) -> Landing:
    return Landing(spark, spark_stack)


def both_ways(bodies: Sequence[bytes]) -> dict[str, bytes]:
    """Every body plain and gzipped, by name."""
    plain = {f"{number}.txt": body for number, body in enumerate(bodies)}
    return {**plain, **{f"{name}.gz": gzip.compress(body) for name, body in plain.items()}}


def test_both_sides_count_the_records_of_odd_bytes_alike(landing: Landing) -> None:
    source = declared(Format.JSON_LINES)
    batch = landing.land(source, both_ways(list(LINES)))
    told, read = [f.records for f in batch.files], list(landing.in_spark(source, batch).values())
    expected = [*LINES.values(), *LINES.values()]
    bodies = [body[:60] for body in (*LINES, *LINES)]
    assert [odd for odd in zip(bodies, told, read, expected, strict=True) if len({*odd[1:]}) > 1] == []


def test_both_sides_read_the_same_of_names_and_compressions(landing: Landing) -> None:
    source = declared(Format.JSON_LINES)
    packed = {f"{number}.gz": body for number, body in enumerate(GZIPPED)}
    batch = landing.land(source, {**dict.fromkeys(NAMES, b"x\ny\n"), **packed, "upper.GZ": PACKED})
    expected = [*(2 for _ in NAMES), *GZIPPED.values(), 2]
    assert [f.records for f in batch.files] == expected
    assert list(landing.in_spark(source, batch).values()) == expected


def test_a_line_is_kept_as_it_stands_without_its_end_and_keeps_its_number(landing: Landing) -> None:
    source = declared(Format.JSON_LINES)
    batch = landing.land(source, {"a": b'\xef\xbb\xbf{"a": "1"}\r\n\r\n \t\n {"a":"\xff"}\r\r\n{"a": "2"}'})
    rows = landing.staged(source, batch).select("_row", "raw").orderBy("_row").collect()
    assert [(row["_row"], row["raw"]) for row in rows] == [(1, '{"a": "1"}'), (4, ' {"a":"\ufffd"}\r'), (5, '{"a": "2"}')]


def test_a_record_of_a_copy_keeps_its_place_and_why_it_cannot_be_read(landing: Landing) -> None:
    source = declared(Format.CSV)
    batch = landing.land(source, {"a.csv": b'a,b\n1,2\n3\n\n4,"5"\n', "b.csv": b"b;a\n1;2"})
    rows = landing.staged(source, batch).select("_source_file", "_row", "raw", "_corrupt").orderBy("_source_file", "_row").collect()
    assert [(row["_source_file"][-5:], row["_row"], row["raw"], row["_corrupt"]) for row in rows] == [
        ("a.csv", 1, '{"a":"1","b":"2"}', None),
        ("a.csv", 2, "3", "not 2 cells"),
        ("a.csv", 3, '{"a":"4","b":"5"}', None),
        ("b.csv", 1, '{"b;a":"1;2"}', None),
    ]


def joined(*pieces: bytes) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(pieces), max_size=9).map(b"".join)


ODD_LINES = joined(
    b"\n", b"\n", b"\r", b"\r\n", b" ", b"\t", b"\f", b"\v", b"\0", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xe2\x80", b"\xff",
    b"\xf0", b"x", b'{"a":1}',
)  # fmt: skip


def test_both_sides_count_alike_whatever_the_bytes(landing: Landing) -> None:
    source = declared(Format.JSON_LINES)

    @settings(max_examples=2, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.lists(ODD_LINES, min_size=60, max_size=60, unique=True))
    def count(bodies: list[bytes]) -> None:
        batch = landing.land(source, both_ways(bodies))
        read = landing.in_spark(source, batch)
        told = [(body, f.records, read[f.path]) for body, f in zip([*bodies, *bodies], batch.files, strict=True)]
        assert [one for one in told if one[1] != one[2]] == []

    count()
