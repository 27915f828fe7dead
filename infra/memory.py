"""How much memory processes take.

Does not belong here: limits, or which processes belong together.
"""

from __future__ import annotations

import psutil


def resident(process: psutil.Process) -> int:
    """Resident bytes; pages shared with others count fully."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def proportional(process: psutil.Process) -> int:
    """Resident bytes, each shared page divided among those who share it; the resident size where the system cannot say."""
    try:
        full = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(full, "pss", full.rss))
