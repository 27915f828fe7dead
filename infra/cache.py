"""The machine-wide cache of fetched and built parts, shared by all instances.

Does not belong here: anything of one instance, or how a part is fetched.
"""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "LAKEHOUSE_CACHE"


def cache_dir() -> Path:
    """`LAKEHOUSE_CACHE`, else `XDG_CACHE_HOME/clearlake`, else `~/.cache/clearlake`."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "clearlake"
