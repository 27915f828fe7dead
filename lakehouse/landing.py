"""Landed files as they are before parsing: what their path says, what their bytes are, how many records they hold.

Does not belong here: where records begin and end (lakehouse.splitting), batches and states (lakehouse.ledger), or parsing a record (jobs).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from lakehouse.drift import Sample
from lakehouse.sources import LANDING_KEY, Source
from lakehouse.splitting import LINE_FORMATS, Record, count_as_it_lies, split
from lakehouse.unpacking import CHUNK_BYTES

ALL_SAMPLED = 200
SAMPLED_EACH = 100
"""Of the records that are split here: the first ones, then one in so many."""


@dataclass(frozen=True)
class Inspected:
    """What reading a file's bytes once tells.

    Args:
        sha256: of the content as landed.
        records: records counted without parsing their fields.
        as_it_lies: whether Spark reads the landed file; otherwise it reads a copy of its records.
        sample: the fields of some of the records.
        problem: why not all of the file can be read, or kept in a table; None where it can.
    """

    sha256: str
    records: int
    as_it_lies: bool
    sample: Sample
    problem: str | None = None


def tenant_of(source: str, key: str) -> str | None:
    """The tenant that the path names; None where the path is not of the landing layout."""
    match = LANDING_KEY.match(key)
    return match["tenant"] if match and match["source"] == source else None


def inspect(source: Source, key: str, opened: Callable[[], IO[bytes]], keep: Callable[[Iterator[Record]], None]) -> Inspected:
    """Hash a landed file and count its records in bounded memory.

    Args:
        opened: opens the file's content.
        keep: takes all records of a file that Spark cannot read as it lies.
    """
    if source.format in LINE_FORMATS:
        sample = Sample()
        body = _Hashing(opened())
        if (count := count_as_it_lies(key, body.read, lambda lines: sample.take(lines, source.fields))) is not None:
            return Inspected(body.digest(), count, as_it_lies=True, sample=sample)
    body = _Hashing(opened())
    told = _Told(source.fields)
    keep(told.listening(split(source, key, body.read)))
    return Inspected(body.digest(), told.records, as_it_lies=False, sample=told.sample, problem=told.problem)


def inspect_some(
    source: Source,
    key: str,
    opened: Callable[[], IO[bytes]],
    keep: Callable[[Iterator[Record]], None],
    wanted: Callable[[Record], bool],
) -> Inspected:
    """Count those records of a landed file that are wanted, in bounded memory; `keep` takes them. Its content is not hashed again."""
    told = _Told(source.fields)
    keep(told.listening(record for record in split(source, key, opened().read) if wanted(record)))
    return Inspected("", told.records, as_it_lies=False, sample=told.sample, problem=told.problem)


class _Told:
    """Counts records on their way, looks at some, and notes why the first of those that are not whole is not."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._declared = declared
        self.records = 0
        self.sample = Sample()
        self.problem: str | None = None

    def listening(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self.records += 1
            if record.raw and (self.records <= ALL_SAMPLED or self.records % SAMPLED_EACH == 0):
                self.sample.take([record.raw], self._declared)
            self.problem = self.problem or (None if record.whole else record.problem)
            yield record


class _Hashing:
    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self._sha = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._body.read(size)
        self._sha.update(data)
        return data

    def digest(self) -> str:
        """SHA-256 of the whole content, what has not been read of it included."""
        while self.read(CHUNK_BYTES):
            pass
        return self._sha.hexdigest()
