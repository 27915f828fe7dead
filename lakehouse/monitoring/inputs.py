"""Symptoms of what comes in: files that are late or missing, fields that changed, slices that are held back.

Does not belong here: how many rows there are of what (lakehouse.monitoring.series).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lakehouse.monitoring.symptoms import Kind, Symptom
from lakehouse.ops.store import Reader
from lakehouse.sources import Source

LEAST_GAPS = 24
"""Files of a tenant that must have come before one can be late."""
LEAST_GRACE = timedelta(minutes=5)
PATIENCE = 6
"""This part of its rhythm a file may come later than nearly all before it: of a hundred tenants' hourly files some always do."""
FORGOTTEN_AFTER = timedelta(days=3)
"""A tenant that has sent nothing for so long has gone; by then somebody has been told."""
DRIFT_SHOWN = timedelta(hours=6)
"""For how long a field that changed is told, unless records come without the change before."""

_LANDED = """
landed as (
    select source, tenant_id, path, min(modified_at) as landed_at
    from ctl.files where modified_at > $1::timestamptz - interval 14 days and modified_at <= $1 and recorded_at <= $1 and tenant_id != ''
    group by all
)
"""
FILES = f"""
with {_LANDED},
gaps as (
    select *, epoch(landed_at - lag(landed_at) over by_time) as gap_s, lag(landed_at) over by_time as before from landed
    window by_time as (partition by source, tenant_id order by landed_at)
),
by_length as (
    select source, gap_s, row_number() over longest_first as place, count(*) over (partition by source) as gaps
    from gaps where gap_s is not null window longest_first as (partition by source order by gap_s desc)
),
seldom as (select source, max(gap_s) as gap_s from by_length where place > greatest(3, gaps / 1000) group by source),
usual as (
    select g.source, g.tenant_id, max(g.landed_at) as last_at, count(g.gap_s)::int as gaps, max_by(g.path, g.landed_at) as path,
           greatest(quantile_cont(g.gap_s, 0.98), coalesce(any_value(s.gap_s), 0)) as longest_s
    from gaps as g left join seldom as s using (source) group by g.source, g.tenant_id
),
holes as (
    select g.source, g.tenant_id, min(g.before) as hole_from
    from gaps as g join usual as u using (source, tenant_id)
    where g.landed_at > $1::timestamptz - interval 1 day and g.gap_s > u.longest_s * 1.1 + 300
    group by all
)
select u.*, h.hole_from,
       (select count(*) from landed as l
        where l.source = u.source and l.tenant_id = u.tenant_id and l.landed_at > h.hole_from)::int as since_hole
from usual as u left join holes as h using (source, tenant_id)
"""
"""When each tenant's files of a source came, the longest gap that is nothing special, and the first of the last day that is longer.

Files are late so seldom that a tenant's own do not tell how late they may be: those of all tenants of the source do, but for the three
longest gaps, or one in a thousand."""
NEWEST = f"""
with {_LANDED}
select source, tenant_id, max(landed_at) as last_at from landed group by source, tenant_id having count(*) > $2
"""


def overdue_files(reader: Reader, sources: Mapping[str, Source], now: datetime) -> list[Symptom]:
    """A symptom for each tenant of a source with a declared rhythm of whom a file has not come by the time it should have."""
    rhythms = {name: timedelta(minutes=s.expected_every_minutes) for name, s in sources.items() if s.expected_every_minutes}
    rows = reader.rows(FILES, [now]) if rhythms else []
    regular = [r for r in rows if r["source"] in rhythms and r["gaps"] >= LEAST_GAPS and now - r["last_at"] <= FORGOTTEN_AFTER]
    judged = [(row, _overdue(row, rhythms[row["source"]], now)) for row in regular]
    return [_file_symptom(row, rhythms[row["source"]], due, now) for row, due in judged if due]


def newest_files(reader: Reader, now: datetime) -> dict[tuple[str, str], datetime]:
    """By source and tenant, when the newest file came (UTC): of the tenants of whom one can be late."""
    return {(row["source"], row["tenant_id"]): row["last_at"] for row in reader.rows(NEWEST, [now, LEAST_GAPS])}


def _overdue(row: Mapping[str, Any], rhythm: timedelta, now: datetime) -> datetime | None:
    """When the file that has not come was due; None where none is overdue. A file that comes late after all fills its gap."""
    hole_from, last_at = row["hole_from"], row["last_at"]
    if hole_from and (last_at - hole_from) / rhythm + 0.5 >= row["since_hole"] + 1:
        return hole_from + rhythm  # type: ignore[no-any-return]
    return last_at + rhythm if now > last_at + rhythm + _grace(row, rhythm) else None


def _grace(row: Mapping[str, Any], rhythm: timedelta) -> timedelta:
    return max(LEAST_GRACE, timedelta(seconds=row["longest_s"]) - rhythm) + rhythm / PATIENCE


def _file_symptom(row: Mapping[str, Any], rhythm: timedelta, due: datetime, now: datetime) -> Symptom:
    minutes = int(rhythm.total_seconds() // 60)
    has_gone_on = row["last_at"] > due
    kind = Kind.INPUT_MISSING if has_gone_on or now > due + 2 * rhythm else Kind.INPUT_LATE
    whose = f"{row['source']} from {row['tenant_id']}"
    since = f"since {row['last_at']:%Y-%m-%d %H:%M} UTC"
    return Symptom(
        kind,
        due,
        f"a file of {whose} due at {due:%Y-%m-%d %H:%M} UTC has not come" if has_gone_on else f"no file of {whose} {since}",
        f"one every {minutes} minutes",
        pipeline=row["source"],
        table=f"landing.{row['source']}",
        tenant=row["tenant_id"],
        until=due + _grace(row, rhythm),
        facts={"last_path": row["path"], "last_at": row["last_at"]},
    )


AHEAD = """
with newest as (
    select pipeline, table_name, tenant_id, max(recorded_at) as told_at
    from ops.metrics
    where metric = 'rows' and tenant_id is not null and table_name like 'bronze.%'
      and recorded_at > $1::timestamptz - interval 1 day and recorded_at <= $1
    group by all
),
ahead as (
    select m.pipeline, m.table_name, m.tenant_id, m.batch_id, m.run_id, n.told_at, min(m.recorded_at) as since, sum(m.value) as rows,
           sum(m.value) filter (m.bucket_start > m.recorded_at) as early, max(m.bucket_start) as latest, max(m.recorded_at) as recorded_at
    from ops.metrics as m join newest as n using (pipeline, table_name, tenant_id)
    where m.metric = 'rows' and m.recorded_at > $1::timestamptz - interval 1 day and m.recorded_at <= $1 and m.tenant_id is not null
    group by all
)
select pipeline, table_name, tenant_id, max(run_id) as run_id, min(since) filter (early > 0) as since,
       max_by(early, recorded_at) as early, max_by(rows, recorded_at) as rows,
       max(epoch(latest) - epoch(recorded_at)) filter (early > 0) as ahead_s
from ahead group by pipeline, table_name, tenant_id
having max_by(coalesce(early, 0), recorded_at) > 0.02 * max_by(rows, recorded_at)
"""


def times_ahead(reader: Reader, now: datetime) -> list[Symptom]:
    """A symptom for each tenant whose newest batch has events of hours that had not begun when it came."""
    return [
        Symptom(
            Kind.IMPLAUSIBLE,
            row["since"],
            f"{row['early']:,.0f} of {row['rows']:,.0f} rows are from up to {row['ahead_s'] / 3600 + 1:.0f} h after they came",
            "no event is later than its ingestion",
            pipeline=row["pipeline"],
            table=row["table_name"],
            tenant=row["tenant_id"],
            run_id=row["run_id"],
            facts={"metric": "rows"},
        )
        for row in reader.rows(AHEAD, [now])
    ]


CHANGED_FIELDS = """
with seen as (
    select *, row_number() over (partition by source, tenant_id, field order by recorded_at desc) as nth
    from ctl.source_fields where recorded_at > $1::timestamptz - interval 14 days and recorded_at <= $1
)
select source, tenant_id, field, change, types, policy, is_accepted, batch_id, recorded_at, records
from seen
where nth = 1 and change in ('dropped', 'type_added') and (recorded_at > $1::timestamptz - $2::interval or not is_accepted)
"""


def changed_fields(reader: Reader, now: datetime) -> list[Symptom]:
    """A symptom for each field of a tenant's records that vanished or got another type lately."""
    hours = f"{DRIFT_SHOWN // timedelta(hours=1)} hours"
    return [_field_symptom(row) for row in reader.rows(CHANGED_FIELDS, [now, hours])]


def _field_symptom(row: Mapping[str, Any]) -> Symptom:
    is_dropped = row["change"] == "dropped"
    return Symptom(
        Kind.FIELD_DROPPED if is_dropped else Kind.FIELD_CHANGED,
        row["recorded_at"],
        f"field {row['field']} {'is gone' if is_dropped else 'has types ' + ', '.join(row['types'])} in records of {row['source']}",
        "fields and types as they were",
        pipeline=row["source"],
        table=f"bronze.{row['source']}",
        tenant=row["tenant_id"],
        dimension=row["field"],
        facts={"batch_id": row["batch_id"], "policy": row["policy"], "types": list(row["types"])},
    )


HELD_BACK = """
with told as (
    select *, max(recorded_at) over (partition by table_name, tenant_id, batch_id) as newest
    from ops.metrics
    where metric = 'held_back_rows' and tenant_id is not null
      and recorded_at > $1::timestamptz - interval 14 days and recorded_at <= $1
),
held as (
    select pipeline, table_name, tenant_id, batch_id, max(run_id) as run_id, min(recorded_at) as since, sum(value) as rows
    from told where recorded_at = newest group by all
)
select pipeline, table_name, tenant_id, min(since) as since, sum(rows)::bigint as rows, count(*)::int as batches, max(run_id) as run_id
from held where rows > 0 group by pipeline, table_name, tenant_id
"""
"""What is held back of each tenant; a release tells zero for its batch."""


def held_back(reader: Reader, now: datetime) -> list[Symptom]:
    """A symptom for each tenant of whom a table holds rows back."""
    return [
        Symptom(
            Kind.HELD_BACK,
            row["since"],
            f"{row['rows']:,} rows of {row['tenant_id']} held back in {row['batches']} batches",
            "none",
            pipeline=row["pipeline"],
            table=row["table_name"],
            tenant=row["tenant_id"],
            run_id=row["run_id"],
        )
        for row in reader.rows(HELD_BACK, [now])
    ]
