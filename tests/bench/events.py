"""The input: the simulator's events as JSON lines, made once per size, kept in the cache, and landed from there.

Does not belong here: what is done with them once they have landed.
"""

from __future__ import annotations

import gzip
import re
import shutil
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from infra.cache import cache_dir
from jobs.simulator import LANDING_SOURCE, LandingFile, SimConfig, generate
from jobs.simulator.history import compress
from lakehouse.settings import Settings
from lakehouse.store import list_objects, s3_client

SLICES = 5
"""The newest events come in so many slices of one hundredth each; the first part holds all others."""
TIME = re.compile(rb'"time": ?"([^"]+)"')


class Order(StrEnum):
    """What makes an event newer than another: when it happened, or when it arrived; in the latter some are up to 30 days late."""

    TIME = "time"
    ARRIVAL = "arrival"


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
    """Joins what a part has of a simulation's daily files into larger ones, a tenant's apart from another's."""

    folder: Path
    part: int
    waiting: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    made: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    day: str = ""

    def add(self, file: LandingFile, line: bytes) -> None:
        """Take a line of a daily file."""
        self.day = file.key.split("/")[1]
        self.waiting[file.tenant_id].append(line)
        self.bytes[file.tenant_id] += len(line)
        if self.bytes[file.tenant_id] >= FILE_BYTES:
            self._write(file.tenant_id)

    def end(self) -> None:
        """Write what waits."""
        for tenant_id in list(self.waiting):
            self._write(tenant_id)

    def _write(self, tenant_id: str) -> None:
        folder = self.folder / str(self.part) / self.day / f"tenant={tenant_id}"
        folder.mkdir(parents=True, exist_ok=True)
        packed = compress(b"".join(self.waiting.pop(tenant_id)))
        (folder / f"{self.part}-{self.made[tenant_id]:04d}.jsonl.gz").write_bytes(packed)
        self.made[tenant_id] += 1
        del self.bytes[tenant_id]


def made_events(size: int, order: Order) -> Path:
    """The folder of the events of a size, one folder in it for each part; made where it is not in the cache yet (1 min per million)."""
    config = configuration(size)
    folder = cache_dir() / "bench" / f"{size}-{config.layout_fingerprint}-{FILE_BYTES}-{order}"
    if folder.exists():
        return folder
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    packers = [_Packer(partial, part) for part in range(SLICES + 1)]
    parts = _parts(config, size, order)
    for file in generate(config):
        for line in file.lines.splitlines(keepends=True):
            packers[next(parts)].add(file, line)
    for packer in packers:
        packer.end()
    partial.rename(folder)
    return folder


def _parts(config: SimConfig, size: int, order: Order) -> Iterator[int]:
    """The part of each event, as they are generated, which is as they arrive."""
    ends = _ends(size)
    ranks: Iterable[int] = range(size)
    if order is Order.TIME:
        times = array("d", (_happened(line) for file in generate(config) for line in file.lines.splitlines()))
        by_time = sorted(range(size), key=times.__getitem__)
        ranks = array("q", by_time)
        for rank, number in enumerate(by_time):
            ranks[number] = rank
    return (bisect_right(ends, rank) for rank in ranks)


def _happened(line: bytes) -> float:
    found = TIME.search(line)
    assert found, line
    return datetime.fromisoformat(found[1].decode()).timestamp()


def land(settings: Settings, size: int, parts: Iterable[int], order: Order = Order.TIME) -> None:
    """Have just these parts of the events lie in the landing bucket, as plain text."""
    client, folder = s3_client(settings), made_events(size, order)
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
