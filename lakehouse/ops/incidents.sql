select
    incident_id,
    case
        when last_seen.event = 'resolved' then 'resolved'
        when acknowledged.happened_at > coalesce(reopened_at, opened_at) then 'acknowledged'
        else 'open'
    end as state,
    last_seen.title as title, last_seen.severity as severity, last_seen.cause as cause, last_seen.pipeline as pipeline,
    last_seen.table_name as table_name, last_seen.tenant_id as tenant_id, last_seen.scope as scope, last_seen.since as since,
    last_seen.observed as observed, last_seen.expected as expected, last_seen.causes as causes, last_seen.symptoms as symptoms,
    last_seen.hit_tables as hit_tables, last_seen.hit_tenants as hit_tenants, last_seen.run_id as run_id,
    coalesce(assigned.owner, last_seen.owner) as owner,
    opened_at, reopened_at, last_seen.happened_at as changed_at,
    case when last_seen.event = 'resolved' then last_seen.happened_at end as resolved_at,
    acknowledged.actor as acknowledged_by, acknowledged.happened_at as acknowledged_at,
    marked.mark as mark, marked.actor as marked_by,
    epoch(opened_at) - epoch(last_seen.since) as detected_after_s,
    case when last_seen.event = 'resolved' then epoch(last_seen.happened_at) - epoch(last_seen.since) end as resolved_after_s
from (
    select
        incident_id,
        arg_max(columns_of_event, place) filter (event in ('opened', 'changed', 'worsened', 'resolved', 'reopened')) as last_seen,
        arg_max(columns_of_event, place) filter (event = 'acknowledged') as acknowledged,
        arg_max(columns_of_event, place) filter (event = 'assigned') as assigned,
        arg_max(columns_of_event, place) filter (event = 'marked' and mark in ('expected', 'not_expected')) as marked,
        min(happened_at) filter (event = 'opened') as opened_at,
        max(happened_at) filter (event = 'reopened') as reopened_at
    from (
        select
            *,
            struct_pack(
                event := event, happened_at := happened_at, actor := actor, title := title, severity := severity, cause := cause,
                pipeline := pipeline, table_name := table_name, tenant_id := tenant_id, scope := scope, since := since,
                observed := observed, expected := expected, causes := causes, symptoms := symptoms, hit_tables := hit_tables,
                hit_tenants := hit_tenants, run_id := run_id, owner := owner, mark := mark
            ) as columns_of_event,
            epoch_us(happened_at) * 2 + (event = 'resolved')::int as place
        from ops.incident_events
    )
    group by incident_id
)
where last_seen is not null
