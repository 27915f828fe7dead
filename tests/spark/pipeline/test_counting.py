"""What is counted in a file before parsing is what Spark reads from it, whatever bytes it holds; else the books would not balance."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.bronze import hmac_keys, identify, places, splits_of, stage
from jobs.records import key_of, read_records
from lakehouse.landing import MAX_CELLS, inspect
from lakehouse.ledger import Batch, BatchFile
from lakehouse.settings import Settings
from lakehouse.sources import Format, Source
from lakehouse.spark import checkpoint
from lakehouse.store import s3_client

TENANT = "counting"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DEEP = b"[" * 1010 + b"]" * 1010

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
WRAPPED: dict[bytes, int] = {
    b'{"Records": {"a":1, "b":2}}': 1,
    b'{"Records": "abc"}': 1,
    b'{"Records": null}': 1,
    b'[{"Records": [1, 2]}]': 1,
    b'\xef\xbb\xbf{"Records": [1, 2]}': 1,
    b'{"Records": [1, 2]} trailing': 1,
    b'{"Records": [""]}': 1,
    b'{"Records": [" ", "\\t", "\\n\\r"]}': 3,
    b'{"Records": [null, null]}': 2,
    b'{"Records": [1, -2.5e7, true, "x", [1, [2]], {}]}': 6,
    b'{"Records": [1], "Records": [2, 3]}': 2,
    b'{"Records": {}, "Records": [2, 3]}': 2,
    b'{"Records": [1, 2], "Records": []}': 0,
    b'{"records": [1], "Records": [1, 2], "RECORDS": []}': 2,
    b'{"Rec\\u006frds": [1, 2, 3]}': 3,
    b'{"Records": [1, {"a": ' + DEEP + b"}]}": 2,
    b'{"x": ' + DEEP + b', "Records": [1, 2]}': 2,
    b'{"Records": [1, 0.' + b"1" * 1500 + b"]}": 2,
    b'{"Records": [1, {"' + b"k" * 60_000 + b'": 1}]}': 2,
}
CSV: dict[bytes, int] = {
    b"a,b\n1,2\n3,4": 2,
    b"a,b\r\n1,2\r\n\r\n3,4\r\n": 2,
    b"a,b\r\n1,2\n3,4\r\n": 2,
    b'a,b\r\n1,"x\r\ny"\r\n"p\nq","r"\r\n': 2,
    b'a,b\n1,"x\ry"\n': 1,
    b"a,b\n\n1,2\n\n": 1,
    b"\n\na,b\n1,2\n3,4\n": 1,
    b"\r\na,b\r\n1,2\r\n3,4\r\n": 1,
    b"\n\r\n": 0,
    b"a,b\n  \n1,2\n": 2,
    b"a,b\n1\n1,2,3\n1,2\n": 3,
    b"a,b\r\n1\r\n1,2,3\r\n": 2,
    b"a\n1\n\n\n2\n": 2,
    b"a\r\n1\r\n\r\n2\r\n": 2,
    b'a\n""\nx\n': 2,
    b'a\r\n""\r\n" "\r\n \r\n': 3,
    b'a,b\n"\r"\n"\r",\n': 2,
    b'a\n"\r"\nx\n': 1,
    b"\xef\xbb\xbfa,b\n1,2\n": 1,
    b"a,b\n,\n1,\n,2": 3,
    "a,b\n1,\u2028\n\u0085\n".encode(): 2,
    b"a,b,A,\n1,2,3,4\n": 1,
    b"a,b\n1,2\r3,4\n": 1,
    b"a,b\r1,2\r3,4\r": 1,
    b"a,b\n1,2\n\r": 1,
    b"a,b\n1,2\n\r\r\n": 1,
    b"a,b\n1,\0\n3,4\n": 1,
    b'a,b\n1,"open\n3,4\n': 1,
    b'a,b\n"1"x,2\n3,4\n': 1,
    b'a,b\n1"x"y,2\n': 1,
    b"a,b\n\xff,2\n3,4\n": 1,
    b"a,b\n" + b"," * MAX_CELLS + b"\n3,4\n": 1,
}
NAMES: dict[str, int] = {
    "_hidden.jsonl": 1, ".hidden.jsonl": 1, "half._COPYING_": 1, "a.bz2": 1, "a.Zst": 1, "a.deflate": 1, "a.snappy": 1, "plain.GZ": 1,
    "plus+per%20cent and space.jsonl": 2,
}  # fmt: skip
PACKED = gzip.compress(b"x\ny\n")
GZIPPED: dict[bytes, int] = {
    PACKED: 2,
    PACKED + PACKED: 4,
    gzip.compress(b"") + PACKED: 2,
    gzip.compress(b"x") + gzip.compress(b"y"): 1,
    gzip.compress((b"x" * 99 + b"\n") * 60_000): 60_000,
    PACKED + b"\0": 1,
    PACKED + b"\0" * 600 + PACKED: 1,
    PACKED + b"more": 1,
    PACKED[:-4]: 1,
}


def declared(format_: Format) -> Source:
    return Source.model_validate({
        "name": "counting", "description": "A source for tests.", "format": format_, "earliest": "2020-01-01",
        "records_field": "Records" if format_ is Format.JSON_WRAPPED else None,
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
        seen = inspect(source, key, BytesIO(body))
        return BatchFile(key, seen.sha256, "", len(body), NOW, NOW, TENANT, seen.records, seen.header, seen.problem)

    def staged(self, source: Source, batch: Batch) -> DataFrame:
        """The rows that bronze would judge."""
        records = read_records(self._spark, self._settings, source, batch).withColumn("tenant_id", F.lit(TENANT))
        identified = checkpoint(identify(records, source, hmac_keys(self._spark, {TENANT: b"key"})))
        splits, _ = splits_of(identified)
        place = places(self._spark, splits, {s.path: key_of(self._settings, s.path) for s in splits}, renumber=True)
        return stage(identified, place, source, batch)

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


@pytest.mark.parametrize(
    ("format_", "cases"), [(Format.JSON_LINES, LINES), (Format.JSON_WRAPPED, WRAPPED), (Format.CSV, CSV)], ids=["lines", "wrapped", "csv"]
)
def test_both_sides_count_the_records_of_odd_bytes_alike(landing: Landing, format_: Format, cases: dict[bytes, int]) -> None:
    source = declared(format_)
    batch = landing.land(source, both_ways(list(cases)))
    told, read = [f.records for f in batch.files], list(landing.in_spark(source, batch).values())
    expected = [*cases.values(), *cases.values()]
    bodies = [body[:60] for body in (*cases, *cases)]
    assert [odd for odd in zip(bodies, told, read, expected, strict=True) if len({*odd[1:]}) > 1] == []


def test_both_sides_read_the_same_of_names_and_compressions(landing: Landing) -> None:
    source = declared(Format.JSON_LINES)
    packed = {f"{number}.gz": body for number, body in enumerate(GZIPPED)}
    batch = landing.land(source, {**dict.fromkeys(NAMES, b"x\ny\n"), **packed, "upper.GZ": PACKED})
    expected = [*NAMES.values(), *GZIPPED.values(), 2]
    assert [f.records for f in batch.files] == expected
    assert list(landing.in_spark(source, batch).values()) == expected


def test_a_line_is_kept_as_it_stands_without_its_end_and_keeps_its_number(landing: Landing) -> None:
    source = declared(Format.JSON_LINES)
    batch = landing.land(source, {"a": b'\xef\xbb\xbf{"a": "1"}\r\n\r\n \t\n {"a":"\xff"}\r\r\n{"a": "2"}'})
    rows = landing.staged(source, batch).selectExpr("_row", "cast(raw as binary) as raw").orderBy("_row").collect()
    assert [(row["_row"], bytes(row["raw"])) for row in rows] == [(1, b'{"a": "1"}'), (4, b' {"a":"\xff"}\r'), (5, b'{"a": "2"}')]


def test_cells_are_the_same_whichever_way_lines_end(landing: Landing) -> None:
    source = declared(Format.CSV)
    unix = b'a,b\n1,2\n3,\n4,"5"\n'
    batch = landing.land(source, {"unix": unix, "windows": unix.replace(b"\n", b"\r\n")})
    rows = landing.staged(source, batch).groupBy("_source_file").agg(F.sort_array(F.collect_list("raw")).alias("raw")).collect()
    assert [row["raw"] for row in rows] == [['{"a":"1","b":"2"}', '{"a":"3"}', '{"a":"4","b":"5"}']] * 2


def joined(*pieces: bytes) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(pieces), max_size=9).map(b"".join)


ODD_LINES = joined(
    b"\n", b"\n", b"\r", b"\r\n", b" ", b"\t", b"\f", b"\v", b"\0", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xe2\x80", b"\xff",
    b"\xf0", b"x", b'{"a":1}',
)  # fmt: skip
ODD_CSV = st.builds(
    bytes.__add__,
    st.sampled_from((b"a,b\n", b"a,b\r\n", b"a\n", b"a\r\n")),
    joined(
        b"\n", b"\n", b"\r\n", b"\r\n", b"\r", b",", b",", b'"', b'""', b'"\n"', b'"\r\n"', b'"\r"', b" ", b"1", b"x", b"\t",
        b"\xe2\x80\xa8",
    ),
)  # fmt: skip
VALUES = st.sampled_from((
    "null", "1", "-0.0", "1e300", "true", '""', '" "', r'"\u0000"', r'"\n"', '"\u2028"',
    "{}", "[]", "[null]", '{"a": [{}]}', '{"Records": [1]}',
))  # fmt: skip
ARRAYS = st.lists(VALUES, max_size=4).map(lambda values: f"[{', '.join(values)}]")
MEMBERS = st.tuples(st.sampled_from(("Records", "Records", "records", "x")), st.one_of(ARRAYS, ARRAYS, VALUES))
OBJECTS = st.lists(MEMBERS.map(lambda member: f'"{member[0]}": {member[1]}'), max_size=3)
ODD_WRAPPED = OBJECTS.map(lambda members: f"{{{', '.join(members)}}}".encode())


@pytest.mark.parametrize(
    ("format_", "odd"),
    [(Format.JSON_LINES, ODD_LINES), (Format.JSON_WRAPPED, ODD_WRAPPED), (Format.CSV, ODD_CSV)],
    ids=["lines", "wrapped", "csv"],
)
def test_both_sides_count_alike_whatever_the_bytes(landing: Landing, format_: Format, odd: st.SearchStrategy[bytes]) -> None:
    source = declared(format_)

    @settings(max_examples=2, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.lists(odd, min_size=60, max_size=60, unique=True))
    def count(bodies: list[bytes]) -> None:
        batch = landing.land(source, both_ways(bodies))
        read = landing.in_spark(source, batch)
        told = [(body, f.records, read[f.path]) for body, f in zip([*bodies, *bodies], batch.files, strict=True)]
        assert [one for one in told if one[1] != one[2]] == []

    count()
