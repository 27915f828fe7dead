"""AOT caches: what a server's JVM has loaded, linked and profiled once (JEP 483, 515), so that its next start takes half the time.

A cache belongs to the very jars and the very Java that it was recorded with, and so lies beside them, in this Python environment. The JVM
itself refuses a cache that does not fit, and starts without.
Does not belong here: running the servers to record them (aot_recording).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from filelock import FileLock

from infra.cache import CACHE_VARIABLE
from infra.jvm import java, spark_class_path, trino_class_path
from infra.maven import ROOT_VARIABLE
from lakehouse.settings import ENV_PREFIX

RECORDING = f"{ENV_PREFIX}AOT_RECORDING"
"""In the environment of a server: the folder into which it writes its cache when it stops."""
QUIET = "-Xlog:aot*=error"
UNFINISHED = "unfinished-"
OF_THE_MACHINE = frozenset({CACHE_VARIABLE, ROOT_VARIABLE})


CLASS_PATHS: dict[str, Callable[[], list[str]]] = {"metastore": spark_class_path, "spark": spark_class_path, "trino": trino_class_path}
"""The services that are JVMs."""


def options(server: str) -> list[str]:
    """JVM options with which a server records its cache, or starts from the one recorded before."""
    if into := os.environ.get(RECORDING):
        return [f"-XX:AOTCacheOutput={into}/{server}", QUIET]
    cache = path(server)
    return [f"-XX:AOTCache={cache}", QUIET] if cache.is_file() and cache.stat().st_size else []


def path(server: str) -> Path:
    """Where the cache of a server lies. An empty file stands for one that could not be recorded, so that no start tries again."""
    return folder() / f"{server}-{_fingerprint([java(), *sorted(_jars(CLASS_PATHS[server]()))])}"


def folder() -> Path:
    """Where the caches lie."""
    return Path(sys.prefix) / "aot"


def record_missing(services: Collection[str], report: Callable[[str, str], None]) -> None:
    """Record the caches that these services lack, in a process that knows none of the user's settings. Without one, a server starts too.

    Args:
        services: their names; those that are no JVMs need none.
        report: told what is recorded, and whether that failed.
    """
    servers = [service for service in services if service in CLASS_PATHS]
    if not _lacking(servers) or not os.access(sys.prefix, os.W_OK):
        return
    folder().mkdir(exist_ok=True)
    with FileLock(folder() / "lock"):
        if not (lacking := _lacking(servers)):
            return
        report("java", f"recording how {', '.join(lacking)} load: once, a minute; then they start sooner")
        log_file = folder() / "recording.log"
        with log_file.open("wb") as log:
            arguments = [sys.executable, "-m", "infra.aot_recording", *servers]
            done = subprocess.run(arguments, env=_clean_environment(), check=False, stdout=log, stderr=log)
        for server in lacking:
            _forget_older(server)
            path(server).touch()
        report("java", "recorded" if done.returncode == 0 else f"not recorded, the servers start without; why is in {log_file}")


@contextmanager
def unfinished() -> Iterator[str]:
    """A folder for caches while they are written; what one that was killed has left behind goes before."""
    for left in folder().glob(f"{UNFINISHED}*"):
        rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=UNFINISHED, dir=folder()) as path:
        yield path


def _lacking(servers: Collection[str]) -> list[str]:
    return [server for server in servers if not path(server).exists()]


def _jars(class_path: list[str]) -> Iterator[Path]:
    """Its files; an entry that ends in `*` stands for the jars of a folder."""
    for entry in map(Path, class_path):
        yield from entry.parent.glob("*.jar") if entry.name == "*" else [entry]


def _fingerprint(files: Iterable[Path]) -> str:
    stats = ((file, file.stat()) for file in files if file.is_file())
    return hashlib.sha256(repr([(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]).encode()).hexdigest()[:16]


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX) or name in OF_THE_MACHINE}


def _forget_older(server: str) -> None:
    for cache in folder().glob(f"{server}-*"):
        if cache != path(server):
            cache.unlink()
