"""What is wrong is told together with what mends it, for the instance's own servers and for those outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra import doctor, ports, space
from infra.doctor import CHECKS, Finding, examine
from infra.instance import create_or_open
from infra.stack_files import write_allotment
from lakehouse import settings as settings_module
from lakehouse.settings import ALLOTTED_FILE, CREDENTIALS_FILE, ENV_PREFIX, USER_FILE

CLOSED = ports.any_free_port
SERVERS = {
    "store": ("minio", "LAKEHOUSE_S3_ENDPOINT", "http://127.0.0.1:{}"),
    "metastore": ("metastore", "LAKEHOUSE_METASTORE_URI", "thrift://127.0.0.1:{}"),
    "spark": ("spark", "LAKEHOUSE_SPARK_REMOTE", "sc://127.0.0.1:{}"),
    "trino": ("trino", "LAKEHOUSE_TRINO_HOST", "127.0.0.1"),
    "dagster": ("dagster-webserver", "LAKEHOUSE_DAGSTER_URL", "http://127.0.0.1:{}"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An instance whose servers are all down."""
    for name in [name for name in settings_module.os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LAKEHOUSE_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    create_or_open(home)
    write_allotment(home, [], {})
    return home


def name_servers(path: Path) -> None:
    lines = [f"{variable}={address.format(CLOSED())}" for _, variable, address in SERVERS.values()]
    path.write_text("\n".join([*lines, f"LAKEHOUSE_TRINO_PORT={CLOSED()}"]) + "\n")
    path.chmod(0o600)


def found(home: Path, subject: str) -> Finding:
    (finding,) = (finding for finding in examine(home) if finding.subject == subject)
    return finding


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def choose(subject: str) -> None:
        monkeypatch.setattr(doctor, "CHECKS", {subject: CHECKS[subject]})

    return choose


@pytest.mark.parametrize("subject", SERVERS)
def test_a_server_of_the_instance_that_is_down_is_started_with_up(home: Path, only: Callable[[str], None], subject: str) -> None:
    only(subject)
    name_servers(home / ALLOTTED_FILE)
    finding = found(home, subject)
    assert not finding.ok
    assert finding.fix == f"`lakehouse up`; if it stays so, `lakehouse logs {SERVERS[subject][0]}`."


@pytest.mark.parametrize("subject", [name for name in SERVERS if name != "dagster"])
def test_a_server_outside_that_is_down_is_a_matter_of_its_settings(home: Path, only: Callable[[str], None], subject: str) -> None:
    only(subject)
    name_servers(home / USER_FILE)
    finding = found(home, subject)
    assert not finding.ok
    assert finding.fix.startswith(f"{SERVERS[subject][1]} names a server outside, ")
    assert str(home / USER_FILE) in finding.fix
    assert "lakehouse up" not in finding.fix


def little_memory() -> Any:
    return SimpleNamespace(total=doctor.LEAST_MEMORY_BYTES * 2, available=1)


@pytest.mark.parametrize(
    ("subject", "broken", "observed", "fix"),
    [
        ("python", (doctor.sys, "version_info", (3, 10, 1)), "Python 3.10.1", "3.11 to 3.13"),
        ("java", (doctor, "java", lambda: Path("/no/such/java")), "does not start", "make clean"),
        ("parts", (doctor, "missing", lambda _wanted: {"jars"}), "not fetched yet: jars", "lakehouse up"),
        ("disk", (space.shutil, "disk_usage", lambda _path: SimpleNamespace(free=10**9)), "1.0 GB free", "LAKEHOUSE_CACHE"),
        ("memory", (doctor.psutil, "virtual_memory", little_memory), "available", "lakehouse down"),
        ("processes", (doctor, "of_instance", lambda _id: [object()]), "1 processes live without", "lakehouse down"),
    ],
)
def test_every_other_finding_says_what_mends_it(
    home: Path, only: Callable[[str], None], monkeypatch: pytest.MonkeyPatch,
    subject: str, broken: tuple[Any, str, Any], observed: str, fix: str,
) -> None:  # fmt: skip
    only(subject)
    monkeypatch.setattr(*broken)
    finding = found(home, subject)
    assert not finding.ok
    assert observed in finding.observed
    assert fix in finding.fix


def test_credentials_that_others_can_read_are_told(home: Path, only: Callable[[str], None]) -> None:
    only("instance")
    (home / CREDENTIALS_FILE).touch(mode=0o644)
    assert found(home, "instance").fix == f"`chmod 600 {home / CREDENTIALS_FILE}`"


def test_a_port_that_somebody_else_took_is_told(home: Path, only: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    only("ports")
    monkeypatch.setattr(doctor, "read_ports", lambda _home: {"minio": 9000})
    monkeypatch.setattr(doctor, "is_free", lambda _port: False)
    finding = found(home, "ports")
    assert "minio 9000" in finding.observed
    assert "lakehouse up" in finding.fix


def test_a_provider_that_does_not_answer_is_told_with_the_settings_to_compare(home: Path, only: Callable[[str], None]) -> None:
    only("sign-in")
    assert found(home, "sign-in") == Finding("sign-in", True, "accounts of the operations pages")
    given = f"LAKEHOUSE_OIDC_ISSUER=http://127.0.0.1:{CLOSED()}\nLAKEHOUSE_OIDC_CLIENT_ID=clearlake\n"
    (home / USER_FILE).write_text(given)
    assert "LAKEHOUSE_OIDC_ALLOWED" in (found(home, "sign-in").fix or "")
    (home / USER_FILE).write_text(f"{given}LAKEHOUSE_OIDC_ALLOWED=example.org\n")
    finding = found(home, "sign-in")
    assert not finding.ok
    assert "LAKEHOUSE_OIDC_ISSUER" in (finding.fix or "")
