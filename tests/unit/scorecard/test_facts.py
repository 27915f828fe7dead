"""The store of simulated facts.

Does not belong here: which facts there are.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import InfrastructureError
from tests.scorecard.facts import Bulk, Clock, FactStore, History
from tests.scorecard.measures import COLUMNS
from tests.scorecard.world import BEGIN, HOUR

COUNT = "select count(*)::int as n from ops.run_events"


def start(run_id: str) -> dict[str, Any]:
    told = {"pipeline": "p", "asset": "bronze.p", "attempt": 1, "status": "RUNNING", "started_at": BEGIN}
    return {"fact": "start", "run_id": run_id, **told}


def test_what_is_appended_is_stamped_with_the_simulated_time_and_seen_through_views() -> None:
    store = FactStore(Clock(BEGIN + HOUR))
    assert store.append("ops.run_events", [start("a")])
    assert store.rows("select run_id, status from ops.run_log where pipeline = ?", ["p"]) == [{"run_id": "a", "status": "RUNNING"}]
    stamped = store.rows("select recorded_at, recorded_date from ops.run_events")
    assert stamped == [{"recorded_at": BEGIN + HOUR, "recorded_date": BEGIN.date()}]


def test_many_rows_at_once_keep_their_moments_and_leave_other_columns_null() -> None:
    store = FactStore(Clock(BEGIN))
    row = ("r", "p", "bronze.p", None, "rows", None, 3.0, "harbor", 1772409600000000, 3600)
    store.record("ops.metrics", BEGIN, Bulk(COLUMNS, [row]))
    store.record("ops.metrics", BEGIN + HOUR, Bulk(COLUMNS, [row, row]))
    found = store.rows("select recorded_at, count(*)::int as n, max(bucket_start) as bucket from ops.metrics group by 1 order by 1")
    assert found == [{"recorded_at": BEGIN, "n": 1, "bucket": BEGIN}, {"recorded_at": BEGIN + HOUR, "n": 2, "bucket": BEGIN}]
    assert store.rows("select count(batch_id)::int as n from ops.metrics") == [{"n": 0}]


def test_a_store_that_is_down_answers_nothing_and_has_all_afterwards() -> None:
    clock = Clock(BEGIN)
    store = FactStore(clock, down=(BEGIN + HOUR, BEGIN + 2 * HOUR))
    store.append("ops.run_events", [start("before")])
    assert store.rows(COUNT) == [{"n": 1}]
    clock.now = BEGIN + HOUR
    with pytest.raises(InfrastructureError, match="503"):
        store.query(COUNT)
    assert store.append("ops.run_events", [start("meanwhile")])
    clock.now = BEGIN + 2 * HOUR
    assert store.rows(COUNT) == [{"n": 2}]


def test_a_store_on_another_one_shows_its_facts_up_to_a_moment_and_changes_none(tmp_path: Path) -> None:
    clock = Clock(BEGIN)
    past = FactStore(clock)
    past.append("ops.run_events", [start("early")])
    clock.now = BEGIN + HOUR
    past.append("ops.run_events", [start("too late")])
    past.save(tmp_path / "past.duckdb")
    stores = [FactStore(Clock(BEGIN), history=History(tmp_path / "past.duckdb", BEGIN + timedelta(minutes=1))) for _ in range(2)]
    stores[0].append("ops.run_events", [start("its own")])
    names = "select run_id from ops.run_events order by run_id"
    assert [[row["run_id"] for row in store.rows(names)] for store in stores] == [["early", "its own"], ["early"]]
