"""Rotten files: what is wrong in each, put together by hand, with how many of its records are good.

Does not belong here: landing them, or judging what became of them.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.splitting import MAX_RECORD_BYTES

LINES, ARRAY, WRAPPED, CSV, PARQUET, TEXT = "rotten_lines", "rotten_array", "rotten_wrapped", "rotten_csv", "rotten_parquet", "rotten_text"
AT = "2026-03-01T10:00:00Z"


@dataclass(frozen=True)
class Rotten:
    """A file.

    Args:
        source: it is landed for.
        name: of the file.
        body: its bytes.
        good: records in it that bronze publishes.
        bad: records in it that are quarantined.
    """

    source: str
    name: str
    body: bytes
    good: int
    bad: int


def good_record(number: int) -> bytes:
    return b'{"id":"good%d","at":"%s"}' % (number, AT.encode())


def _with(more: bytes, at: str = AT) -> bytes:
    return b'{"id":"x","at":"%s",%s}' % (at.encode(), more)


DEEP = 10_000
RECORDS: dict[str, tuple[bytes, bool]] = {
    "nested ten thousand deep": (_with(b'"d":' + b"[" * DEEP + b"]" * DEEP), False),
    "objects nested deep": (_with(b'"d":' + b'{"a":' * 2000 + b"1" + b"}" * 2000), False),
    "one key twice": (_with(b'"id":"x"'), True),
    "a raw NUL": (_with(b'"v":"\0"'), False),
    "an escaped NUL": (_with(rb'"v":"\u0000"'), True),
    "1e400": (_with(b'"n":1e400'), True),
    "beyond 64 bits where a long is declared": (_with(b'"b":92233720368547758080'), False),
    "beyond 64 bits elsewhere": (_with(b'"c":92233720368547758080'), True),
    "a time of 1970": (_with(b'"v":1', "1970-01-01T00:00:00Z"), True),
    "a time of 9999": (_with(b'"v":1', "9999-12-31T23:59:59Z"), True),
    "a time of 99999": (_with(b'"v":1', "99999-01-01T00:00:00Z"), False),
    "no time": (b'{"id":"x","at":null}', False),
    "no id": (b'{"at":"%s"}' % AT.encode(), False),
    "an empty object": (b"{}", False),
    "a text where an object is declared": (_with(b'"s":"text"'), False),
    "a number where an array is declared": (_with(b'"a":5'), False),
    "an object where a number is declared": (_with(b'"n":{"x":1}'), False),
    "an array of nulls": (_with(b'"a":[null,null]'), True),
    "a thousand new fields": (_with(b",".join(b'"f%d":%d' % (n, n) for n in range(1000))), True),
    "a name of sixty thousand letters": (_with(b'"' + b"k" * 60_000 + b'":1'), False),
    "bytes that are no UTF-8": (_with(b'"v":"\xff\xfe\xc3"'), True),
    "half a surrogate pair": (_with(rb'"v":"\ud800"'), True),
    "a formula": (_with(b'"v":"=cmd|\' /C calc\'!A0"'), True),
    "markup": (_with(b'"v":"<script>alert(1)</script>\\u003c"'), True),
    "SQL": (_with(b'"v":"\'; drop table silver.auth_events; --"'), True),
    "never closed": (b'{"id":"x","at":"%s"' % AT.encode(), False),
    "a value left out": (_with(b'"v":'), False),
    "a name without quotation marks": (_with(b"v:1"), False),
    "NaN": (_with(b'"n":NaN'), False),
    "a number": (b"7", False),
    "a text": (b'"text"', False),
    "null": (b"null", False),
    "an array": (b"[1]", False),
    "words": (b"Lorem ipsum", False),
    "control characters": (b"\x01\x02\x1b[31m", False),
}
"""What stands between two good records, and whether it is one, too."""

UNCLOSED = ("never closed",)
"""Swallows what follows it in an array that has no lines."""
WAYS = ("plain", "crlf", "bom", "utf-16", "gzip", "zstd", "no ending")


def _packed(body: bytes, way: str, name: str) -> tuple[str, bytes]:
    if way == "crlf":
        return name, body.replace(b"\n", b"\r\n")
    if way == "bom":
        return name, b"\xef\xbb\xbf" + body
    if way == "utf-16":
        return name, body.decode("utf-8", "replace").encode("utf-16-le")
    if way == "gzip":
        return f"{name}.gz", gzip.compress(body, mtime=0)
    if way == "zstd":
        return f"{name}.zst", pa.compress(body, "zstd", asbytes=True)
    return (name.partition(".")[0] + ".csv.gz", body) if way == "no ending" else (name, body)


def in_lines() -> Iterator[Rotten]:
    for number, (record, is_good) in enumerate(RECORDS.values()):
        for way in WAYS[number % 2 :: 2] if number % 3 else WAYS:
            if way == "utf-16" and b"\0" in record:
                continue
            name, body = _packed(b"\n".join((good_record(1), record, good_record(2))) + b"\n", way, f"r{number}-{way}.jsonl")
            yield Rotten(LINES, name, body, 2 + is_good, 1 - is_good)


def in_arrays() -> Iterator[Rotten]:
    for number, (what, (record, is_good)) in enumerate(RECORDS.items()):
        good, bad = 2 + is_good, 1 - is_good
        one, two = good_record(1), good_record(2)
        yield Rotten(ARRAY, f"r{number}-lines.json", b"[" + one + b",\n" + record + b",\n" + two + b"\n]\n", good, bad)
        if what in UNCLOSED or what in ("words", "control characters", "a raw NUL"):
            continue
        yield Rotten(ARRAY, f"r{number}-compact.json", b"[" + b",".join((one, record, two)) + b"]", good, bad)
        yield Rotten(WRAPPED, f"r{number}.json", b'{"v":1,"Records":[' + b" , ".join((one, record, two)) + b"]}", good, bad)


def _table(body: bytes) -> bytes:
    return b"id,at,v\r\ngood1," + AT.encode() + b",1\r\n" + body + b"\r\ngood2," + AT.encode() + b",2\r\n"


CELLS: dict[bytes, tuple[int, int]] = {
    b"x,%s,=1+1": (1, 0),
    b"x,%s,@SUM(A1)": (1, 0),
    b'x,%s,"a ""quoted"" cell"': (1, 0),
    b'x,%s,"two\r\nlines"': (1, 0),
    b"x,%s,": (1, 0),
    b"x,,1": (0, 1),
    b",%s,1": (0, 1),
    b"x,%s": (0, 1),
    b"x,%s,1,2": (0, 1),
    b'x,%s,"open': (0, 1),
    b'x,%s,"1"2': (0, 1),
    b"x,%s,\xff\xfe": (1, 0),
    b"x,%s,\0": (1, 0),
    b"\r\n\r\nx,%s,1": (1, 0),
    b"x,1970-01-01T00:00:00Z,1": (1, 0),
    b"x," + b"9" * 400 + b",1": (0, 1),
}


def in_tables() -> Iterator[Rotten]:
    for number, (row, (good, bad)) in enumerate(CELLS.items()):
        body = _table(row.replace(b"%s", AT.encode()))
        for way in ("plain", "gzip", "bom"):
            yield Rotten(CSV, *_packed(body, way, f"r{number}-{way}.csv"), 2 + good, bad)
    titles = b"ID, At ,v,v,\n" + b"good1," + AT.encode() + b",1,2,3\n"
    yield Rotten(CSV, "titles.csv", titles, 1, 0)
    yield Rotten(CSV, "header-alone.csv", b"id,at,v\n", 0, 0)
    yield Rotten(CSV, "header-open.csv", b'"id,at\n1,2\n', 0, 1)
    yield Rotten(
        CSV, "wide.csv", b"id,at," + b",".join(b"c%d" % n for n in range(1000)) + b"\nx," + AT.encode() + b",1" * 1000 + b"\n", 1, 0
    )


def _parquet(**columns: list[object]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def in_parquet() -> Iterator[Rotten]:
    whole = _parquet(id=["good1", "good2"], at=[AT, AT], n=[float("nan"), 1.0])
    yield Rotten(PARQUET, "nan.parquet", whole, 1, 1)
    yield Rotten(PARQUET, "gzip.parquet.gz", gzip.compress(_parquet(id=["good1"], at=[AT]), mtime=0), 1, 0)
    yield Rotten(PARQUET, "cut.parquet", whole[:-20], 0, 1)
    yield Rotten(PARQUET, "head.parquet", whole[:20], 0, 1)
    yield Rotten(PARQUET, "spoilt.parquet", whole[:4] + bytes(40) + whole[44:], 0, 1)
    yield Rotten(PARQUET, "text.parquet", b"id,at\n1,2\n", 0, 1)
    yield Rotten(PARQUET, "others.parquet", _parquet(name=["a"]), 0, 1)
    yield Rotten(PARQUET, "types.parquet", _parquet(id=[1], at=[AT], s=["text"]), 0, 1)
    yield Rotten(PARQUET, "bytes.parquet", _parquet(id=[b"good1"], at=[AT], v=[b"\xff\0"]), 1, 0)
    yield Rotten(PARQUET, "none.parquet", _parquet(id=[], at=[]), 0, 0)


def in_text() -> Iterator[Rotten]:
    for number, (line, is_good) in enumerate({
        b"x said nothing": False,
        b"2026-03-01T10:00:00Z x": True,
        b"2026-03-01T10:00:00Z \x01$1\\1": True,
        b"2026-03-01T10:00:00Z \xff": True,
        b"2026-03-01T10:00:00Z \0": True,
        b"2026-13-01T10:00:00Z x": False,
        b"2026-03-01T10:00:00Z " + b"a" * 100_000: True,
    }.items()):  # fmt: skip
        for way in ("plain", "crlf", "gzip", "zstd"):
            body = b"\n".join((b"2026-03-01T10:00:00Z good1", line, b"", b"2026-03-01T10:00:00Z good2"))
            yield Rotten(TEXT, *_packed(body, way, f"r{number}-{way}.log"), 2 + is_good, 1 - is_good)


NAMES = (
    "_hidden", ".hidden", "half._COPYING_", "a b.jsonl", "..dots.jsonl", "n" * 200, "é中😀.jsonl", "per%20cent+.jsonl",
    "=cmd().jsonl", "quote'\".jsonl", "a,b;c.jsonl", "{a}[b]*?.jsonl", "tab\tname", "/".join("n" * 200 for _ in range(4)) + ".jsonl",
)  # fmt: skip


def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(good_record(1) + b"\n") + b"".join(packer.compress(bytes(2**20)) for _ in range(80)) + packer.flush()


def as_files() -> Iterator[Rotten]:
    two = good_record(1) + b"\n" + good_record(2) + b"\n"
    packed = gzip.compress(b"".join(good_record(n) + b"\n" for n in (1, 2, 3)), mtime=0)
    yield Rotten(LINES, "empty.jsonl", b"", 0, 0)
    yield Rotten(LINES, "empty.jsonl.gz", gzip.compress(b"", mtime=0), 0, 0)
    yield Rotten(LINES, "blank.jsonl", b"\n \n\t\r\n", 0, 0)
    yield Rotten(LINES, "cut.jsonl.gz", packed[:-9], 3, 1)
    yield Rotten(LINES, "head.jsonl.gz", packed[:5], 0, 1)
    yield Rotten(LINES, "padded.jsonl.gz", packed + bytes(512), 3, 1)
    yield Rotten(LINES, "noise.zst", b"\x28\xb5\x2f\xfd" + bytes(range(60)), 0, 1)
    yield Rotten(LINES, "archive.zip", b"PK\x03\x04" + bytes(60), 0, 1)
    yield Rotten(LINES, "binary.jsonl", bytes(range(256)), 0, 2)
    yield Rotten(LINES, "bomb.jsonl.gz", _bomb(), 1, 1)
    yield Rotten(LINES, "long.jsonl", good_record(1) + b"\n" + b"x" * (3 * MAX_RECORD_BYTES) + b"\n" + good_record(2), 2, 1)
    yield Rotten(ARRAY, "lines.json", two, 2, 0)
    yield Rotten(ARRAY, "empty.json", b"[]", 0, 0)
    yield Rotten(ARRAY, "commas.json", b"[,,\n" + good_record(1) + b",\n,\n" + good_record(2) + b",,\n]", 2, 0)
    yield Rotten(ARRAY, "open.json", b"[" + good_record(1) + b"," + b"[" * 100_000, 1, 1)
    yield Rotten(ARRAY, "pretty.json", json.dumps([json.loads(good_record(n)) for n in (1, 2)], indent=2).encode(), 2, 0)
    yield Rotten(WRAPPED, "other.json", b'{"Events":[1,2]}', 0, 1)
    yield Rotten(WRAPPED, "array.json", b"[1,2]", 0, 1)
    yield Rotten(WRAPPED, "cut.json", b'{"Records":[' + good_record(1) + b"," + good_record(2)[:9], 1, 1)
    for number, name in enumerate(NAMES):
        yield Rotten(LINES, f"{number}/{name}", two, 2, 0)


def all_files() -> list[Rotten]:
    """Every rotten file."""
    return [*in_lines(), *in_arrays(), *in_tables(), *in_parquet(), *in_text(), *as_files()]
