"""What has been pulled out of a database: a numbered object for each pull, put once, after the files with its rows.

Where a process died between the two, the next pull reads the same rows again: bronze knows them.

Does not belong here: reading a database (lakehouse.database), or landing rows (jobs.pull).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import orjson

from lakehouse.settings import Settings
from lakehouse.sources import Source
from lakehouse.store import list_objects, put_if_absent, s3_client

PREFIX = "ctl/pulls"
KEPT = 100
"""Only the newest counts; the others tell what happened lately. A listing stays one call."""
DIGEST_BYTES = 16


@dataclass
class Digest:
    """Stands for a set of rows, whatever their order: how many, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def add(self, line: bytes) -> None:
        """Take in a row."""
        self.rows += 1
        self.total = (self.total + int.from_bytes(blake2b(line, digest_size=DIGEST_BYTES).digest())) % 2 ** (8 * DIGEST_BYTES)

    def __str__(self) -> str:
        return f"{self.rows}:{self.total:0{2 * DIGEST_BYTES}x}"


@dataclass(frozen=True)
class Reading:
    """What a position is a position in: of another table, or by another cursor, it means nothing."""

    table: str | None
    cursor: str
    kind: str


@dataclass(frozen=True)
class Pulled:
    """A pull that has landed its rows.

    Args:
        started_at: when it began (UTC).
        after: cursor that it began above; None for the first row.
        upto: cursor that the next one begins above, less the overlap.
        more: rows were left above that.
        rows, landed: read, and put into the files.
        files: keys in the landing bucket.
        overlap: what of the declared overlap the last two hold for.
        recent: digest of each tenant's rows that the next pull reads again; the tenant is empty where the row names none.
        settled: rows just below these.
    """

    source: str
    number: int
    started_at: datetime
    reading: Reading
    after: str | None
    upto: str | None
    more: bool
    rows: int
    landed: int
    files: tuple[str, ...]
    overlap: str
    recent: Mapping[str, str] = field(default_factory=dict)
    settled: int = 0

    def to_json(self) -> bytes:
        """The pull as an object of the store."""
        return orjson.dumps(asdict(self))

    @staticmethod
    def from_json(body: bytes) -> Pulled:
        """The pull that an object tells."""
        read = orjson.loads(body)
        started_at, reading = datetime.fromisoformat(read["started_at"]), Reading(**read["reading"])
        return Pulled(**{**read, "started_at": started_at, "reading": reading, "files": tuple(read["files"])})


class Pulls:
    """The pulls of one source."""

    def __init__(self, settings: Settings, source: Source) -> None:
        self._bucket = settings.lake_bucket
        self._source = source
        self._prefix = f"{PREFIX}/{source.name}/"
        self._client: Any = s3_client(settings)

    def last(self) -> Pulled | None:
        """The newest pull; None before the first."""
        keys = self._keys()
        return Pulled.from_json(self._client.get_object(Bucket=self._bucket, Key=keys[-1])["Body"].read()) if keys else None

    def put(self, pulled: Pulled) -> bool:
        """Record a pull. Returns False where another process has recorded one of that number."""
        if not put_if_absent(self._client, self._bucket, f"{self._prefix}{pulled.number:010d}.json", pulled.to_json()):
            return False
        for key in self._keys()[:-KEPT]:
            self._client.delete_object(Bucket=self._bucket, Key=key)
        return True

    def is_due(self, now: datetime) -> bool:
        """Whether it is time for the next pull (UTC)."""
        last = self.last()
        if self._source.pull is None or last is None:
            return self._source.pull is not None
        return last.more or now >= last.started_at + timedelta(minutes=self._source.pull.every_minutes)

    def _keys(self) -> list[str]:
        return [found.key for found in list_objects(self._client, self._bucket, self._prefix)]
