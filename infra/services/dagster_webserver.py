"""Dagster's pages and GraphQL interface.

Does not belong here: the definitions (assets).
"""

from __future__ import annotations

import sys

from infra.ports import LOOPBACK
from infra.services.base import Context, Launch
from infra.services.dagster_home import prepare, workspace


def launch(context: Context) -> Launch:
    """The webserver, on the shared code server."""
    env = prepare(context)
    argv = [sys.executable, "-m", "dagster_webserver", "-h", LOOPBACK, "-p", str(context.ports["dagster_webserver"])]
    return Launch([*argv, "-w", str(workspace(context))], env, context.folder("tmp", "dagster"))
