"""From a table of a database to the landing bucket: the rows above the last pull's end, and those of the overlap that have changed.

What is landed is taken in like any landed file. Files are put first and the pull is recorded after them: where that fails, the next pull
lands the same rows again, and bronze counts them as duplicates.

Does not belong here: reading the database (lakehouse.database), or taking in what has landed (jobs.ingest).
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dq_checks import CheckResult, Outcome, Severity
from jobs.audit import record_results
from jobs.context import Context
from lakehouse.database import Bounds, Snapshot, Start, snapshot
from lakehouse.errors import DataError
from lakehouse.ops.runs import Facts, Step
from lakehouse.pulls import Digest, Pulled, Pulls, Reading
from lakehouse.sources import Pull as PullDeclared
from lakehouse.sources import Source
from lakehouse.store import put_if_absent, s3_client
from lakehouse.tenant_files import TenantFiles, tenant_files
from lakehouse.tenants import TENANT_ID

log = logging.getLogger("lakehouse")

LAYER = "landing"
NOBODY = ""
"""In the place of a tenant: the row names none."""
WITHOUT_TENANT = "without-tenant"
"""Folder of such rows, outside the landing layout, so that the ledger lists their files as rejected and keeps them."""
HASH_SHOWN = 16
EXPECTED = {
    "cursor.is_null": "a cursor in every row; one without is not pulled",
    "cursor.is_ahead": "no cursor later than now; such a row is pulled when its time comes",
    "committed.too_late": "no commit since the last pull that is below the overlap; such a row is pulled with --since only",
    "tenant.is_none": f"a tenant id in every row; one without is kept under {WITHOUT_TENANT} in the landing bucket",
}
"""What is told of each pull."""


def pull(context: Context, source: Source, since: str | None = None, *, whole: bool = False) -> Pulled | None:
    """Land what is new in the table of a source, at most `max_rows` of it; a recorded step.

    Args:
        since: read from this value of the cursor on, whatever has been pulled before.
        whole: read from the first row on.

    Returns the pull, which tells whether more is there; None where another process has done one meanwhile.
    Raises the errors of lakehouse.database.snapshot, and DataError where the cursor has gone back.
    """
    with Step(context.writer, context.run, source.name, source.landing, LAYER) as facts, context.infrastructure_errors():
        pulls = Pulls(context.settings, source)
        with tenant_files() as files:
            this = _Pull(context, source, files, facts, pulls.last())
            with snapshot(context.settings, source) as database:
                read = this.read(database, since, whole)
            return this.done(pulls, read)


def pull_all(context: Context, source: Source, since: str | None = None, *, whole: bool = False) -> list[Pulled]:
    """Pull until nothing is left above; arguments and errors as of `pull`. Returns the pulls."""
    pulled = [pull(context, source, since, whole=whole)]
    while (last := pulled[-1]) and last.more:
        pulled.append(pull(context, source))
    return [one for one in pulled if one]


@dataclass
class _Read:
    """What is read, in rows; digests by tenant.

    Args:
        known: of the overlap, and landed by an earlier pull.
        late, settled: rows just below the start's overlap that nobody has pulled, and all that are just below the end's.
    """

    start: Start
    bounds: Bounds
    reading: Reading
    rows: int = 0
    known: int = 0
    late: int = 0
    settled: int = 0
    landed: dict[str, Digest] = field(default_factory=lambda: defaultdict(Digest))
    recent: dict[str, Digest] = field(default_factory=lambda: defaultdict(Digest))


@dataclass
class _Pull:
    """One pull; its number was taken before looking at the database, so that of two at once one is recorded."""

    context: Context
    source: Source
    files: TenantFiles
    facts: Facts
    last: Pulled | None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def read(self, database: Snapshot, since: str | None, whole: bool) -> _Read:
        """Put the rows into files on this machine."""
        reading = Reading(self._declared.table, self._declared.cursor, database.kind)
        start = Start(database.value(since), at=True) if since is not None else self._start(reading, whole)
        bounds = database.bounds(start, self._declared.max_rows)
        self._require_no_going_back(start, bounds)
        self.facts.partition = f"{self._declared.cursor}: {start.value or 'first'}..{bounds.upto or 'none'}"
        read = _Read(start, bounds, reading)
        if bounds.upto is not None:
            self._read_rows(database, read, bounds.upto)
            read.late = self._committed_late(database, start)
            read.settled = database.settled(bounds.upto)
        return read

    def done(self, pulls: Pulls, read: _Read) -> Pulled | None:
        """Put the files into the landing bucket, and record the pull."""
        keys = self._land(read)
        self._tell(read)
        pulled = Pulled(
            self.source.name, self._number, self.started_at, read.reading, read.start.value, read.bounds.upto, read.bounds.more,
            read.rows, read.rows - read.known, tuple(keys), str(self._declared.overlap),
            {tenant: str(digest) for tenant, digest in read.recent.items()}, read.settled,
        )  # fmt: skip
        if pulls.put(pulled):
            return pulled
        log.warning("%s: another process has pulled meanwhile; bronze will know the rows that both have landed", self.source.name)
        return None

    @property
    def _declared(self) -> PullDeclared:
        assert self.source.pull
        return self.source.pull

    @property
    def _number(self) -> int:
        return self.last.number + 1 if self.last else 1

    def _start(self, reading: Reading, whole: bool) -> Start:
        if whole or self.last is None:
            return Start()
        if self.last.reading != reading:
            log.warning("%s: read whole: the last pull was of %s, this one is of %s", self.source.name, self.last.reading, reading)
            return Start()
        return Start(self.last.upto)

    def _require_no_going_back(self, start: Start, bounds: Bounds) -> None:
        if bounds.went_back:
            raise DataError(
                f"{self.source.name}: the greatest {self._declared.cursor} is {bounds.newest}, and {start.value} was pulled before: "
                f"more than the overlap of {self._declared.overlap} back",
                next_step=f"if the table was emptied or restored: `lakehouse sources pull {self.source.name} --whole`",
            )

    def _read_rows(self, database: Snapshot, read: _Read, upto: str) -> None:
        """Take the rows in, but for a tenant's in the overlap where they are the same as the last time."""
        in_overlap = True
        for row in database.rows(read.start, upto):
            if in_overlap and not row.again:
                in_overlap = False
                self._leave_out_known(read)
            line, tenant = row.text.encode(), self._tenant_of(row.tenant)
            read.rows += 1
            read.landed[tenant].add(line)
            if row.recent:
                read.recent[tenant].add(line)
            self.files.add(tenant, line)
        if in_overlap:
            self._leave_out_known(read)

    def _tenant_of(self, told: str | None) -> str:
        tenant = self._declared.tenant or told or NOBODY
        return tenant if TENANT_ID.fullmatch(tenant) else NOBODY

    def _leave_out_known(self, read: _Read) -> None:
        known = self.last.recent if self.last and self.last.overlap == str(self._declared.overlap) else {}
        for tenant in [t for t, digest in read.landed.items() if known.get(t) == str(digest)]:
            read.known += read.landed.pop(tenant).rows
            self.files.drop(tenant)

    def _committed_late(self, database: Snapshot, start: Start) -> int:
        """Rows that have come in just below the overlap since the last pull counted there, and that no pull has read."""
        last = self.last
        if last is None or start.at or start.value is None or last.overlap != str(self._declared.overlap):
            return 0
        return max(database.settled(start.value) - last.settled, 0)

    def _land(self, read: _Read) -> list[str]:
        keys = []
        client, settings = s3_client(self.context.settings), self.context.settings
        for tenant, path in self.files.all().items():
            key = self._key(tenant, read.landed[tenant])
            with path.open("rb") as body:
                is_new = put_if_absent(client, settings.landing_bucket, key, body)
            self.facts.add(files_written=int(is_new), bytes_written=path.stat().st_size if is_new else 0)
            keys.append(key)
        return keys

    def _key(self, tenant: str, digest: Digest) -> str:
        """Named by what is in it too: a pull that is tried again may find other rows, and the file of the earlier try stays."""
        content = hashlib.sha256(str(digest).encode()).hexdigest()[:HASH_SHOWN]
        folder = f"tenant={tenant}" if tenant else WITHOUT_TENANT
        return f"{self.source.name}/date={self.started_at.date()}/{folder}/pull-{self._number:010d}-{content}.jsonl.gz"

    def _tell(self, read: _Read) -> None:
        without_tenant = read.landed[NOBODY].rows if NOBODY in read.landed else 0
        landed = read.rows - read.known - without_tenant
        self.facts.add(rows_read=read.rows, rows_inserted=landed, rows_duplicate=read.known, rows_quarantined=without_tenant)
        found = {
            "cursor.is_null": read.bounds.without_cursor,
            "cursor.is_ahead": read.bounds.ahead,
            "committed.too_late": read.late,
            "tenant.is_none": without_tenant,
        }
        for name, rows in found.items():
            if rows:
                log.warning("%s: %s: %d rows; expected is %s", self.source.name, name, rows, EXPECTED[name])
        results = [self._result(name, rows, read.rows) for name, rows in found.items()]
        version = hashlib.sha256(self._declared.model_dump_json().encode()).hexdigest()[:HASH_SHOWN]
        record_results(self.context, self.source.name, self.source.landing, version, self.facts, results)

    def _result(self, name: str, rows: int, rows_read: int) -> CheckResult:
        return CheckResult(
            check_name=name,
            check_type="pull",
            column_name=self._declared.tenant_column if name == "tenant.is_none" else self._declared.cursor,
            severity=Severity.WARN,
            outcome=Outcome.WARNED if rows else Outcome.PASSED,
            expected=EXPECTED[name],
            observed=float(rows),
            rows_tested=rows_read,
            rows_failed=rows,
        )
