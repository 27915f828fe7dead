"""Ops and control: what ran and what became of it, and the file ledger. Append-only, written by delta-rs.

Does not belong here: how facts are judged, or who writes them when.
"""

from __future__ import annotations

from lakehouse.tables.model import Column, Table

RUN_STATUSES = (
    "PENDING", "RUNNING", "SUCCEEDED", "SUCCEEDED_WITH_WARNINGS", "FAILED", "SKIPPED_UPSTREAM", "MISSING", "LATE", "TERMINATED",
)  # fmt: skip

SEVERITIES = ("minor", "major", "critical")
"""Of incidents, the mildest first."""

RECORDED_AT = Column("recorded_at", "timestamp", "When the fact was recorded (UTC).", required=True)
RECORDED_DATE = Column("recorded_date", "date", "Day of `recorded_at` (UTC).", required=True)


def _rows(name: str, description: str) -> Column:
    return Column(name, "long", description, unit="rows")


RUN_EVENTS = Table(
    name="ops.run_events",
    description="Start, end and verdict of each attempt of each step, a row each; ops.run_log reads them as one row per attempt.",
    columns=(
        Column("fact", "string", "Which of the three it is.", required=True, values=("start", "end", "verdict")),
        Column("run_id", "string", "Orchestrator's run, or the id of a run outside it.", required=True),
        Column("parent_run_id", "string", "Run that this one retries or belongs to."),
        Column("attempt", "int", "Attempt of the step within the run, from 1.", required=True),
        Column("retry_of", "string", "Run of the attempt before."),
        Column("pipeline", "string", "Name of the pipeline: a source, or a job.", required=True),
        Column("asset", "string", "Table or step.", required=True),
        Column("layer", "string", "Layer of the table."),
        Column("partition", "string", "Days or slice that the step was asked for."),
        Column("batch_id", "string", "Batch of files that the step processed."),
        Column("trigger", "string", "What started it.", values=("manual", "sensor", "schedule", "retry", "backfill", "cli")),
        Column("code_version", "string", "Version of the code."),
        Column("contract_version", "string", "Fingerprint of the contract."),
        Column("nominal_start", "timestamp", "When it should have started (UTC)."),
        Column("expected_end", "timestamp", "When it should have ended (UTC)."),
        Column("started_at", "timestamp", "When it started (UTC)."),
        Column("ended_at", "timestamp", "When it ended (UTC)."),
        Column("duration_s", "double", "From start to end.", unit="s"),
        Column("status", "string", "State that this fact tells.", required=True, values=RUN_STATUSES),
        Column("error_class", "string", "Class of the error."),
        Column("error_message", "string", "First line of the error, without payload values."),
        Column("error_fingerprint", "string", "Hash of the error with its variable parts removed."),
        _rows("rows_read", "Records or rows read."),
        _rows("rows_inserted", "Rows inserted."),
        _rows("rows_updated", "Rows updated."),
        _rows("rows_deleted", "Rows deleted."),
        _rows("rows_quarantined", "Rows quarantined."),
        _rows("rows_held_back", "Rows held back with their tenant's slice."),
        _rows("rows_duplicate", "Rows that were there already."),
        _rows("rows_conflicting", "Rows with another body under an id that is there already."),
        _rows("rows_not_applicable", "Records that are not events of the table."),
        _rows("rows_expanded", "Rows added by expanding one record into several."),
        _rows("rows_late", "Inserted rows that came when a whole day had passed since their event day (UTC)."),
        Column("bytes_written", "long", "Bytes of data files written.", unit="bytes"),
        Column("files_written", "long", "Data files written.", unit="files"),
        Column("input_versions", "string", "JSON object: table to the Delta version read."),
        Column("version_before", "long", "Delta version of the table before the step."),
        Column("version_after", "long", "Delta version of the table after the step."),
        Column("event_time_min", "timestamp", "Earliest event time in the batch (UTC)."),
        Column("event_time_max", "timestamp", "Latest event time in the batch (UTC)."),
        Column("schema_hash", "string", "Hash of the table's declared columns."),
        Column("checks_passed", "int", "Checks that passed.", unit="checks"),
        Column("checks_warned", "int", "Checks that warned.", unit="checks"),
        Column("checks_failed", "int", "Checks that failed.", unit="checks"),
        Column("logs_url", "string", "Where the full log is."),
        Column("host", "string", "Machine of the worker and id of its instance, whose evaluator judges the process: `name/instance`."),
        Column("process", "string", "Process id and its start time (epoch seconds): `pid@start`."),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    key=("run_id", "pipeline", "asset", "attempt", "started_at", "fact"),
    partition_by=("recorded_date",),
)

CHECK_RESULTS = Table(
    name="ops.check_results",
    description="One row per check per run of a contract.",
    columns=(
        Column("run_id", "string", "Run that the check belongs to.", required=True),
        Column("pipeline", "string", "Name of the pipeline.", required=True),
        Column("table_name", "string", "Table whose contract it is.", required=True),
        Column("batch_id", "string", "Batch that was checked."),
        Column("check_name", "string", "Name of the check.", required=True),
        Column("check_type", "string", "Type of the check, in the checker's words.", required=True),
        Column("column_name", "string", "Column that is checked."),
        Column("severity", "string", "What a failure does.", required=True, values=("row", "slice", "block", "warn")),
        Column("outcome", "string", "How it ended.", required=True, values=("passed", "warned", "failed", "not_evaluated")),
        Column("expected", "string", "The threshold in words."),
        Column("observed", "double", "The measured value."),
        _rows("rows_tested", "Rows that the check looked at."),
        _rows("rows_failed", "Rows that broke it."),
        Column("sample_reference", "string", "Where the failing rows are kept."),
        Column("contract_version", "string", "Fingerprint of the contract.", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    key=("run_id", "table_name", "batch_id", "check_name"),
    partition_by=("recorded_date",),
)

METRICS = Table(
    name="ops.metrics",
    description="Measurements of batches and tables, a row each: of a whole batch, or of its part of a tenant and a time bucket.",
    columns=(
        Column("run_id", "string", "Run that measured.", required=True),
        Column("pipeline", "string", "Name of the pipeline.", required=True),
        Column("table_name", "string", "Table that was measured.", required=True),
        Column("batch_id", "string", "Batch that was measured."),
        Column("metric", "string", "What was measured: rows that were published, those with a value in a column or with one value of an "
               "enumeration, rows by what else became of them, distinct tenants, age of the newest event, time from event to ingestion "
               "(median), duration, bytes.", required=True,
               values=("rows", "filled_rows", "value_rows", "quarantined_rows", "held_back_rows", "duplicate_rows", "conflicting_rows",
                       "not_applicable_rows", "implausible_rows", "tenants", "freshness_s", "lateness_s", "duration_s", "bytes")),
        Column("dimension", "string", "Column, where it is one that was measured; `column=value` for one value of an enumeration."),
        Column("value", "double", "The measurement.", required=True),
        Column("tenant_id", "string", "Tenant whose part it is; null for all."),
        Column("bucket_start", "timestamp", "Start of the bucket of event time (UTC); null for all of the batch."),
        Column("bucket_s", "int", "Length of the bucket.", unit="s"),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)  # fmt: skip

ANOMALIES = Table(
    name="ops.anomalies",
    description="Verdicts on series of measurements, a row where one changes: a bucket out of its band, or why a series is not judged.",
    columns=(
        Column("pipeline", "string", "Name of the pipeline.", required=True),
        Column("table_name", "string", "Table that was measured.", required=True),
        Column("tenant_id", "string", "Tenant of the series; null for all tenants together."),
        Column("metric", "string", "What was measured.", required=True),
        Column("dimension", "string", "Column, or `column=value`, where it is one that was measured."),
        Column("bucket_start", "timestamp", "Start of the bucket of event time (UTC).", required=True),
        Column("bucket_s", "int", "Length of the bucket.", unit="s", required=True),
        Column("verdict", "string", "What was found: out of its band, marked as expected by a person, not judged, or judged from now on.",
               required=True, values=("anomalous", "expected", "not_judged", "judged")),
        Column("direction", "string", "On which side of the band.", values=("low", "high")),
        Column("observed", "double", "The measurement."),
        Column("expected", "double", "Median of the buckets it was compared with."),
        Column("lower", "double", "Lower end of the band."),
        Column("upper", "double", "Upper end of the band."),
        Column("reason", "string", "Why it is not judged, or what the person said."),
        Column("actor", "string", "Who gave the verdict: the evaluator, or a person.", required=True),
        Column("judged_at", "timestamp", "When (UTC).", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)  # fmt: skip

SLA_EVALUATIONS = Table(
    name="ops.sla_evaluations",
    description="Whether what is promised of a table is kept, a row where that, or what is left of its error budget, changes.",
    columns=(
        Column("table_name", "string", "Table that the promise is about.", required=True),
        Column("promise", "string", "What is promised.", required=True,
               values=("fresh_within", "complete_by", "success_rate", "check_pass_rate")),
        Column("state", "string", "Whether it is kept.", required=True, values=("kept", "broken", "not_judged")),
        Column("observed", "string", "What was observed, in words."),
        Column("expected", "string", "What is promised, in words.", required=True),
        Column("reason", "string", "Why it is not judged."),
        Column("budget_burnt", "double", "Share of the error budget of the last 30 days that is used up; above 1 it is overdrawn."),
        Column("evaluated_at", "timestamp", "When (UTC).", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)  # fmt: skip

INCIDENT_EVENTS = Table(
    name="ops.incident_events",
    description="What happened to each incident, a row each, by the evaluator or a person; ops.incidents reads them as a row per incident.",
    columns=(
        Column("incident_id", "string", "The incident.", required=True),
        Column("event", "string", "What happened.", required=True,
               values=("opened", "changed", "worsened", "resolved", "reopened", "acknowledged", "assigned", "commented", "marked")),
        Column("happened_at", "timestamp", "When (UTC).", required=True),
        Column("actor", "string", "The evaluator, or the person.", required=True),
        Column("title", "string", "What is wrong, in one line."),
        Column("severity", "string", "By what is hit downstream.", values=SEVERITIES[::-1]),
        Column("cause", "string", "Name of the signature of the most likely cause."),
        Column("pipeline", "string", "Pipeline where the break is."),
        Column("table_name", "string", "Table or step where the break is."),
        Column("tenant_id", "string", "Tenant that it is about, where it is one."),
        Column("scope", "string", "Whose trouble it is: of one tenant or several, or of the platform.", values=("tenant", "platform")),
        Column("since", "timestamp", "When the trouble began (UTC), as far as the facts tell."),
        Column("observed", "string", "What is, in words."),
        Column("expected", "string", "What should be, in words."),
        Column("causes", "string", "JSON array of causes, the most likely first: name, title, score, and evidence with its rows."),
        Column("symptoms", "string", "JSON array of what is seen of it: kind, table, tenant, since, observed, expected."),
        Column("hit_tables", "array<string>", "Tables that are made from what is broken."),
        Column("hit_tenants", "array<string>", "Tenants whose data are concerned."),
        Column("run_id", "string", "Run in which it shows best."),
        Column("owner", "string", "Who is to see to it: a team, or the person it was assigned to."),
        Column("note", "string", "What a person said."),
        Column("mark", "string", "A person's verdict.", values=("expected", "not_expected", "useful", "not_useful")),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    key=("incident_id", "event", "happened_at"),
    partition_by=("recorded_date",),
)  # fmt: skip

ALERT_DELIVERIES = Table(
    name="ops.alert_deliveries",
    description="Each attempt to send a message, with its outcome.",
    columns=(
        Column("alert_key", "string", "Stable key of the message on its channel, sent along where the channel takes one.", required=True),
        Column("incident_id", "string", "Incident that it is about; null for a message of its own."),
        Column("kind", "string", "Why it was sent.", required=True,
               values=("opened", "worsened", "resolved", "reopened", "reminder", "drill", "channel_failed", "store_down", "test")),
        Column("channel", "string", "Name of the channel.", required=True),
        Column("attempt", "int", "Which attempt at this message, from 1.", required=True),
        Column("outcome", "string", "What became of it.", required=True, values=("delivered", "failed", "gave_up")),
        Column("is_repeat", "boolean", "It may have been delivered before: a process died between sending and recording.", required=True),
        Column("error", "string", "Why it failed, without addresses or keys."),
        Column("due_at", "timestamp", "When the message was to go out (UTC).", required=True),
        Column("sent_at", "timestamp", "When the attempt ended (UTC).", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    key=("alert_key", "channel", "attempt"),
    partition_by=("recorded_date",),
)  # fmt: skip

ACTIONS = Table(
    name="ops.actions",
    description="What people did on the pages and the command line, with who and when.",
    columns=(
        Column("actor", "string", "The person.", required=True),
        Column("action", "string", "What they did.", required=True),
        Column("target", "string", "To what: an incident, a table, a channel."),
        Column("detail", "string", "JSON object: with what values, without secrets."),
        Column("acted_at", "timestamp", "When (UTC).", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)

EVENT_LOG = Table(
    name="ops.event_log",
    description="Log lines and engine events of every run.",
    columns=(
        Column("run_id", "string", "Run that the line belongs to.", required=True),
        Column("asset", "string", "Table or step."),
        Column("level", "string", "Level of the line.", required=True),
        Column("logger", "string", "What wrote it.", required=True),
        Column("message", "string", "The line, or the whole stack trace.", required=True),
        Column("logged_at", "timestamp", "When it was written (UTC).", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)

LINEAGE_EDGES = Table(
    name="ops.lineage_edges",
    description="What each run read and wrote, with versions; the edges of columns where they are new, and at least once a week.",
    columns=(
        Column("run_id", "string", "Run that moved the data.", required=True),
        Column("input_name", "string", "Table or landed file that was read.", required=True),
        Column("input_version", "long", "Delta version read; null for a file."),
        Column("output_name", "string", "Table that was written.", required=True),
        Column("output_version", "long", "Delta version written.", required=True),
        Column("input_column", "string", "Column that was read; null for the table as a whole."),
        Column("output_column", "string", "Column that was made from it; null for the table as a whole. Where this alone is null, the "
               "column that was read decides which rows there are."),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)  # fmt: skip

SOURCE_FIELDS = Table(
    name="ctl.source_fields",
    description="The fields of each source's records, by tenant: a row where one is first seen or has changed, told from samples.",
    columns=(
        Column("source", "string", "Source of the records.", required=True),
        Column("tenant_id", "string", "Tenant whose records they are.", required=True),
        Column("batch_id", "string", "Batch in which it was seen.", required=True),
        Column("field", "string", "The field; one within a declared structure has a path with dots.", required=True),
        Column("change", "string", "What is new of it.", required=True,
               values=("first_seen", "added", "type_added", "dropped", "returned")),
        Column("types", "array<string>", "JSON types that it has had.", required=True),
        Column("is_always", "boolean", "All records looked at so far had it.", required=True),
        Column("is_declared", "boolean", "The source's declaration names it.", required=True),
        Column("is_accepted", "boolean", "The records load, and the change is taken for known; false where a slice is held back for it.",
               required=True),
        Column("policy", "string", "The source's drift policy.", required=True, values=("evolve", "freeze", "quarantine")),
        Column("detail", "string", "What else can be said of it."),
        Column("records", "long", "Records of the batch that were looked at.", unit="records", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)  # fmt: skip

FILES = Table(
    name="ctl.files",
    description="The file ledger: each change of state of each landed file, append-only; the last row of a file counts.",
    columns=(
        Column("path", "string", "Key in the landing bucket.", required=True),
        Column("sha256", "string", "SHA-256 of the content as landed.", required=True),
        Column("etag", "string", "Entity tag of the store, only to notice a change.", required=True),
        Column("size", "long", "Size as landed.", unit="bytes", required=True),
        Column("modified_at", "timestamp", "When the object was put (UTC).", required=True),
        Column("first_seen", "timestamp", "When the ledger first saw this content there (UTC).", required=True),
        Column("source", "string", "Source that it belongs to.", required=True),
        Column("tenant_id", "string", "Tenant, from the path.", required=True),
        Column("batch_id", "string", "Batch that takes it."),
        Column("state", "string", "Where it stands.", required=True,
               values=("claimed", "bronze", "published", "unchanged", "rejected", "expired")),
        Column("records", "long", "Records counted in the file before parsing.", unit="records"),
        _rows("published", "Rows published to bronze."),
        _rows("quarantined", "Rows quarantined by bronze."),
        _rows("duplicate", "Rows that bronze had already."),
        _rows("held_back", "Rows held back by bronze."),
        Column("reason", "string", "Why it was rejected, cannot be read as a whole, or could not be removed when it expired; "
               "or that its batch took up only rows of it that were in quarantine."),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    key=("path", "sha256", "state", "batch_id"),
    partition_by=("recorded_date",),
)  # fmt: skip
