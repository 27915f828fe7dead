"""The usual yardstick beside it: a z-score on daily row counts, with Elementary's defaults (14 days of training, threshold 3).

Once a day after midnight the day before is compared with the 14 days before it: it is anomalous where it is further from their mean than
three of their standard deviations.

Does not belong here: the detector that is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tests.scorecard.facts import FactStore

THRESHOLD = 3.0
TRAINING_DAYS = 14
LOOKS_AT = time(1, 0)
"""Time of day (UTC) at which the day before is judged: its last files have come by then."""

COUNTS = """
with days as (
    select table_name, {tenant} as tenant_id, bucket_start::date as day, sum(value) as counted
    from {metrics}
    where metric = 'rows' and tenant_id is not null and bucket_start::date between $from and $day
      and recorded_at < $until and recorded_date >= $from
    group by all
),
grid as (
    select table_name, tenant_id, unnest(generate_series($from, $day, interval 1 day))::date as day
    from (select distinct table_name, tenant_id from days)
),
counts as (select grid.*, coalesce(counted, 0) as counted from grid left join days using (table_name, tenant_id, day))
select table_name, tenant_id
from counts
group by all
having abs(max(counted) filter (day = $day) - avg(counted) filter (day < $day)) > $threshold * stddev_samp(counted) filter (day < $day)
"""


@dataclass(frozen=True)
class Flag:
    """An anomalous day of a table, or of a customer in it."""

    table: str
    tenant: str | None


def look_after(begins: datetime) -> datetime:
    """When the day (UTC) of a moment is judged."""
    return datetime.combine(begins.date() + timedelta(days=1), LOOKS_AT, UTC)


def flags(store: FactStore, day: date, *, by_tenant: bool, healthy: bool = False) -> set[Flag]:
    """What is anomalous of a day, as it is known at the time when it is judged; on request in the history that the store stands on."""
    metrics = "history.facts.ops__metrics" if healthy else "ops.metrics"
    tenant = "tenant_id" if by_tenant else "'all'"
    until = datetime.combine(day + timedelta(days=1), LOOKS_AT, UTC)
    values = {"from": day - timedelta(days=TRAINING_DAYS), "day": day, "until": until, "threshold": THRESHOLD}
    found = store.ask(COUNTS.format(metrics=metrics, tenant=tenant), values)
    return {Flag(row["table_name"], row["tenant_id"] if by_tenant else None) for row in found}
