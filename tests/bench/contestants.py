"""What runs in a round: Clearlake in several forms, plain Spark, other tools. Each starts from an empty lake in warm servers.

Does not belong here: rounds (race), or which ratio must hold (bars).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra import stack
from jobs.simulator import LANDING_SOURCE
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.tables import table
from tests.bench import cores, lakes, pipeline
from tests.bench.digest import delta_digests, duckdb_digest
from tests.bench.events import SLICES, Order, events_in, land
from tests.bench.peers.layout import DATASET, DUCKDB_FILE, SILVER
from tests.bench.plain import Plain
from tests.bench.record import Digest
from tests.lake import GOLD

OURS, PLAIN, ONE_CORE = "Clearlake", "plain Spark", "one core"
UNCHECKED, UNRECORDED = "contracts and run log off", "nothing recorded"
POLARS, DLT = "polars + delta-rs", "dlt + DuckDB"
NEW, NOTHING = "1 % new", "nothing new"
LATE, NOTHING_LATE = "1 % new, some of it late", "nothing new after that"
ALL_PARTS = range(SLICES + 1)


@dataclass(frozen=True)
class Outcome:
    """A run: how long it took in all and in its parts, how many events it took in, and digests of what it made."""

    what: str
    rows: int
    seconds: float
    parts: Mapping[str, float] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)


class Contestants:
    """Everything that can run.

    Args:
        settings: of the instance whose servers are used.
        folder: for what is kept outside of them.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self._growing: dict[tuple[int, Order], Settings] = {}
        self._one_core: Settings | None = None
        self._runs: dict[str, Callable[[int, int], list[Outcome]]] = {
            OURS: self._ours, PLAIN: self._plain, UNCHECKED: self._unchecked, UNRECORDED: self._unrecorded,
            POLARS: self._polars, DLT: self._dlt,
            ONE_CORE: self._on_one_core,
            NEW: lambda size, number: self._new(size, number, Order.TIME, NEW, NOTHING),
            LATE: lambda size, number: self._new(size, number, Order.ARRIVAL, LATE, NOTHING_LATE),
        }  # fmt: skip
        silver = table(load_sources(settings)[LANDING_SOURCE].silver.table)
        self.tables = (load_sources(settings)[LANDING_SOURCE].bronze, silver, *GOLD)
        self.silver = silver

    def run(self, what: str, size: int, number: int) -> list[Outcome]:
        """Have one run in a round; the last outcome is its own."""
        return self._runs[what](size, number)

    def close(self) -> None:
        """Stop and remove what stayed between rounds."""
        for lake in self._growing.values():
            lakes.remove_bucket(lake, lake.lake_bucket)
        if self._one_core:
            stack.down(self.folder / ONE_CORE)

    @contextmanager
    def lake(self, size: int) -> Iterator[Settings]:
        """An empty lake, and all events of a size landed."""
        made = lakes.empty_lake(self.settings, size)
        land(made, size, ALL_PARTS)
        try:
            yield made
        finally:
            lakes.remove_bucket(made, made.lake_bucket)

    def _ours(self, size: int, _number: int) -> list[Outcome]:
        return self._run_as(OURS, size, pipeline.run)

    def _unchecked(self, size: int, _number: int) -> list[Outcome]:
        return self._run_as(UNCHECKED, size, pipeline.run_unchecked)

    def _unrecorded(self, size: int, _number: int) -> list[Outcome]:
        return self._run_as(UNRECORDED, size, pipeline.run_unrecorded)

    def _run_as(self, what: str, size: int, run: Callable[[Settings], Mapping[str, float]]) -> list[Outcome]:
        with self.lake(size) as lake:
            lakes.enter(lake)
            seconds, parts = _timed(lambda: run(lake))
            return [Outcome(what, size, seconds, parts, delta_digests(lake, self.tables))]

    def _on_one_core(self, size: int, _number: int) -> list[Outcome]:
        self._one_core = self._one_core or cores.second_spark(self.settings, self.folder / ONE_CORE)
        with self.lake(size) as lake:
            served = lake.model_copy(update={"spark_remote": self._one_core.spark_remote, "spark_token": self._one_core.spark_token})
            lakes.enter(served)
            with cores.one_core(self.settings):
                seconds, parts = _timed(lambda: pipeline.run(served))
            return [Outcome(ONE_CORE, size, seconds, parts, delta_digests(lake, self.tables))]

    def _plain(self, size: int, _number: int) -> list[Outcome]:
        with self.lake(size) as lake:
            seconds, parts = _timed(Plain(lake, LANDING_SOURCE).run)
            return [Outcome(PLAIN, size, seconds, parts, delta_digests(lake, self.tables))]

    def _polars(self, size: int, _number: int) -> list[Outcome]:
        with self.lake(size) as lake:
            seconds = self._peer("polars", lake, self.folder)
            return [Outcome(POLARS, size, seconds, {}, delta_digests(lake, [self.silver]))]

    def _dlt(self, size: int, _number: int) -> list[Outcome]:
        folder = self.folder / "dlt"
        try:
            with self.lake(size) as lake:
                seconds = self._peer("dlt", lake, folder)
            made = duckdb_digest(folder / DUCKDB_FILE, f"{DATASET}.{SILVER}", self.silver)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return [Outcome(DLT, size, seconds, {}, {self.silver.name: made})]

    def _peer(self, tool: str, lake: Settings, folder: Path) -> float:
        folder.mkdir(parents=True, exist_ok=True)
        call = [sys.executable, "-m", "tests.bench.peers", tool, str(lake.home), lake.landing_bucket, lake.lake_bucket, str(folder)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{tool} failed:\n{done.stderr}")
        return float(done.stdout.splitlines()[-1])

    def _new(self, size: int, number: int, order: Order, what: str, afterwards: str) -> list[Outcome]:
        """Land the next hundredth of the newest events on top of all older ones, then run again with nothing landed.

        After the last hundredth the tables must hold what a run over all events makes.
        """
        lake = self._growing.get((size, order))
        if lake is None:
            lake = self._growing[size, order] = lakes.empty_lake(self.settings, size, order)
            self._take_in(lake, size, range(number), order)
        lakes.enter(lake)
        land(lake, size, range(number + 1), order)
        took, parts = _timed(lambda: pipeline.run(lake))
        idle, idle_parts = _timed(lambda: pipeline.run(lake))
        whole = delta_digests(lake, self.tables) if number == SLICES else {}
        return [Outcome(afterwards, 0, idle, idle_parts), Outcome(what, events_in(size, number), took, parts, whole)]

    @staticmethod
    def _take_in(lake: Settings, size: int, parts: Sequence[int], order: Order) -> None:
        lakes.enter(lake)
        land(lake, size, parts, order)
        pipeline.run(lake)


def _timed(run: Callable[[], Mapping[str, float]]) -> tuple[float, Mapping[str, float]]:
    began = time.monotonic()
    parts = run()
    return time.monotonic() - began, parts
