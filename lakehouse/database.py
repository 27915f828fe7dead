"""Reading a source's table in its database: one snapshot of it, bounded by the cursor, row by row as text.

PostgreSQL itself turns rows into JSON, so that no value whatever (an infinite time, a number of a hundred digits) fails on the way, and
the same row is the same text each time.

Does not belong here: where rows are landed (jobs.pull), or what earlier pulls have read (lakehouse.pulls).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote

from dotenv import dotenv_values
from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lakehouse.errors import ConfigurationError, DataError, InfrastructureError, LakehouseError
from lakehouse.settings import USER_FILE, Settings
from lakehouse.sources import Pull, Source

DRIVER = "postgresql+psycopg"
FETCH_ROWS = 1000
"""Rows that are in memory at once."""
SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "lock_timeout": "60s",
}
"""Settings of a database session: those that the text of a value depends on, and how long it waits for a table that is locked."""
CONNECTING = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds, and probes: a server that has gone is noticed within a minute."""
NOW = {
    "timestamp with time zone": "now()",
    "timestamp without time zone": "(now() at time zone %(zone)s)",
    "date": "(now() at time zone %(zone)s)::date",
}
"""Types of cursors of times, with the database's present in them."""
NUMBERS = ("smallint", "integer", "bigint")
LEAST_NUMBER, GREATEST_NUMBER = -(2**63), 2**63 - 1
REFUSALS = re.compile(
    "authentication failed|does not exist|no password supplied|no pg_hba.conf entry|permission denied|not permitted|"
    "not support SSL|certificate"
)
"""What a server says that answers and does not let us in."""


class Row(NamedTuple):
    """A row of the table.

    Args:
        text: a JSON object of column to value, on one line.
        tenant: the value of the tenant column, if there is one.
        again: its cursor is not above the start: an earlier pull may have read it.
        recent: its cursor is within the overlap of the next pull.
    """

    text: str
    tenant: str | None
    again: bool
    recent: bool


@dataclass(frozen=True)
class Start:
    """Where a pull begins: above a value of the cursor, at it, or with the first row.

    Args:
        value: as text; None for the first row.
        at: rows with this value are new, and nothing below it is read; else those above it are, and the overlap is read again.
    """

    value: str | None = None
    at: bool = False


@dataclass(frozen=True)
class Bounds:
    """What a pull reads.

    Args:
        upto: greatest cursor that it reads; the start's where there is nothing above; None where there is nothing at all.
        more: rows are left above it.
        newest: greatest cursor of the table that is not ahead of now.
        went_back: that one is below all that the start's overlap reaches.
        without_cursor: rows whose cursor is null.
        ahead: rows whose cursor is later than now.
    """

    upto: str | None
    more: bool
    newest: str | None
    went_back: bool
    without_cursor: int
    ahead: int


@contextmanager
def snapshot(settings: Settings, source: Source) -> Iterator[Snapshot]:
    """One state of the source's table, in a transaction that only reads.

    Raises:
        InfrastructureError: the database does not answer.
        ConfigurationError: it refuses the connection, or has no such table or column; names the setting.
        DataError: a query fails for a value.
    """
    assert source.pull
    url = _url(settings, source.name, source.pull)
    with _database_errors(source, url):
        engine = create_engine(url, poolclass=NullPool, connect_args=CONNECTING)
        with engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            connection.exec_driver_sql("select " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in SESSION.items()))
            yield Snapshot(connection, source.name, source.pull)


class Snapshot:
    """A state of a table, ordered by the cursor. Values of the cursor are text in and out."""

    def __init__(self, connection: Connection, source: str, pull: Pull) -> None:
        self._connection = connection
        self._source = source
        self._pull = pull
        self._of = f"(\n{pull.query.replace('%', '%%')}\n)" if pull.query else ".".join(map(_quoted, str(pull.table).split(".")))
        self._cursor = f"_pulled.{_quoted(pull.cursor)}"

    @cached_property
    def kind(self) -> str:
        """Type of the cursor. Raises ConfigurationError where it, or the overlap, cannot be used."""
        known = list(self._connection.exec_driver_sql(f"select * from {self._of} as _pulled limit 0", {}).keys())
        if twice := sorted({name for name in known if known.count(name) > 1}):
            raise self._wrong("query", f"several columns are called {', '.join(twice)}", "give each a name of its own")
        for setting, column in (("cursor", self._pull.cursor), ("tenant_column", self._pull.tenant_column)):
            if column is not None and column not in known:
                raise self._wrong(setting, f"there is no column {column!r}", f"use one of {', '.join(known)}")
        kind = str(self._one(f"select pg_typeof((select {self._cursor} from {self._of} as _pulled limit 0))::text")[0])
        if kind not in (*NOW, *NUMBERS):
            raise self._wrong("cursor", f"{self._pull.cursor!r} is of type {kind}", f"use a column of type {', '.join((*NOW, *NUMBERS))}")
        if isinstance(self._pull.overlap, int) is not (kind in NUMBERS):
            meant = "a whole number" if kind in NUMBERS else "a duration such as 15 minutes"
            raise self._wrong("overlap", f"{self._pull.cursor!r} is of type {kind}", f"give {meant}")
        return kind

    def value(self, told: str) -> str:
        """A value of the cursor that a person tells, as the database writes it. Raises ConfigurationError where it is none."""
        kind = self.kind
        try:
            with self._connection.begin_nested():
                return str(self._one(f"select %(told)s::{kind}::text", told=told)[0])
        except DBAPIError:
            raise ConfigurationError(f"{told!r} is no {kind}", next_step=f"give a value of {self._pull.cursor}") from None

    def bounds(self, start: Start, most: int) -> Bounds:
        """What to read from a start on: so many new rows, and on to the last one with the same cursor."""
        value = f"%(value)s::{self.kind}"
        newest, goes_on, went_back, without_cursor, ahead = self._one(
            f"select newest::text, greatest(newest, {value})::text, newest < {value} and newest <= {self._back('value')}, "
            f"without_cursor, ahead "
            f"from (select (select max({self._cursor}) {self._where(self._present)}) as newest, "
            f"(select count(*) {self._where(f'{self._cursor} is null')}) as without_cursor, "
            f"(select count(*) {self._where(f'not ({self._present})')}) as ahead) as found",
            value=start.value,
        )
        new = f"{self._cursor} {'>=' if start.at else '>'} {value}" if start.value is not None else "true"
        cut = self._one(
            f"select {self._cursor}::text, {self._cursor} < %(newest)s::{self.kind} "
            f"{self._where(f'{new} and {self._present}')} order by {self._cursor} offset %(before)s limit 1",
            value=start.value, newest=newest, before=most - 1,
        )  # fmt: skip
        upto, more = cut or (goes_on, False)
        return Bounds(upto, bool(more), newest, bool(went_back) and not start.at, without_cursor, ahead)

    def rows(self, start: Start, upto: str) -> Iterator[Row]:
        """The rows between, in the order of the cursor, fetched as they are asked for."""
        above = {
            "first": "true",
            "at": f"{self._cursor} >= %(value)s::{self.kind}",
            "above": f"{self._cursor} > {self._back('value')}",
        }["first" if start.value is None else "at" if start.at else "above"]
        again = f"{self._cursor} <= %(value)s::{self.kind}" if start.value is not None and not start.at else "false"
        tenant = f"_pulled.{_quoted(self._pull.tenant_column)}::text" if self._pull.tenant_column else "null"
        found = self._connection.exec_driver_sql(
            f"select row_to_json(_pulled)::text, {tenant}, {again}, {self._cursor} > {self._back('upto')} "
            f"{self._where(f'{above} and {self._cursor} <= %(upto)s::{self.kind}')} order by {self._cursor}",
            self._parameters(value=start.value, upto=upto),
            execution_options={"stream_results": True},
        ).yield_per(FETCH_ROWS)
        for text, of_tenant, was_read, is_recent in found:
            yield Row(_on_one_line(text), of_tenant, was_read, is_recent)

    def settled(self, upto: str) -> int:
        """Rows that a pull up to there has left behind its overlap, as far back again as the overlap reaches."""
        window = f"{self._cursor} > {self._back('upto', 2)} and {self._cursor} <= {self._back('upto')}"
        return int(self._one(f"select count(*) {self._where(window)}", upto=upto)[0])

    @cached_property
    def _present(self) -> str:
        """Whether a row's cursor is not ahead of the database's clock, which a number never is; null where there is none."""
        return f"{self._cursor} <= {NOW.get(self.kind, GREATEST_NUMBER)}"

    def _back(self, name: str, times: int = 1) -> str:
        """A parameter less so many overlaps."""
        if self.kind in NOW:
            return f"(%({name})s::{self.kind} - {times} * %(overlap)s::interval)"
        return f"greatest(%({name})s::bigint::numeric - {times} * %(overlap)s::numeric, {LEAST_NUMBER})::bigint"

    def _where(self, condition: str) -> str:
        return f"from {self._of} as _pulled where {condition}"

    def _one(self, sql: str, **parameters: Any) -> Any:
        return self._connection.exec_driver_sql(sql, self._parameters(**parameters)).one_or_none()

    def _parameters(self, **parameters: Any) -> dict[str, Any]:
        return {"overlap": str(self._pull.overlap), "zone": self._pull.zone, **parameters}

    def _wrong(self, setting: str, problem: str, next_step: str) -> ConfigurationError:
        return ConfigurationError(f"{self._source}: pull.{setting}: {problem}", next_step=next_step)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _on_one_line(json: str) -> str:
    """Line ends stand between the parts of a JSON value only, where a column of type json has them; in a text they are escaped."""
    return json.replace("\n", " ").replace("\r", " ")


def _url(settings: Settings, source: str, pull: Pull) -> URL:
    """The address of the database. Whatever is wrong with it is told without a part of it."""
    told = os.environ.get(pull.connection) or dotenv_values(settings.home / USER_FILE, interpolate=False).get(pull.connection)
    form = f"set {pull.connection}=postgresql://USER:PASSWORD@HOST:5432/DATABASE in {settings.home / USER_FILE} or the environment"
    if not told:
        raise ConfigurationError(f"{source}: pull.connection: {pull.connection} is not set", next_step=form)
    try:
        url = make_url(told)
    except (SQLAlchemyError, ValueError):
        url = None
    if url is None or "@" in (url.host or ""):
        raise ConfigurationError(
            f"{source}: pull.connection: {pull.connection} holds no URL", next_step=f"{form}; write @ and / in a password as %40 and %2F"
        )
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError(f"{source}: pull.connection: {pull.connection} is of no PostgreSQL database", next_step=form)
    return url.set(drivername=DRIVER)


@contextmanager
def _database_errors(source: Source, url: URL) -> Iterator[None]:
    """Turn what the driver raises into errors of the lake that hold neither the URL nor a value of the data."""
    try:
        yield
    except DBAPIError as error:
        raise _explained(error, source, url) from None
    except SQLAlchemyError as error:
        raise InfrastructureError(f"{source.name}: the database cannot be read: {type(error).__name__}") from None


def _explained(error: DBAPIError, source: Source, url: URL) -> LakehouseError:
    assert source.pull
    connection = f"{source.name}: pull.connection: {source.pull.connection}"
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None or state[:2] in ("08", "28", "3D"):
        said = _without_secrets(" ".join(str(error.orig).split()), url)
        if REFUSALS.search(said):
            return ConfigurationError(f"{connection}: the database refuses: {said}", next_step="mend the URL, or the rights of its user")
        return InfrastructureError(f"{connection}: the database does not answer: {said}", next_step="check that it runs and can be reached")
    name = type(error.orig).__name__
    if state[:2] in ("42", "3F", "0A", "25"):
        setting = "table" if source.pull.table else "query"
        said = getattr(getattr(error.orig, "diag", None), "message_primary", None) or name
        return ConfigurationError(f"{source.name}: pull.{setting}: {said}", next_step="mend the declaration, or the rights of the user")
    if state[:2] in ("40", "53", "55", "57", "58", "XX"):
        return InfrastructureError(f"{connection}: the database broke off: {name} ({state})", next_step="nothing: the pull is tried again")
    return DataError(f"{source.name}: the query fails for a value: {name} ({state})", next_step="try it in the database, and mend it")


def _without_secrets(text: str, url: URL) -> str:
    secrets = [str(url.password or ""), *(str(value) for name, value in url.query.items() if "password" in name.lower())]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
    return text
