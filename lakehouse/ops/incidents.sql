select
    told.incident_id,
    case
        when told.event = 'resolved' then 'resolved'
        when acknowledged.happened_at > coalesce(began.reopened_at, began.opened_at) then 'acknowledged'
        else 'open'
    end as state,
    told.title, told.severity, told.cause, told.pipeline, told.table_name, told.tenant_id, told.scope, told.since, told.observed, told.expected,
    told.causes, told.symptoms, told.hit_tables, told.hit_tenants, told.run_id,
    coalesce(assigned.owner, told.owner) as owner,
    began.opened_at, began.reopened_at, told.happened_at as changed_at,
    case when told.event = 'resolved' then told.happened_at end as resolved_at,
    acknowledged.actor as acknowledged_by, acknowledged.happened_at as acknowledged_at,
    marked.mark, marked.actor as marked_by,
    date_diff('millisecond', told.since, began.opened_at) / 1000e0 as detected_after_s,
    case when told.event = 'resolved' then date_diff('millisecond', told.since, told.happened_at) / 1000e0 end as resolved_after_s
from (
    select
        *,
        row_number() over (
            partition by incident_id order by happened_at desc, case event when 'resolved' then 1 else 0 end desc, recorded_at desc
        ) as newest
    from ops.incident_events
    where event in ('opened', 'changed', 'worsened', 'resolved', 'reopened')
) as told
join (
    select
        incident_id,
        min(case when event = 'opened' then happened_at end) as opened_at,
        max(case when event = 'reopened' then happened_at end) as reopened_at
    from ops.incident_events
    group by incident_id
) as began on began.incident_id = told.incident_id
left join (
    select incident_id, actor, happened_at, row_number() over (partition by incident_id order by happened_at desc, recorded_at desc) as newest
    from ops.incident_events
    where event = 'acknowledged'
) as acknowledged on acknowledged.incident_id = told.incident_id and acknowledged.newest = 1
left join (
    select incident_id, owner, row_number() over (partition by incident_id order by happened_at desc, recorded_at desc) as newest
    from ops.incident_events
    where event = 'assigned'
) as assigned on assigned.incident_id = told.incident_id and assigned.newest = 1
left join (
    select incident_id, mark, actor, row_number() over (partition by incident_id order by happened_at desc, recorded_at desc) as newest
    from ops.incident_events
    where event = 'marked' and mark in ('expected', 'not_expected')
) as marked on marked.incident_id = told.incident_id and marked.newest = 1
where told.newest = 1
