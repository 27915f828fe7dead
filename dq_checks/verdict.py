"""What a contract found: one result per check, and whether the gate is open.

Does not belong here: how Soda is asked (dq_checks.engine), or recording results (lakehouse.ops).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dq_checks.model import Severity, Stage


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    NOT_EVALUATED = "not_evaluated"


@dataclass(frozen=True)
class CheckResult:
    """The result of one check; the fields are columns of `ops.check_results`.

    `observed` is the measured value: violating rows, failing slices, minutes of age, or columns that differ from the declaration.
    """

    check_name: str
    check_type: str
    column_name: str | None
    severity: Severity
    outcome: Outcome
    expected: str
    observed: float | None = None
    rows_tested: int | None = None
    rows_failed: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What one run of a contract found.

    Args:
        table: name of the table whose contract it is.
        contract_version: fingerprint of the contract.
        stage: stage that ran.
        results: one per check of the stage, in the contract's order.
        problems: how the columns differ and why checks could not be evaluated, a line each, without payload values.
    """

    table: str
    contract_version: str
    stage: Stage
    results: tuple[CheckResult, ...]
    problems: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        """What closes the gate: a failed check of severity block, and any check that could not be evaluated."""
        return tuple(
            r for r in self.results if r.outcome is Outcome.NOT_EVALUATED or (r.outcome is Outcome.FAILED and r.severity is Severity.BLOCK)
        )

    @property
    def passed(self) -> int:
        """Number of checks that passed."""
        return sum(r.outcome is Outcome.PASSED for r in self.results)

    @property
    def warned(self) -> int:
        """Number of checks that warned."""
        return sum(r.outcome is Outcome.WARNED for r in self.results)

    @property
    def failed(self) -> int:
        """Number of checks that failed or could not be evaluated."""
        return len(self.results) - self.passed - self.warned

    def __str__(self) -> str:
        failed = [r for r in self.blocking if r.outcome is Outcome.FAILED]
        told = [f"{r.check_name} failed (expected {r.expected}, observed {r.observed})" for r in failed[:5]]
        told += [f"{len(failed) - len(told)} more failed"] if len(failed) > len(told) else []
        unclear = len(self.blocking) - len(failed)
        told += [f"{unclear} could not be evaluated"] if unclear else []
        counts = f"contract of {self.table}: {self.passed} passed, {self.warned} warned, {self.failed} failed"
        return "; ".join([counts, *told, *self.problems])
