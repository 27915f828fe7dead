"""`rebuild` brings back what the catalog had."""

from __future__ import annotations

import pytest

from infra.commands.data import rebuild
from infra.trino_access import DDL_CATALOG, RUN_LOG_VIEW
from infra.trino_client import RefusedQuery, query
from tests.lake import TestLake

COUNT = "select count(*) from ops.run_log"


def test_a_lost_view_is_made_again(lake: TestLake) -> None:
    schema, view = RUN_LOG_VIEW
    assert query(lake.settings, COUNT).rows[0][0] > 0
    query(lake.settings, f"drop view {DDL_CATALOG}.{schema}.{view}")
    with pytest.raises(RefusedQuery):
        query(lake.settings, COUNT)
    rebuild()
    assert query(lake.settings, COUNT).rows[0][0] > 0
