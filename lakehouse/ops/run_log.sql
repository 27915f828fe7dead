select
    run_id, parent_run_id, attempt, retry_of, pipeline, asset, layer, partition, batch_id, "trigger", code_version, contract_version,
    nominal_start, expected_end, started_at, ended_at, duration_s,
    status, error_class, error_message, error_fingerprint,
    rows_read, rows_inserted, rows_updated, rows_deleted, rows_quarantined, rows_held_back, rows_duplicate, rows_conflicting,
    rows_not_applicable, rows_expanded, rows_late,
    bytes_written, files_written, input_versions, version_before, version_after, event_time_min, event_time_max, schema_hash,
    checks_passed, checks_warned, checks_failed, logs_url, host, process
from (
    select
        *,
        row_number() over (
            partition by run_id, pipeline, asset, attempt, started_at
            order by case fact when 'end' then 2 when 'verdict' then 1 else 0 end desc, recorded_at desc
        ) as newest
    from ops.run_events
) as facts
where newest = 1
