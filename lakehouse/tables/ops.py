"""Ops and control: what ran and what became of it, and the file ledger. Append-only, written by delta-rs.

Does not belong here: how facts are judged, or who writes them when.
"""

from __future__ import annotations

from lakehouse.tables.model import Column, Table

RUN_STATUSES = (
    "PENDING", "RUNNING", "SUCCEEDED", "SUCCEEDED_WITH_WARNINGS", "FAILED", "SKIPPED_UPSTREAM", "MISSING", "LATE", "TERMINATED",
)  # fmt: skip

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
    description="Measurements of batches and tables, a row each.",
    columns=(
        Column("run_id", "string", "Run that measured.", required=True),
        Column("pipeline", "string", "Name of the pipeline.", required=True),
        Column("table_name", "string", "Table that was measured.", required=True),
        Column("batch_id", "string", "Batch that was measured."),
        Column("metric", "string", "What was measured: rows of the batch, or those with a value in a column.", required=True,
               values=("rows", "filled_rows")),
        Column("dimension", "string", "Column, where it is one that was measured."),
        Column("value", "double", "The measurement.", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)  # fmt: skip

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
    description="What each run read and wrote, with versions.",
    columns=(
        Column("run_id", "string", "Run that moved the data.", required=True),
        Column("input_name", "string", "Table or landed file that was read.", required=True),
        Column("input_version", "long", "Delta version read; null for a file."),
        Column("output_name", "string", "Table that was written.", required=True),
        Column("output_version", "long", "Delta version written.", required=True),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    partition_by=("recorded_date",),
)

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
        Column("reason", "string", "Why it was rejected, cannot be read as a whole, or could not be removed when it expired."),
        RECORDED_AT,
        RECORDED_DATE,
    ),
    key=("path", "sha256", "state", "batch_id"),
    partition_by=("recorded_date",),
)  # fmt: skip
