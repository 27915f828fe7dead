"""Cold starts: all servers of a new home together, each of them alone, and what the orchestrator takes to begin a run.

Does not belong here: comparing them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import pytest

from infra import stack
from infra.orchestrator import launch
from infra.services.dagster_home import dagster_home
from infra.services.registry import SERVICES
from lakehouse.settings import Settings
from lakehouse.tables import Layer, table
from tests.bench.comparisons import ALONE, ORCHESTRATOR, UP
from tests.bench.contestants import Outcome
from tests.lake import GOLD

BUSY = "processor"
"""Part that tells the seconds of all cores that were not idle meanwhile."""


class _Starts:
    """Clocks each service from its start until it answers."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began: dict[str, float] = {}

    def __call__(self, name: str, state: str) -> None:
        if state == "starting":
            self._began[name] = time.monotonic()
        else:
            self.seconds[name] = time.monotonic() - self._began[name]


def together(home: Path) -> list[Outcome]:
    """Bring up all servers of a new home at once, and have the orchestrator begin a run that has nothing to do."""
    starts = _Starts()
    with _destroyed(home):
        began, busy = time.monotonic(), _busy_seconds()
        settings = stack.up(home, usual_ports=False, report=starts)
        took, busy = time.monotonic() - began, _busy_seconds() - busy
        return [_begin_a_run(settings), Outcome(UP, 0, took, {**starts.seconds, BUSY: busy})]


def one_after_the_other(home: Path) -> list[Outcome]:
    """Bring up each server of a new home alone, as its maker has it start, those before it at rest: the sum of their own starts."""
    starts = _Starts()
    with pytest.MonkeyPatch.context() as patch, _destroyed(home):
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:AOTMode=off")
        busy = _busy_seconds()
        for name in SERVICES:
            stack.up(home, only=(name,), usual_ports=False, report=starts)
        busy = _busy_seconds() - busy
        return [Outcome(ALONE, 0, sum(starts.seconds.values()), {**starts.seconds, BUSY: busy})]


def _begin_a_run(settings: Settings) -> Outcome:
    """From the request until the first step can begin, and until a run without work is over."""
    idle = next(declared.name for declared in GOLD if table(declared.inputs[0]).layer is Layer.SILVER)
    launched = launch(settings, "lake", selection=[idle])
    for _state in launched.states():
        pass
    with dg.DagsterInstance.from_config(str(dagster_home(settings.home))) as instance:
        run = instance.get_run_record_by_id(launched.run_id)
    assert run
    assert run.start_time
    assert run.end_time
    asked = run.create_timestamp.timestamp()
    return Outcome(ORCHESTRATOR, 0, run.start_time - asked, {"the whole run": run.end_time - asked})


@contextmanager
def _destroyed(home: Path) -> Iterator[None]:
    try:
        yield
    finally:
        stack.down(home)
        shutil.rmtree(home)


def _busy_seconds() -> float:
    now = psutil.cpu_times()
    return float(now.user + now.system)
