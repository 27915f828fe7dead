"""A run log of any length, made in one go: attempts and measurements of the last 30 days, as they stand after compaction.

One attempt in fifty failed and was tried again; the last hour is well, but for one pipeline that fails for good.

Does not belong here: timing what is asked of it (tests.bench.test_bench).
"""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from lakehouse.arrow import arrow_schema
from lakehouse.delta_rs import create_table, table_uri
from lakehouse.ops.store import RETENTION
from lakehouse.settings import Settings
from lakehouse.store import delta_rs_options
from lakehouse.tables import Table, table

DAYS = 30
PIPELINES = 12
STEPS = ("bronze.provider_events", "silver.auth_events", "gold.logins_daily", "gold.active_users_daily")
VALUES = ("outcome=success", "outcome=failure", "activity=logon", "activity=otp_sent")
FILLED = ("user_id", "ip")
MEASURED = ("bronze.provider_events", "silver.auth_events")

ATTEMPTS = """
with attempts as (
    select
        n, 'pipeline_' || (n % {pipelines})::text as pipeline, {steps}[1 + (n // {pipelines}) % {nsteps}] as asset,
        timestamptz '{now}' - to_seconds(60 + ({count} - n) * ({days} * 86400.0 / {count})) as started_at,
        10 + (n * 7919) % 50 as duration_s,
        (n * 104729) % 50 = 0 and n < {count} * 0.99 or n % {pipelines} = 3 and n >= {count} * 0.99 as is_failed
    from (select unnest(range({count})) as n)
),
facts as (
    select *, unnest(['start', 'end']) as fact from attempts
)
select
    fact, 'run-' || (n // ({pipelines} * {nsteps}))::text as run_id, 1 as attempt, pipeline, asset, split_part(asset, '.', 1) as layer,
    pipeline || '-' || lpad((n // {pipelines})::text, 10, '0') as batch_id, 'sensor' as "trigger", 'v1' as code_version, started_at,
    case fact when 'end' then started_at + to_seconds(duration_s) end as ended_at,
    case fact when 'end' then duration_s::double end as duration_s,
    case when fact = 'start' then 'RUNNING' when is_failed then 'FAILED' else 'SUCCEEDED' end as status,
    case when fact = 'end' and is_failed then 'AnalysisException' end as error_class,
    case when fact = 'end' and is_failed then 'the schema of the table does not match' end as error_message,
    case when fact = 'end' and is_failed then 'f' || (n % 7)::text end as error_fingerprint,
    case when fact = 'end' and not is_failed then 1000 + n % 100 end as rows_read,
    case when fact = 'end' and not is_failed then 990 + n % 100 end as rows_inserted,
    case when fact = 'end' and not is_failed then 10 end as rows_quarantined,
    case when fact = 'end' and not is_failed then 4 end as checks_passed, 'bench/1' as host, '1@1' as process,
    started_at as event_time_max,
    case fact when 'end' then started_at + to_seconds(duration_s) else started_at end as recorded_at
from facts
"""
MEASUREMENTS = """
with hours as (
    select tenant, hour, table_name, 20 + (tenant * 31) % 180 + (extract(hour from hour) * 3)::int + (hash(tenant, hour) % 11)::int as n
    from (select unnest(range({tenants})) as tenant),
         (select unnest(generate_series(date_trunc('hour', timestamptz '{now}') - interval {days} days,
                                        date_trunc('hour', timestamptz '{now}') - interval 1 hour, interval 1 hour)) as hour),
         (select unnest({measured}) as table_name)
),
told as (
    select *, unnest([{{'metric': 'rows', 'dimension': null, 'share': 1.0}},
                      {{'metric': 'quarantined_rows', 'dimension': null, 'share': 0.01}}]
                     || list_transform({filled}, lambda f: {{'metric': 'filled_rows', 'dimension': f, 'share': 0.9}})
                     || list_transform({values}, lambda v: {{'metric': 'value_rows', 'dimension': v, 'share': 0.5}})) as what
    from hours
)
select
    'run-' || epoch(hour)::bigint as run_id, 'pipeline_' || (tenant % {pipelines})::text as pipeline, table_name,
    'batch-' || epoch(hour)::bigint as batch_id, what.metric as metric, what.dimension as dimension, round(n * what.share)::double as value,
    'tenant_' || lpad(tenant::text, 4, '0') as tenant_id, hour as bucket_start, 3600 as bucket_s, hour + interval 70 minutes as recorded_at
from told where hour + interval 70 minutes < timestamptz '{now}'
"""


def write_long_log(settings: Settings, attempts: int, tenants: int = 0, now: datetime | None = None) -> None:
    """Make `ops.run_events` with so many attempts, and `ops.metrics` of so many tenants, ending at a time (UTC), by default the present."""
    texts = {name: list(values) for name, values in {"steps": STEPS, "measured": MEASURED, "filled": FILLED, "values": VALUES}.items()}
    about = {**texts, "pipelines": PIPELINES, "nsteps": len(STEPS), "days": DAYS, "now": (now or datetime.now(UTC)).isoformat()}
    with duckdb.connect(":memory:") as made:
        made.execute("set TimeZone = 'UTC'")
        _write(settings, table("ops.run_events"), made.sql(ATTEMPTS.format(count=attempts, **about)))
        if tenants:
            _write(settings, table("ops.metrics"), made.sql(MEASUREMENTS.format(tenants=tenants, **about)))


def _write(settings: Settings, declared: Table, rows: duckdb.DuckDBPyRelation) -> None:
    """One commit, a file for each day."""
    create_table(settings, declared, arrow_schema(declared), RETENTION)
    schema = pa.schema([field.remove_metadata() for field in arrow_schema(declared)])
    given = set(rows.columns) | {"recorded_date"}
    names = [f'"{f.name}"' if f.name in given else f'null as "{f.name}"' for f in schema]
    data = rows.query("told", f"select {', '.join(names)} from (select *, recorded_at::date as recorded_date from told)").to_arrow_table()
    options = delta_rs_options(settings)
    write_deltalake(table_uri(settings, declared), data.cast(schema), mode="append", storage_options=options)
