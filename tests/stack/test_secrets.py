"""What an instance shows to others on its machine: nothing but loopback ports, and no secret anywhere but in its 0600 files."""

from __future__ import annotations

import stat
from pathlib import Path

import psutil
import pytest

from infra import processes
from infra.env_files import read_env
from infra.instance import open_existing
from lakehouse.settings import CREDENTIALS_FILE
from tests.lake import TestLake

SECRET_NAMES = ("PASSWORD", "SECRET", "TOKEN", "KEY")
LARGEST_READ = 64 * 1024**2


@pytest.fixture(scope="module")
def secrets(lake: TestLake) -> list[str]:
    """The values of the instance's secrets."""
    found = read_env(lake.settings.home / CREDENTIALS_FILE)
    values = [value for name, value in found.items() if any(word in name for word in SECRET_NAMES) and len(value) > 7]
    assert values
    return values


@pytest.fixture(scope="module")
def running(lake: TestLake) -> list[psutil.Process]:
    """The processes of the instance."""
    found = processes.of_instance(open_existing(lake.settings.home).id)
    assert len(found) >= 9
    return found


def test_no_secret_is_in_an_argument_list(running: list[psutil.Process], secrets: list[str]) -> None:
    shown = {process.pid: " ".join(process.cmdline()) for process in running}
    assert [pid for pid, line in shown.items() if any(secret in line for secret in secrets)] == []


def test_every_listening_port_is_on_loopback(running: list[psutil.Process]) -> None:
    listening = [c.laddr for p in running for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert [f"{a.ip}:{a.port}" for a in listening if a.ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")] == []


def test_no_secret_is_in_a_log_or_in_a_file_that_others_may_read(lake: TestLake, secrets: list[str]) -> None:
    home = lake.settings.home
    logs = [path for path in (home / "logs").rglob("*") if path.is_file()]
    open_to_others = [path for path in home.rglob("*") if _is_open_to_others(path)]
    assert logs
    assert [str(path) for path in {*logs, *open_to_others} if _holds(path, secrets)] == []


def test_nobody_else_may_look_into_the_home(lake: TestLake) -> None:
    assert stat.S_IMODE(lake.settings.home.stat().st_mode) == 0o700


def test_no_secret_is_in_the_event_log(lake: TestLake, secrets: list[str]) -> None:
    rows = lake.context.reader.rows("select * from ops.event_log")
    assert rows
    assert not [row for row in rows if any(secret in str(row) for secret in secrets)]


def _is_open_to_others(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def _holds(path: Path, secrets: list[str]) -> bool:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_READ)
    except FileNotFoundError:
        return False
    return any(secret.encode() in content for secret in secrets)
