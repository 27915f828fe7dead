"""Bronze: one table per source, holding each record as it came, and the quarantine beside them.

Does not belong here: typed business columns (silver), or how a record is read.
"""

from __future__ import annotations

from lakehouse.tables.model import Column, Sla, Table

PLACE = (
    Column("_source_file", "string", "Key of the landed file in the landing bucket.", required=True),
    Column("_row", "long", "Place of the record in its file: line or element, from 1.", required=True),
    Column("_batch_id", "string", "Batch that published the row.", required=True),
)
"""Where a row came from."""

INGESTED_AT = Column("_ingested_at", "timestamp", "When the batch was staged (UTC).", required=True)
INGEST_DATE = Column("_ingest_date", "date", "Day of `_ingested_at` (UTC).", required=True)
TENANT_ID = Column("tenant_id", "string", "Customer of the provider that owns the row, from the landing path.", required=True)
SOURCE = Column("source", "string", "Name of the source declaration.", required=True)
USER_KEY = Column("user_key", "string", "HMAC-SHA256 of the user's identity under the tenant's key, in hex.")
EVENT_DATE = Column("event_date", "date", "Day of `event_time` (UTC).", required=True)
TIME_QUALITIES = ("plausible", "too_early", "too_late")
TIME_QUALITY = Column(
    "time_quality",
    "string",
    "Whether the event time is plausible; implausible rows stay out of gold.",
    required=True,
    values=TIME_QUALITIES,
)

BRONZE_COLUMNS = (
    TENANT_ID,
    Column("event_id", "string", "Identity of the record within tenant and source.", required=True),
    Column("event_time", "timestamp", "When the event happened (UTC).", required=True),
    EVENT_DATE,
    TIME_QUALITY,
    USER_KEY,
    Column("raw", "string", "The record as text, as it came.", pii=True, required=True),
    Column("raw_hash", "long", "xxHash64 of `raw`; with the event id it tells a repeated record from a changed one.", required=True),
    *PLACE,
    INGESTED_AT,
    INGEST_DATE,
)


def bronze_table(source: str, owner: str, sla: Sla | None = None) -> Table:
    """The bronze table of a source."""
    return Table(
        name=f"bronze.{source}",
        description=f"Records of source {source} as they came, one row per distinct record.",
        columns=BRONZE_COLUMNS,
        key=("tenant_id", "event_id", "raw_hash"),
        partition_by=("_ingest_date",),
        owner=owner,
        sla=sla,
    )


QUARANTINE_COLUMNS = (
    SOURCE,
    TENANT_ID,
    Column("layer", "string", "Layer whose rules kept the row out.", required=True, values=("bronze", "silver")),
    Column(
        "disposition",
        "string",
        "Why it waits here: its own fault (quarantined), its tenant's slice broke a threshold (held_back), "
        "or another body was published under its id (conflicting).",
        required=True,
        values=("quarantined", "held_back", "conflicting"),
    ),
    Column("reasons", "array<string>", "Names of the rules it broke.", required=True),
    Column("detail", "string", "What was found, without payload values."),
    Column("event_id", "string", "Identity of the record, where it could be read."),
    Column("event_time", "timestamp", "When the event happened (UTC), where it could be read."),
    Column("raw", "string", "The record as text, as it came.", pii=True),
    *PLACE,
    INGESTED_AT,
    INGEST_DATE,
)

QUARANTINE = Table(
    name="bronze.quarantine",
    description="Records that bronze or silver did not publish, with their text, place and reason. Nothing is dropped.",
    columns=QUARANTINE_COLUMNS,
    key=("layer", "_batch_id", "_source_file", "_row"),
    partition_by=("_ingest_date",),
)
