"""How much memory processes take.

Does not belong here: limits, or which processes belong together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType

import psutil

SAMPLED_EVERY_S = 2.0


def resident(process: psutil.Process) -> int:
    """Resident bytes; pages shared with others count fully."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def proportional(process: psutil.Process) -> int:
    """Resident bytes, each shared page divided among those who share it; the resident size where the system cannot say."""
    try:
        full = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(full, "pss", full.rss))


class Peak:
    """Watches, as a context, what named groups of processes take together, and keeps the moment at which that was most.

    Args:
        measure: name of a group to its proportional bytes, now.

    Attributes:
        highest: what `measure` said at that moment.
    """

    def __init__(self, measure: Callable[[], Mapping[str, int]]) -> None:
        self._measure = measure
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.highest: Mapping[str, int] = {}

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    @property
    def total(self) -> int:
        """All groups together at that moment, in bytes."""
        return sum(self.highest.values())

    def _watch(self) -> None:
        while True:
            measured = self._measure()
            if sum(measured.values()) > self.total:
                self.highest = measured
            if self._over.wait(SAMPLED_EVERY_S):
                return
