"""How far facts have been sent: a small file in the instance's state.

Facts are told apart by the append that recorded them: all rows of one bear its time in `recorded_at`, to the microsecond. They do not
arrive in that order, since an append that the store refused waits in a spool; so it is remembered for SETTLING which of them were sent.

Does not belong here: reading or sending the facts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SETTLING = timedelta(hours=6)
"""An append that arrives later than this after a newer one was sent does not leave any more."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(time: datetime) -> int:
    """A time as microseconds since 1970 (UTC)."""
    return (time - EPOCH) // MICROSECOND


def moment(time_us: int) -> datetime:
    """Microseconds since 1970 as a time (UTC)."""
    return EPOCH + time_us * MICROSECOND


@dataclass
class Position:
    """How far one table has been sent; appends are told by their `recorded_at` in microseconds since 1970.

    Args:
        since: nothing that was recorded then or before is to be sent any more.
        sent: later appends that were sent whole.
        begun: appends of which only the first points were sent, with how many.
    """

    since: int
    sent: set[int] = field(default_factory=set)
    begun: dict[int, int] = field(default_factory=dict)

    def add(self, append: int, points: int, *, is_whole: bool) -> None:
        """Take in that so many points of an append have been sent altogether, and whether these are all of it."""
        if is_whole:
            self.begun.pop(append, None)
            self.sent.add(append)
            self._settle()
        else:
            self.begun[append] = points

    def _settle(self) -> None:
        self.since = max(self.since, max(self.sent) - SETTLING // MICROSECOND)
        self.sent = {append for append in self.sent if append > self.since}


@dataclass(frozen=True)
class CursorFile:
    """Positions by table, kept in a file that is never half written.

    Args:
        path: of the file; its folder need not exist.
    """

    path: Path

    def read(self, tables: Iterable[str], otherwise: datetime) -> dict[str, Position]:
        """The positions; of a table that is not in the file, one that begins at `otherwise` (UTC).

        Raises ValueError for a file that is no cursor, OSError for one that cannot be read.
        """
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else "{}"
        try:
            kept: Mapping[str, Any] = json.loads(text)
            found = {name: _position(told) for name, told in kept.items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a cursor: {error!r}") from error
        return {name: found.get(name) or Position(micros(otherwise)) for name in tables}

    def write(self, positions: Mapping[str, Position]) -> None:
        """Replace the file. Raises OSError where the disk does not take it; the old one is there then."""
        told = {name: {"since": p.since, "sent": sorted(p.sent), "begun": sorted(p.begun.items())} for name, p in positions.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".part-{os.getpid()}")
        try:
            partial.write_text(json.dumps(told), encoding="utf-8")
            partial.replace(self.path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def _position(told: Mapping[str, Any]) -> Position:
    return Position(int(told["since"]), {int(a) for a in told["sent"]}, {int(a): int(points) for a, points in told["begun"]})
