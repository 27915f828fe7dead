"""Answers kept for a short time, read by one caller at a time, and kept on when they cannot be renewed.

Does not belong here: what is asked (queries).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import orjson

from lakehouse.errors import InfrastructureError

T = TypeVar("T")


@dataclass(frozen=True)
class Look(Generic[T]):
    """One look at the facts.

    Args:
        value: what was seen; None if the store has never answered.
        seen_at: when it was seen.
        error: why the latest try to see more failed; None when it did not.
    """

    value: T | None = None
    seen_at: datetime | None = None
    error: InfrastructureError | None = None

    @property
    def fingerprint(self) -> str:
        """Changes when, and only when, a page must be drawn anew."""
        content = orjson.dumps((self.value, self.error is not None), option=orjson.OPT_SERIALIZE_DATACLASS, default=str)
        return hashlib.blake2b(content, digest_size=12).hexdigest()


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    look: Look[Any] = field(default_factory=Look)
    due: float = 0


class Cache:
    """Looks by key; the least recently used fall out.

    Args:
        ttl_s: for how long an answer, or a failure, is good.
        most: how many keys are kept.
        clock: seconds, monotonic.
    """

    def __init__(self, ttl_s: float, *, most: int = 100, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_s, self._most, self._clock = ttl_s, most, clock
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, key: str, read: Callable[[], T]) -> Look[T]:
        """The answer for the key: a fresh one, or the last one while somebody else reads, or when the store is down."""
        slot = self._slot(key)
        if self._clock() < slot.due:
            return slot.look
        must_wait = slot.due == 0
        if slot.lock.acquire(blocking=must_wait):
            try:
                if self._clock() >= slot.due:
                    slot.look = _renew(slot.look, read)
                    slot.due = self._clock() + self._ttl_s
            finally:
                slot.lock.release()
        return slot.look

    def forget(self, key: str) -> None:
        """Let the next look at the key read anew; what was seen stays, in case that cannot be."""
        slot = self._slot(key)
        with slot.lock:
            slot.due = min(slot.due, self._clock())

    def _slot(self, key: str) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
            return slot


def _renew(last: Look[T], read: Callable[[], T]) -> Look[T]:
    try:
        return Look(read(), datetime.now(UTC))
    except InfrastructureError as error:
        return replace(last, error=error)
