"""Rounds: the contestants take turns in servers that stay warm, and what the record has is not run again.

Does not belong here: what a contestant does.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.spark import SMALL_RECORDS
from tests.bench.contestants import LATE, NEW, ONE_CORE, OURS, PLAIN, UNCHECKED, UNRECORDED, Contestants, Outcome
from tests.bench.events import SLICES
from tests.bench.record import WHOLE, Record, Timing

WARM_AT = 1_000_000
"""Most events of a run that nobody counts."""
PARTS_TOLD = 20


class Race:
    """Rounds over the same events.

    Args:
        contestants: who can run.
        record: where timings are kept.
        rounds: how many there are.
    """

    def __init__(self, contestants: Contestants, record: Record, rounds: int) -> None:
        self.contestants, self.record, self.rounds = contestants, record, rounds
        self._warm: set[tuple[str, bool]] = set()

    def run(self, chosen: Iterable[str], size: int) -> None:
        """Have each run in each round that the record has not, in an order that is turned round each time."""
        order = list(chosen)
        for number in range(1, self.rounds + 1):
            for what in order if number % 2 else reversed(order):
                if not self.record.has(what, size, number) and not (what in (NEW, LATE) and number > SLICES):
                    self._warm_up(what, size)
                    for outcome in self.contestants.run(what, size, number):
                        keep(self.record, outcome, size, number)

    def _warm_up(self, what: str, size: int) -> None:
        """One run that is not counted: the JVM compiles what it runs often, and small batches are run differently from large ones."""
        kind = (what, size > SMALL_RECORDS)
        if what in (OURS, PLAIN, UNCHECKED, UNRECORDED, ONE_CORE) and kind not in self._warm:
            self.contestants.run(what, min(size, WARM_AT), 0)
        self._warm.add(kind)


def keep(record: Record, outcome: Outcome, size: int, number: int, peak_bytes: int | None = None) -> None:
    """Record an outcome part by part, and tell of it."""
    parts = [Timing(outcome.what, part, size, number, seconds, outcome.rows) for part, seconds in outcome.parts.items()]
    whole = Timing(outcome.what, WHOLE, size, number, outcome.seconds, outcome.rows, peak_bytes, outcome.digests)
    record.add([*parts, whole])
    told = "".join(f", {part} {seconds:.2f}" for part, seconds in outcome.parts.items()) if len(outcome.parts) <= PARTS_TOLD else ""
    memory = f", {peak_bytes / 1e6:,.0f} MB" if peak_bytes else ""
    print(f"{size:>9,} events, round {number}, {outcome.what}: {outcome.seconds:.2f} s{told}{memory}", flush=True)
