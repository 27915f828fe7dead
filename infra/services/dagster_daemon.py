"""Dagster's daemon: sensors, schedules, queued runs, monitoring.

Does not belong here: the definitions (assets).
"""

from __future__ import annotations

import sys

from infra.services.base import Context, Launch
from infra.services.dagster_home import prepare, workspace


def launch(context: Context) -> Launch:
    """The daemon, on the shared code server."""
    env = prepare(context)
    return Launch([sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace(context))], env, context.folder("tmp", "dagster"))
