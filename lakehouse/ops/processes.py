"""Which process did something, and whether it is still there.

Does not belong here: starting or ending processes.
"""

from __future__ import annotations

import os
from functools import cache

import psutil


@cache
def this_process() -> str:
    """This process as `pid@start` (epoch seconds), which no later process shares."""
    return f"{os.getpid()}@{psutil.Process().create_time():.0f}"


def is_running(process: str) -> bool:
    """Whether a process of this machine, given as `pid@start`, is alive."""
    pid, _, start = process.partition("@")
    try:
        found = psutil.Process(int(pid))
        return abs(found.create_time() - float(start)) <= 1 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
