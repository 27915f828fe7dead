"""Days of runs, one after the other: the disk grows by what the data grows, and a query takes no longer at the end than early on.

A simulated day is as long as its runs take; whatever is kept for a number of days is kept for as many simulated ones. Delta's own
log clean-up works by calendar days and stays out: its logs are reported, not judged.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

import jobs.maintenance as maintenance
import lakehouse.ops.upkeep as upkeep
from assets.automation import forget_runs, waiting_assets
from assets.definitions import defs
from infra.commands.runs import LATEST_RUNS
from infra.instance import open_existing
from infra.supervisor import LOG_BACKUPS, LOG_BYTES, Supervisor
from infra.trino_client import query
from lakehouse.delta_rs import open_table
from lakehouse.ops.store import DELTA_RS_TABLES
from lakehouse.settings import Settings
from lakehouse.sources import spark_tables
from lakehouse.store import list_objects
from lakehouse.tables import Table
from tests.lake import TestLake, event

FIRST_DAY = date(2026, 1, 1)
EVENTS_PER_RUN = 20
QUERIES_PER_DAY = 15
FACTS_EVERY_RUNS = 12
SETTLED_AFTER_DAYS = 8
"""From here on what is kept for seven days has reached its full size."""
KEPT = (
    (maintenance, "VERSIONS_KEPT"),
    (upkeep, "VERSIONS_KEPT"),
    (maintenance, "LANDED_COPIES_KEPT"),
    (maintenance, "HISTORY_KEPT"),
)
"""Modules, and the names in them under which they hold how long something is kept."""
UNCHECKED = "spark.databricks.delta.retentionDurationCheck.enabled"
GROWTH_ALLOWED = 1.25
PASSING_BYTES = 5_000_000
"""What comes and goes, such as the shuffled rows that Spark has not cleared yet, is not growth below this size."""
GOLD = "select day, sum(attempts), sum(users) from gold.auth_daily group by day order by day"


@dataclass
class Day:
    """What one simulated day left behind.

    Args:
        disk: part of the instance to its bytes, after the day's maintenance.
        p95: query to the 95th percentile of its times that day, in seconds.
    """

    number: int
    disk: dict[str, int]
    p95: dict[str, float] = field(default_factory=dict)


class Soak:
    """An instance that lives through simulated days."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = TestLake(settings)
        self.instance = dg.DagsterInstance.from_config(str(settings.state_dir / "dagster"))
        self.kept = [getattr(module, name) for module, name in KEPT]
        self.began = time.time()

    def run(self, day: int, number: int, of: int) -> None:
        """Land what came in since the last run, and take it in as Dagster does."""
        at = datetime.combine(FIRST_DAY + timedelta(days=day), datetime.min.time()) + timedelta(days=number / of)
        rows = [event(n, f"soak{day}x{number}", f"{at:%Y-%m-%d}", time=f"{at:%H:%M:%S}", user=n) for n in range(EVENTS_PER_RUN)]
        self.lake.land("soak", f"{day}-{number}.jsonl", rows, day=f"{at:%Y-%m-%d}")
        chosen = waiting_assets(self.lake.context.sources)
        result = defs.resolve_job_def("lake").execute_in_process(instance=self.instance, asset_selection=chosen)
        assert result.success
        if (day * of + number) % FACTS_EVERY_RUNS == FACTS_EVERY_RUNS - 1:
            maintenance.compact_facts(self.lake.context)

    def maintain(self, days: int) -> None:
        """The nightly maintenance, with what is kept for days kept for simulated ones."""
        length = (time.time() - self.began) / days
        for (module, name), kept in zip(KEPT, self.kept, strict=True):
            setattr(module, name, timedelta(seconds=kept / timedelta(days=1) * length))
        context = self.lake.context
        context.session.conf.set(UNCHECKED, "false")
        for declared in spark_tables(context.sources):
            maintenance.maintain_table(context, declared)
        maintenance.clear_facts(context)
        maintenance.expire_landed_copies(context)
        maintenance.forget_history(context, lambda before: forget_runs(self.instance, before))

    def disk(self) -> dict[str, int]:
        """Bytes of each part of the instance."""
        data, facts = spark_tables(self.lake.context.sources), DELTA_RS_TABLES
        live, live_facts = self._live_bytes(data), self._live_fact_bytes()
        home = self.settings.home
        return {
            "data": live,
            "old versions": self._stored_bytes(data) - live,
            "facts": live_facts,
            "old facts": self._stored_bytes(facts) - live_facts,
            "delta logs": self._stored_bytes([*data, *facts], logs=True),
            "landed copies": sum(o.size for o in list_objects(self.lake.store, self.settings.landing_bucket)),
            "dagster": folder_bytes(home / "state" / "dagster"),
            "logs": folder_bytes(home / "logs"),
            "scratch": folder_bytes(home / "tmp") + folder_bytes(home / "state" / "spool"),
        }

    def _stored_bytes(self, tables: Iterable[Table], *, logs: bool = False) -> int:
        stored = (o for table in tables for o in list_objects(self.lake.store, self.settings.lake_bucket, f"{table.key_prefix}/"))
        return sum(o.size for o in stored if ("/_delta_log/" in o.key) is logs)

    def _live_bytes(self, tables: Iterable[Table]) -> int:
        return sum(int(self.lake.rows(f"describe detail {table.name}")[0]["sizeInBytes"]) for table in tables)

    def _live_fact_bytes(self) -> int:
        files = (open_table(self.settings, table).get_add_actions() for table in DELTA_RS_TABLES)
        return sum(sum(pa.table(actions).column("size_bytes").to_pylist()) for actions in files)

    def times(self) -> dict[str, float]:
        """The 95th percentile of some queries, in seconds."""
        asked: dict[str, Callable[[], object]] = {
            "gold through Trino": lambda: query(self.settings, GOLD),
            "latest runs": lambda: self.lake.context.reader.rows(LATEST_RUNS, [20]),
        }
        return {name: p95([timed(ask) for _ in range(QUERIES_PER_DAY)]) for name, ask in asked.items()}


def timed(ask: Callable[[], object]) -> float:
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def days(full_stack: Settings, request: pytest.FixtureRequest) -> Iterator[list[Day]]:
    """Every simulated day, printed as it ends."""
    supervisor = Supervisor(open_existing(full_stack.home))
    supervisor.halt("dagster-daemon")
    soak, runs = Soak(full_stack), int(request.config.getoption("--runs"))
    lived: list[Day] = []
    for number in range(int(request.config.getoption("--days"))):
        for run in range(runs):
            soak.run(number, run, runs)
        soak.maintain(number + 1)
        lived.append(Day(number + 1, soak.disk(), soak.times()))
        sizes = ", ".join(f"{part} {size / 1e6:.1f}" for part, size in lived[-1].disk.items())
        print(f"day {number + 1}: MB: {sizes}; p95 s: {lived[-1].p95}", flush=True)
    yield lived
    soak.lake.close()
    supervisor.run("dagster-daemon")


@pytest.mark.parametrize("part", ["old versions", "old facts", "dagster", "scratch"])
def test_what_is_not_data_stops_growing(days: list[Day], part: str) -> None:
    settled = [day.disk[part] for day in days[SETTLED_AFTER_DAYS:]]
    assert settled, "simulate more days"
    assert max(settled) <= GROWTH_ALLOWED * max(days[SETTLED_AFTER_DAYS - 1].disk[part], PASSING_BYTES)


def test_logs_are_rotated(days: list[Day], full_stack: Settings) -> None:
    assert days
    folder = full_stack.home / "logs"
    sizes = {log.stem: sum(part.stat().st_size for part in folder.glob(f"{log.name}*")) for log in folder.glob("*.log")}
    assert sizes
    assert max(sizes.values()) <= GROWTH_ALLOWED * (LOG_BACKUPS + 1) * LOG_BYTES, sizes


def test_queries_take_no_longer_at_the_end(days: list[Day]) -> None:
    for name in days[0].p95:
        early, late = (statistics.median(day.p95[name] for day in some) for some in (days[:4], days[-4:]))
        assert late <= 2 * early, f"{name}: {early:.2f} s early, {late:.2f} s late"
