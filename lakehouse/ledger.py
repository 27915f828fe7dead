"""The file ledger: which landed file belongs to which batch, and where each stands.

A batch is a numbered object that is put once: of two processes that see the same pending files, one gets to claim them.
`ctl.files` tells the transitions in SQL.

Does not belong here: reading records, or what a batch publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property, partial
from itertools import accumulate, groupby, takewhile
from typing import IO, Any

import orjson

from lakehouse import failpoints
from lakehouse.drift import Sample
from lakehouse.landing import Inspected, inspect, inspect_some, tenant_of
from lakehouse.ops.store import OpsReader, OpsWriter, Reader
from lakehouse.settings import Settings
from lakehouse.sources import Source
from lakehouse.split_copies import copies_of, key_of_copy, put_copy, remove_copies
from lakehouse.splitting import Record, split
from lakehouse.store import StoredObject, list_objects, put_if_absent, s3_client, store_errors
from lakehouse.tables import table

BATCHES_PREFIX = "ctl/batches"
MAX_BATCH_BYTES = 8 * 1024**3
INSPECTORS = 4
GONE_BEFORE_EXPIRY = "the object was gone or held other content when its time came"
ONLY_WAITING_ROWS = "only rows of it that were in quarantine"
"""Reason of files in a batch that takes up rejected rows: the batch that read the whole file tells whether all of it is in a table."""

LATEST_STATES = """
select * exclude (newest) from (
    select *, row_number() over (
        partition by path, sha256, batch_id
        order by
            case state when 'expired' then 4 when 'rejected' then 3 when 'published' then 2 when 'bronze' then 1 else 0 end desc,
            recorded_at desc
    ) as newest
    from ctl.files where list_contains(?, source)
) where newest = 1
"""


class State(StrEnum):
    """Where a file stands."""

    CLAIMED = "claimed"
    BRONZE = "bronze"
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True)
class BatchFile:
    """A file of a batch: its key, content, and the records counted in it before parsing.

    Args:
        as_it_lies: whether Spark reads the landed file; otherwise it reads the copy of its records (lakehouse.split_copies).
        problem: why not all of the file can be read, or kept in a table.
        copied_for: batch that the copy is for, where it has only some of the records.
    """

    path: str
    sha256: str
    etag: str
    size: int
    modified_at: datetime
    first_seen: datetime
    tenant_id: str
    records: int
    as_it_lies: bool = False
    problem: str | None = None
    copied_for: str = ""

    def copy_in(self, source: str) -> str:
        """Where the copy of its records is, in the lake bucket."""
        return key_of_copy(source, self.path, f"{self.etag}{self.copied_for}")


BATCH_FILE_FIELDS = frozenset(f.name for f in fields(BatchFile))


@dataclass(frozen=True)
class Release:
    """What a release batch takes out of quarantine: the slice of a tenant that an earlier batch held back."""

    batch_id: str
    tenant_id: str


@dataclass(frozen=True)
class Reprocess:
    """What a batch takes out of quarantine: rejected rows of earlier batches, as far as they pass now.

    Args:
        batches: that they are from; all batches of the source where empty, in what is asked for, never in what a batch takes.
        tenant_id, reason, layer: only rows of this tenant, with this reason among theirs, that this layer kept out; None for all.
    """

    batches: tuple[str, ...] = ()
    tenant_id: str | None = None
    reason: str | None = None
    layer: str | None = None


Waiting = Release | Reprocess
"""Which rows that wait in quarantine."""


@dataclass(frozen=True)
class Batch:
    """Files, or rows that wait in quarantine, that are published together and once.

    Args:
        batch_id: `<source>-<number>`; also the Delta transaction id of all its writes.
        created_at: when it was claimed (UTC); rows carry it as their time of ingestion, on every attempt alike.
        files: what it reads; of what waits in quarantine the files that bronze's rows came from, with their counts, and silver's, with 0.
        release, reprocess: what it takes out of quarantine instead of reading files.
        samples: of each tenant, the fields of some of the records.
    """

    batch_id: str
    source: str
    created_at: datetime
    files: tuple[BatchFile, ...]
    release: Release | None = None
    samples: Mapping[str, Sample] = field(default_factory=dict)
    reprocess: Reprocess | None = None

    @property
    def takes_out(self) -> Waiting | None:
        """What it takes out of quarantine; None where it reads files."""
        return self.release or self.reprocess

    @property
    def records(self) -> int:
        """Records that it must account for."""
        return sum(f.records for f in self.files)

    @cached_property
    def by_path(self) -> dict[str, BatchFile]:
        """Its files by key."""
        return {f.path: f for f in self.files}

    def to_json(self) -> bytes:
        """The batch as the object that claims it."""
        return orjson.dumps(asdict(self))

    @staticmethod
    def from_json(body: bytes) -> Batch:
        """The batch that an object claims."""
        read = orjson.loads(body)
        return Batch(
            batch_id=read["batch_id"],
            source=read["source"],
            created_at=datetime.fromisoformat(read["created_at"]),
            files=tuple(
                BatchFile(
                    **{
                        **{name: value for name, value in f.items() if name in BATCH_FILE_FIELDS},
                        "modified_at": datetime.fromisoformat(f["modified_at"]),
                        "first_seen": datetime.fromisoformat(f["first_seen"]),
                    }
                )
                for f in read["files"]
            ),
            release=Release(**read["release"]) if read["release"] else None,
            samples={tenant: Sample(**sample) for tenant, sample in read.get("samples", {}).items()},
            reprocess=_reprocess(read.get("reprocess")),
        )


def _reprocess(read: Mapping[str, Any] | None) -> Reprocess | None:
    return Reprocess(**{**read, "batches": tuple(read["batches"])}) if read else None


@dataclass(frozen=True)
class FileCounts:
    """What became of a file's records in bronze, in rows."""

    published: int = 0
    quarantined: int = 0
    duplicate: int = 0
    held_back: int = 0

    def found_again(self) -> FileCounts:
        """The same for an attempt that found all of it done by another: every record was there already."""
        return FileCounts(duplicate=self.published + self.quarantined + self.duplicate + self.held_back)


COUNTS = tuple(f.name for f in fields(FileCounts))


@dataclass(frozen=True)
class Standing:
    """Whether a source has something for bronze to do, and for silver."""

    bronze_waits: bool
    silver_waits: bool


def standings(settings: Settings, sources: Collection[Source], reader: OpsReader) -> dict[str, Standing]:
    """Where each source stands, by name: one query and one listing for all of them, since most have nothing to do most of the time.

    Raises InfrastructureError when the store does not answer.
    """
    names = [source.name for source in sources]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for row in reader.rows(LATEST_STATES, [names]):
        rows[row["source"]].append(row)
    known = {(row["path"], row["etag"]) for found in rows.values() for row in found if not _was_lost(row)}
    client = s3_client(settings)
    landed = list_objects(client, settings.landing_bucket)
    new = {found.key.partition("/")[0] for found in landed if (found.key, found.etag) not in known}
    standing: dict[str, Standing] = {}
    for source in sources:
        states = {row["state"] for row in rows[source.name]}
        # Of what was claimed out of quarantine and not recorded only its object tells; most sources never kept anything out.
        may_wait = any(row["held_back"] or row["quarantined"] for row in rows[source.name])
        waits = source.name in new or State.CLAIMED in states
        waits = waits or (may_wait and bool(_not_in(rows[source.name], settings, source.name, client)))
        standing[source.name] = Standing(waits, State.BRONZE in states)
    return standing


KNOWN_FILES = "select distinct path, etag from ctl.files where modified_at > $1::timestamptz - interval 3 days"


def waiting_files(settings: Settings, sources: Collection[Source], reader: Reader, now: datetime) -> dict[str, datetime]:
    """Since when (UTC) the oldest file waits that landed under the day of a time, or the day before, and that no batch has, by source.

    Raises InfrastructureError when the store does not answer.
    """
    known = {(row["path"], row["etag"]) for row in reader.rows(KNOWN_FILES, [now])}
    yesterday = (now - timedelta(days=1)).date()

    def oldest(name: str) -> datetime | None:
        landed = list_objects(s3_client(settings), settings.landing_bucket, f"{name}/", after=f"{name}/date={yesterday}")
        return min((found.modified_at for found in landed if (found.key, found.etag) not in known), default=None)

    names = [source.name for source in sources]
    with store_errors(), ThreadPoolExecutor(INSPECTORS) as pool:
        return {name: at for name, at in zip(names, pool.map(oldest, names), strict=True) if at}


class Ledger:
    """The ledger of one source."""

    def __init__(self, settings: Settings, source: Source, reader: OpsReader, writer: OpsWriter) -> None:
        self._settings = settings
        self._source = source
        self._reader = reader
        self._writer = writer
        self._client: Any = s3_client(settings)

    def pending(self) -> list[StoredObject]:
        """Landed objects that no batch has claimed with this content yet, in the order of their keys."""
        known = {(row["path"], row["etag"]) for row in self._latest() if not _was_lost(row)}
        known |= {(f.path, f.etag) for batch in self._unrecorded() for f in batch.files}
        landed = list_objects(self._client, self._settings.landing_bucket, f"{self._source.name}/")
        return [found for found in landed if (found.key, found.etag) not in known]

    def unread(self) -> set[str]:
        """Keys under which content lies that is not in bronze yet: pending, or claimed by a batch that is under way."""
        claimed = {row["path"] for row in self._latest() if row["state"] == State.CLAIMED}
        claimed |= {f.path for batch in self._unrecorded() for f in batch.files}
        return claimed | {found.key for found in self.pending()}

    def claim(self) -> Batch | None:
        """Claim the pending files as a new batch. Returns None where there is nothing new.

        Raises InfrastructureError when the store does not answer.
        """
        while True:
            number = self._next_number()
            pending = self.pending()
            failpoints.reached(failpoints.LISTING)
            files, samples, aside = self._inspect_all(pending)
            if aside:
                self._writer.append_now("ctl.files", aside)
            if not files:
                return None
            if batch := self._put(number, files, None, samples):
                return batch

    def claim_waiting(self, wanted: Waiting, look: Callable[[], Sequence[BatchFile]]) -> Batch | None:
        """Claim rows that wait in quarantine as a new batch. Returns None where none do.

        A batch that takes rows out and is not finished is returned instead: it comes first, so that no two take out the same rows.

        Args:
            look: tells the files that the wanted rows are from, with their numbers. It is called after the number of the batch was
                taken: who took out some of the rows meanwhile has taken the number away.
        """
        while True:
            number = self._next_number()
            if earlier := next((b for b in self.unfinished() if b.takes_out), None):
                return earlier
            files = look()
            if not files:
                return None
            if batch := self._put(number, files, wanted):
                return batch

    def unfinished(self) -> list[Batch]:
        """Batches that bronze has not recorded as published yet, oldest first."""
        self._record_claims(self._unrecorded())
        return [self.batch(batch_id) for batch_id in self._batches_in(State.CLAIMED)]

    def awaiting_silver(self) -> list[Batch]:
        """Batches that are in bronze and not in silver yet, oldest first."""
        return [self.batch(batch_id) for batch_id in self._batches_in(State.BRONZE)]

    def taken_in(self) -> list[str]:
        """Ids of the batches that silver has taken in, oldest first."""
        return sorted({*self._batches_in(State.PUBLISHED), *self._batches_in(State.EXPIRED)})

    def published_rows(self, batch: Batch) -> int:
        """Rows that bronze has published of a batch."""
        return sum(row["published"] or 0 for row in self._latest() if row["batch_id"] == batch.batch_id)

    def rejected_in(self, batch: Batch) -> frozenset[str]:
        """Paths of the files of a batch that were left out of it after it was claimed."""
        return frozenset(row["path"] for row in self._latest() if row["batch_id"] == batch.batch_id and row["state"] == State.REJECTED)

    def batch(self, batch_id: str) -> Batch:
        """A batch by its id."""
        key = f"{self._prefix}{batch_id.rsplit('-', 1)[1]}.json"
        return Batch.from_json(self._client.get_object(Bucket=self._settings.lake_bucket, Key=key)["Body"].read())

    def record(self, batch: Batch, state: State, counts: Mapping[str, FileCounts], reason: str | None = None) -> None:
        """Record where the files of a batch stand, with the counts of each by path, or the reason why they are out."""
        self._writer.append_now("ctl.files", [self._row(f, batch, state, counts.get(f.path), reason) for f in batch.files])

    def advance(self, batch: Batch, state: State) -> None:
        """Record a further state of a batch's files, keeping their counts."""
        known = {row["path"]: row for row in self._latest() if row["batch_id"] == batch.batch_id}
        files = tuple(replace(f, records=known[f.path]["records"]) if f.path in known else f for f in batch.files)
        kept = {path: FileCounts(**{n: row[n] for n in COUNTS}) for path, row in known.items()}
        self.record(replace(batch, files=files), state, kept)

    def changed_since_claim(self, batch: Batch) -> list[BatchFile]:
        """Files of the batch whose object is gone or has other content now, or had when the batch was tried before."""
        lost = {row["path"] for row in self._latest() if row["batch_id"] == batch.batch_id and _was_lost(row)}
        now = self._landed_now(f.path for f in batch.files)
        return [f for f in batch.files if f.path in lost or now.get(f.path) != f.etag]

    def expire(self, before: datetime) -> int:
        """Remove the landed copies of files published before a time, of which all rows are in a table. Returns how many.

        What has been landed under the same key since stays; the copy of the earlier content is recorded as gone.
        """
        latest = self._latest()
        content = {(row["path"], row["etag"]): row["sha256"] for row in latest}
        done = [r for r in latest if r["state"] == State.PUBLISHED and not r["held_back"] and not r["reason"]]
        old = [r for r in done if r["modified_at"] < before]
        removed: set[tuple[str, str]] = set()
        for _, together in groupby(sorted(old, key=_folder_of), _folder_of):
            removed |= self._remove({(row["path"], row["sha256"]) for row in together}, content)
        if old:
            rows = [self._expired(row, None if (row["path"], row["sha256"]) in removed else GONE_BEFORE_EXPIRY) for row in old]
            self._writer.append_now("ctl.files", rows)
        return len(removed)

    def _remove(self, published: set[tuple[str, str]], content: Mapping[tuple[str, str], str]) -> set[tuple[str, str]]:
        """Delete those of some objects of one folder, given by path and SHA-256, that still hold this content. Returns them."""
        now = self._landed_now(path for path, _ in published)
        unchanged = published & {(path, content.get((path, etag), "")) for path, etag in now.items()}
        for path, _ in unchanged:
            self._client.delete_object(Bucket=self._settings.landing_bucket, Key=path)
        return unchanged

    def _landed_now(self, paths: Iterable[str]) -> dict[str, str]:
        """Entity tags of what lies now in the folders of these paths, by key."""
        now: dict[str, str] = {}
        for folder in {_folder(path) for path in paths}:
            now |= {o.key: o.etag for o in list_objects(self._client, self._settings.landing_bucket, folder)}
        return now

    @staticmethod
    def _expired(row: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
        kept = {name: row[name] for name in table("ctl.files").column_names if not name.startswith("recorded_")}
        return {**kept, "state": State.EXPIRED.value, "reason": reason or row["reason"]}

    @property
    def _prefix(self) -> str:
        return _prefix_of(self._source.name)

    def _latest(self) -> list[dict[str, Any]]:
        return self._reader.rows(LATEST_STATES, [[self._source.name]])

    def _batches_in(self, state: State) -> list[str]:
        return sorted({row["batch_id"] for row in self._latest() if row["state"] == state and row["batch_id"]})

    def _unrecorded(self) -> list[Batch]:
        """Batches whose claiming process died before it told the ledger."""
        found = _not_in(self._latest(), self._settings, self._source.name, self._client)
        return [Batch.from_json(self._client.get_object(Bucket=self._settings.lake_bucket, Key=o.key)["Body"].read()) for o in found]

    def _record_claims(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self._writer.append_now("ctl.files", [self._row(f, batch, State.CLAIMED, None) for f in batch.files])

    def _next_number(self) -> int:
        """Number of the next batch. Taken before looking at what is pending: a claim made meanwhile takes the number away."""
        unrecorded = self._unrecorded()
        self._record_claims(unrecorded)
        last = max([*(row["batch_id"] for row in self._latest() if row["batch_id"]), *(b.batch_id for b in unrecorded)], default="-0")
        return int(last.rsplit("-", 1)[1]) + 1

    def _put(
        self, number: int, files: Sequence[BatchFile], waiting: Waiting | None, samples: Mapping[str, Sample] | None = None
    ) -> Batch | None:
        """Put the batch of that number; None where another process has taken it, and perhaps the files."""
        batch = Batch(
            f"{self._source.name}-{number:010d}",
            self._source.name,
            datetime.now(UTC),
            tuple(files),
            waiting if isinstance(waiting, Release) else None,
            samples or {},
            waiting if isinstance(waiting, Reprocess) else None,
        )
        if not put_if_absent(self._client, self._settings.lake_bucket, f"{self._prefix}{number:010d}.json", batch.to_json()):
            return None
        self._record_claims([batch])
        return batch

    def _inspect_all(self, pending: Sequence[StoredObject]) -> tuple[list[BatchFile], dict[str, Sample], list[dict[str, Any]]]:
        """Files for a batch, samples by tenant, and ledger rows for what is set aside: outside the layout, or put again unchanged."""
        first_seen = datetime.now(UTC)
        seen = {(row["path"], row["sha256"]) for row in self._latest() if not _was_lost(row)}
        files: list[BatchFile] = []
        samples: dict[str, Sample] = {}
        aside: list[dict[str, Any]] = []
        taken = _up_to(pending, MAX_BATCH_BYTES)
        with ThreadPoolExecutor(INSPECTORS) as pool:
            inspections = list(pool.map(self._inspect, taken))
        for found, seen_now in zip(taken, inspections, strict=True):
            tenant = tenant_of(self._source.name, found.key)
            file = _batch_file(found, seen_now, first_seen, tenant or "")
            if tenant is None:
                aside.append(self._row(file, None, State.REJECTED, None, "the path is not <source>/date=YYYY-MM-DD/tenant=<id>/<name>"))
            elif (file.path, file.sha256) in seen:
                aside.append(self._row(file, None, State.UNCHANGED, None))
            else:
                files.append(file)
                samples.setdefault(tenant, Sample()).add(seen_now.sample)
        return files, samples, aside

    def _inspect(self, found: StoredObject) -> Inspected:
        return inspect(
            self._source,
            found.key,
            lambda: self._opened(found.key),
            partial(self._put_copy, found.key, key_of_copy(self._source.name, found.key, found.etag)),
        )

    def _opened(self, key: str) -> IO[bytes]:
        body: IO[bytes] = self._client.get_object(Bucket=self._settings.landing_bucket, Key=key)["Body"]
        return body

    def _put_copy(self, path: str, key: str, records: Iterable[Record]) -> None:
        put_copy(self._settings, path, key, records)

    def restore_copies(self, batch: Batch) -> None:
        """Make the copies of a batch's files anew that are no longer there."""
        wanted = {self._copy(file): file for file in batch.files if not file.as_it_lies}
        missing = wanted.keys() - copies_of(self._settings, self._source.name) if wanted else ()
        for key in missing:
            file = wanted[key]
            self._put_copy(file.path, key, split(self._source, file.path, self._opened(file.path).read))

    def readable_again(self, files: Collection[BatchFile]) -> frozenset[str]:
        """Paths of those files that still lie in the landing bucket as they were claimed.

        Where records are known by their place only, those of which bronze has rows are left out: split otherwise, a record might be
        another one's.
        """
        now = self._landed_now(f.path for f in files)
        has_rows = set() if self._source.event_id else {(r["path"], r["sha256"]) for r in self._latest() if r["published"]}
        return frozenset(f.path for f in files if now.get(f.path) == f.etag and (f.path, f.sha256) not in has_rows)

    def read_again(self, batch: Batch, file: BatchFile, places: Collection[int], onwards: int | None) -> tuple[BatchFile, Sample]:
        """Split a landed file once more and put a copy of some of its records, for a batch that takes rows out of quarantine.

        Args:
            places: of the records that are wanted.
            onwards: all records from this place on are wanted too, where it is given.

        Returns: the file as the batch reads it, with the number of these records, and a sample of them.
        """
        some = replace(file, as_it_lies=False, copied_for=batch.batch_id)
        wanted = frozenset(places)
        seen = inspect_some(
            self._source,
            file.path,
            lambda: self._opened(file.path),
            partial(self._put_copy, file.path, self._copy(some)),
            lambda record: record.row in wanted or (onwards is not None and record.row >= onwards),
        )
        return replace(some, records=seen.records, problem=seen.problem), seen.sample

    def remove_copies(self, batch: Batch) -> None:
        """Remove the copies of a batch that has been read."""
        remove_copies(self._settings, (self._copy(file) for file in batch.files if not file.as_it_lies))

    def _copy(self, file: BatchFile) -> str:
        return file.copy_in(self._source.name)

    def _row(
        self, file: BatchFile, batch: Batch | None, state: State, counts: FileCounts | None, reason: str | None = None
    ) -> dict[str, Any]:
        facts = {k: v for k, v in asdict(file).items() if k not in ("as_it_lies", "problem", "copied_for")}
        waits = ONLY_WAITING_ROWS if batch and batch.reprocess else None
        return {
            **facts,
            "source": self._source.name,
            "batch_id": batch.batch_id if batch else None,
            "state": state.value,
            "reason": reason or file.problem or waits,
            **(asdict(counts) if counts else {}),
        }


def _prefix_of(source: str) -> str:
    return f"{BATCHES_PREFIX}/{source}/"


def _not_in(known: Iterable[Mapping[str, Any]], settings: Settings, source: str, client: Any) -> list[StoredObject]:
    """Objects of the batches of a source that were claimed after the last one that its ledger's rows tell."""
    last = max((row["batch_id"] for row in known if row["batch_id"]), default="")
    after = f"{_prefix_of(source)}{last.rsplit('-', 1)[1]}.json" if last else ""
    return list(list_objects(client, settings.lake_bucket, _prefix_of(source), after=after))


def _up_to(pending: Sequence[StoredObject], size: int) -> list[StoredObject]:
    """The first objects that together stay within a size; at least one."""
    together = accumulate(found.size for found in pending)
    within = sum(1 for _ in takewhile(lambda total: total <= size, together))
    return list(pending[: max(within, 1)])


def _folder(path: str) -> str:
    return path.rsplit("/", 1)[0] + "/"


def _folder_of(row: Mapping[str, Any]) -> str:
    return _folder(row["path"])


def _was_lost(row: Mapping[str, Any]) -> bool:
    """Whether a claimed file was overwritten or removed before it was read: what was in it may be landed again."""
    return row["state"] == State.REJECTED and row["batch_id"] is not None


def _batch_file(found: StoredObject, seen: Inspected, first_seen: datetime, tenant_id: str) -> BatchFile:
    landed = (found.key, seen.sha256, found.etag, found.size, found.modified_at)
    return BatchFile(*landed, first_seen, tenant_id, seen.records, seen.as_it_lies, seen.problem)
