"""What must be true of the data: one Soda contract per table, and the one place that runs them.

Does not belong here: what to do with a row that fails (jobs), or when to check (assets).
"""

from dq_checks.contract import Contract, contract_for
from dq_checks.gate import verify
from dq_checks.model import REASONS, Check, RowRule, Severity, SliceRule, Stage
from dq_checks.verdict import CheckResult, Outcome, Verdict

__all__ = [
    "REASONS",
    "Check",
    "CheckResult",
    "Contract",
    "Outcome",
    "RowRule",
    "Severity",
    "SliceRule",
    "Stage",
    "Verdict",
    "contract_for",
    "verify",
]
