"""Where the pages on data find what they need: the facts, the tables of the lake, the settings, and answers kept for a short time.

Does not belong here: the questions (broken_queries, quality_queries, quarantine_queries, table_queries).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TypeVar

from flask import Flask, current_app

from dash_app.cache import Cache, Look
from dash_app.queries import Row
from lakehouse.dagster_api import is_answering
from lakehouse.delta_reads import Lake
from lakehouse.errors import ConfigurationError
from lakehouse.ops.store import Reader
from lakehouse.settings import Settings
from lakehouse.sources import Source, load_sources

T = TypeVar("T")

FRESH_S = 8
SLOW_S = 60
_KEY = "clearlake_lake"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Sight:
    """What the pages on data look through.

    Args:
        reader: answers SQL over the ops and ctl tables.
        lake: tells of the tables that Spark writes.
        settings: of the instance.
        now: the present, in UTC.
    """

    reader: Reader
    lake: Lake
    settings: Settings
    now: Callable[[], datetime] = _now
    _fresh: Cache = field(default_factory=lambda: Cache(FRESH_S))
    _slow: Cache = field(default_factory=lambda: Cache(SLOW_S))

    @property
    def today(self) -> date:
        """The day it is (UTC)."""
        return self.now().date()

    def look(self, key: str, read: Callable[[], T]) -> Look[T]:
        """An answer that is at most some seconds old."""
        return self._fresh.look(key, read)

    def look_slowly(self, key: str, read: Callable[[], T]) -> Look[T]:
        """An answer that is at most a minute old."""
        return self._slow.look(key, read)

    def rows(self, sql: str, *parameters: object) -> list[Row]:
        """Rows of a statement over the ops and ctl tables."""
        found: list[Row] = self.reader.query(sql, parameters).to_pylist()
        return found

    def sources(self) -> dict[str, Source]:
        """The declared sources; none where the declarations have mistakes, which `lakehouse sources check` tells."""
        return self.look_slowly("sources", self._read_sources).value or {}

    def _read_sources(self) -> dict[str, Source]:
        try:
            return load_sources(self.settings)
        except ConfigurationError:
            return {}

    def can_launch(self) -> bool:
        """Whether Dagster answers, so that something can be started."""
        return bool(self.look("dagster", lambda: is_answering(self.settings)).value)


def attach(server: Flask, sight: Sight) -> None:
    """Give the app its view of the data."""
    server.extensions[_KEY] = sight


def sight_of_this_app() -> Sight:
    """The view of the data of the app that answers the present request."""
    sight: Sight = current_app.extensions[_KEY]
    return sight
