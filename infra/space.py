"""How much room the disks have that an instance writes to.

Does not belong here: what is said or done about it (doctor, stack).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from infra.cache import cache_dir

LEAST_FREE_BYTES = 2 * 1024**3
"""With less, `up` refuses and `doctor` complains: what is fetched takes 1.8 GB, and a server with a full disk loses what it was doing."""
ADVICE = "Free some space, or set LAKEHOUSE_HOME and LAKEHOUSE_CACHE to another disk."


def least_free(home: Path) -> tuple[int, Path]:
    """Free bytes of the fuller disk of the two, home's and the cache's, and the folder it was measured for."""
    return min((_free(folder), folder) for folder in (home, cache_dir()))


def _free(folder: Path) -> int:
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.is_dir())).free
