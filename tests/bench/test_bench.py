"""How fast Clearlake is, beside plain Spark and other tools, and what its promises cost.

Rounds are interleaved in the same warm servers; medians are compared; what was made must be equal row by row.
`make bench SIZES=50000 TIMES=1 ONLY=bronze` measures a part; what this version of the code has measured already is not run again.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import aot, processes, stack
from infra.memory import Peak, proportional
from infra.services.registry import SERVICES
from lakehouse.settings import Settings
from tests.bench import lakes, pipeline, starts
from tests.bench.comparisons import COLD_START, MEMORY, MEMORY_GROWTH, PROFILE, RACED, UP, Comparison
from tests.bench.contestants import Contestants, Outcome
from tests.bench.race import keep
from tests.bench.record import Record
from tests.bench.sampling import Sampler
from tests.fixtures import SPARK_SERVICES


@pytest.mark.parametrize("comparison", RACED, ids=lambda comparison: comparison.key)
def test_ratio(comparison: Comparison, size: int, raced: Callable[[int], None], record: Record) -> None:
    raced(size)
    assert differing(record, size) == {}
    hold(comparison, record, size)


def hold(comparison: Comparison, record: Record, size: int) -> None:
    """Fail where a bar is missed, or nothing was measured."""
    ratio = comparison.ratio(record, size)
    assert ratio is not None or size not in comparison.barred
    assert not comparison.is_missed(record, size), f"{comparison.title}: {ratio:.3f}, must be {comparison.bar}"


def differing(record: Record, size: int) -> dict[str, object]:
    """Tables of which not all contestants made the same rows."""
    return {table: digests for table, digests in record.digests(size).items() if len(digests) > 1}


def test_profile(size: int, contestants: Contestants, record: Record) -> None:
    if record.has(PROFILE, size, 1):
        return
    with contestants.lake(size) as lake:
        lakes.enter(lake)
        with Sampler() as sampler:
            began = time.monotonic()
            pipeline.run(lake, enter=sampler.enter)
            took = time.monotonic() - began
    steps = {f"{part}: {' › '.join(path)}": seconds for (part, path), seconds in sampler.seconds.items()}
    keep(record, Outcome(PROFILE, size, took, steps), size, 1)
    assert sum(sampler.seconds.values()) > took / 2, "most of the time was spent where the profile does not look"


def test_memory(size: int, spark_stack: Settings, contestants: Contestants, record: Record, rounds: int) -> None:
    for number in range(1, rounds + 1):
        if not record.has(MEMORY, size, number):
            took, highest = _run_watched(contestants, spark_stack, size)
            keep(record, Outcome(MEMORY, size, took), size, number, highest)
    hold(MEMORY_GROWTH, record, size)


def _run_watched(contestants: Contestants, settings: Settings, size: int) -> tuple[float, int]:
    """Seconds and most proportional bytes of servers and run together; Spark starts anew, since a JVM keeps what it once had."""
    stack.restart(settings.home, "spark")
    stack.up(settings.home, only=SPARK_SERVICES)
    with contestants.lake(size) as lake:
        lakes.enter(lake)
        began = time.monotonic()
        run = subprocess.Popen([sys.executable, "-m", "tests.bench.once", str(lake.home), lake.landing_bucket, lake.lake_bucket])
        with Peak(lambda: {**stack.memory(settings.home), "run": sum(map(proportional, processes.tree(run.pid)))}) as peak:
            assert run.wait() == 0
            took = time.monotonic() - began
    return took, peak.total


def test_cold(tmp_path: Path, record: Record, rounds: int) -> None:
    aot.record_missing(SERVICES, lambda _name, _state: None)
    ways = [starts.together, starts.one_after_the_other]
    for number in range(1, rounds + 1):
        if not record.has(UP, 0, number):
            for way in ways if number % 2 else reversed(ways):
                for outcome in way(tmp_path / "home"):
                    keep(record, outcome, 0, number)
    hold(COLD_START, record, 0)
