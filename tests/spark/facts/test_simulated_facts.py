"""What the scorecard's model of the pipeline records has the form of what the jobs record.

Does not belong here: whether figures are alike; the model's customers are made up.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lakehouse.ops.store import Reader
from lakehouse.tables import table
from tests.lake import SOURCE, TestLake, event
from tests.scorecard.facts import FactStore
from tests.scorecard.world import BEGIN, DAY, HOUR, World
from tests.unit.scorecard.lives import live

pytestmark = pytest.mark.long

DAY_AGO = f"{datetime.now(UTC) - DAY:%Y-%m-%d}"
"""What happened long ago is not measured by the hour."""
MONDAY = BEGIN + 7 * DAY
SAME_STEPS = f"pipeline in ('{SOURCE}', 'gold')"
SAME_TABLES = f"table_name in ('bronze.{SOURCE}', 'silver.auth_events') or table_name like 'gold.%'"
KINDS = {
    "checks": f"select distinct table_name, check_name, check_type, column_name, severity from ops.check_results where {SAME_TABLES}",
    "measurements": f"""
        select distinct split_part(table_name, '.', 1) as layer, metric, tenant_id is not null as of_tenant, bucket_s,
               case when metric = 'filled_rows' then '' else split_part(dimension, '=', 1) end as about
        from ops.metrics where {SAME_TABLES}""",
    "states of files": "select distinct state from ctl.files",
    "steps": f"select distinct pipeline, asset, layer, fact, status like 'SUCCEEDED%' as is_good from ops.run_events where {SAME_STEPS}",
}
OF_THE_ORCHESTRATOR = {"parent_run_id"}
FILLED = {
    "ops.run_events": f"fact = 'end' and ({SAME_STEPS})",
    "ops.check_results": SAME_TABLES,
    "ops.metrics": SAME_TABLES,
    "ops.lineage_edges": "true",
    "ctl.files": "state = 'published'",
}


@pytest.fixture(scope="module")
def model() -> FactStore:
    """Eight hours of the model."""
    return live(World(3), MONDAY + 8 * HOUR, MONDAY + 16 * HOUR)


@pytest.fixture(scope="module")
def facts(lake: TestLake) -> Reader:
    """What the jobs record of good, doubled, foreign and unreadable records of two tenants."""
    for tenant in ("modelled", "modelled-too"):
        good = [event(n, tenant, DAY_AGO, ok=n % 3 > 0) for n in range(40)]
        foreign = event(90, tenant, DAY_AGO, action="NoSuchAction")
        odd = event(91, tenant, DAY_AGO, http_status_code=42)
        lake.land(tenant, "a.jsonl", [*good, good[0], foreign, odd, "{"])
    lake.run(lake.new_run())
    return lake.context.reader


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_tells_nothing_that_the_jobs_do_not_tell(model: FactStore, facts: Reader, kind: str) -> None:
    told, real = ({tuple(row.values()) for row in reader.rows(KINDS[kind])} for reader in (model, facts))
    assert told
    assert told - real == set()


@pytest.mark.parametrize("name", FILLED)
def test_the_model_fills_no_column_that_the_jobs_leave_empty(model: FactStore, facts: Reader, name: str) -> None:
    counts = ", ".join(f"count({c})::int as {c}" for c in table(name).column_names)
    sql = f"select {counts} from {name} where {FILLED[name]}"
    told, real = ({c for c, n in reader.rows(sql)[0].items() if n} for reader in (model, facts))
    assert told
    assert told - real - OF_THE_ORCHESTRATOR == set()
