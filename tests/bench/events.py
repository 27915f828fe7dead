"""The input: the simulator's events as JSON lines, made once per size, kept in the cache, and landed from there.

Does not belong here: what is done with them once they have landed.
"""

from __future__ import annotations

import gzip
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from infra.cache import cache_dir
from jobs.simulator import LANDING_SOURCE, LandingFile, SimConfig, generate
from jobs.simulator.history import compress
from lakehouse.settings import Settings
from lakehouse.store import list_objects, s3_client

SLICES = 5
"""The newest events come in so many slices of one hundredth each; the first part holds all others."""
FILE_BYTES = 64_000_000
"""A tenant's file ends at this size: 5 million events (6.1 GB) make about 100 files."""
LANDERS = 2


def configuration(size: int) -> SimConfig:
    """Half a year of eight tenants, some events late by up to 30 days; none twice, since plain Spark would count it twice."""
    whole = SimConfig(events=size, plain=True, duplicate_share=0.0)
    return SimConfig(events=size, plain=True, duplicate_share=0.0, files_per_tenant=whole.days)


def events_in(size: int, part: int) -> int:
    """Events of a part: 0 for all but the newest, then 1 to SLICES."""
    return _ends(size)[part] - (_ends(size)[part - 1] if part else 0)


def _ends(size: int) -> list[int]:
    return [size * (100 - SLICES + part) // 100 for part in range(SLICES + 1)]


@dataclass
class _Packer:
    """Joins a simulation's daily files into larger ones, a tenant's apart from another's, without mixing parts."""

    folder: Path
    part: int = 0
    waiting: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    made: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    day: str = ""

    def add(self, file: LandingFile, lines: list[bytes]) -> None:
        """Take lines of a daily file."""
        self.day = file.key.split("/")[1]
        self.waiting[file.tenant_id] += lines
        self.bytes[file.tenant_id] += sum(map(len, lines))
        if self.bytes[file.tenant_id] >= FILE_BYTES:
            self._write(file.tenant_id)

    def end_part(self) -> None:
        """Write what waits."""
        for tenant_id in list(self.waiting):
            self._write(tenant_id)
        self.part += 1

    def _write(self, tenant_id: str) -> None:
        folder = self.folder / str(self.part) / self.day / f"tenant={tenant_id}"
        folder.mkdir(parents=True, exist_ok=True)
        packed = compress(b"".join(self.waiting.pop(tenant_id)))
        (folder / f"{self.part}-{self.made[tenant_id]:04d}.jsonl.gz").write_bytes(packed)
        self.made[tenant_id] += 1
        del self.bytes[tenant_id]


def made_events(size: int) -> Path:
    """The folder of the events of a size, one folder in it for each part; made where it is not in the cache yet (30 s per million)."""
    config = configuration(size)
    folder = cache_dir() / "bench" / f"{size}-{config.layout_fingerprint}-{FILE_BYTES}"
    if folder.exists():
        return folder
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    packer, taken = _Packer(partial), 0
    for file in generate(config):
        lines = file.lines.splitlines(keepends=True)
        while lines:
            room = _ends(size)[packer.part] - taken
            packer.add(file, lines[:room])
            taken += len(lines[:room])
            lines = lines[room:]
            if taken == _ends(size)[packer.part]:
                packer.end_part()
    partial.rename(folder)
    return folder


def land(settings: Settings, size: int, parts: Iterable[int]) -> None:
    """Have just these parts of the events lie in the landing bucket, as plain text."""
    client, folder = s3_client(settings), made_events(size)
    wanted = {key: path for part in parts for key, path in _keys(folder, part)}
    present = {found.key for found in list_objects(client, settings.landing_bucket)}
    for key in present - wanted.keys():
        client.delete_object(Bucket=settings.landing_bucket, Key=key)
    missing = [(key, path) for key, path in wanted.items() if key not in present]
    with ThreadPoolExecutor(LANDERS) as pool:
        list(pool.map(lambda one: _put(settings, *one), missing))


def _keys(folder: Path, part: int) -> Iterator[tuple[str, Path]]:
    for path in sorted((folder / str(part)).rglob("*.gz")):
        yield f"{LANDING_SOURCE}/{path.relative_to(folder / str(part)).as_posix().removesuffix('.gz')}", path


def _put(settings: Settings, key: str, path: Path) -> None:
    s3_client(settings).put_object(Bucket=settings.landing_bucket, Key=key, Body=gzip.decompress(path.read_bytes()))
