"""A process that does what a run of the orchestrator does, to be killed: `python -m tests.drills.worker lake|maintenance [NAME ...]`.

Exits with 0 where the run succeeded, retries of its steps included.
Does not belong here: killing, or looking at what is left.
"""

from __future__ import annotations

import sys

import dagster as dg

from assets.automation import waiting_assets
from assets.definitions import defs
from assets.rendering import key_of
from lakehouse.settings import settings
from lakehouse.sources import load_sources


def main(job: str, *names: str) -> int:
    """Run a job in this process: `lake` with what waits, as the sensor would choose it, less some tables; or operations of another."""
    chosen, operations = None, list(names) or None
    if job == "lake":
        left_out = {key_of(name) for name in names}
        chosen, operations = [key for key in waiting_assets(load_sources(settings())) if key not in left_out], None
        if not chosen:
            return 0
    result = defs.resolve_job_def(job).execute_in_process(
        instance=dg.DagsterInstance.ephemeral(), raise_on_error=False, asset_selection=chosen, op_selection=operations
    )
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
