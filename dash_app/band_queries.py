"""How many rows each hour of a table had, and how many were expected: the evaluator's own reckoning, for one table at a time.

Does not belong here: judging (lakehouse.monitoring), or how it is shown (figures).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dash_app.cache import Cache, Look
from lakehouse.monitoring.series import SeriesWatch
from lakehouse.ops.store import Reader

Row = dict[str, Any]
BAND_S = 300


class Bands:
    """The bands of tables, reckoned at most once in five minutes each.

    Args:
        reader: answers SQL over the ops tables.
        now: the present, in UTC.
    """

    def __init__(self, reader: Reader, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._reader, self._now, self._looks = reader, now, Cache(BAND_S)

    def of(self, pipeline: str, table: str) -> Look[list[Row]]:
        """Each hour of the last week: hour_ms (milliseconds since 1970, UTC), observed, expected, lower, upper, and the reason where the
        series is not judged; nothing of a table of which no hour is measured."""
        return self._looks.look(f"{pipeline}|{table}", lambda: self._read(pipeline, table))

    def _read(self, pipeline: str, table: str) -> list[Row]:
        rows = SeriesWatch(self._reader).band(pipeline, table, self._now())
        return [{**row, "hour_ms": int(row.pop("hour").timestamp() * 1000)} for row in rows]
