"""AOT caches are recorded once for the installed jars, by a process that does not know the user's lake, and never stand in the way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import aot


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only jar of the only JVM among the services, in an environment of its own."""
    jar = tmp_path / "server.jar"
    jar.write_bytes(b"classes")
    monkeypatch.setattr(aot.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(aot, "CLASS_PATHS", {"server": lambda: [str(jar)]})
    monkeypatch.delenv(aot.RECORDING, raising=False)
    return jar


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Arguments and environment of each process that was to record; it records `server`."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def run(arguments: list[str], env: dict[str, str], **_rest: Any) -> subprocess.CompletedProcess[bytes]:
        seen.append((arguments, env))
        aot.path("server").write_bytes(b"cache")
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(aot.subprocess, "run", run)
    return seen


def _record() -> list[str]:
    told: list[str] = []
    aot.record_missing(["minio", "server"], lambda _name, state: told.append(state))
    return told


def test_what_is_recorded_is_used_and_not_recorded_again(jar: Path, recordings: list[tuple[list[str], dict[str, str]]]) -> None:
    assert aot.options("server") == []
    assert _record()[-1] == "recorded"
    assert f"-XX:AOTCache={aot.path('server')}" in aot.options("server")
    assert _record() == []
    assert [arguments[-1] for arguments, _ in recordings] == ["server"]


def test_another_jar_needs_another_cache_and_the_old_one_goes(jar: Path, recordings: list[tuple[list[str], dict[str, str]]]) -> None:
    _record()
    old = aot.path("server")
    os.utime(jar, (1, 1))
    assert aot.options("server") == []
    _record()
    assert aot.path("server") != old
    assert not old.exists()
    assert len(recordings) == 2


def test_one_that_cannot_be_recorded_is_told_and_not_tried_again(jar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aot.subprocess, "run", lambda arguments, **_: subprocess.CompletedProcess(arguments, 1))
    assert "recording.log" in _record()[-1]
    assert aot.options("server") == []
    assert _record() == []


def test_the_recording_knows_the_cache_of_parts_but_no_setting_of_the_users_lake(
    jar: Path, recordings: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_S3_ENDPOINT", "https://store.example")
    monkeypatch.setenv("LAKEHOUSE_CACHE", "/somewhere")
    _record()
    ((_, environment),) = recordings
    assert "LAKEHOUSE_S3_ENDPOINT" not in environment
    assert environment["LAKEHOUSE_CACHE"] == "/somewhere"


def test_a_server_that_is_to_record_does_not_start_from_an_older_cache(
    jar: Path, recordings: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _record()
    monkeypatch.setenv(aot.RECORDING, "/into")
    assert "-XX:AOTCacheOutput=/into/server" in aot.options("server")
    assert not [option for option in aot.options("server") if "AOTCache=" in option]
