"""One other tool in a process of its own: `python -m tests.bench.peers polars|dlt HOME LANDING LAKE FOLDER` prints the seconds it took.

What it imports is loaded before the clock starts.
Does not belong here: what a tool does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from jobs.simulator import LANDING_SOURCE
from lakehouse.settings import read_settings
from lakehouse.sources import load_sources


def main(tool: str, home: str, landing: str, lake: str, folder: str) -> None:
    """Make the silver table with a tool."""
    settings = read_settings(Path(home)).model_copy(update={"landing_bucket": landing, "lake_bucket": lake})
    source = load_sources(settings)[LANDING_SOURCE]
    if tool == "polars":
        from tests.bench.peers import polars_delta

        began = time.monotonic()
        polars_delta.make_silver(settings, source)
    else:
        from tests.bench.peers import dlt_duckdb

        began = time.monotonic()
        dlt_duckdb.make_silver(settings, source, Path(folder))
    print(time.monotonic() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
