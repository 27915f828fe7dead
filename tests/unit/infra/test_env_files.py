"""Env files keep their values exactly and are read by nobody else."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from infra.env_files import read_env, write_env
from lakehouse.settings import read_settings

PRINTABLE = [chr(code) for code in range(32, 127)]
SPECIAL = " '\"\\$#=`{}n"


def test_any_printable_value_survives(tmp_path: Path) -> None:
    texts = ["", *PRINTABLE, *product(PRINTABLE, repeat=2), *product(SPECIAL, repeat=3), *product(SPECIAL, "x", SPECIAL, "'")]
    values = {f"LAKEHOUSE_X{number}": "".join(text) for number, text in enumerate(texts)}
    write_env(tmp_path / "x.env", values, heading="one\ntwo")
    assert read_env(tmp_path / "x.env") == values


def test_only_the_owner_can_read_it_even_where_it_was_open_before(tmp_path: Path) -> None:
    path = tmp_path / "x.env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    write_env(path, {"A": "2"}, heading="x")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_file_has_no_values(tmp_path: Path) -> None:
    assert read_env(tmp_path / "none.env") == {}


def test_the_settings_read_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKEHOUSE_S3_REGION", raising=False)
    write_env(tmp_path / "instance.env", {"LAKEHOUSE_S3_REGION": "a 'strange' #region"}, heading="x")
    assert read_settings(tmp_path).s3_region == "a 'strange' #region"
