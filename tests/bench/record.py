"""Raw timings: one JSON line for each, kept across stops, and what is worked out from them.

Does not belong here: measuring, or how a result is shown.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

WHOLE = "whole"
"""The part that stands for all of a run; it is written last."""

Digest = tuple[int, str]
"""Rows of a table, and a hash of them that does not depend on their order."""


@dataclass(frozen=True)
class Timing:
    """One measurement.

    Args:
        what: what ran, e.g. `clearlake` or `plain Spark`.
        part: which part of it: `whole`, a layer or a table.
        size: events of the input as a whole.
        round: number of the round, from 1.
        seconds: how long it took.
        rows: events that it took in.
        peak_bytes: most memory at a moment, where that is what was measured.
        digests: table to its digest; of the part `whole` only.
    """

    what: str
    part: str
    size: int
    round: int
    seconds: float
    rows: int
    peak_bytes: int | None = None
    digests: Mapping[str, Digest] = field(default_factory=dict)


class Record:
    """The timings of one version of the code, in a file that is only ever appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.timings = [_read(line) for line in path.read_text().splitlines()] if path.exists() else []

    def add(self, timings: Iterable[Timing]) -> None:
        """Keep the timings of one run."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        made = list(timings)
        lines = [json.dumps({**asdict(timing), "recorded_at": datetime.now(UTC).isoformat(timespec="seconds")}) for timing in made]
        with self.path.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))
        self.timings += made

    def has(self, what: str, size: int, number: int) -> bool:
        """Whether a round was run to its end."""
        return any((t.what, t.part, t.size, t.round) == (what, WHOLE, size, number) for t in self.timings)

    def of(self, what: str, size: int, part: str = WHOLE) -> list[Timing]:
        """The timings of a part, in the order in which they were made."""
        return [t for t in self.timings if (t.what, t.size, t.part) == (what, size, part)]

    def seconds(self, what: str, size: int, *parts: str) -> float | None:
        """Median over the rounds of the seconds that some parts take together; None where it was not measured."""
        rounds: dict[int, float] = {}
        for part in parts or (WHOLE,):
            for timing in self.of(what, size, part):
                rounds[timing.round] = rounds.get(timing.round, 0.0) + timing.seconds
        return statistics.median(rounds.values()) if rounds else None

    def peak(self, what: str, size: int) -> float | None:
        """Median over the rounds of the most memory; None where it was not measured."""
        peaks = [t.peak_bytes for t in self.of(what, size) if t.peak_bytes]
        return statistics.median(peaks) if peaks else None

    def digests(self, size: int) -> dict[str, dict[Digest, set[str]]]:
        """For each table, every digest that was seen of it, and what it was seen from."""
        seen: dict[str, dict[Digest, set[str]]] = {}
        for timing in (t for t in self.timings if t.size == size):
            for table, digest in timing.digests.items():
                seen.setdefault(table, {}).setdefault(digest, set()).add(timing.what)
        return seen


def _read(line: str) -> Timing:
    read = json.loads(line)
    read.pop("recorded_at")
    return Timing(**{**read, "digests": {table: (rows, value) for table, (rows, value) in read["digests"].items()}})
