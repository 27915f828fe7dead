"""The folder of one instance: its stamp, its version and the steps from an older version to this one.

Does not belong here: what runs in the instance, or migrations of tables (those follow the declarations).
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.env_files import write_private
from lakehouse.errors import ConfigurationError
from lakehouse.settings import STAMP

INSTANCE_VERSION = 1
INSTANCE_VARIABLE = "LAKEHOUSE_INSTANCE"
"""In the environment of every process of an instance; its value is the instance's id."""

FOLDERS = ("data", "etc", "logs", "run", "state", "tmp")

MIGRATIONS: dict[int, Callable[[Path], None]] = {}
"""From each older version of the folder to the next one."""


@dataclass(frozen=True)
class Instance:
    """An instance that exists on disk and has this version."""

    home: Path
    id: str

    @property
    def data(self) -> Path:
        """The embedded object store's files."""
        return self.home / "data"

    @property
    def etc(self) -> Path:
        """Generated configuration; written anew at each start."""
        return self.home / "etc"

    @property
    def logs(self) -> Path:
        """Logs of the servers, rotated."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Locks and process ids."""
        return self.home / "run"

    @property
    def state(self) -> Path:
        """State outside the bucket."""
        return self.home / "state"

    @property
    def tmp(self) -> Path:
        """Scratch space of the servers."""
        return self.home / "tmp"


def create_or_open(home: Path) -> Instance:
    """Open the instance in `home`, making or migrating it where needed."""
    stamp = home / STAMP
    if not stamp.exists():
        _refuse_foreign_folder(home)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_stamp(stamp, INSTANCE_VERSION, secrets.token_hex(8))
    _migrate(home, stamp)
    instance = open_existing(home)
    for folder in FOLDERS:
        (home / folder).mkdir(exist_ok=True, mode=0o700)
    return instance


def open_existing(home: Path) -> Instance:
    """Open the instance in `home`, which must exist and have this version."""
    stamp = home / STAMP
    if not stamp.exists():
        raise ConfigurationError(f"There is no instance in {home}.", next_step="Start one with `lakehouse up`, or set LAKEHOUSE_HOME.")
    version, identity = _read_stamp(stamp)
    if version > INSTANCE_VERSION:
        raise ConfigurationError(
            f"The instance in {home} has version {version}; this program knows up to {INSTANCE_VERSION}.",
            next_step="Use the newer program that made it, or set LAKEHOUSE_HOME to another folder.",
        )
    if version < INSTANCE_VERSION:
        raise ConfigurationError(f"The instance in {home} has the older version {version}.", next_step="Migrate it with `lakehouse up`.")
    return Instance(home, identity)


def _migrate(home: Path, stamp: Path) -> None:
    version, identity = _read_stamp(stamp)
    while version < INSTANCE_VERSION:
        MIGRATIONS[version](home)
        version += 1
        _write_stamp(stamp, version, identity)


def _refuse_foreign_folder(home: Path) -> None:
    found = {entry.name for entry in home.iterdir()} if home.is_dir() else set()
    if strange := found - {"config.env", "run", *FOLDERS}:
        raise ConfigurationError(
            f"{home} is not an instance, but holds {', '.join(sorted(strange)[:3])}.",
            next_step="Set LAKEHOUSE_HOME to an empty or new folder.",
        )


def _read_stamp(stamp: Path) -> tuple[int, str]:
    try:
        content = json.loads(stamp.read_text())
        return int(content["version"]), str(content["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"The stamp {stamp} cannot be read: {error!r}.", next_step="Restore it from a backup, or move the folder away."
        ) from error


def _write_stamp(stamp: Path, version: int, identity: str) -> None:
    write_private(stamp, json.dumps({"version": version, "id": identity}, indent=2) + os.linesep)
