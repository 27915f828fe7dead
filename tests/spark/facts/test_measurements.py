"""What is measured of a batch by tenant and hour is what the tables hold, and what they do not hold."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.tables import table
from tests.lake import SOURCE, Event, TestLake, event

pytestmark = pytest.mark.long

PARTS = """
select metric, dimension, tenant_id, strftime(bucket_start, '%H:%M') as bucket, bucket_s, sum(value)::int as value
from ops.metrics where table_name = ? and tenant_id = ? and batch_id is not null group by all
"""
WHOLE = "select metric, dimension, value from ops.metrics where run_id = ? and table_name = ? and tenant_id is null"
DAY = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
"""Recent enough to be counted by the hour."""
BRONZE, SILVER = f"bronze.{SOURCE}", "silver.auth_events"


def new_tenant() -> str:
    return f"m{uuid.uuid4().hex[:8]}"


def parts(lake: TestLake, name: str, tenant: str) -> dict[tuple[str, str | None, str], int]:
    return {(r["metric"], r["dimension"], r["bucket"]): r["value"] for r in lake.context.reader.rows(PARTS, [name, tenant])}


def some_events(tenant: str) -> list[Event | str]:
    """Two hours: three good sign-ins and one that fails in the first, one without an agent in the second; a repeat; a broken line."""
    first = [event(n, tenant, DAY, time="10:10:00") for n in range(3)]
    later = event(4, tenant, DAY, time="11:50:00")
    later["user_agent"] = []
    return [*first, event(3, tenant, DAY, time="10:59:59", ok=False), later, first[0], '{"event_id": ']


def test_each_hour_of_a_tenant_has_its_rows_by_what_became_of_them(lake: TestLake) -> None:
    tenant = new_tenant()
    lake.land(tenant, "a.jsonl", some_events(tenant))
    lake.run(gold=False)
    found = parts(lake, BRONZE, tenant)
    assert found["rows", None, "10:00"] == 4
    assert found["rows", None, "11:00"] == 1
    assert found["duplicate_rows", None, "10:00"] == 1
    assert sum(value for (metric, _, _), value in found.items() if metric == "quarantined_rows") == 1
    assert lake.count(BRONZE, f"tenant_id = '{tenant}'") == 5


def test_silver_tells_values_of_enumerations_and_where_columns_are_filled(lake: TestLake) -> None:
    tenant = new_tenant()
    lake.land(tenant, "a.jsonl", some_events(tenant))
    lake.run(gold=False)
    found = parts(lake, SILVER, tenant)
    rows = lake.rows(f"select date_format(event_time, 'HH:00') as hour, * from {SILVER} where tenant_id = '{tenant}'")
    for column in table(SILVER).columns:
        if not column.required and not column.name.startswith("_"):
            counted = Counter(row["hour"] for row in rows if row[column.name] is not None)
            assert {hour: found.get(("filled_rows", column.name, hour), 0) for hour in ("10:00", "11:00")} == {
                "10:00": counted["10:00"],
                "11:00": counted["11:00"],
            }, column.name
    assert (found["value_rows", "outcome=success", "10:00"], found["value_rows", "outcome=failure", "10:00"]) == (3, 1)
    assert sum(v for (metric, dimension, _), v in found.items() if metric == "value_rows" and str(dimension).startswith("activity=")) == 5


def test_a_batch_as_a_whole_tells_its_tenants_how_fresh_and_how_late_it_is(lake: TestLake) -> None:
    context = lake.new_run()
    tenants = [new_tenant(), new_tenant()]
    for tenant in tenants:
        lake.land(tenant, "a.jsonl", [event(n, tenant) for n in range(2)])
    lake.run(context, gold=False)
    told: dict[Any, float] = {(r["metric"], r["dimension"]): r["value"] for r in context.reader.rows(WHOLE, [context.run.run_id, BRONZE])}
    assert told["rows", None] == 4
    assert told["tenants", None] == 2
    run = context.reader.rows("select * from ops.run_log where run_id = ? and asset = ?", [context.run.run_id, BRONZE])[0]
    ingested = lake.rows(f"select max(unix_timestamp(_ingested_at)) as at from {BRONZE} where tenant_id = '{tenants[0]}'")[0]["at"]
    assert abs(told["freshness_s", None] - (ingested - run["event_time_max"].timestamp())) < 2
    assert told["lateness_s", None] == told["freshness_s", None]
    assert told["bytes", None] == run["bytes_written"]
    assert told["duration_s", None] > 0
    context.close()


def test_events_of_long_ago_are_counted_by_the_day(lake: TestLake) -> None:
    tenant = new_tenant()
    lake.land(tenant, "a.jsonl", [event(1, tenant, "2025-01-07", time="15:00:00"), event(2, tenant, "2025-01-07", time="23:00:00")])
    lake.run(gold=False)
    rows = lake.context.reader.rows(PARTS, [BRONZE, tenant])
    assert [(r["metric"], r["bucket"], r["bucket_s"], r["value"]) for r in rows] == [("rows", "00:00", 86400, 2)]
