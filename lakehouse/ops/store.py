"""Reading and appending the tables that delta-rs owns: ops and ctl.

Does not belong here: what the facts mean, or any table that Spark writes.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from lakehouse.arrow import arrow_schema, arrow_table
from lakehouse.delta_rs import OpenTables, SharedTables, create_table, open_table
from lakehouse.errors import InfrastructureError
from lakehouse.ops.processes import is_running, this_host, this_process
from lakehouse.ops.redaction import Redaction
from lakehouse.ops.views import VIEWS, tables_read_by, views_over
from lakehouse.settings import Settings
from lakehouse.tables import TABLES, Layer, Table, table
from lakehouse.tables.migration import Migration

log = logging.getLogger("lakehouse")

Row = Mapping[str, Any]


class Reader(Protocol):
    """What answers SQL (DuckDB's) over the ops and ctl tables and their views."""

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run one statement with bound values. Raises InfrastructureError when the store does not answer."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The same, as a list of dictionaries."""
        ...


class Writer(Protocol):
    """What takes facts."""

    def append(self, name: str, rows: Sequence[Row]) -> bool:
        """Append rows to a table. Returns whether they are kept."""
        ...


STORE_ERRORS = (DeltaError, OSError)
FREE_TEXTS = frozenset({"message", "error_message", "error", "detail", "note", "reason"})
"""Columns of the ops tables in which errors and people are quoted, so that secrets are looked for."""
APPENDS_AT_ONCE = 3
LOST_SHOWN = 4000
"""Characters of lost facts that go into the log instead."""
DELTA_RS_TABLES = tuple(t for t in TABLES.values() if t.layer in (Layer.OPS, Layer.CONTROL))
VERSIONS_KEPT = timedelta(days=2)
RETENTION = {f"delta.{kept}RetentionDuration": f"interval {VERSIONS_KEPT.days} days" for kept in ("log", "deletedFile")}


@contextmanager
def facts_store_errors(doing: str) -> Iterator[None]:
    """Turn what delta-rs and DuckDB raise when the store does not answer into an InfrastructureError."""
    try:
        yield
    except (*STORE_ERRORS, duckdb.IOException, duckdb.InvalidInputException) as error:
        raise InfrastructureError(f"the store did not answer while {doing}: {_gist(error)}", next_step="run `lakehouse doctor`") from error


def _gist(error: Exception) -> str:
    lines = re.sub(r"\x1b\[[0-9;]*m|↳", "", str(error)).split("\n")
    return " ".join(" ".join(lines).split())[:300]


class OpsWriter:
    """Appends facts; what the store does not take waits in a local spool and arrives once, later.

    Args:
        settings: of the instance; the spool is `state/spool` under its home.

    Attributes:
        spool: folder of what waits.
        host: this machine and instance, as facts tell it.
        redact: replaces the instance's secrets in a text; whatever is appended has gone through it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.redact = Redaction(settings)
        self.spool = settings.state_dir / "spool"
        self.host = this_host(settings.home)
        self._tables = SharedTables(settings)
        self._appending: list[Future[object]] = []

    def create_tables(self, tables: Sequence[Table] = DELTA_RS_TABLES) -> None:
        """Create the tables that are not there yet. Raises InfrastructureError when the store does not answer."""
        with facts_store_errors("creating the ops tables"):
            for declared in tables:
                create_table(self._settings, declared, arrow_schema(declared), RETENTION)

    def migrate_table(self, migration: Migration) -> None:
        """Add the columns that the table has not, and bring comments in step. Raises InfrastructureError when the store does not answer."""
        declared = migration.declared
        with facts_store_errors(f"migrating {declared.name}"):
            alter = open_table(self._settings, declared).alter
            if migration.added:
                added = {c.name for c in migration.added}
                alter.add_columns([_nullable(f) for f in Schema.from_arrow(arrow_schema(declared)).fields if f.name in added])
            for column in migration.commented:
                alter.set_column_metadata(column.name, {"comment": column.comment})
            if migration.stored.description != declared.description:
                alter.set_table_description(declared.description)

    def append(self, name: str, rows: Sequence[Row]) -> bool:
        """Append rows to a table in one commit, stamped with the time of this call; spool them when the store is down.

        Returns whether they are kept: where neither the store nor the disk takes them they are lost, and the log says so.
        """
        return self._deliver(*self._prepared(name, rows)) if rows else True

    def append_meanwhile(self, name: str, rows: Sequence[Row]) -> None:
        """The same while the caller goes on; a process that dies before `settle` may not have told them."""
        if rows:
            self._appending.append(self._threads.submit(self._deliver, *self._prepared(name, rows)))

    def settle(self) -> None:
        """Wait until all that was appended meanwhile is kept."""
        appending, self._appending = self._appending, []
        for append in appending:
            append.result()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(APPENDS_AT_ONCE, "facts")

    def _prepared(self, name: str, rows: Sequence[Row]) -> tuple[Table, Sequence[Row], pa.Table]:
        declared = table(name)
        stamped = self._stamped(declared, rows)
        return declared, stamped, arrow_table(declared, stamped)

    def _deliver(self, declared: Table, rows: Sequence[Row], data: pa.Table) -> bool:
        try:
            self._commit(declared, data)
        except (*STORE_ERRORS, InfrastructureError) as refused:
            return self._keep(declared, rows, refused)
        return True

    def _keep(self, declared: Table, rows: Sequence[Row], refused: Exception) -> bool:
        try:
            self._spool_rows(declared, rows)
        except OSError as error:
            log.critical(
                "LOST: %d facts of %s: the store does not take them (%s), and neither does the disk (%s): %s",
                len(rows), declared.name, _gist(refused), error, json.dumps(rows, default=_to_json)[:LOST_SHOWN],
            )  # fmt: skip
            return False
        log.warning("%d facts of %s wait in the spool, since the store does not take them: %s", len(rows), declared.name, _gist(refused))
        return True

    def append_now(self, name: str, rows: Sequence[Row]) -> None:
        """Append rows or raise InfrastructureError: for control state, which must not lag behind."""
        declared, _, data = self._prepared(name, rows)
        with facts_store_errors(f"recording in {name}"):
            self._commit(declared, data)

    def _stamped(self, declared: Table, rows: Sequence[Row]) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        texts = FREE_TEXTS.intersection(declared.column_names) if declared.layer is Layer.OPS else ()
        stamp = {"recorded_at": now, "recorded_date": now.date()}
        return [{**row, **{c: self.redact(row[c]) for c in texts if row.get(c)}, **stamp} for row in rows]

    def flush(self) -> int:
        """Send what waits in the spool, oldest first. Returns how many spooled appends arrived; stops at the first that cannot."""
        sent = 0
        for path in sorted(self.spool.glob("*/*.json")):
            claimed = path.with_suffix(f".sending-{this_process()}")
            try:
                path.rename(claimed)
            except FileNotFoundError:
                continue
            try:
                self._send(table(path.parent.name), claimed)
            except (InfrastructureError, *STORE_ERRORS):
                claimed.rename(path)
                break
            claimed.unlink()
            sent += 1
        return sent

    def waiting(self) -> int:
        """How many appends wait in the spool."""
        return sum(1 for _ in self.spool.glob("*.*/*"))

    def recover_interrupted(self) -> None:
        """Give back spool files whose sender has died."""
        for path in self.spool.glob("*/*.sending-*"):
            if not is_running(path.suffix.rsplit("-", 1)[1]):
                path.rename(path.with_suffix(".json"))

    @retry(
        retry=retry_if_exception_type(CommitFailedError), stop=stop_after_attempt(6), wait=wait_random_exponential(0.1, max=2), reraise=True
    )
    def _commit(self, declared: Table, data: pa.Table) -> None:
        with self._tables.held(declared) as opened:
            try:
                write_deltalake(self._newest(opened, declared), data, mode="append", partition_by=list(declared.partition_by))
            except BaseException:
                opened.forget(declared)
                raise

    def _newest(self, opened: OpenTables, declared: Table) -> DeltaTable:
        try:
            return opened.newest(declared)
        except TableNotFoundError:
            self.create_tables((declared,))
            return opened.newest(declared)

    def _spool_rows(self, declared: Table, rows: Sequence[Row]) -> None:
        folder = self.spool / declared.name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{time.time_ns():020d}-{uuid.uuid4().hex}.json"
        partial = path.with_suffix(".part")
        try:
            partial.write_text(json.dumps(rows, default=_to_json), encoding="utf-8")
            partial.rename(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise

    def _send(self, declared: Table, path: Path) -> None:
        rows = [_from_json(declared, row) for row in json.loads(path.read_text(encoding="utf-8"))]
        if not self._has_arrived(declared, rows[0]["recorded_at"]):
            self._commit(declared, arrow_table(declared, rows))

    def _has_arrived(self, declared: Table, recorded_at: datetime) -> bool:
        found = OpsReader(self._settings).query(
            f"select count(*) as n from {declared.name} where recorded_date = ? and recorded_at = ?",
            [recorded_at.date(), recorded_at],
        )
        return bool(found["n"][0].as_py())


def _nullable(field: Field) -> Field:
    return Field(field.name, field.type, nullable=True, metadata=field.metadata)


def _to_json(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"cannot spool a {type(value).__name__}")


def _from_json(declared: Table, row: Row) -> dict[str, Any]:
    parse = {"timestamp": datetime.fromisoformat, "date": date.fromisoformat}
    types = {c.name: c.type for c in declared.columns}
    return {k: parse[types[k]](v) if v is not None and types[k] in parse else v for k, v in row.items()}


class OpsReader:
    """Answers SQL over the ops and ctl tables, as of the moment of each query.

    DuckDB SQL; relations are `ops.<table>`, `ctl.<table>` and the views of lakehouse.ops.views. Safe to share between threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened = OpenTables(settings)
        self._registered: dict[str, tuple[DeltaTable | None, int]] = {}
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false; create schema ops; create schema ctl")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run one statement with bound values. Raises InfrastructureError when the store does not answer."""
        with self._lock, facts_store_errors("reading the ops tables"):
            for name in tables_read_by(sql):
                self._refresh(table(name))
            return self._connection.sql(sql, params=list(parameters)).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The same, as a list of dictionaries."""
        return list(self.query(sql, parameters).to_pylist())

    def _refresh(self, declared: Table) -> None:
        try:
            opened = self._opened.newest(declared)
        except TableNotFoundError:
            self._register(declared, arrow_schema(declared).empty_table(), (None, -1))
            return
        registered, version = self._registered.get(declared.name, (None, -1))
        if registered is not opened or version != opened.version():
            self._register(declared, self._opened.files(declared), (opened, opened.version()))

    def _register(self, declared: Table, relation: Any, as_of: tuple[DeltaTable | None, int]) -> None:
        alias = declared.name.replace(".", "__")
        self._connection.register(alias, relation)
        self._connection.execute(f"create or replace view {declared.name} as select * from {alias}")
        for view in views_over(declared.name):
            self._connection.execute(f"create or replace view {view} as {VIEWS[view].sql}")
        self._registered[declared.name] = as_of
