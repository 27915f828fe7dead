"""A process is known by more than its id, and a service never runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from infra.instance import INSTANCE_VARIABLE
from infra.processes import Identity, identity, of_instance, recorded, stop_all

HOLDER = """
import sys, time
from pathlib import Path
from infra.processes import hold_alone
hold_alone(Path(sys.argv[1]), "x", patience=5)
print("held", flush=True)
time.sleep(60)
"""


def _holder(run: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(run)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_reused_id_is_not_the_same_process() -> None:
    own = identity(os.getpid())
    assert own.process() is not None
    assert Identity(own.pid, own.started - 3600).process() is None


def test_a_dead_process_is_gone() -> None:
    child = subprocess.Popen(["sleep", "60"])
    known = identity(child.pid)
    child.kill()
    child.wait()
    assert known.process() is None


def test_a_second_holder_stops_the_first_before_it_goes_on(tmp_path: Path) -> None:
    first = _holder(tmp_path)
    second = _holder(tmp_path)
    try:
        assert first.wait(timeout=1) != 0
        holder = recorded(tmp_path, "x")
        assert holder is not None
        assert holder.pid == second.pid
    finally:
        second.kill()
        second.wait()


def test_the_processes_of_an_instance_are_found_by_their_mark_and_stopped() -> None:
    marked = subprocess.Popen(["sleep", "60"], env={**os.environ, INSTANCE_VARIABLE: "test-of-processes"})
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, INSTANCE_VARIABLE: "another"})
    try:
        time.sleep(0.1)
        found = of_instance("test-of-processes")
        assert [process.pid for process in found] == [marked.pid]
        assert stop_all(found, patience=5) == []
        assert psutil.pid_exists(other.pid)
    finally:
        other.kill()
        other.wait()
        marked.wait()
