"""`python -m infra.services NAME`: what the supervisor runs. Waits for what the service needs, then becomes the service.

Does not belong here: the configuration of any service.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys

from infra.processes import hold_alone
from infra.services.base import Context, Launch
from infra.services.registry import SERVICES
from infra.services.waiting import wait_until_ready
from infra.stack_files import read_context

OPEN_FILES = 65536


def main(name: str) -> None:
    """Start one service in the place of this process."""
    context = read_context()
    service = SERVICES[name]
    hold_alone(context.instance.run, name, patience=service.stop_seconds)
    _allow_open_files()
    for needed in service.needs:
        wait_until_ready(SERVICES[needed], context.settings)
    module = importlib.import_module(service.module)
    if hasattr(module, "serve"):
        module.serve(context)
    else:
        _become(module.launch(context), context)


def _become(launch: Launch, context: Context) -> None:
    os.chdir(launch.cwd or context.instance.home)
    os.execve(launch.argv[0], launch.argv, {**os.environ, **launch.env})


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(sys.argv[1])
