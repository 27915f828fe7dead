"""The run log: a start when a step begins, an end when it ends, whatever happens in between.

Does not belong here: judging runs (lakehouse.ops.evaluator), or what a step does.
"""

from __future__ import annotations

import hashlib
import logging
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from lakehouse.ops.error_text import words_of
from lakehouse.ops.event_log import StepLog
from lakehouse.ops.processes import this_process
from lakehouse.ops.redaction import Redact
from lakehouse.ops.store import OpsWriter
from lakehouse.tables import Layer, Table

log = logging.getLogger("lakehouse")

Trigger = Literal["manual", "sensor", "schedule", "retry", "backfill", "cli"]
VARIABLE_PARTS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|\d+|s3a?://\S+")
MESSAGE_LIMIT = 1000
PUBLISHED = frozenset({"rows_inserted", "rows_updated", "rows_deleted", "bytes_written", "files_written", "version_after"})
"""Facts of a commit, which one attempt tells of."""


@dataclass(frozen=True)
class Run:
    """What one run of the orchestrator, or one outside it, is known by."""

    run_id: str
    trigger: Trigger = "manual"
    parent_run_id: str | None = None
    retry_of: str | None = None
    attempt: int = 1
    logs_url: str | None = None


@dataclass
class Facts:
    """What a step leaves behind; rows are counts, times are UTC. Names are the columns of ops.run_events."""

    batch_id: str | None = None
    partition: str | None = None
    contract_version: str | None = None
    rows_read: int | None = None
    rows_inserted: int | None = None
    rows_updated: int | None = None
    rows_deleted: int | None = None
    rows_quarantined: int | None = None
    rows_held_back: int | None = None
    rows_duplicate: int | None = None
    rows_conflicting: int | None = None
    rows_not_applicable: int | None = None
    rows_expanded: int | None = None
    rows_late: int | None = None
    bytes_written: int | None = None
    files_written: int | None = None
    input_versions: str | None = None
    version_before: int | None = None
    version_after: int | None = None
    event_time_min: datetime | None = None
    event_time_max: datetime | None = None
    checks_passed: int | None = None
    checks_warned: int | None = None
    checks_failed: int | None = None

    def add(self, **counts: int) -> None:
        """Add to counts; one that is unset starts at 0."""
        for name, count in counts.items():
            setattr(self, name, (getattr(self, name) or 0) + count)


@dataclass
class Step:
    """One attempt of one step, as a context: records its start, then its end with the facts that the step filled in.

    An exception is recorded as FAILED and goes on; a process that dies leaves the start alone.
    """

    writer: OpsWriter
    run: Run
    pipeline: str
    asset: str
    layer: str | None = None
    declared: Table | None = None
    facts: Facts = field(default_factory=Facts)
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _log: StepLog = field(init=False)

    def __enter__(self) -> Facts:
        self._started = datetime.now(UTC)
        self.writer.append("ops.run_events", [{**self.identity(), "fact": "start", "status": "RUNNING"}])
        self._log = StepLog(self.writer, self.run.run_id, self.asset)
        self._log.__enter__()
        log.info("%s: attempt %d at %s begins", self.pipeline, self.run.attempt, self.asset)
        return self.facts

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ended = datetime.now(UTC)
        end = {
            **self.identity(),
            **self._told_facts(error),
            "fact": "end",
            "status": self._status(error),
            "ended_at": ended,
            "duration_s": (ended - self._started).total_seconds(),
            **(describe_error(error, self.writer.redact) if error else {}),
        }
        self.writer.settle()
        self.writer.append("ops.run_events", [end])
        if error is None and self.declared:
            self.writer.append_meanwhile("ops.metrics", self._measurements(self.declared, end["duration_s"]))
        log.info("%s: %s %s after %.1f s", self.pipeline, self.asset, end["status"], end["duration_s"])
        self._log.__exit__(kind, error, trace)
        self.writer.settle()

    def _told_facts(self, error: BaseException | None) -> dict[str, Any]:
        """The facts; where the attempt has failed, less what it may have published: the attempt that finds the commit tells of that."""
        return {name: None if error and name in PUBLISHED else value for name, value in asdict(self.facts).items()}

    def _status(self, error: BaseException | None) -> str:
        if error is not None:
            return "FAILED"
        doubtful = (self.facts.checks_warned, self.facts.checks_failed, self.facts.rows_quarantined, self.facts.rows_held_back)
        return "SUCCEEDED_WITH_WARNINGS" if any(doubtful) else "SUCCEEDED"

    def _measurements(self, declared: Table, duration_s: float) -> list[dict[str, Any]]:
        """What was measured of the step itself; the rows of a batch and their parts are measured by who counts them."""
        about = {"run_id": self.run.run_id, "pipeline": self.pipeline, "table_name": declared.name, "batch_id": self.facts.batch_id}
        rows = self.facts.rows_inserted if declared.layer is Layer.GOLD else None
        measured = {"duration_s": duration_s, "bytes": self.facts.bytes_written, "rows": rows}
        return [{**about, "metric": name, "value": float(value)} for name, value in measured.items() if value is not None]

    def identity(self) -> dict[str, Any]:
        """What every fact of the attempt tells, as columns of ops.run_events."""
        return {
            "run_id": self.run.run_id,
            "parent_run_id": self.run.parent_run_id,
            "attempt": self.run.attempt,
            "retry_of": self.run.retry_of,
            "trigger": self.run.trigger,
            "pipeline": self.pipeline,
            "asset": self.asset,
            "layer": self.layer,
            "code_version": code_version(),
            "started_at": self._started,
            "schema_hash": schema_hash(self.declared) if self.declared else None,
            "logs_url": self.run.logs_url,
            "host": self.writer.host,
            "process": this_process(),
        }


def record_skipped(writer: OpsWriter, run: Run, steps: Iterable[tuple[str, Table]], upstream: str) -> None:
    """Record steps of a run that will not be tried since `upstream` failed; `steps` are pairs of pipeline and table."""
    now = datetime.now(UTC)
    rows = [
        {
            **Step(writer, replace(run, attempt=1), pipeline, declared.name, declared.layer.value, declared).identity(),
            "fact": "verdict",
            "status": "SKIPPED_UPSTREAM",
            "started_at": None,
            "nominal_start": now,
            "error_message": f"not tried: {upstream} failed",
        }
        for pipeline, declared in steps
    ]
    writer.append("ops.run_events", rows)


def describe_error(error: BaseException, redact: Redact) -> Mapping[str, str]:
    """Class, first line and fingerprint of an error, as columns of ops.run_events; without secrets or values of the data."""
    words = redact(words_of(error)).strip() or type(error).__name__
    first = words.splitlines()[0][:MESSAGE_LIMIT]
    constant = VARIABLE_PARTS.sub("#", first)
    fingerprint = hashlib.sha256(f"{type(error).__name__}: {constant}".encode()).hexdigest()[:16]
    return {"error_class": type(error).__name__, "error_message": first, "error_fingerprint": fingerprint}


def schema_hash(declared: Table) -> str:
    """A short hash of a table's declared columns."""
    return hashlib.sha256(declared.ddl.encode()).hexdigest()[:12]


@cache
def code_version() -> str:
    """Commit of the checkout that runs, or the installed version."""
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    from importlib.metadata import version

    return version("clearlake")
