"""Named points of a run at which a drill may stop the process, to kill it there from outside.

Does not belong here: any behaviour of a run. Without `LAKEHOUSE_FAILPOINT` in the environment every point is empty.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

LISTING: Final = "listing"
READING: Final = "reading"
STAGED: Final = "staged"
PUBLISHED: Final = "published"
TAKEN_OUT: Final = "taken_out"
RECORDED: Final = "recorded"
MAINTENANCE: Final = "maintenance"
POINTS: Final = (LISTING, READING, STAGED, PUBLISHED, TAKEN_OUT, RECORDED, MAINTENANCE)

VARIABLE: Final = "LAKEHOUSE_FAILPOINT"
"""`point=directory`: on reaching the point, write `<directory>/<point>.<pid>` and wait to be killed or released."""


def reached(point: str) -> None:
    """Tell that the run is at a point; returns at once unless a drill waits for this one and its directory is still there."""
    wanted, _, directory = os.environ.get(VARIABLE, "").partition("=")
    if wanted != point or not Path(directory).is_dir():
        return
    marker = Path(directory) / f"{point}.{os.getpid()}"
    marker.touch()
    while marker.exists():
        time.sleep(0.05)
