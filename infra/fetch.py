"""Getting the parts into the cache: all at once, side by side, by one process at a time.

Does not belong here: how a single file is downloaded or MinIO is built.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from filelock import FileLock

from infra import maven, minio_build
from infra.cache import cache_dir
from infra.download import download, session
from infra.parts import Artifact, Part, TrinoPart, missing, parts
from infra.progress import Steps, stderr_console

JAR_THREADS = 6


def fetch(wanted: frozenset[Part]) -> None:
    """Make sure that the wanted parts are in the cache; without network where they already are."""
    if not missing(wanted):
        return
    cache_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir() / "fetch.lock"):
        absent = missing(wanted)
        steps = Steps(stderr_console())
        with steps.shown(), ThreadPoolExecutor(max_workers=3) as pool:
            work = [pool.submit(_FETCHERS[part], steps) for part in sorted(absent)]
            for done in work:
                done.result()


def _fetch_jars(steps: Steps) -> None:
    absent = [jar for jar in parts().jars if not _jar_path(jar).is_file()]
    task = steps.start("Spark's jars", total=len(absent), unit="files")
    http = session()

    def one(jar: Artifact) -> None:
        _download(jar, _jar_path(jar), http)
        steps.advance(task, 1)

    with ThreadPoolExecutor(JAR_THREADS) as pool:
        list(pool.map(one, absent))
    steps.finish(task)


def _fetch_trino(steps: Steps) -> None:
    part = parts().trino
    archive = cache_dir() / part.archive.file_name
    task = steps.start("Trino")
    download(
        maven.root() + part.archive.path, archive, part.archive.sha256, http=session(),
        advance=lambda size: steps.advance(task, size), resize=lambda size: steps.resize(task, size),
    )  # fmt: skip
    steps.finish(task)
    unpacking = steps.start("Trino (unpacking)", unit="files")
    _unpack(archive, part, lambda: steps.advance(unpacking, 1))
    archive.unlink()
    steps.finish(unpacking)


def _build_minio(steps: Steps) -> None:
    minio_build.build(parts().minio, steps)


_FETCHERS = {Part.JARS: _fetch_jars, Part.TRINO: _fetch_trino, Part.MINIO: _build_minio}


def _jar_path(jar: Artifact) -> Path:
    return cache_dir() / "jars" / jar.file_name


def _download(artifact: Artifact, target: Path, http: requests.Session) -> None:
    download(maven.root() + artifact.path, target, artifact.sha256, http=http, advance=lambda _: None, resize=lambda _: None)


def _unpack(archive: Path, part: TrinoPart, advance: Callable[[], None]) -> None:
    wanted = ("lib/", *(f"plugin/{name}/" for name in part.plugins))
    scratch = Path(tempfile.mkdtemp(dir=cache_dir(), prefix="unpack-"))
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                inner = member.name.partition("/")[2]
                if inner.startswith(wanted):
                    tar.extract(member, scratch, filter="data")
                    advance()
        next(scratch.iterdir()).replace(part.home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
