"""Each check of each contract is seen failing on a bad row, alone, and passing on a good one.

Does not belong here: how a contract's text comes about (tests/unit/contracts).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from dq_checks import Check, Contract, Outcome, RowRule, Severity, Stage, Verdict, contract_for, verify
from jobs.bronze import broken
from lakehouse.tables import Table
from tests.spark.contracts.rows import CONTRACTED, good_row, view

VARIABLES = {"max_rejected_share": "0.2"}
TOLERANT = {"max_rejected_share": "1"}
every_table = pytest.mark.parametrize("table", CONTRACTED, ids=lambda t: t.name)


def _run(spark: SparkSession, table: Table, rows: list[dict[str, Any]], stage: Stage, variables: Mapping[str, str] = VARIABLES) -> Verdict:
    return verify(spark, contract_for(table), view(spark, table, rows), stage, variables)


def _not_passed(verdict: Verdict) -> set[str]:
    return {r.check_name for r in verdict.results if r.outcome is not Outcome.PASSED}


def _judged_by_share(check: Check) -> bool:
    return "threshold" in check.body


def _row_checks(contract: Contract) -> list[Check]:
    return [c for c in contract.at(Stage.BATCH) if c.violated and not _judged_by_share(c)]


def _bad(table: Table, check: Check) -> dict[str, Any]:
    assert check.bad_row, f"{check.name} names no bad row"
    return good_row(table) | check.bad_row


@every_table
def test_good_rows_pass_the_published_table(spark: SparkSession, table: Table) -> None:
    rows = [good_row(table), good_row(table, bare=True) | {"tenant_id": "other", "_row": 2}]
    verdict = _run(spark, table, rows, Stage.TABLE)
    assert not _not_passed(verdict), str(verdict)
    assert [r.check_name for r in verdict.results] == [c.name for c in contract_for(table).at(Stage.TABLE)]


@every_table
def test_each_row_check_fails_on_its_own_bad_row_and_good_rows_pass(spark: SparkSession, table: Table) -> None:
    contract = contract_for(table)
    checks = _row_checks(contract)
    rows = [good_row(table), good_row(table, bare=True), *(_bad(table, c) for c in checks)]
    verdict = _run(spark, table, rows, Stage.BATCH, TOLERANT)
    assert [r.check_name for r in verdict.results] == [c.name for c in contract.at(Stage.BATCH)]

    failing = {r.check_name: (r.rows_failed, r.rows_tested) for r in verdict.results if r.outcome is not Outcome.PASSED}
    assert failing == {c.name: (1, len(rows)) for c in checks}
    assert {r.check_name for r in verdict.blocking} == {c.name for c in checks if c.severity is Severity.BLOCK}

    every = [RowRule(c.name, c.violated) for c in checks]
    picked = spark.table("staged").orderBy("_n").select(broken(every).alias("names"), broken(contract.row_rules).alias("reasons")).collect()
    assert [row.names for row in picked] == [[], [], *([c.name] for c in checks)]
    assert [row.reasons for row in picked] == [[], [], *([c.name] if c.severity is Severity.ROW else [] for c in checks)]


@every_table
def test_no_rule_is_ever_null(spark: SparkSession, table: Table) -> None:
    view(spark, table, [dict.fromkeys(good_row(table))])
    checks = _row_checks(contract_for(table))
    (row,) = spark.sql(
        "select " + ", ".join(f"({c.violated}) is not null as c{n}" for n, c in enumerate(checks)) + " from staged"
    ).collect()
    assert all(row)


@every_table
def test_checks_on_shares_and_slices_fail_alone(spark: SparkSession, table: Table) -> None:
    for check in contract_for(table).at(Stage.BATCH):
        if _judged_by_share(check) or check.severity is Severity.SLICE:
            bad, good = [_bad(table, check)] * 20, [good_row(table)] * 10
            assert _not_passed(_run(spark, table, bad + good, Stage.BATCH)) == {check.name}


@every_table
def test_a_dropped_and_a_retyped_column_close_the_gate(spark: SparkSession, table: Table) -> None:
    view(spark, table, [good_row(table)], "whole")
    optional = [c.name for c in table.columns if not c.required and not c.values]
    dropped, retyped = [*dict.fromkeys((*optional, *reversed(table.column_names)))][:2]
    spark.sql(f"select * except ({dropped}, {retyped}), array(1) as {retyped} from whole").createOrReplaceTempView("staged")
    verdict = verify(spark, contract_for(table), "staged", Stage.BATCH, VARIABLES)
    schema = verdict.results[0]
    assert (schema.check_name, schema.outcome, schema.observed) == ("schema", Outcome.FAILED, 2.0)
    assert schema in verdict.blocking
    assert verdict.problems[0] == f"columns missing: {dropped}"
    assert verdict.problems[1].startswith(f"types that differ: {retyped} array<int> for ")
    assert {r.outcome for r in verdict.results[1:]} <= {Outcome.PASSED, Outcome.NOT_EVALUATED}


@every_table
def test_each_table_check_warns_alone(spark: SparkSession, table: Table) -> None:
    names = {c.type: c.name for c in contract_for(table).at(Stage.TABLE)}
    twice = _run(spark, table, [good_row(table)] * 2, Stage.TABLE)
    assert _not_passed(twice) == {names.pop("duplicate")}
    assert (twice.results[0].rows_tested, twice.results[0].rows_failed, twice.warned) == (2, 1, 1)
    if "freshness" in names:
        old = _run(spark, table, [good_row(table, age=timedelta(days=40))], Stage.TABLE)
        assert _not_passed(old) == {names["freshness"]}
        (result,) = (r for r in old.results if r.check_type == "freshness")
        covered_days = {"week": 7, "month": 31}.get(str(result.column_name), 1)
        assert (39 - covered_days) * 1440 < (result.observed or 0) < 41 * 1440
    if "row_count" in names:
        empty = _run(spark, table, [], Stage.TABLE)
        assert _not_passed(empty) == {names["row_count"], names.get("freshness", names["row_count"])}
        assert not empty.blocking
    assert not twice.blocking
    assert set(names) <= {"freshness", "row_count"}
