"""How many rows of a batch have a value in each column: recorded, and held against what the source promises.

Does not belong here: rules about single rows (dq_checks).
"""

from __future__ import annotations

from typing import Protocol

from pyspark.sql import Column
from pyspark.sql import functions as F

from dq_checks import CheckResult, Outcome, Severity
from jobs.audit import record_checks
from jobs.context import Context
from jobs.measure import Measurements
from lakehouse.ops.runs import Facts
from lakehouse.sources import Source
from lakehouse.tables import Table

LEAST_ROWS = 20
"""Rows that a batch must have for its shares to be judged."""


def _may_be_null(declared: Table) -> list[str]:
    return [column.name for column in declared.columns if not column.required]


def filled(declared: Table, among: Column) -> list[Column]:
    """Aggregates: the rows among those that count with a value in each column that may be null, under its name."""
    return [F.count(F.when(among, F.col(name))).alias(name) for name in _may_be_null(declared)]


class Counted(Protocol):
    """Values of the aggregates of `filled`, and of how many rows."""

    @property
    def applicable(self) -> int:
        """The rows that count."""
        ...

    def total(self, name: str) -> int:
        """An aggregate."""
        ...


def record_fill(context: Context, source: Source, declared: Table, counted: Counted, measured: Measurements, facts: Facts) -> None:
    """Tell how many rows have a value in each column, and warn where a share is below what the source declares."""
    open_columns, total = _may_be_null(declared), counted.applicable
    measured.of_batch("rows", total)
    for name in open_columns:
        measured.of_batch("filled_rows", counted.total(name), name)
    if total >= LEAST_ROWS:
        results = [
            _result(column, least, counted.total(column), total) for column, least in source.silver.filled.items() if column in open_columns
        ]
        record_checks(context, source.name, declared, facts, results)


def _result(column: str, least: float, with_value: int, total: int) -> CheckResult:
    return CheckResult(
        check_name=f"{column}.filled",
        check_type="fill",
        column_name=column,
        severity=Severity.WARN,
        outcome=Outcome.PASSED if with_value >= least * total else Outcome.WARNED,
        expected=f"a value in at least {least:.0%} of the rows",
        observed=with_value / total,
        rows_tested=total,
        rows_failed=total - with_value,
    )
