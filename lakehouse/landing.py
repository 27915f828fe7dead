"""Landed files as they are before parsing: what their path says, what their bytes are, how many records they hold.

Does not belong here: batches and states (lakehouse.ledger), or parsing a record (jobs).
"""

from __future__ import annotations

import csv
import gzip
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


def _plain(key: str, hashed: _Hashing) -> Any:
    buffered = io.BufferedReader(hashed, CHUNK_BYTES)
    is_gzip = buffered.peek(2)[:2] == GZIP_MAGIC
    if is_gzip != key.endswith(".gz"):
        raise _Unreadable(
            "the name ends in .gz but the content is not gzip" if not is_gzip else "the content is gzip but the name does not end in .gz"
        )
    return io.BufferedReader(gzip.GzipFile(fileobj=buffered), CHUNK_BYTES) if is_gzip else buffered


def _chunks(body: Any) -> Iterator[bytes]:
    while data := body.read(CHUNK_BYTES):
        yield data


def _count_lines(_source: Source, body: Any) -> Counted:
    return sum(_filled_lines(_chunks(body))), (), None


def _filled_lines(chunks: Iterable[bytes]) -> Iterator[int]:
    rest = b""
    for chunk in chunks:
        block, newline, rest = (rest + chunk).rpartition(b"\n")
        yield sum(1 for line in block.split(b"\n") if line and not line.isspace()) if newline else 0
    yield 1 if rest.strip() else 0


def _count_wrapped(source: Source, body: Any) -> Counted:
    try:
        return len(orjson.loads(body.read())[source.records_field]), (), None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise _Unreadable(f"not an object with an array {source.records_field!r}: {type(error).__name__}") from error


def _count_csv(_source: Source, body: Any) -> Counted:
    try:
        rows = csv.reader(io.TextIOWrapper(body, encoding="utf-8-sig", newline=""), strict=True)
        header = tuple(next(rows, ()))
        return sum(1 for row in rows if row), header, None
    except (csv.Error, UnicodeDecodeError) as error:
        raise _Unreadable(f"not csv in UTF-8: {error}") from error


COUNTERS = {Format.JSON_LINES: _count_lines, Format.JSON_WRAPPED: _count_wrapped, Format.CSV: _count_csv}
