"""Where a run's seconds go: what each thread of the run is doing is looked at a hundred times a second, from outside.

Time is told by the product's own functions, the calling ones first; nothing in them is named or changed for it.
Does not belong here: what is run, or how its parts are shown.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from types import FrameType, TracebackType

SAMPLED_EVERY_S = 0.01
PRODUCT = ("jobs.", "lakehouse.", "dq_checks.")

Path = tuple[str, ...]
"""Names of functions, the outermost first."""


class Sampler:
    """Watches, as a context, the threads that come to run functions of the product.

    Attributes:
        part: which part of the run is under way; set by the caller.
        seconds: part, and path within it, to the seconds in which a thread stood there. Threads side by side count each.
    """

    def __init__(self) -> None:
        self.part = ""
        self.seconds: dict[tuple[str, Path], float] = defaultdict(float)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def enter(self, part: str) -> None:
        """Say which part begins."""
        self.part = part

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._over.wait(SAMPLED_EVERY_S):
            now = time.monotonic()
            for ident, frame in sys._current_frames().items():
                if ident != threading.get_ident() and (path := _path(frame)):
                    self.seconds[self.part, path] += now - before
            before = now


def _path(frame: FrameType | None) -> Path:
    names = []
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(PRODUCT):
            names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return tuple(reversed(names))
