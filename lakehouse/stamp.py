"""Stamps: what a part of the instance was last made from, so that it is made again only when that has changed.

Does not belong here: making it, or the version of the instance's folder (infra.instance).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lakehouse.settings import Settings
from lakehouse.tables import Table

CATALOG = "catalog"
VIEWS = "views"


@dataclass(frozen=True)
class Stamp:
    """A file that holds the fingerprint of what something was made from.

    Args:
        path: of the file.
        wanted: the fingerprint of what it would be made from now.
    """

    path: Path
    wanted: str

    @property
    def is_current(self) -> bool:
        """Whether it was made from just that."""
        return self.path.exists() and self.path.read_text() == self.wanted

    def set(self) -> None:
        """Say that it is made."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.wanted)


def catalog_stamp(settings: Settings, tables: Iterable[Table]) -> Stamp:
    """The stamp of the catalog, which is made from declarations."""
    return Stamp(settings.state_dir / CATALOG, _fingerprint(repr(list(tables))))


def views_stamp(settings: Settings, tables: Iterable[Table], sql: str) -> Stamp:
    """The stamp of the views, which are made from SQL over declared tables."""
    return Stamp(settings.state_dir / VIEWS, _fingerprint(repr(list(tables)) + sql))


def forget(settings: Settings) -> None:
    """Have everything made again."""
    for name in (CATALOG, VIEWS):
        (settings.state_dir / name).unlink(missing_ok=True)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
