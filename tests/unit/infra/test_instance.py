"""An instance is stamped, migrated forward and never opened by an older program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra import instance
from infra.instance import create_or_open, open_existing
from lakehouse.errors import ConfigurationError
from lakehouse.settings import STAMP


def _stamp(home: Path, version: int) -> None:
    home.mkdir(exist_ok=True)
    (home / STAMP).write_text(json.dumps({"version": version, "id": "abc"}))


def test_a_new_folder_becomes_an_instance_with_its_own_id(tmp_path: Path) -> None:
    first, second = create_or_open(tmp_path / "one"), create_or_open(tmp_path / "two")
    assert first.id != second.id
    assert open_existing(tmp_path / "one") == first
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0


def test_a_newer_instance_is_refused(tmp_path: Path) -> None:
    _stamp(tmp_path, instance.INSTANCE_VERSION + 1)
    with pytest.raises(ConfigurationError, match="has version"):
        create_or_open(tmp_path)


def test_an_older_instance_is_migrated_step_by_step_and_keeps_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(instance, "INSTANCE_VERSION", 3)
    monkeypatch.setattr(instance, "MIGRATIONS", {1: lambda _: seen.append(1), 2: lambda _: seen.append(2)})
    _stamp(tmp_path, 1)
    assert create_or_open(tmp_path).id == "abc"
    assert seen == [1, 2]
    assert json.loads((tmp_path / STAMP).read_text()) == {"version": 3, "id": "abc"}


def test_a_migration_that_fails_is_taken_up_again_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "INSTANCE_VERSION", 3)
    monkeypatch.setattr(instance, "MIGRATIONS", {1: lambda _: None, 2: lambda home: (home / "absent").read_text()})
    _stamp(tmp_path, 1)
    with pytest.raises(FileNotFoundError):
        create_or_open(tmp_path)
    assert json.loads((tmp_path / STAMP).read_text())["version"] == 2


def test_an_older_instance_is_not_touched_by_reading_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "INSTANCE_VERSION", 2)
    _stamp(tmp_path, 1)
    with pytest.raises(ConfigurationError, match="older version"):
        open_existing(tmp_path)


def test_a_folder_with_foreign_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ConfigurationError, match=r"holiday\.jpg"):
        create_or_open(tmp_path)


def test_a_folder_with_only_the_users_settings_becomes_an_instance(tmp_path: Path) -> None:
    (tmp_path / "config.env").write_text("LAKEHOUSE_S3_REGION=x\n")
    assert create_or_open(tmp_path).id


def test_a_broken_stamp_is_a_message_and_not_a_new_instance(tmp_path: Path) -> None:
    (tmp_path / STAMP).write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        create_or_open(tmp_path)
