"""Dagster's definitions, loaded once and shared by webserver and daemon.

Does not belong here: the definitions (assets).
"""

from __future__ import annotations

import logging
import sys

from infra.loaded_sources import folder, take
from infra.ports import LOOPBACK
from infra.services.base import Context, Launch
from infra.services.dagster_home import prepare
from lakehouse.settings import ENV_PREFIX

log = logging.getLogger(__name__)


def launch(context: Context) -> Launch:
    """Dagster's own code server."""
    env = {**prepare(context), f"{ENV_PREFIX}LOADED_SOURCES": str(folder(context.settings.home))}
    for mistake in take(context.settings):
        log.error("left as it was: %s", mistake)
    argv = [sys.executable, "-m", "dagster", "code-server", "start", "-h", LOOPBACK, "-p", str(context.ports["dagster_code"])]
    return Launch([*argv, "-m", "assets.definitions", "--location-name", "lake"], env, context.folder("tmp", "dagster"))
