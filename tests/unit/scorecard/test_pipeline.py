"""The simulated pipeline's book-keeping: it leaves what the jobs would leave, and its books balance.

Does not belong here: what faults do to it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lakehouse.tables import table
from tests.scorecard.facts import FactStore
from tests.scorecard.faults import StepFault, Truth
from tests.scorecard.pipeline import GOLD, RETRY_WAIT_S, TRIES
from tests.scorecard.steps import Failure
from tests.scorecard.world import BEGIN, DAY, HOUR, MAIN_SOURCE, World
from tests.unit.scorecard.lives import live

MONDAY = BEGIN + 7 * DAY
WRITTEN = ("ops.run_events", "ops.check_results", "ops.metrics", "ops.lineage_edges", "ctl.files", "ctl.source_fields")
SILVER = "silver.auth_events"


@pytest.fixture(scope="module")
def world() -> World:
    return World(3)


@pytest.fixture(scope="module")
def lived(world: World) -> FactStore:
    return live(world, MONDAY + 8 * HOUR, MONDAY + 16 * HOUR)


def test_the_same_seed_leaves_the_same_facts(world: World, lived: FactStore) -> None:
    again = live(World(3), MONDAY + 8 * HOUR, MONDAY + 16 * HOUR)
    for name in WRITTEN:
        assert lived.query(f"select * from {name} order by all").equals(again.query(f"select * from {name} order by all")), name


def test_facts_keep_to_the_declared_columns_and_values(lived: FactStore) -> None:
    for name in WRITTEN:
        assert lived.rows(f"select count(*)::int as n from {name}")[0]["n"], name
        for column in table(name).columns:
            if column.required:
                assert lived.rows(f"select count(*)::int as n from {name} where {column.name} is null") == [{"n": 0}], column.name
            if column.values:
                found = {row["v"] for row in lived.rows(f"select distinct {column.name} as v from {name}")} - {None}
                assert found <= set(column.values), column.name


def test_the_books_of_each_file_balance(lived: FactStore) -> None:
    found = lived.rows(
        "select count(*)::int as n, count(*) filter (records = published + quarantined + duplicate + held_back)::int as balanced "
        "from ctl.files where state = 'published'"
    )
    assert found[0]["n"] > 100
    assert found[0]["balanced"] == found[0]["n"]


def test_each_file_is_claimed_then_in_bronze_then_published(lived: FactStore) -> None:
    states = "select path, list(state order by recorded_at) as states from ctl.files where modified_at < ? group by path"
    assert {tuple(row["states"]) for row in lived.rows(states, [MONDAY + 15 * HOUR])} == {("claimed", "bronze", "published")}


def test_what_is_measured_by_customer_and_hour_adds_up_to_the_batch(lived: FactStore) -> None:
    both = """
    select batch_id, table_name, sum(value) filter (tenant_id is null) as whole, sum(value) filter (tenant_id is not null) as parts
    from ops.metrics where metric = 'rows' and batch_id is not null group by all
    """
    found = lived.rows(both)
    assert len(found) > 50
    assert all(row["whole"] == row["parts"] for row in found)
    inserted = lived.rows(
        "select batch_id, asset as table_name, rows_inserted from ops.run_events where fact = 'end' and rows_inserted > 0"
    )
    of_runs = {(row["batch_id"], row["table_name"]): row["rows_inserted"] for row in inserted if row["batch_id"]}
    assert of_runs == {(row["batch_id"], row["table_name"]): row["whole"] for row in found}


def test_each_row_of_silver_has_one_value_of_each_enumeration(lived: FactStore) -> None:
    shares = """
    select split_part(dimension, '=', 1) as of_column, sum(value) as valued from ops.metrics
    where metric = 'value_rows' and table_name = ? group by 1
    """
    rows = lived.rows(
        f"select sum(value) as n from ops.metrics where metric = 'rows' and tenant_id is not null and table_name = '{SILVER}'"
    )
    valued = {row["of_column"]: row["valued"] for row in lived.rows(shares, [SILVER])}
    assert valued == dict.fromkeys(("activity", "auth_method", "phase", "outcome"), rows[0]["n"])


def test_no_count_of_zero_is_written_and_a_fact_is_no_older_than_its_event(lived: FactStore) -> None:
    assert lived.rows("select count(*)::int as n from ops.metrics where value = 0") == [{"n": 0}]
    assert lived.rows("select count(*)::int as n from ops.run_events where recorded_at < started_at") == [{"n": 0}]


def test_one_run_at_a_time(lived: FactStore) -> None:
    runs = lived.rows("select run_id, min(recorded_at) as first, max(recorded_at) as last from ops.run_events group by 1 order by 2")
    assert len(runs) > 8
    assert all(one["last"] <= other["first"] for one, other in pairwise(runs))


def failing(begin: datetime, retries: bool, *steps: tuple[str, str]) -> StepFault:
    how = Failure("InfrastructureError", "the store did not answer", 2.0, retries)
    return StepFault("test", begin, begin + HOUR, Truth(()), "", fails=how, steps=frozenset(steps))


def attempts_at(store: FactStore, asset: str) -> list[dict[str, Any]]:
    told = "select attempt, started_at, ended_at from ops.run_log where asset = ? and status = 'FAILED' order by started_at"
    return [row for row in store.rows(told, [asset]) if row["attempt"]]


def test_a_step_that_a_retry_can_help_is_tried_four_times_and_what_is_behind_it_is_skipped(world: World) -> None:
    begin = MONDAY + 10 * HOUR
    store = live(world, begin, begin + 2 * HOUR, [failing(begin + HOUR, True, (MAIN_SOURCE, SILVER))])
    tries = attempts_at(store, SILVER)[:TRIES]
    assert [row["attempt"] for row in tries] == [1, 2, 3, 4]
    waits = [(later["started_at"] - earlier["ended_at"]).total_seconds() for earlier, later in pairwise(tries)]
    assert waits == [RETRY_WAIT_S, 2 * RETRY_WAIT_S, 4 * RETRY_WAIT_S]
    skipped = store.rows("select distinct asset, error_message from ops.run_log where status = 'SKIPPED_UPSTREAM'")
    assert {row["asset"] for row in skipped} == {declared.name for declared in GOLD}
    assert {row["error_message"] for row in skipped} == {f"not tried: {SILVER} failed"}


def test_a_step_that_no_retry_can_help_is_tried_once_in_a_run_and_pauses_between_runs(world: World) -> None:
    begin, asset = MONDAY + 10 * HOUR, "gold.security_signals"
    store = live(world, begin, begin + 3 * HOUR, [failing(begin + HOUR, False, ("gold", asset))])
    tries = attempts_at(store, asset)
    assert {row["attempt"] for row in tries} == {1}
    assert len(tries) > 1
    done = store.rows("select status from ops.run_log where asset = ? order by started_at", [asset])
    assert done[-1] == {"status": "SUCCEEDED"}, "it is made up for when it works again"


def test_bronze_that_fails_is_taken_up_by_a_later_run_and_loses_nothing(world: World) -> None:
    begin = MONDAY + 10 * HOUR
    store = live(world, begin, begin + 3 * HOUR, [failing(begin + HOUR, False, (MAIN_SOURCE, f"bronze.{MAIN_SOURCE}"))])
    assert attempts_at(store, f"bronze.{MAIN_SOURCE}")
    healthy = live(world, begin, begin + 3 * HOUR)
    total = "select tenant_id, sum(value) as n from ops.metrics where metric = 'rows' and table_name = ? group by 1 order by 1"
    assert store.rows(total, [SILVER]) == healthy.rows(total, [SILVER])


def test_runs_look_every_five_minutes(lived: FactStore) -> None:
    first = lived.rows("select min(started_at) as at from ops.run_events group by run_id")
    assert {(row["at"] - timedelta(seconds=4)).minute % 5 for row in first} == {0}
