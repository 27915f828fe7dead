"""How often something may fail before it must wait.

Does not belong here: what is counted, or what the one who must wait is told (sign_in).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable


class Throttle:
    """Counts failed attempts by key within a window.

    Args:
        limit: failures after which the key must wait.
        window_s: how long a failure counts.
        clock: seconds, monotonic.
    """

    def __init__(self, limit: int, window_s: float = 300, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._window_s, self._clock = limit, window_s, clock
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str) -> int:
        """Seconds until the key may try again; 0 for now."""
        with self._lock:
            self._forget_old()
            failures = self._failures.get(key, ())
            return int(failures[-self._limit] + self._window_s - self._clock()) + 1 if len(failures) >= self._limit else 0

    def failed(self, key: str) -> None:
        """Count one failure."""
        with self._lock:
            self._failures.setdefault(key, deque(maxlen=self._limit)).append(self._clock())

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        with self._lock:
            self._failures.pop(key, None)

    def _forget_old(self) -> None:
        oldest = self._clock() - self._window_s
        self._failures = {key: times for key, times in self._failures.items() if times[-1] > oldest}
