"""Dagster's definitions, loaded once and shared by webserver and daemon.

Does not belong here: the definitions (assets).
"""

from __future__ import annotations

import sys

from infra.ports import LOOPBACK
from infra.services.base import Context, Launch
from infra.services.dagster_home import prepare


def launch(context: Context) -> Launch:
    """Dagster's own code server."""
    env = prepare(context)
    argv = [sys.executable, "-m", "dagster", "code-server", "start", "-h", LOOPBACK, "-p", str(context.ports["dagster_code"])]
    return Launch([*argv, "-m", "assets.definitions", "--location-name", "lake"], env, context.folder("tmp", "dagster"))
