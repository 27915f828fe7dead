"""Reading the servers' logs.

Does not belong here: writing or rotating them (supervisor).
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

POLL_SECONDS = 0.3


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log, reaching into the file before the last rotation where needed."""
    kept: deque[str] = deque(maxlen=lines)
    for part in (path.with_name(f"{path.name}.1"), path):
        if part.exists():
            with part.open(errors="replace") as file:
                kept.extend(line.rstrip("\n") for line in file)
    return list(kept)


def follow(path: Path) -> None:
    """Print what is appended, across rotations, until interrupted."""
    file = path.open(errors="replace")
    file.seek(0, 2)
    while True:
        if line := file.readline():
            print(line, end="", flush=True)
        elif path.exists() and path.stat().st_size < file.tell():
            file = path.open(errors="replace")
        else:
            time.sleep(POLL_SECONDS)
