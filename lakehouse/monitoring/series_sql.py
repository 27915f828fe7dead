"""The SQL (DuckDB's) by which series are judged; names in braces are filled from lakehouse.monitoring.series.Rules.

Does not belong here: when it runs, or what becomes of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence

_SEEN = "'rows', 'quarantined_rows', 'held_back_rows', 'conflicting_rows', 'duplicate_rows'"
"""Measurements of rows that came, whatever became of them."""
_BY_HOUR = "tenant_id is not null and bucket_s = 3600 and recorded_at <= $1"
"""Measurements of a tenant's hour that were known at a time."""


def _by_bucket(back: str, of: str, before: str = "") -> str:
    """Each measurement of each tenant and hour since so long ago; a batch that was measured twice counts once."""
    return f"""
with {before} told as (
    select
        pipeline, table_name, tenant_id, bucket_start, metric, dimension, batch_id,
        max_by(value, recorded_at) as value, min(recorded_at) as told_at, max(run_id) as run_id
    from ops.metrics
    where {_BY_HOUR} and {of}
      and bucket_start >= date_trunc('hour', $1::timestamptz) - interval {back}
      and metric in ({_SEEN}, 'filled_rows', 'value_rows', 'not_applicable_rows', 'implausible_rows')
    group by all
)
select
    pipeline, table_name, tenant_id, bucket_start, metric, dimension,
    sum(value) as value, max_by(told_at, value) as told_at, max_by(run_id, told_at) as run_id
from told group by pipeline, table_name, tenant_id, bucket_start, metric, dimension
"""


HISTORY = _by_bucket("29 days", "hash(tenant_id) % $3 = $2")
HISTORY_OF_TABLE = _by_bucket("29 days", "pipeline = $2 and table_name = $3")
RECENT = _by_bucket(
    "2 days",
    "pipeline in (select unnest($2)) and (bucket_start > $3 or tenant_id in (select tenant_id from lagging))",
    f"""
lagging as (
    select tenant_id from ops.metrics
    where {_BY_HOUR} and pipeline in (select unnest($2))
      and bucket_start >= date_trunc('hour', $1::timestamptz) - interval 2 days and metric in ({_SEEN}, 'not_applicable_rows') and value > 0
    group by pipeline, table_name, tenant_id having max(bucket_start) < $4
),
""",
)
"""Measurements since $3, and those of two days of each tenant whose newest rows are older than $4: its windows end with these rows."""
RECENT_SINCE = """
select date_trunc('hour', {now} - to_seconds(coalesce(max(grace_s), 0))) - interval 2 hours as newest,
       newest - to_hours({longest_window_h}::bigint) as since
from grace
"""
"""The hour of which nearly all tenants have told by now, and the one at which the longest window before it begins."""
TENANTS = """
select count(distinct tenant_id)::int as n from ops.metrics
where tenant_id is not null and metric = 'rows' and recorded_at <= $1 and recorded_at > $1::timestamptz - interval 29 days
"""
NEWEST = """
select pipeline, count(*) as n, max(recorded_at) as at from ops.metrics
where tenant_id is not null and recorded_at <= $1 and recorded_at > $1::timestamptz - interval 1 day group by pipeline
"""
"""Changes with each measurement of a pipeline; without one, and within an hour, nothing of it is to be judged anew."""
LAST_HOURS = """
select pipeline, list((table_name, date_trunc('hour', {now} - to_seconds(grace_s))) order by table_name) as until
from grace group by pipeline
"""

ACCEPTED = """
select pipeline, table_name, tenant_id, metric, dimension,
       max_by(observed, judged_at) as observed, max_by(expected, judged_at) as expected
from ops.anomalies where verdict = 'expected' and judged_at > $1::timestamptz - interval 14 days and judged_at <= $1 group by all
"""
"""What people have marked as expected: until weeks have shown it, it is what a series is compared with."""
_IS_ACCEPTED = """
    left join accepted as a on a.pipeline = {of}.pipeline and a.table_name = {of}.table_name and a.metric = {metric}
      and a.tenant_id is not distinct from {of}.tenant_id and a.dimension is not distinct from {dimension}
"""

_COUNTS = f"""
    select
        pipeline, table_name, tenant_id, bucket_start as hour,
        sum(value) filter (metric in ('rows', 'quarantined_rows', 'held_back_rows', 'conflicting_rows')) as volume,
        sum(value) filter (metric in ({_SEEN})) as seen,
        coalesce(sum(value) filter (metric = 'not_applicable_rows'), 0) as not_applicable,
        sum(value) filter (metric = 'value_rows' and dimension like 'outcome=%') as valued,
        max_by(told_at, value) filter (metric = 'rows') as told_at, max(run_id) as run_id
    from {{source}} group by all
"""

_PLATFORM = """
    select pipeline, table_name, null as tenant_id, hour, sum(volume) as volume, sum(seen) as seen, sum(not_applicable) as not_applicable,
           sum(valued) as valued, max(told_at) as told_at, max(run_id) as run_id
    from {of} group by pipeline, table_name, hour
"""
TABLES = """
create table counts (part int, pipeline text, table_name text, tenant_id text, hour timestamptz, volume double, seen double,
                     not_applicable double, valued double, told_at timestamptz, run_id text);
create table volume_expected (part int, pipeline text, table_name text, tenant_id text, window_h int, hour_of_week bigint,
                              expected double, lowest double, highest double, samples int, spread double);
create table volume_state (part int, pipeline text, table_name text, tenant_id text, reason text);
create table share_expected (part int, pipeline text, table_name text, tenant_id text, metric text, dimension text, expected double,
                             spread double);
"""
"""What is known of each part of the tenants; part -1 is all of them together."""
COUNTS = f"""
delete from counts where part = {{part}};
insert into counts by name select {{part}} as part, * from ({_COUNTS.format(source="history")});
"""
GRACE = """
create or replace table grace as
select pipeline, table_name,
       least(greatest(coalesce(quantile_cont(epoch(told_at) - epoch(hour) - 3600, 0.99), 0), 0), 0.9 * 86400) + 120 as grace_s
from counts where hour >= {now} - interval 14 days group by pipeline, table_name;
"""
"""How long after an hour's end its rows are told at the latest."""

BASELINE_VOLUMES = f"""
create or replace temp table series as
select * from counts where part = {{part}}
union all by name select -1 as part, * from ({_PLATFORM.format(of="counts")}) where {{part}} = -1;

create or replace temp table spans as
select pipeline, table_name, tenant_id, min(hour) as first_hour, count(distinct hour::date)::int as days_with_rows
from series where volume > 0 group by all;

create or replace temp table volumes as
with grid as (
    select s.pipeline, s.table_name, s.tenant_id, h.hour
    from spans as s join grace as g using (pipeline, table_name), lateral (
        select unnest(generate_series(
            greatest(s.first_hour, date_trunc('hour', {{now}}) - interval 28 days),
            date_trunc('hour', {{now}} - to_seconds(g.grace_s)) - interval 1 hour, interval 1 hour)) as hour
    ) as h
),
filled as (
    select g.*, coalesce(s.volume, 0) as volume
    from grid as g left join series as s
      on s.pipeline = g.pipeline and s.table_name = g.table_name and s.tenant_id is not distinct from g.tenant_id and s.hour = g.hour
)
select pipeline, table_name, tenant_id, hour, window_h, so_far - lag(so_far, window_h::int, 0) over hours as volume, nth
from (
    select *, sum(volume) over hours as so_far, row_number() over hours as nth
    from filled, (select unnest({{windows}}) as window_h)
    window hours as (partition by pipeline, table_name, tenant_id, window_h order by hour)
)
window hours as (partition by pipeline, table_name, tenant_id, window_h order by hour);
delete from volumes where nth < window_h;

delete from volume_expected where part = {{part}};
insert into volume_expected by name
with samples as (
    select pipeline, table_name, tenant_id, window_h, volume,
           ((epoch(hour) / 3600)::bigint + shift) % 168 as hour_of_week
    from volumes, (select unnest([-1, 0, 1]) as shift) where shift = 0 or window_h = 1
),
usual as (
    select pipeline, table_name, tenant_id, window_h, hour_of_week, median(volume) as expected, count(*)::int as samples
    from samples group by all
),
spread as (
    select v.pipeline, v.table_name, v.tenant_id, v.window_h,
           sqrt(greatest(0, pow(1.5 * 1.4826 * median(abs(2 * sqrt(v.volume + 0.375) - 2 * sqrt(u.expected + 0.375)) / sqrt(u.expected)), 2)
                            - median(1 / u.expected))) as variation
    from volumes as v join usual as u
      on u.pipeline = v.pipeline and u.table_name = v.table_name and u.tenant_id is not distinct from v.tenant_id
     and u.window_h = v.window_h and u.hour_of_week = (epoch(v.hour) / 3600)::bigint % 168
    where u.expected >= 10
    group by all
)
select {{part}} as part, u.*, sqrt(1.7 + pow(coalesce(s.variation, 0.2), 2) * u.expected) as spread,
       case when u.window_h > 1 then u.expected else min(u.expected) over next_to_it end as lowest,
       case when u.window_h > 1 then u.expected else max(u.expected) over next_to_it end as highest
from usual as u left join spread as s
  on s.pipeline = u.pipeline and s.table_name = u.table_name and s.tenant_id is not distinct from u.tenant_id and s.window_h = u.window_h
window next_to_it as (partition by u.pipeline, u.table_name, u.tenant_id, u.window_h order by u.hour_of_week
                      range between 1 preceding and 1 following);

delete from volume_state where part = {{part}};
insert into volume_state by name
with ages as (select *, floor((epoch({{now}}) - epoch(first_hour)) / 86400)::int as days from spans)
select {{part}} as part, pipeline, table_name, tenant_id,
       case when days < {{history_days}} then days || ' of {{history_days}} days of history'
            when days_with_rows < {{coverage}} * least(days, 28)
            then 'rows on ' || days_with_rows || ' of ' || least(days, 28) || ' days' end as reason
from ages;
drop table volumes; drop table spans; drop table series;
"""
"""Of each series and window: what each hour of the week usually has, and how far it usually strays; and whether it can be judged.

A volume strays by chance, and by a share of its own size: on the scale of roots by 1, and by that share of the root of what is expected.
1.5 is for medians of two weeks, which are near the values they are medians of; 1.7 is the variance of chance with that of the median.
Clocks are put forward and back, and people come an hour sooner or later: what lies between the usual of an hour and that of the hours next
to it is not unusual; of several hours together that makes little difference."""

_LOWER = "greatest(pow(greatest({root} - {{volume_spreads}} * {spread}, 0) / 2, 2) - 0.375, 0)"
_UPPER = "pow(({root} + {{volume_spreads}} * {spread}) / 2, 2) - 0.375"

RECENT_COUNTS = f"create or replace table recent_counts as {_COUNTS.format(source='recent')}"
JUDGED_VOLUMES = f"""
with each_tenant as (select * from recent_counts),
series as (select * from each_tenant union all by name {_PLATFORM.format(of="each_tenant")}),
ends as (
    select pipeline, table_name, date_trunc('hour', {{now}} - to_seconds(grace_s)) - interval 1 hour as last_hour from grace
),
now_ as (
    select e.pipeline, e.table_name, e.tenant_id, e.window_h, e.spread, n.last_hour,
           coalesce(any_value(a.observed / a.expected), 1) as accepted, e.expected * accepted as expected,
           e.lowest * accepted as lowest, e.highest * accepted as highest,
           coalesce(sum(s.volume), 0) as observed, max(s.run_id) as run_id
    from volume_expected as e
    join volume_state as v on v.pipeline = e.pipeline and v.table_name = e.table_name and v.tenant_id is not distinct from e.tenant_id
    join ends as n on n.pipeline = e.pipeline and n.table_name = e.table_name
    left join series as s
      on s.pipeline = e.pipeline and s.table_name = e.table_name and s.tenant_id is not distinct from e.tenant_id
     and s.hour <= n.last_hour and s.hour > n.last_hour - to_hours(e.window_h)
    {_IS_ACCEPTED.format(of="e", metric="'rows'", dimension="null")}
    where v.reason is null and e.expected >= {{least_expected}} and e.pipeline in (select pipeline from judging)
      and e.hour_of_week = (epoch(n.last_hour) / 3600)::bigint % 168
    group by e.pipeline, e.table_name, e.tenant_id, e.window_h, e.spread, n.last_hour, e.expected, e.lowest, e.highest
),
near as (select *, greatest(lowest, least(observed, highest)) as usual from now_),
scored as (
    select *, (2 * sqrt(observed + 0.375) - 2 * sqrt(usual + 0.375)) / spread as score, observed / usual as ratio,
           min_by(observed / usual, window_h) over (partition by pipeline, table_name, tenant_id) as newest_ratio
    from near
),
typical as (
    select pipeline, table_name, window_h, median(ratio) as ratio, count(*) as tenants,
           sum(score) / sqrt(count(*)) as together
    from scored where tenant_id is not null group by all
),
known as (
    select s.* replace (case when s.tenant_id is null then least(s.score, t.together) else s.score end as score),
           t.tenants, t.ratio as typical
    from scored as s left join typical as t using (pipeline, table_name, window_h)
),
out as (
    select s.*, case when observed < expected then 'low' else 'high' end as direction from known as s
    where case when s.tenant_id is null then s.tenants >= 3 and (s.typical < {{platform_ratio}} or s.typical > 1.5) else true end
      and ((score < -{{volume_spreads}} and newest_ratio < 0.85
            and s.ratio < case when s.tenant_id is null then {{platform_ratio}} else {{tenant_ratio}} end)
           or (score > {{volume_spreads}} + 2 and s.ratio > {{high_ratio}} and newest_ratio > 1.5))
)
select
    table_name, pipeline, tenant_id, 'rows' as metric, null as dimension, last_hour as bucket_start, window_h * 3600 as bucket_s, direction,
    observed, expected,
    {_LOWER.format(root="2 * sqrt(lowest + 0.375)", spread="spread")} as lower,
    {_UPPER.format(root="2 * sqrt(highest + 0.375)", spread="spread")} as upper,
    last_hour - to_hours(window_h - 1) as since, run_id
from out
qualify row_number() over (partition by pipeline, table_name, tenant_id order by window_h) = 1
"""

BAND = f"""
with series as (select hour, sum(volume) as observed from counts group by hour),
hours as (
    select unnest(generate_series(date_trunc('hour', {{now}}) - interval 7 days,
                                  date_trunc('hour', {{now}} - to_seconds(grace_s)) - interval 1 hour, interval 1 hour)) as hour from grace
)
select h.hour, coalesce(s.observed, 0) as observed, e.expected, v.reason,
       {_LOWER.format(root="2 * sqrt(e.lowest + 0.375)", spread="e.spread")} as lower,
       {_UPPER.format(root="2 * sqrt(e.highest + 0.375)", spread="e.spread")} as upper
from hours as h left join series as s using (hour)
left join volume_expected as e on e.part = -1 and e.window_h = 1 and e.hour_of_week = (epoch(h.hour) / 3600)::bigint % 168
left join volume_state as v on v.part = -1
order by h.hour
"""
"""Each hour of a week of one table: its rows, what is expected of it, and the band in which nobody is told."""


def _among(metric: str, valued: str, records: str, seen: str) -> str:
    """The rows that a share is a share of: values are counted of all applicable rows, each of which has an outcome."""
    return (
        f"case when {metric} in ('filled_rows', 'value_rows') then {valued} "
        f"when {metric} = 'not_applicable_rows' then {records} else {seen} end"
    )


BASELINE_SHARES = f"""
delete from share_expected where part = {{part}};
insert into share_expected by name
with each_tenant as (select * from counts where part = {{part}}),
shares as (
    select pipeline, table_name, tenant_id, bucket_start as hour, metric, dimension, value as k
    from history where metric not in ('rows', 'held_back_rows')
),
kinds as (
    select distinct pipeline, table_name, tenant_id, metric, dimension from shares
    union
    select pipeline, table_name, tenant_id, unnest(['quarantined_rows', 'duplicate_rows', 'conflicting_rows', 'not_applicable_rows',
                                                    'implausible_rows']), null
    from (select distinct pipeline, table_name, tenant_id from each_tenant)
),
hours as (
    select c.pipeline, c.table_name, c.tenant_id, c.hour, f.metric, f.dimension, coalesce(s.k, 0) as k,
           {_among("f.metric", "coalesce(c.valued, c.seen)", "c.seen + c.not_applicable", "c.seen")} as n
    from each_tenant as c join kinds as f using (pipeline, table_name, tenant_id)
    left join shares as s on s.pipeline = c.pipeline and s.table_name = c.table_name and s.tenant_id = c.tenant_id and s.hour = c.hour
      and s.metric = f.metric and s.dimension is not distinct from f.dimension
    where c.seen + c.not_applicable > 0
),
days as (
    select pipeline, table_name, tenant_id, metric, dimension, hour::date as day, sum(k) / sum(n) as share
    from hours where n > 0 group by all
),
usual as (
    select pipeline, table_name, tenant_id, metric, dimension, median(share) as expected from days group by all
),
spread as (
    select h.pipeline, h.table_name, h.tenant_id, h.metric, h.dimension,
           greatest(1.0, quantile_cont(
               abs(h.k - h.n * u.expected) / sqrt(h.n * u.expected * (1 - u.expected) + 0.25), 0.95) / 1.96) as spread
    from hours as h join usual as u on u.pipeline = h.pipeline and u.table_name = h.table_name and u.tenant_id = h.tenant_id
      and u.metric = h.metric and u.dimension is not distinct from h.dimension
    where h.n > 0 group by all
)
select {{part}} as part, u.*, s.spread from usual as u join spread as s
  on s.pipeline = u.pipeline and s.table_name = u.table_name and s.tenant_id = u.tenant_id and s.metric = u.metric
 and s.dimension is not distinct from u.dimension;
"""
"""Of each share: what it usually is, and how far an hour usually strays, in units of chance."""


def sums_in(windows: Sequence[int]) -> dict[str, str]:
    """What JUDGED_SHARES sums up in windows of so many hours, each up to a tenant's newest: by the name in braces."""
    within = "sum({0}) filter (hour > newest - to_hours({1})) as {2}_{1}"
    counted = {"valued": "coalesce(valued, seen)", "records": "seen + not_applicable", "seen": "seen"}
    among = {w: _among("e.metric", *(f"a.{name}_{w}" for name in counted)) for w in windows}
    return {
        "among_sums": ", ".join(within.format(of, w, name) for w in windows for name, of in counted.items()),
        "told_sums": ", ".join(within.format("r.value", w, "k") for w in windows),
        "sums": ", ".join(f"coalesce(k_{w}, 0) as k_{w}, {among[w]} as n_{w}" for w in windows),
        "structs": ", ".join(f"struct_pack(window_h := {w}, k := k_{w}, n := n_{w})" for w in windows),
    }


JUDGED_SHARES = f"""
with newest as (
    select pipeline, table_name, tenant_id, max(hour) as newest from recent_counts
    where seen + not_applicable > 0 group by all having max(hour) > {{now}} - interval 1 day
),
each_tenant as (
    select recent_counts.*, newest from recent_counts join newest using (pipeline, table_name, tenant_id)
    where hour > newest - to_hours({{longest_window_h}}::bigint) and seen + not_applicable > 0
),
among as (
    select pipeline, table_name, tenant_id, any_value(newest) as newest, {{among_sums}} from each_tenant group by all
),
told as (
    select r.pipeline, r.table_name, r.tenant_id, r.metric, r.dimension, max(r.run_id) as run_id, {{told_sums}}
    from recent as r join each_tenant as c
      on c.pipeline = r.pipeline and c.table_name = r.table_name and c.tenant_id = r.tenant_id and c.hour = r.bucket_start
    where r.metric not in ('rows', 'held_back_rows') group by all
),
summed as (
    select e.pipeline, e.table_name, e.tenant_id, e.metric, e.dimension, a.newest, t.run_id, {{sums}}
    from share_expected as e join among as a using (pipeline, table_name, tenant_id)
    left join told as t on t.pipeline = e.pipeline and t.table_name = e.table_name and t.tenant_id = e.tenant_id
      and t.metric = e.metric and t.dimension is not distinct from e.dimension
),
current as (
    select * exclude (sums), sums.window_h as window_h, sums.k as k, sums.n as n
    from (select *, list_filter([{{structs}}], lambda one: one.n >= {{least_seen}})[1] as sums from summed)
    where sums is not null
),
scored as (
    select c.*, c.k / c.n as observed, coalesce(a.observed, e.expected) as expected, e.spread,
           c.k_{{shortest_window_h}} / nullif(c.n_{{shortest_window_h}}, 0) as newest_observed,
           sqrt(c.n * coalesce(a.observed, e.expected) * (1 - coalesce(a.observed, e.expected)) + 0.25) * e.spread / c.n as unit
    from current as c join share_expected as e on e.pipeline = c.pipeline and e.table_name = c.table_name and e.tenant_id = c.tenant_id
      and e.metric = c.metric and e.dimension is not distinct from c.dimension
    join volume_state as v on v.pipeline = c.pipeline and v.table_name = c.table_name and v.tenant_id = c.tenant_id
    {_IS_ACCEPTED.format(of="c", metric="c.metric", dimension="c.dimension")}
    where v.reason is null
)
select
    table_name, pipeline, tenant_id, metric, dimension, newest as bucket_start, window_h * 3600 as bucket_s,
    case when observed < expected then 'low' else 'high' end as direction, observed, expected,
    greatest(expected - {{share_spreads}} * unit, 0) as lower, least(expected + {{share_spreads}} * unit, 1) as upper,
    newest - to_hours(window_h - 1) as since, run_id
from scored
where abs(observed - expected) > {{share_spreads}} * unit and (newest_observed - expected) * (observed - expected) > 0
  and case when metric in ('filled_rows', 'value_rows') then abs(observed - expected) >= {{least_change}}
           else observed - expected >= greatest({{least_rare_change}}, 2 * expected) end
"""
"""A window of several hours tells of a trouble only while its newest hour strays to the same side: what it has left behind is over."""
