"""Getting the parts into the cache: all at once, side by side, by one process at a time.

Does not belong here: how a single file is downloaded or MinIO is built.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

import requests
from filelock import FileLock

from infra import maven, minio_build
from infra.cache import cache_dir
from infra.download import download, session
from infra.parts import Artifact, Part, TrinoPart, missing, parts
from infra.progress import Steps, stderr_console
from lakehouse.errors import InfrastructureError

JAR_THREADS = 6
ROOM_BYTES = {Part.JARS: 40_000_000, Part.TRINO: 1_300_000_000, Part.MINIO: 3_500_000_000}
"""What fetching takes at its peak; MinIO's compiler cache is deleted after the build."""


def fetch(wanted: frozenset[Part]) -> None:
    """Make sure that the wanted parts are in the cache; without network where they already are."""
    if not missing(wanted):
        return
    cache_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir() / "fetch.lock"):
        absent = missing(wanted)
        _require_room(absent)
        steps = Steps(stderr_console())
        with steps.shown(), ThreadPoolExecutor(max_workers=3) as pool:
            work = [pool.submit(_FETCHERS[part], steps) for part in sorted(absent)]
            try:
                finished, _ = wait(work, return_when=FIRST_EXCEPTION)
            finally:
                steps.cancel()
        for done in finished:
            done.result()


def _require_room(absent: frozenset[Part]) -> None:
    needed, free = sum(ROOM_BYTES[part] for part in absent), shutil.disk_usage(cache_dir()).free
    if free < needed:
        raise InfrastructureError(
            f"Fetching {', '.join(sorted(absent))} takes {needed / 1e9:.1f} GB in {cache_dir()}; {free / 1e9:.1f} GB are free.",
            next_step="Free some space, or set LAKEHOUSE_CACHE to another disk.",
        )


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
        tell=lambda done, total: steps.set(task, done, total),
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
    download(maven.root() + artifact.path, target, artifact.sha256, http=http, tell=lambda _done, _total: None)


def _unpack(archive: Path, part: TrinoPart, advance: Callable[[], None]) -> None:
    scratch = Path(tempfile.mkdtemp(dir=cache_dir(), prefix="unpack-"))
    try:
        wanted = _wanted_members(archive, part)
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                if member.name in wanted and member.isfile():
                    tar.extract(member, scratch, filter="data")
                    advance()
        _link(scratch, wanted)
        _prune(scratch / part.home.name / "plugin", part.plugins)
        (scratch / part.home.name).replace(part.home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _wanted_members(archive: Path, part: TrinoPart) -> dict[str, str]:
    """What to unpack, each name with the name it is a hard link to (or its own): links may lead into plugins that are left out."""
    folders = ("lib/", *(f"plugin/{name}/" for name in part.plugins))
    with tarfile.open(archive, "r|gz") as tar:
        kept = {member.name: member.linkname or member.name for member in tar if member.name.partition("/")[2].startswith(folders)}
    return kept | {target: target for target in kept.values()}


def _link(scratch: Path, wanted: dict[str, str]) -> None:
    for name, target in wanted.items():
        if target != name:
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).hardlink_to(scratch / target)


def _prune(plugins: Path, kept: tuple[str, ...]) -> None:
    for folder in plugins.iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder)
