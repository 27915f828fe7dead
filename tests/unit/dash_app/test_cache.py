"""Answers are shared, read once at a time, and outlive the store.

Does not belong here: what is asked.
"""

from __future__ import annotations

import threading
import time

import pytest

from dash_app.cache import Cache, Look
from lakehouse.errors import InfrastructureError


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def failing() -> str:
    raise InfrastructureError("down")


def test_an_answer_is_good_for_its_time():
    clock, reads = Clock(), iter(range(10))
    cache = Cache(5, clock=clock)
    seen = []
    for clock.now in (100.0, 104.9, 105.0):
        seen.append(cache.look("k", lambda: next(reads)).value)
    assert seen == [0, 0, 1]


def test_a_store_that_is_down_leaves_the_last_answer_with_its_age():
    clock = Clock()
    cache = Cache(5, clock=clock)
    first = cache.look("k", lambda: "known")
    clock.now += 6
    second = cache.look("k", failing)
    assert (second.value, second.seen_at) == ("known", first.seen_at)
    assert str(second.error) == "down"
    assert second.fingerprint != first.fingerprint
    clock.now += 6
    assert cache.look("k", lambda: "known").error is None


def test_many_first_lookers_read_once():
    reads: list[int] = []

    def read() -> int:
        time.sleep(0.05)
        reads.append(1)
        return 42

    cache, seen = Cache(60), []
    threads = [threading.Thread(target=lambda: seen.append(cache.look("k", read).value)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (seen, reads) == ([42] * 8, [1])


def test_nobody_waits_for_a_renewal_by_another():
    clock, is_reading, may_end = Clock(), threading.Event(), threading.Event()
    cache = Cache(5, clock=clock)
    cache.look("k", lambda: "old")
    clock.now += 6

    def slow() -> str:
        is_reading.set()
        may_end.wait(5)
        return "new"

    renewal = threading.Thread(target=lambda: cache.look("k", slow))
    renewal.start()
    is_reading.wait(5)
    assert cache.look("k", slow).value == "old"
    may_end.set()
    renewal.join()
    assert cache.look("k", slow).value == "new"


def test_the_least_recently_used_key_falls_out():
    cache, reads = Cache(60, most=2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.look(key, lambda key=key: reads.append(key))
    assert reads == ["a", "b", "c", "b"]


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        Cache(5).look("k", lambda: 1 / 0)


def test_a_fingerprint_tells_content_not_time():
    assert Look({"a": 1}).fingerprint == Look({"a": 1}, seen_at=None).fingerprint != Look({"a": 2}).fingerprint
