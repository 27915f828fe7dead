"""Dagster's daemon: sensors, schedules, queued runs, monitoring.

Does not belong here: the definitions (assets).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from infra.loaded_sources import with_loaded_sources
from infra.services.base import Context, Launch
from infra.services.dagster_home import prepare, workspace
from lakehouse.errors import ConfigurationError
from lakehouse.sources import load_sources, pools


def launch(context: Context) -> Launch:
    """The daemon, on the shared code server."""
    env = prepare(context)
    sources = load_sources(with_loaded_sources(context.settings))
    limit_pools(Path(env["DAGSTER_HOME"]), pools(sources))
    return Launch([sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace(context))], env, context.folder("tmp", "dagster"))


def limit_pools(home: Path, pools: Iterable[str]) -> None:
    """Give pools their default limit. Dagster itself does so only after it has let the first runs pass that need them.

    Raises ConfigurationError where Dagster was never started in the instance.
    """
    if not home.is_dir():
        raise ConfigurationError("Dagster has not been started in this instance yet", next_step="run `lakehouse up`, which starts it")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for pool in pools:
            instance.event_log_storage.initialize_concurrency_limit_to_default(pool)
