"""The gate: slices, scope, missing tables, threads, clocks and silence.

Does not belong here: single checks (test_each_check).
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from pyspark.sql import SparkSession

from dq_checks import Outcome, Stage, contract_for, verify
from lakehouse.errors import ConfigurationError
from lakehouse.tables import TABLES
from tests.spark.contracts.rows import CONTRACTED, good_row, view

OKTA = CONTRACTED[0]
SILVER = TABLES["silver.auth_events"]
DAILY = TABLES["gold.auth_daily"]


def _slice(tenant: str, good: int, bad: int) -> list[dict[str, object]]:
    row = good_row(SILVER) | {"tenant_id": tenant}
    return [row] * good + [row | {"_reasons": ["ip.malformed"]}] * bad


def test_only_a_large_slice_above_the_share_is_held_back(spark: SparkSession) -> None:
    slices = {"at_the_share": (16, 4), "above": (15, 5), "tiny": (0, 1), "nineteen": (0, 19), "fine": (30, 0)}
    view(spark, SILVER, [row for tenant, (good, bad) in slices.items() for row in _slice(tenant, good, bad)])
    contract = contract_for(SILVER)
    (rule,) = contract.slice_rules
    assert [row.tenant_id for row in spark.sql(rule.sql("staged", {"max_rejected_share": "0.2"})).collect()] == ["above"]
    verdict = verify(spark, contract, "staged", Stage.BATCH, {"max_rejected_share": "0.2"})
    (result,) = (r for r in verdict.results if r.check_name == rule.name)
    assert (result.outcome, result.observed, result.rows_failed) == (Outcome.FAILED, 1.0, None)
    assert result.expected.startswith("at most 0.2 of")
    assert not verdict.blocking


def test_scope_limits_the_table_stage(spark: SparkSession) -> None:
    rows = [good_row(DAILY)] * 2 + [good_row(DAILY) | {"tenant_id": "other"}]
    view(spark, DAILY, rows)
    contract = contract_for(DAILY)
    assert verify(spark, contract, "staged", Stage.TABLE, {}).warned == 1
    scoped = verify(spark, contract, "staged", Stage.TABLE, {"scope": "tenant_id = 'other'"})
    assert (scoped.warned, scoped.results[0].rows_tested) == (0, 1)


def test_a_table_of_the_catalog(spark: SparkSession) -> None:
    spark.sql("create schema if not exists contracts_scratch")
    try:
        view(spark, DAILY, [good_row(DAILY)])
        spark.sql("create table contracts_scratch.daily using parquet as select * from staged")
        for stage in Stage:
            verdict = verify(spark, contract_for(DAILY), "contracts_scratch.daily", stage, {})
            assert verdict.passed == len(verdict.results), str(verdict)
    finally:
        spark.sql("drop schema contracts_scratch cascade")


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("dataset", ["nowhere", "default.nowhere", "noschema.nowhere"])
def test_a_missing_table_closes_the_gate_and_does_not_raise(spark: SparkSession, stage: Stage, dataset: str) -> None:
    verdict = verify(spark, contract_for(DAILY), dataset, stage, {})
    assert {r.outcome for r in verdict.results} == {Outcome.NOT_EVALUATED}
    assert len(verdict.blocking) == len(verdict.results) == verdict.failed
    assert any("TABLE_OR_VIEW_NOT_FOUND" in line for line in verdict.problems)
    assert "\n" not in str(verdict)


def test_an_error_in_the_data_closes_the_gate_without_quoting_it(spark: SparkSession) -> None:
    spark.sql("select cast(secret as long) as attempts from values ('hunter2') as t(secret)").createOrReplaceTempView("staged")
    verdict = verify(spark, contract_for(DAILY), "staged", Stage.TABLE, {"scope": "attempts > 0"})
    assert verdict.blocking
    assert "hunter2" not in str(verdict)


def test_a_missing_variable_and_a_strange_dataset_are_refused(spark: SparkSession) -> None:
    with pytest.raises(ConfigurationError, match="max_rejected_share"):
        verify(spark, contract_for(SILVER), "staged", Stage.BATCH, {})
    with pytest.raises(ConfigurationError, match="temporary view"):
        verify(spark, contract_for(DAILY), "staged where 1 = 1", Stage.BATCH, {})


def test_threads_do_not_disturb_each_other_and_no_clock_stands_still(spark: SparkSession) -> None:
    tables = [t for t in CONTRACTED if t.layer.value == "gold"]
    for table in tables:
        view(spark, table, [good_row(table)] * (tables.index(table) + 1), f"staged_{table.short_name}")
    seen: set[float] = set()
    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(verify, spark, contract_for(t), f"staged_{t.short_name}", Stage.BATCH, {}) for t in tables * 2]
        while not all(future.done() for future in running):
            seen.add(time.time())
            assert datetime.__module__ == "datetime"
            time.sleep(0.01)
    assert len(seen) > 20
    for table, future in zip(tables * 2, running, strict=True):
        verdict = future.result()
        assert (verdict.table, verdict.failed) == (table.name, 0)
        assert {r.rows_tested for r in verdict.results if r.check_type == "missing"} == {tables.index(table) + 1}


def test_nothing_is_printed_and_no_logger_is_left_changed(
    spark: SparkSession, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    view(spark, DAILY, [good_row(DAILY) | {"users": 9}])
    handlers = list(logging.root.handlers)
    with caplog.at_level(logging.DEBUG):
        verify(spark, contract_for(DAILY), "staged", Stage.BATCH, {})
    assert [record for record in caplog.records if record.name.startswith("soda")] == []
    assert "soda" not in "".join(capfd.readouterr()).lower()
    assert logging.root.handlers == handlers
