"""Holding staged rows against their table's contract, and recording what came out and where it came from.

Does not belong here: the rules (dq_checks), or what becomes of the rows (jobs.bronze).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime

from pyspark.sql import DataFrame

from dq_checks import CheckResult, Contract, Outcome, Stage, Verdict, contract_for, verify
from jobs.context import Context
from jobs.days import at_least_on
from lakehouse.delta import Changes, DeltaLog
from lakehouse.errors import DataError, InfrastructureError
from lakehouse.lineage.columns import ColumnEdge
from lakehouse.lineage.recorded import TOLD_AGAIN_AFTER, Told, by_pair, told_since, untold
from lakehouse.ops.runs import Facts
from lakehouse.spark import is_small, kept, show
from lakehouse.tables import Table


def view_of(staged: DataFrame, declared: Table) -> str:
    """Show staged rows to SQL under a name of their own in this session; returns the name."""
    name = f"staged_{declared.short_name}"
    show(staged, name)
    return name


def failing_slices(context: Context, verdict: Verdict, contract: Contract, view: str, variables: Mapping[str, str]) -> dict[str, list[str]]:
    """Tenants whose slice of a staged view breaks a threshold, each with the names of the rules, after what its audit found."""
    found: dict[str, list[str]] = {}
    failed = {result.check_name for result in verdict.results if result.outcome is Outcome.FAILED}
    for rule in (rule for rule in contract.slice_rules if rule.name in failed):
        for row in context.session.sql(rule.sql(view, variables)).collect():
            found.setdefault(row["tenant_id"], []).append(rule.name)
    return found


def audit(
    context: Context, pipeline: str, declared: Table, dataset: str, stage: Stage, facts: Facts, variables: Mapping[str, str]
) -> Verdict:
    """Verify a view or table, record each check, and count the outcomes; how fresh the data are is not counted: a run cannot help it.

    Raises DataError where a blocking check fails on a staged batch; what is published already only warns.
    """
    contract = contract_for(declared)
    verdict = verify(context.session, contract, dataset, stage, variables)
    context.verdicts.append((declared, verdict))
    record_checks(context, pipeline, declared, facts, verdict.results)
    if verdict.blocking and stage is Stage.BATCH:
        names = ", ".join(result.check_name for result in verdict.blocking)
        raise DataError(
            f"{declared.name}: nothing published, contract broken: {names}; {verdict}",
            next_step=f"see ops.check_results of run {context.run.run_id}",
        )
    return verdict


def record_checks(context: Context, pipeline: str, declared: Table, facts: Facts, results: Sequence[CheckResult]) -> None:
    """Record results of checks of a table, and count their outcomes."""
    record_results(context, pipeline, declared.name, contract_for(declared).version, facts, results)


def record_results(context: Context, pipeline: str, name: str, version: str, facts: Facts, results: Sequence[CheckResult]) -> None:
    """Record results of checks of whatever a step makes, under the version of what they were held against, and count their outcomes."""
    context.writer.append_meanwhile("ops.check_results", [
        {
            "run_id": context.run.run_id,
            "pipeline": pipeline,
            "table_name": name,
            "batch_id": facts.batch_id,
            "contract_version": version,
            **asdict(result),
        }
        for result in results
    ])  # fmt: skip
    facts.contract_version = version
    of_run = Counter(str(result.outcome) for result in results if result.check_type != "freshness")
    facts.add(checks_passed=of_run["passed"], checks_warned=of_run["warned"], checks_failed=of_run["failed"] + of_run["not_evaluated"])


def judge_published(
    context: Context, pipeline: str, declared: Table, facts: Facts, log: DeltaLog, since: int | None = None, among: str = "true"
) -> None:
    """Hold what is published against the contract's checks of the whole table: uniqueness and freshness, which warn.

    Args:
        log: of the table as it is now.
        since: judge the partitions that changed after this version only; None for the whole table.
        among: Spark SQL that is true of every row that can have its key in common with what was committed.
    """
    contract = contract_for(declared)
    if not contract.at(Stage.TABLE):
        return
    changes = None if since is None else log.changes_since(since)
    days = None if changes is None else _touched(declared, changes)
    scope = among if days is None else f"{at_least_on(declared.partition_by[0], days)} and ({among})"
    rows = log.row_count(days)
    if not is_small(rows):
        audit(context, pipeline, declared, declared.name, Stage.TABLE, facts, {"scope": scope})
        return
    words = set(re.findall(r"\w+", contract.text[Stage.TABLE]))
    looked_at = [name for name in declared.column_names if name in words] or list(declared.column_names[:1])
    with kept(context.session.table(declared.name).where(scope).select(*looked_at), rows) as published:
        audit(context, pipeline, declared, view_of(published, declared), Stage.TABLE, facts, {})


def _touched(declared: Table, changes: Changes) -> list[date] | None:
    values = {partition.get(name) for partition in changes.partitions for name in declared.partition_by[:1]} - {None}
    if not values:
        return None
    return [date.fromisoformat(str(value)) for value in sorted(map(str, values))]


def lineage(context: Context, output: str, version: int, inputs: Mapping[str, int | None], columns: Iterable[ColumnEdge] = ()) -> None:
    """Record what a table's version was made from, in one append.

    Args:
        inputs: tables with the version read, landed files with None.
        columns: which columns of the inputs its columns are made from; what was told of late, and is still so, is not told again.
    """
    known = _told(context) if columns else {}
    told = untold(known, by_pair(output, columns))
    edges = [(name, None, None) for name in inputs] + [edge for edges in told.values() for edge in sorted(edges, key=str)]
    written = {"run_id": context.run.run_id, "output_name": output, "output_version": version}
    context.writer.append_meanwhile("ops.lineage_edges", [
        {**written, "input_name": name, "input_version": inputs[name], "input_column": read, "output_column": made}
        for name, read, made in edges
    ])  # fmt: skip
    known.update(told)


def _told(context: Context) -> Told:
    """The column edges that were told of late; none where the facts cannot be read, for then it does no harm to tell them again."""
    if "told columns" not in context.kept:
        try:
            context.kept["told columns"] = told_since(context.reader, (datetime.now(UTC) - TOLD_AGAIN_AFTER).date())
        except InfrastructureError:
            context.kept["told columns"] = {}
    known: Told = context.kept["told columns"]
    return known
