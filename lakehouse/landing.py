"""Landed files as they are before parsing: what their path says, what their bytes are, how many records they hold.

What is counted here is read by Spark: LINE_END, BLANK and what makes a file unreadable are said once, for both.
Does not belong here: batches and states (lakehouse.ledger), or parsing a record (jobs).
"""

from __future__ import annotations

import csv
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import orjson

from lakehouse.sources import LANDING_KEY, Format, Source

CHUNK_BYTES = 4 * 1024 * 1024
Counted = tuple[int, tuple[str, ...], str | None]
"""Records, CSV header, and why the file as a whole cannot be read."""
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW_BITS = 31
PACKED_BYTES = 64 * 1024
UTF8_BOM = b"\xef\xbb\xbf"

LINE_END = "\n"
"""What ends a line; a carriage return before it belongs to the end, any other is text of the line."""
BLANK = " \t\r"
"""What a line may consist of without being a record: the white space of JSON."""

SKIPPED_NAMES = ("_", ".")
"""Beginnings of names that Spark takes for files of its own and does not read."""
SKIPPED_ENDING = "._copying_"
MAX_CELLS = 20_480
"""Cells that Spark reads in a row of csv."""
OTHER_COMPRESSIONS = (".bz2", ".deflate", ".lz4", ".snappy", ".zst")
"""Endings, in lower case, of names whose content Spark would decompress."""


@dataclass(frozen=True)
class Inspected:
    """What reading a file's bytes once tells.

    Args:
        sha256: of the content as landed.
        records: records counted without parsing their fields; for a wrapper that cannot be read, 1.
        header: for csv: the column names as they stand in the file.
        problem: why the file as a whole cannot be read; None when it can.
    """

    sha256: str
    records: int
    header: tuple[str, ...] = ()
    problem: str | None = None


def tenant_of(source: str, key: str) -> str | None:
    """The tenant that the path names; None where the path is not of the landing layout."""
    match = LANDING_KEY.match(key)
    return match["tenant"] if match and match["source"] == source else None


def inspect(source: Source, key: str, body: IO[bytes]) -> Inspected:
    """Hash a landed file and count its records, in one pass over its bytes and in bounded memory (csv and json_lines)."""
    hashed = _Hashing(body)
    try:
        counted: Counted = COUNTERS[source.format](source, _plain(key, hashed))
    except (EOFError, OSError, zlib.error, _Unreadable) as error:
        counted = (1, (), str(error))
    hashed.exhaust()
    records, header, problem = counted
    return Inspected(hashed.digest(), records, header, problem)


class _Unreadable(Exception):
    """The file as a whole is not what its name or declaration says."""


class _Hashing(io.RawIOBase):
    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self._sha = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._body.read(len(buffer))
        self._sha.update(data)
        buffer[: len(data)] = data
        return len(data)

    def exhaust(self) -> None:
        while data := self._body.read(CHUNK_BYTES):
            self._sha.update(data)

    def digest(self) -> str:
        return self._sha.hexdigest()


class _Unpacked(io.RawIOBase):
    """The content of gzip members that follow each other. What else follows a member, padding too, is an error, as it is to Spark."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._member = zlib.decompressobj(GZIP_WINDOW_BITS)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            packed = rest or self._packed.read(PACKED_BYTES)
            if self._member.eof:
                if not packed:
                    return 0
                self._member = zlib.decompressobj(GZIP_WINDOW_BITS)
            data = self._member.decompress(packed, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not packed and not self._member.eof:
                raise EOFError("the gzip content ends too early")


def _plain(key: str, hashed: _Hashing) -> Any:
    name = key.rpartition("/")[2].lower()
    if name.startswith(SKIPPED_NAMES) or name.endswith(SKIPPED_ENDING):
        raise _Unreadable(f"files are not read whose names begin with {' or '.join(SKIPPED_NAMES)}, or end in {SKIPPED_ENDING}")
    if name.endswith(OTHER_COMPRESSIONS):
        raise _Unreadable("of compressed files, only gzip is read")
    buffered = io.BufferedReader(hashed, CHUNK_BYTES)
    is_gzip = buffered.peek(2)[:2] == GZIP_MAGIC
    if is_gzip != name.endswith(".gz"):
        raise _Unreadable(
            "the name ends in .gz but the content is not gzip" if not is_gzip else "the content is gzip but the name does not end in .gz"
        )
    return io.BufferedReader(_Unpacked(buffered), CHUNK_BYTES) if is_gzip else buffered


def _chunks(body: Any) -> Iterator[bytes]:
    while data := body.read(CHUNK_BYTES):
        yield data


def _count_lines(_source: Source, body: Any) -> Counted:
    return sum(_filled_lines(_chunks(body))), (), None


def _filled_lines(chunks: Iterable[bytes]) -> Iterator[int]:
    end, blank = LINE_END.encode(), BLANK.encode()
    rest, first = b"", True
    for chunk in chunks:
        block, found, rest = (rest + (chunk.removeprefix(UTF8_BOM) if first else chunk)).rpartition(end)
        first = False
        yield sum(1 for line in block.split(end) if line.strip(blank)) if found else 0
    yield 1 if rest.strip(blank) else 0


def _count_wrapped(source: Source, body: Any) -> Counted:
    try:
        records = orjson.loads(body.read())[source.records_field]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise _Unreadable(f"not an object with an array {source.records_field!r}: {type(error).__name__}") from error
    if not isinstance(records, list):
        raise _Unreadable(f"{source.records_field!r} is not an array")
    return len(records), (), None


def _count_csv(_source: Source, body: Any) -> Counted:
    try:
        rows = csv.reader(_csv_lines(body), strict=True)
        header = tuple(next(rows, ()))
        if not header and any(rows):
            raise csv.Error("a blank line comes before the header")
        return sum(_is_record(row, header) for row in rows), header, None
    except (csv.Error, UnicodeDecodeError) as error:
        raise _Unreadable(f"not csv in UTF-8: {error}") from error


def _csv_lines(body: Any) -> Iterator[str]:
    for line in io.TextIOWrapper(body, encoding="utf-8-sig", newline=LINE_END):
        text = line.removesuffix("\r" + LINE_END).removesuffix(LINE_END)
        if text.endswith("\r"):
            raise csv.Error("a carriage return ends a line")
        if "\0" in text:
            raise csv.Error("a NUL character")
        yield text + LINE_END


def _is_record(row: list[str], header: tuple[str, ...]) -> bool:
    if len(row) > MAX_CELLS:
        raise csv.Error(f"more than {MAX_CELLS:,} cells in a row")
    return bool(row) and (len(header) > 1 or row != ["\r"])


COUNTERS = {Format.JSON_LINES: _count_lines, Format.JSON_WRAPPED: _count_wrapped, Format.CSV: _count_csv}
