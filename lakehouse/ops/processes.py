"""Which process did something, on which machine, and whether it is still there.

Does not belong here: starting or ending processes.
"""

from __future__ import annotations

import json
import os
import socket
from functools import cache
from pathlib import Path

import psutil

from lakehouse.settings import STAMP

SAME_START_S = 1.0


@cache
def this_process() -> str:
    """This process as `pid@start` (epoch seconds), which no later process shares."""
    return f"{os.getpid()}@{psutil.Process().create_time():.0f}"


def find(pid: int, started: float) -> psutil.Process | None:
    """The process of this machine with that id and start (epoch seconds), if it still lives."""
    try:
        found = psutil.Process(pid)
        same = abs(found.create_time() - started) <= SAME_START_S and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if same else None


def is_running(process: str) -> bool:
    """Whether a process of this machine, given as `pid@start`, is alive; an id alone tells nothing, since it is used again."""
    pid, _, start = process.partition("@")
    return bool(start) and find(int(pid), float(start)) is not None


def this_host(home: Path) -> str:
    """This machine as `name/instance`: the instance's id stays when the machine's name changes, and no other machine has it.

    Without an instance on disk the name stands for both.
    """
    name = socket.gethostname()
    try:
        instance = json.loads((home / STAMP).read_text(encoding="utf-8"))["id"]
    except (OSError, ValueError, KeyError):
        instance = name
    return f"{name}/{instance}"
