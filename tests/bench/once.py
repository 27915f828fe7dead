"""One run in a process of its own: `python -m tests.bench.once HOME LANDING LAKE`, so that its memory can be told from the tests'.

Does not belong here: measuring.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakehouse.settings import read_settings
from tests.bench.pipeline import run


def main(home: str, landing: str, lake: str) -> None:
    """Take in what is pending in a lake of the instance."""
    run(read_settings(Path(home)).model_copy(update={"landing_bucket": landing, "lake_bucket": lake}))


if __name__ == "__main__":
    main(*sys.argv[1:])
