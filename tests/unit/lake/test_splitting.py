"""Where records begin and end, worked out by hand from the bytes: the good ones whole, the broken ones with their text and reason."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse import splitting, unpacking
from lakehouse.landing import inspect
from lakehouse.sources import Format, Source
from lakehouse.splitting import CUT_BYTES, MAX_RECORD_BYTES, OUTSIDE, TOO_LONG, UNCLOSED, Record, split

FIELDS = {"a": "string", "Login Name": "string", "tags": "array<string>"}
Split = tuple[int, bytes | None, str | None]


def declared(format_: Format) -> Source:
    own = {Format.JSON_WRAPPED: {"records_field": "Records"}, Format.TEXT: {"pattern": "(?<a>.*)", "fields": {"a": "string"}}}
    return Source.model_validate({
        "name": "splitting", "description": "A source for tests.", "format": format_, "earliest": "2020-01-01", "fields": FIELDS,
        "event_time": "current_timestamp()", **own.get(format_, {}),
        "silver": {"table": "silver.billing_customers", "version": 1, "columns": {"customer_id": "a", "as_of": "event_time"}},
    })  # fmt: skip


def records(format_: Format, body: bytes, name: str = "file") -> list[Split]:
    return [(r.row, r.raw, r.problem) for r in split(declared(format_), name, io.BytesIO(body).read)]


def texts(format_: Format, body: bytes) -> list[bytes | None]:
    return [raw for _, raw, _ in records(format_, body)]


ARRAYS: dict[bytes, list[tuple[bytes | None, str | None]]] = {
    b"": [],
    b"[]": [],
    b" [\n] ": [],
    b'[{"a":1},{"b":2}]': [(b'{"a":1}', None), (b'{"b":2}', None)],
    b'[{"a":1},\n{"b":,2},\n,\n{"c":3},\n]': [(b'{"a":1}', None), (b'{"b":,2}', None), (b'{"c":3}', None)],
    b'{"a":1}\r\n{"b":2}\r\n': [(b'{"a":1}', None), (b'{"b":2}', None)],
    b'[{"a":1},{"b":2},\n{"c":3},{"d":4}]\n': [(b'{"a":1}', None), (b'{"b":2}', None), (b'{"c":3}', None), (b'{"d":4}', None)],
    b'[{"a":1}\n,{"b":"}]"}\n]': [(b'{"a":1}', None), (b'{"b":"}]"}', None)],
    b'[\n  {"a": 1,\n   "b": 2},\n  {"a": 2,\n  {"c": 3}\n]': [
        (b'{"a": 1,\n   "b": 2}', None),
        (b'{"a": 2', UNCLOSED),
        (b'{"c": 3}', None),
    ],
    b'[1, "x,]", null, [1, [2]], {}]': [(b"1", None), (b'"x,]"', None), (b"null", None), (b"[1, [2]]", None), (b"{}", None)],
    b'[{"a":"\\"]"},{"b":2}]': [(b'{"a":"\\"]"}', None), (b'{"b":2}', None)],
    b'[{"a":1},{"b":': [(b'{"a":1}', None), (b'{"b":', UNCLOSED)],
    b'[{"a":1}] x [2]': [(b'{"a":1}', None), (b"x", OUTSIDE), (b"2", None)],
    b'{"a":1}': [(b'{"a":1}', None)],
    b'{\n"a":1\n}': [(b'{\n"a":1\n}', OUTSIDE)],
    b'"text"': [(b'"text"', OUTSIDE)],
}
WRAPPED: dict[bytes, list[tuple[bytes | None, str | None]]] = {
    b'{"Records": [1, 2]}': [(b"1", None), (b"2", None)],
    b'{"x": {"Records": [9]}, "Records": [{"a": [1]}, {"b": "]"}]}': [(b'{"a": [1]}', None), (b'{"b": "]"}', None)],
    b'{"Records": [1], "Records": [2]}': [(b"1", None), (b"2", None)],
    b'{"Rec\\u006frds": [1]}{"Records": [2]}': [(b"1", None), (b"2", None)],
    b'{"Records": [1]} more': [(b"1", None), (b"more", OUTSIDE)],
    b'{"Records": [{"a": 1}, {"b"': [(b'{"a": 1}', None), (b'{"b"', UNCLOSED)],
    b'{"Records": null}': [(None, "not an object with an array 'Records'")],
    b'{"records": [1]}': [(None, "not an object with an array 'Records'")],
    b'[{"Records": [1]}]': [(None, "not an object with an array 'Records'")],
}
CSV: dict[bytes, list[tuple[bytes | None, str | None]]] = {
    b"": [],
    b"a,b\n": [],
    b"a,b\n1,2\n3,4": [(b'{"a":"1","b":"2"}', None), (b'{"a":"3","b":"4"}', None)],
    b"a,b\r\n\r\n1,\r\n,\r\n": [(b'{"a":"1"}', None), (b"{}", None)],
    b"a,b\r1,2\r": [(b'{"a":"1","b":"2"}', None)],
    b'a,b\n"x\r\ny","say ""hi"""\n': [(b'{"a":"x\\r\\ny","b":"say \\"hi\\""}', None)],
    b"a,b\n1\n1,2,3\n1,2\n": [(b"1", "not 2 cells"), (b"1,2,3", "not 2 cells"), (b'{"a":"1","b":"2"}', None)],
    b'a,b\n1,"open\n3,4\n': [(b'1,"open', "unexpected end of data"), (b'{"a":"3","b":"4"}', None)],
    b'a,b\n"1"x,2\n3,4\n': [(b'"1"x,2', "',' expected after '\"'"), (b'{"a":"3","b":"4"}', None)],
    b'a,b\n1,"open\n3,"4\n5,6\n': [
        (b'1,"open', "',' expected after '\"'"),
        (b'3,"4', "unexpected end of data"),
        (b'{"a":"5","b":"6"}', None),
    ],
    b"login_name,A,a,,\n1,2,3,4,5\n": [(b'{"Login Name":"1","a":"2","a_3":"3","column_4":"4","column_5":"5"}', None)],
    b"tags\n\"['x', None, True]\"\n\"[\"\"y\"\"]\"\n[z\n": [
        (b'{"tags":["x",null,true]}', None), (b'{"tags":["y"]}', None), (b'{"tags":"[z"}', None),
    ],
    b"a,b\n\xff,\0\n=1+1,-2\n": [(b'{"a":"\xef\xbf\xbd","b":"\\u0000"}', None), (b'{"a":"=1+1","b":"-2"}', None)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("format_", "cases"), [(Format.JSON_ARRAY, ARRAYS), (Format.JSON_WRAPPED, WRAPPED), (Format.CSV, CSV)], ids=["array", "wrapped", "csv"]
)
def test_good_records_are_whole_and_broken_ones_keep_their_text(
    format_: Format, cases: dict[bytes, list[tuple[bytes | None, str | None]]]
) -> None:
    for body, wanted in cases.items():
        assert records(format_, body) == [(row, *record) for row, record in enumerate(wanted, 1)], body


def test_what_csv_calls_a_field_is_told_by_its_name_however_it_is_written() -> None:
    for title in ("Login Name", "login name", " LOGIN_NAME", "login-name"):
        assert texts(Format.CSV, f"{title},b\nx,y\n".encode()) == [b'{"Login Name":"x","b":"y"}']


def test_lines_keep_their_numbers_and_blank_ones_are_none() -> None:
    assert records(Format.JSON_LINES, b'\xef\xbb\xbf{"a":1}\r\n\r\n \t\n {"b":\xff}\r\r\n') == [
        (1, b'{"a":1}', None),
        (4, b' {"b":\xff}\r', None),
    ]


PLAIN = '{"a":"é"}\n{"b":"😀"}\n'.encode()
ENCODED: dict[str, bytes] = {
    "a.jsonl": PLAIN,
    "b.jsonl": b"\xef\xbb\xbf" + PLAIN,
    "c.jsonl": PLAIN.decode().encode("utf-16"),
    "d.jsonl": PLAIN.decode().encode("utf-16-le"),
    "e.jsonl": PLAIN.decode().encode("utf-16-be"),
    "f.jsonl": PLAIN.decode().encode("utf-32"),
    "g.jsonl.gz": gzip.compress(PLAIN),
    "h.jsonl": gzip.compress(PLAIN),
    "i.gz": PLAIN,
    "j.zst": pa.compress(PLAIN, "zstd", asbytes=True),
    "k.json": pa.compress(PLAIN, "zstd", asbytes=True),
    "l.gz": gzip.compress(PLAIN[:12]) + gzip.compress(PLAIN[12:]),
    "_m.jsonl": PLAIN,
    "n.bz2": PLAIN,
    "o.gz": gzip.compress(PLAIN.decode().encode("utf-16")),
}


def test_text_is_read_in_any_encoding_and_packing_whatever_the_name_says() -> None:
    for name, body in ENCODED.items():
        assert records(Format.JSON_LINES, body, name) == [(1, PLAIN[:10], None), (2, '{"b":"😀"}'.encode(), None)], name


def test_spark_reads_as_it_lies_only_what_its_name_tells_it_right() -> None:
    def lies(name: str) -> bool:
        return inspect(declared(Format.JSON_LINES), name, lambda: io.BytesIO(ENCODED[name]), lambda kept: [*kept].clear()).as_it_lies

    assert {name for name in ENCODED if lies(name)} == {"a.jsonl", "b.jsonl", "g.jsonl.gz", "j.zst", "l.gz"}


def test_a_packed_file_that_is_cut_gives_what_comes_before_the_cut() -> None:
    lines = b"".join(b'{"n":%d}\n' % n for n in range(3))
    cut = gzip.compress(lines)[:-9]
    assert records(Format.JSON_LINES, cut, "a.gz") == [
        *((n + 1, b'{"n":%d}' % n, None) for n in range(3)),
        (4, None, "the file cannot be read on: the gzip content ends too early"),
    ]
    assert records(Format.JSON_LINES, gzip.compress(lines) + b"\0padding", "a.gz")[:3] == records(Format.JSON_LINES, lines)
    assert records(Format.JSON_LINES, gzip.compress(lines) + b"\0padding", "a.gz")[3][1] is None


@pytest.mark.parametrize("magic", [b"PK\x03\x04more", b"BZh91AY&SYmore", b"\xfd7zXZ\x00more"])
def test_an_archive_is_refused_with_what_to_do(magic: bytes) -> None:
    ((_, raw, problem),) = records(Format.JSON_LINES, magic)
    assert raw is None
    assert problem is not None
    assert "unpack it before landing it" in problem


def test_a_bomb_is_left_alone_before_it_fills_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "BOMB_BYTES", 1024 * 1024)
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(b'{"a":1}\n') + packer.compress(b"\n" * 8_000_000) + packer.flush()
    found = records(Format.JSON_LINES, bomb, "a.gz")
    assert found[-1][1] is None
    assert "more than 200 times its size" in str(found[-1][2])
    fair = gzip.compress(b"".join(b'{"n":%d}\n' % (n * 7919 % 1_000_003) for n in range(200_000)))
    assert len(records(Format.JSON_LINES, fair, "a.gz")) == 200_000


@pytest.mark.parametrize("format_", [Format.JSON_LINES, Format.JSON_ARRAY, Format.TEXT])
def test_a_record_too_long_for_a_row_is_cut_and_its_neighbours_are_whole(format_: Format) -> None:
    long = b'{"a":"' + b"x" * MAX_RECORD_BYTES + b'"}'
    found = list(split(declared(format_), "file", io.BytesIO(b'{"b":1}\n' + long + b'\n{"c":2}\n').read))
    assert [(r.row, r.whole, r.problem) for r in found] == [(1, True, None), (2, False, TOO_LONG), (3, True, None)]
    assert found[1].raw == long[:CUT_BYTES]
    seen = inspect(declared(format_), "file", lambda: io.BytesIO(long), lambda kept: [*kept].clear())
    assert (seen.records, seen.as_it_lies, seen.problem) == (1, False, TOO_LONG)


def test_an_array_that_never_ends_a_record_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(splitting, "CHUNK_BYTES", 100)
    found = list(split(declared(Format.JSON_ARRAY), "file", io.BytesIO(b'[{"a":1},' + b"[" * 100_000).read))
    assert [(r.raw and r.raw[:8], r.problem) for r in found] == [(b'{"a":1}', None), (b"[[[[[[[[", TOO_LONG)]


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def test_parquet_rows_become_objects_that_hide_no_value() -> None:
    table = pa.table({
        "n": [1, None],
        "f": [float("nan"), 1.5],
        "t": pa.array([datetime(2026, 3, 1, 12), None], pa.timestamp("ns")),
        "d": [Decimal("1.10"), None],
        "b": [b"\xff", b"x"],
        "s": [{"z": [1]}, None],
    })  # fmt: skip
    assert texts(Format.PARQUET, parquet(table)) == [
        b'{"n":1,"f":"nan","t":"2026-03-01T12:00:00","d":"1.10","b":"/w==","s":{"z":[1]}}',
        b'{"n":null,"f":1.5,"t":null,"d":null,"b":"x","s":null}',
    ]


NO_PARQUET = (
    "not Parquet that can be read: Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file."
)


def test_parquet_that_is_spoilt_gives_the_rows_before_the_spoilt_place() -> None:
    whole = parquet(pa.table({"n": list(range(10))}))
    assert records(Format.PARQUET, whole[:-4])[0][1] is None
    assert records(Format.PARQUET, b"not Parquet") == [
        (1, None, NO_PARQUET)
    ]  # fmt: skip


PIECES = st.lists(
    st.sampled_from((b"[", b"]", b"{", b"}", b",", b'"', b"\\", b":", b"\n", b" ", b"1", b'{"a":1}', b'"Records"', b"\xff", b"\0")),
    max_size=12,
).map(b"".join)


@pytest.mark.parametrize("format_", list(Format))
def test_no_bytes_are_lost_without_a_word_or_end_the_splitting(format_: Format) -> None:
    counted: Callable[[bytes], None]

    @given(PIECES)
    def counted(body: bytes) -> None:
        found: list[Record] = list(split(declared(format_), "file", io.BytesIO(body).read))
        assert [r.row for r in found] == sorted({r.row for r in found})
        said = sum(len(r.raw or b"") for r in found)
        digits = body.count(b"1")
        is_json = format_ in (Format.JSON_LINES, Format.JSON_ARRAY, Format.TEXT)
        assert not (is_json and digits and not found)
        assert not is_json or any(r.raw is None for r in found) or said >= digits

    counted()
