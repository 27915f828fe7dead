"""Holding staged rows against their table's contract, and recording what came out and where it came from.

Does not belong here: the rules (dq_checks), or what becomes of the rows (jobs.bronze).
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from dq_checks import Contract, Stage, Verdict, contract_for, verify
from jobs.context import Context
from lakehouse.errors import DataError
from lakehouse.ops.runs import Facts
from lakehouse.tables import Table


def view_of(staged: DataFrame, declared: Table) -> str:
    """Show staged rows to SQL under a name of their own in this session; returns the name."""
    name = f"staged_{declared.short_name}"
    staged.createOrReplaceTempView(name)
    return name


def failing_slices(context: Context, contract: Contract, view: str, variables: Mapping[str, str]) -> dict[str, list[str]]:
    """Tenants whose slice of a staged view breaks a threshold, each with the names of the rules."""
    found: dict[str, list[str]] = {}
    for rule in contract.slice_rules:
        for row in context.session.sql(rule.sql(view, variables)).collect():
            found.setdefault(row["tenant_id"], []).append(rule.name)
    return found


def audit(
    context: Context, pipeline: str, declared: Table, dataset: str, stage: Stage, facts: Facts, variables: Mapping[str, str]
) -> Verdict:
    """Verify a view or table, record each check, and count the outcomes. Raises DataError where a blocking check fails."""
    contract = contract_for(declared)
    verdict = verify(context.session, contract, dataset, stage, variables)
    context.verdicts.append((declared, verdict))
    context.writer.append("ops.check_results", [
        {
            "run_id": context.run.run_id,
            "pipeline": pipeline,
            "table_name": declared.name,
            "batch_id": facts.batch_id,
            "contract_version": contract.version,
            "check_name": result.check_name,
            "check_type": result.check_type,
            "column_name": result.column_name,
            "severity": result.severity,
            "outcome": result.outcome,
            "expected": result.expected,
            "observed": result.observed,
            "rows_tested": result.rows_tested,
            "rows_failed": result.rows_failed,
        }
        for result in verdict.results
    ])  # fmt: skip
    facts.contract_version = contract.version
    facts.add(checks_passed=verdict.passed, checks_warned=verdict.warned, checks_failed=verdict.failed)
    if verdict.blocking:
        names = ", ".join(result.check_name for result in verdict.blocking)
        raise DataError(
            f"{declared.name}: nothing published, contract broken: {names}; {verdict}",
            next_step=f"see ops.check_results of run {context.run.run_id}",
        )
    return verdict


def lineage(context: Context, output: str, version: int, inputs: Mapping[str, int | None]) -> None:
    """Record what a table's version was made from: tables with the version read, landed files with None."""
    context.writer.append(
        "ops.lineage_edges",
        [
            {"run_id": context.run.run_id, "input_name": name, "input_version": read, "output_name": output, "output_version": version}
            for name, read in inputs.items()
        ],
    )
