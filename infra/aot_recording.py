"""`python -m infra.aot_recording SERVER...`: run servers once in a home that is thrown away, and keep what their JVMs loaded.

Does not belong here: where the caches lie, and how a server starts from one (aot).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from infra import aot, stack
from infra.instance import Instance, open_existing
from infra.preparation import prepare
from infra.services.registry import SERVICES
from infra.services.waiting import wait_until_ready
from infra.supervisor import Supervisor
from lakehouse.settings import read_settings

BENEATH = ("minio",)
STOP_SECONDS = 300.0
"""A JVM writes its cache before it ends, which takes 15 to 30 s."""


def record(servers: Collection[str]) -> None:
    """Run these servers, let those among them that can make a catalog, stop them, and put their caches in place."""
    with tempfile.TemporaryDirectory(prefix="lake-") as scratch, aot.unfinished() as caches:
        home = Path(scratch) / "home"
        stack.up(home, only=BENEATH, usual_ports=False)
        try:
            _run(open_existing(home), servers, caches)
        finally:
            stack.down(home)
        for cache in Path(caches).iterdir():
            if cache.name in servers:
                cache.replace(aot.path(cache.name))


def _run(instance: Instance, servers: Collection[str], caches: str) -> None:
    settings = read_settings(instance.home)
    processes = [_start(instance, server, caches) for server in servers]
    for server in servers:
        wait_until_ready(SERVICES[server], settings)
    prepare(settings)
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(STOP_SECONDS)


def _start(instance: Instance, server: str, caches: str) -> subprocess.Popen[bytes]:
    environment = Supervisor(instance).environment()
    if not aot.path(server).exists():
        environment[aot.RECORDING] = caches
    with (instance.logs / f"{server}.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "infra.services", server], env=environment, stdout=log, stderr=log)


if __name__ == "__main__":
    record(sys.argv[1:])
