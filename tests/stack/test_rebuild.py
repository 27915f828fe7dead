"""`rebuild` brings back what the catalog had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.commands.data import rebuild
from infra.trino_access import DDL_CATALOG
from infra.trino_client import RefusedQuery, query
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.ops.views import VIEWS
from tests.lake import TestLake

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
INCIDENTS = (
    "select incident_id, state, cause, owner, detected_after_s from ops.incidents where resolved_at is not null order by incident_id"
)


def test_lost_views_are_made_again(lake: TestLake) -> None:
    counts = [f"select count(*) from {view}" for view in VIEWS]
    assert query(lake.settings, counts[0]).rows[0][0] > 0
    for view, count in zip(VIEWS, counts, strict=True):
        query(lake.settings, f"drop view {DDL_CATALOG}.{view}")
        with pytest.raises(RefusedQuery):
            query(lake.settings, count)
    rebuild()
    assert query(lake.settings, counts[0]).rows[0][0] > 0


def test_clients_and_the_evaluator_see_the_same_incidents(lake: TestLake) -> None:
    about = {"incident_id": "seen-by-both", "actor": "evaluator", "since": NOON, "cause": "input_late", "owner": "data-team"}
    events = [{**about, "event": name, "happened_at": NOON + timedelta(minutes=n)} for n, name in ((4, "opened"), (9, "resolved"))]
    OpsWriter(lake.settings).append("ops.incident_events", events)
    seen = query(lake.settings, INCIDENTS).rows
    assert ["seen-by-both", "resolved", "input_late", "data-team", 240.0] in seen
    known = [list(row.values()) for row in OpsReader(lake.settings).rows(INCIDENTS)]
    assert [row[:-1] for row in seen] == [row[:-1] for row in known]
    assert [row[-1] for row in seen] == pytest.approx([row[-1] for row in known], abs=0.01), "Trino knows milliseconds only"
