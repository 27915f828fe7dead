"""Seconds are told by the part that is under way and by the product's functions in which a thread stands."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from lakehouse import failpoints
from tests.bench.sampling import Sampler


def test_time_is_told_by_part_and_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, f"{failpoints.STAGED}={tmp_path}")
    waiting = threading.Thread(target=failpoints.reached, args=(failpoints.STAGED,))
    with Sampler() as sampler:
        sampler.enter("staging")
        waiting.start()
        while not (sampler.seconds and any(tmp_path.iterdir())):
            time.sleep(0.01)
        for marker in tmp_path.iterdir():
            marker.unlink()
        waiting.join()
    assert set(sampler.seconds) == {("staging", ("reached",))}
    assert sum(sampler.seconds.values()) > 0
