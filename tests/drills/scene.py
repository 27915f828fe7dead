"""What drills are made of: a worker in another process, servers to kill, and tables read without Spark.

Every drill lands the same records for a tenant of its own; at the end its rows equal the reference tenant's.
Does not belong here: assertions.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import psutil

from infra.instance import open_existing
from infra.supervisor import Supervisor
from lakehouse.delta_rs import open_table
from lakehouse.failpoints import VARIABLE
from lakehouse.ops.evaluator import evaluate_once
from lakehouse.settings import Settings
from lakehouse.tables import Table, table
from tests.lake import GOLD, SOURCE, TestLake, event
from tests.telling import Commits, untold, versions

REFERENCE = "reference"
CUSTOMERS = "stripe_customers"
DAYS = ("2026-03-02", "2026-03-03")
OWN_COLUMNS = frozenset({"tenant_id", "user_key", "subject", "_batch_id", "_source_file", "_ingested_at", "_ingest_date"})
"""Columns that tell the tenant, its key or the batch: all others must equal the reference's."""
BROKEN = '{"event_id": "broken", '
PATIENCE_S = 480.0


def wait_until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait for something. Raises TimeoutError, which names it."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}, not within {seconds:.0f} s")
        time.sleep(0.05)


class Worker:
    """A run in a process of its own, which may stop at a failpoint."""

    def __init__(self, settings: Settings, folder: Path | None, point: str | None, job: tuple[str, ...]) -> None:
        self._folder = folder
        self._point = point
        variables = {**os.environ, "PYTHONFAULTHANDLER": "1", **({VARIABLE: f"{point}={folder}"} if point else {})}
        self._log_path = settings.home / "logs" / f"drill-{time.time_ns()}.log"
        with self._log_path.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.drills.worker", *job], env=variables, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, timeout: float = PATIENCE_S) -> int:
        """Its exit code. Raises TimeoutError, with what its log tells and where each of its threads stands."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self._process.send_signal(signal.SIGABRT)
            self._process.wait()
            raise TimeoutError(f"the run has not ended within {timeout:.0f} s:\n{self._log_path.read_text()}") from error

    def await_point(self, passing: int = 0) -> None:
        """Wait until it stands at its failpoint, for the time after those that it may pass."""
        assert self._folder
        marker = self._folder / f"{self._point}.{self.pid}"
        for arrival in range(passing + 1):
            wait_until(lambda: marker.exists() or self._process.poll() is not None, f"arrival {arrival} at {self._point}")
            assert self._process.poll() is None, f"the run ended before arrival {arrival} at {self._point}"
            if arrival < passing:
                marker.unlink()

    def go_on(self) -> None:
        """Let it leave its failpoint, and stop at none any more."""
        assert self._folder
        for marker in self._folder.glob("*"):
            marker.unlink()
        self._folder.rmdir()

    def tells(self, message: str) -> bool:
        """Whether an attempt of it has failed with this message so far."""
        return f"InfrastructureError: {message}" in self._log_path.read_text()

    def kill(self) -> None:
        """SIGKILL it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)


class Scene:
    """A lake under drill.

    Args:
        settings: of the instance.
        gold: the gold tables that runs make.
    """

    def __init__(self, settings: Settings, gold: Collection[Table]) -> None:
        self.settings = settings
        self.gold = gold
        self.lake = TestLake(settings)
        self.supervisor = Supervisor(open_existing(settings.home))
        self._workers: list[Worker] = []

    def land(self, tenant: str) -> None:
        """Land the records of every drill: events of two days, one of them from a new device, with one repeated, one
        conflicting and one broken, and customers."""
        events = [event(n, "drill", DAYS[n % 2], user=n % 4, ok=n % 5 > 0) for n in range(24)]
        events.append(event(24, "drill", DAYS[1], user=0, user_agent=["Firefox/1"]))
        conflicting = event(3, "drill", DAYS[1], user=3, ok=False, http_status_code=403)
        self.lake.land(tenant, "a.jsonl", [*events, events[2], BROKEN, conflicting])
        rows = ["id,_fivetran_synced,email,currency", *(f"cus_{n},2026-03-0{n} 10:00:00,c{n}@example.com,eur" for n in (1, 2, 3))]
        self.lake.land(tenant, "a.csv", rows, source=CUSTOMERS)

    def start_worker(self, point: str | None = None, folder: Path | None = None, job: tuple[str, ...] | None = None) -> Worker:
        """Start a run in another process, of the pipelines unless told otherwise; it ends with the scene at the latest."""
        pipelines = ("lake", *(declared.name for declared in GOLD if declared not in self.gold))
        self._workers.append(Worker(self.settings, folder, point, job or pipelines))
        return self._workers[-1]

    def close(self) -> None:
        """Kill what still stands at a failpoint, and give the session back."""
        for worker in self._workers:
            worker.kill()
        self.lake.close()

    def kill_server(self, name: str) -> None:
        """SIGKILL a server and all its processes; the supervisor starts it again."""
        root = psutil.Process(self.supervisor.state(name).pid)
        for process in (root, *root.children(recursive=True)):
            process.kill()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that the drills' records reach."""
        sources = self.lake.context.sources
        return (
            sources[SOURCE].bronze, sources[CUSTOMERS].bronze, table("bronze.quarantine"),
            table("silver.auth_events"), table("silver.billing_customers"), *self.gold,
        )  # fmt: skip

    def rows(self, declared: Table, tenant: str) -> Counter[str]:
        """Rows of a tenant in a table, read without Spark: as the text of the columns that drills share, counted."""
        opened = open_table(self.settings, declared)
        found: list[dict[str, Any]] = opened.to_pyarrow_table(filters=[("tenant_id", "=", tenant)]).to_pylist()
        return Counter(repr([(name, row[name]) for name in declared.column_names if name not in OWN_COLUMNS]) for row in found)

    def differences(self, tenant: str) -> dict[str, tuple[list[str], list[str]]]:
        """Per table, rows of the tenant that are missing and rows that are too many, against the reference."""
        found = {}
        for declared in self.tables:
            expected, there = self.rows(declared, REFERENCE), self.rows(declared, tenant)
            if expected != there:
                found[declared.name] = ([*(expected - there).elements()], [*(there - expected).elements()])
        return found

    def attempts(self, pid: int) -> list[dict[str, Any]]:
        """What the run log tells of a process, in the order of the starts."""
        return self.lake.context.reader.rows(
            "select run_id, pipeline, asset, layer, batch_id, status, error_class, error_message, rows_inserted, version_after "
            "from ops.run_log where process like ? order by started_at",
            [f"{pid}@%"],
        )

    def versions(self) -> dict[str, int]:
        """The Delta version of each table."""
        return versions(self.settings, self.tables)

    def untold(self, since: Mapping[str, int]) -> dict[str, tuple[Commits, Commits]]:
        """See tests.telling.untold."""
        return untold(self.settings, self.lake.context.reader, self.tables, since)

    def state_of(self, tenant: str, source: str) -> str | None:
        """The newest ledger state of a tenant's file."""
        rows = self.lake.ledger(tenant, source)
        return rows[-1]["state"] if rows else None

    def evaluate(self) -> int:
        """One round of the evaluator."""
        return evaluate_once(self.lake.context.reader, self.lake.context.writer)
