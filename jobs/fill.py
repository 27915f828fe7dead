"""How many rows of a batch have a value in each column: recorded, and held against what the source promises.

Does not belong here: rules about single rows (dq_checks).
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dq_checks import CheckResult, Outcome, Severity
from jobs.audit import record_checks
from jobs.context import Context
from lakehouse.ops.runs import Facts
from lakehouse.sources import Source
from lakehouse.tables import Table

LEAST_ROWS = 20
"""Rows that a batch must have for its shares to be judged."""


def record_fill(context: Context, source: Source, declared: Table, rows: DataFrame, facts: Facts) -> None:
    """Count the rows with a value in each column that may be null, and warn where a share is below what the source declares."""
    open_columns = [c.name for c in declared.columns if not c.required]
    counted = rows.agg(F.count(F.lit(1)).alias("rows"), *(F.count(name).alias(name) for name in open_columns)).collect()[0]
    total = counted["rows"]
    about = {"run_id": context.run.run_id, "pipeline": source.name, "table_name": declared.name, "batch_id": facts.batch_id}
    filled = [{**about, "metric": "filled_rows", "dimension": name, "value": float(counted[name])} for name in open_columns]
    context.writer.append("ops.metrics", [{**about, "metric": "rows", "dimension": None, "value": float(total)}, *filled])
    if total >= LEAST_ROWS:
        results = [
            _result(column, least, counted[column], total) for column, least in source.silver.filled.items() if column in open_columns
        ]
        record_checks(context, source.name, declared, facts, results)


def _result(column: str, least: float, filled: int, total: int) -> CheckResult:
    return CheckResult(
        check_name=f"{column}.filled",
        check_type="fill",
        column_name=column,
        severity=Severity.WARN,
        outcome=Outcome.PASSED if filled >= least * total else Outcome.WARNED,
        expected=f"a value in at least {least:.0%} of the rows",
        observed=filled / total,
        rows_tested=total,
        rows_failed=total - filled,
    )
