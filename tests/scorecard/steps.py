"""The facts that every step leaves: its start, its end with its counts, what its contract found, and what is skipped behind it.

Does not belong here: what the steps do, and when (tests.scorecard.pipeline).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dq_checks import contract_for
from dq_checks.contract import VARIABLE
from lakehouse.errors import InfrastructureError
from lakehouse.ops.runs import describe_error, schema_hash
from lakehouse.sources import Source
from lakehouse.tables import Table
from tests.scorecard.facts import Bulk

HOST = "lake-1/5d1c0f"
PROCESS = "4711@1772409600"
MAX_REJECTED_SHARE: float = Source.model_fields["max_rejected_share"].default
CHECK_COLUMNS = (
    "run_id", "pipeline", "table_name", "batch_id", "contract_version", "check_name", "check_type", "column_name", "severity", "expected",
    "outcome", "observed", "rows_tested", "rows_failed",
)  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """How a step fails.

    Args:
        error_class: name of the error's class.
        message: its text.
        after_s: how long the step works before.
        retries: whether another try can help, by the error's own word.
    """

    error_class: str
    message: str
    after_s: float
    retries: bool

    def described(self) -> Mapping[str, str]:
        """Columns of ops.run_events, as the run log makes them of such an error."""
        if self.error_class == InfrastructureError.__name__:
            return describe_error(InfrastructureError(self.message), str)
        return describe_error(type(self.error_class, (Exception,), {})(self.message), str)


@dataclass(frozen=True)
class Attempt:
    """One attempt of one step; times are UTC."""

    run_id: str
    pipeline: str
    declared: Table
    number: int
    code_version: str
    started_at: datetime

    def _identity(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "parent_run_id": self.run_id,
            "attempt": self.number,
            "trigger": "sensor",
            "pipeline": self.pipeline,
            "asset": self.declared.name,
            "layer": self.declared.layer.value,
            "code_version": self.code_version,
            "schema_hash": _schema_hash(self.declared),
            "host": HOST,
            "process": PROCESS,
        }

    def start(self) -> dict[str, Any]:
        """The fact that it has begun."""
        return {**self._identity(), "fact": "start", "status": "RUNNING", "started_at": self.started_at}

    def end(self, at: datetime, facts: Mapping[str, Any], failure: Failure | None = None) -> dict[str, Any]:
        """The fact that it has ended, with the columns that the step filled in."""
        doubtful = any(facts.get(name) for name in ("checks_warned", "checks_failed", "rows_quarantined", "rows_held_back"))
        status = "FAILED" if failure else "SUCCEEDED_WITH_WARNINGS" if doubtful else "SUCCEEDED"
        ended = {"fact": "end", "status": status, "started_at": self.started_at, "ended_at": at}
        took = {"duration_s": (at - self.started_at).total_seconds()}
        return {**self._identity(), **facts, **ended, **took, **(failure.described() if failure else {})}

    def skipped(self, at: datetime, upstream: str) -> dict[str, Any]:
        """The verdict that it is not tried."""
        told = {"fact": "verdict", "status": "SKIPPED_UPSTREAM", "nominal_start": at, "error_message": f"not tried: {upstream} failed"}
        return {**self._identity(), **told}


@dataclass(frozen=True)
class Broken:
    """A check that did not pass: its outcome, what was measured, and the rows that broke it."""

    outcome: str
    observed: float
    rows: int | None = None


@dataclass(frozen=True)
class Known:
    """What every step at a table tells of its contract: version and checks."""

    version: str
    checks: tuple[tuple[Any, ...], ...]


_known: dict[str, Known] = {}
_schema_hashes: dict[str, str] = {}
"""By name: the hash of a whole declaration would take longer than all else that a step costs here."""


def _schema_hash(declared: Table) -> str:
    if declared.name not in _schema_hashes:
        _schema_hashes[declared.name] = schema_hash(declared)
    return _schema_hashes[declared.name]


def known(declared: Table) -> Known:
    """What every step at a table tells of its contract."""
    if declared.name not in _known:
        contract = contract_for(declared)
        checks = tuple((c.name, c.type, c.column or None, c.severity.value, _filled(c.expected)) for c in contract.checks)
        _known[declared.name] = Known(contract.version, checks)
    return _known[declared.name]


def _filled(expected: str) -> str:
    return VARIABLE.sub(str(MAX_REJECTED_SHARE), expected)


def verdicts(attempt: Attempt, batch_id: str | None, rows: int, broken: Mapping[str, Broken]) -> tuple[Bulk, dict[str, Any]]:
    """The results of a contract's checks on some rows, and the columns of ops.run_events that sum them up."""
    declared, found = attempt.declared, []
    version = known(declared).version
    about = (attempt.run_id, attempt.pipeline, declared.name, batch_id, version)
    for name, kind, column, severity, expected in known(declared).checks:
        bad = broken.get(name) or Broken("passed", float(rows if kind == "row_count" else 0), 0)
        found.append((*about, name, kind, column, severity, expected, bad.outcome, bad.observed, rows, bad.rows))
    outcomes = [row[10] for row in found if row[6] != "freshness"]
    counts = {f"checks_{outcome}": outcomes.count(outcome) for outcome in ("passed", "warned", "failed")}
    return Bulk(CHECK_COLUMNS, found), {"contract_version": version, **counts}
