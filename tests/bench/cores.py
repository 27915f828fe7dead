"""A machine with one core: a second Spark server for it, and all that serves it kept on that core meanwhile.

Does not belong here: what is run on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from infra import processes, stack
from infra.env_files import write_env
from infra.instance import open_existing
from infra.supervisor import Supervisor
from lakehouse.settings import USER_FILE, Settings

CORE = 0
SERVES = ("minio", "metastore")


def second_spark(settings: Settings, home: Path) -> Settings:
    """Start a Spark server with one core beside the servers of an instance; returns that instance's settings, with this server in them."""
    home.mkdir(parents=True, exist_ok=True)
    key, secret = settings.s3_access_key_id, settings.s3_secret_access_key
    own = {
        "LAKEHOUSE_SPARK_MASTER": "local[1]",
        "LAKEHOUSE_S3_ENDPOINT": str(settings.s3_endpoint),
        "LAKEHOUSE_S3_ACCESS_KEY_ID": key.get_secret_value() if key else "",
        "LAKEHOUSE_S3_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
        "LAKEHOUSE_METASTORE_URI": str(settings.metastore_uri),
    }
    write_env(home / USER_FILE, own, heading="One core, beside another instance.")
    with _on_one_core([psutil.Process()]):
        made = stack.up(home, only=("spark",), usual_ports=False)
    return settings.model_copy(update={"spark_remote": made.spark_remote, "spark_token": made.spark_token})


@contextmanager
def one_core(settings: Settings) -> Iterator[None]:
    """Keep this process and the servers that Spark needs on the one core."""
    states = Supervisor(open_existing(settings.home)).states()
    servers = [process for state in states if state.name in SERVES and state.pid for process in processes.tree(state.pid)]
    with _on_one_core([psutil.Process(), *servers]):
        yield


@contextmanager
def _on_one_core(running: Iterable[psutil.Process]) -> Iterator[None]:
    known = list(running)
    everywhere = os.sched_getaffinity(0)
    try:
        _pin(known, {CORE})
        yield
    finally:
        _pin(known, everywhere)


def _pin(running: Iterable[psutil.Process], cores: set[int]) -> None:
    """Every thread apart: what is set for a process holds for its first thread and those that are begun later."""
    for process in running:
        with suppress(psutil.NoSuchProcess):
            for thread in process.threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)
