"""What pages read of Delta tables without Spark: bounded, pruned by partition and statistics, and told apart from a store that is down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from dash_app.quarantine_queries import Wanted, read_quarantine, read_waiting
from lakehouse.arrow import arrow_schema, arrow_table
from lakehouse.delta_reads import LakeReader
from lakehouse.delta_rs import create_table, table_uri
from lakehouse.errors import InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import delta_rs_options, list_objects, s3_client
from lakehouse.tables import table
from lakehouse.tables.bronze import QUARANTINE
from tests.unit.dash_app.lake_facts import quarantined

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=9)
TODAY = NOW.date()
ROWS = "select _row from lake_rows order by _row"


def add(settings: Settings, rows: Sequence[dict[str, Any]], run_id: str = "run-1") -> None:
    """Append rows to the quarantine in one commit, as a run does."""
    nullable = pa.schema([field.with_nullable(True) for field in arrow_schema(QUARANTINE)])
    create_table(settings, QUARANTINE, nullable, {"delta.dataSkippingStatsColumns": "source,_batch_id,_row"})
    facts = CommitProperties(custom_metadata={"userMetadata": json.dumps({"run_id": run_id, "transaction": "t"})})
    data = arrow_table(QUARANTINE, rows).cast(nullable.remove_metadata())
    options = delta_rs_options(settings)
    write_deltalake(table_uri(settings, QUARANTINE), data, mode="append", storage_options=options, commit_properties=facts)


@pytest.fixture
def lake(settings: Settings) -> LakeReader:
    """A quarantine with one row of long ago, and of today two batches in a file each."""
    add(settings, [quarantined(1, OLD, _batch_id="okta-1")])
    add(settings, [quarantined(2, NOW, _batch_id="okta-2"), quarantined(3, NOW, _batch_id="okta-2")])
    add(settings, [quarantined(4, NOW, _batch_id="okta-3", raw="the text of row 4")], "run-3")
    return LakeReader(settings)


def lose(settings: Settings, containing: str, nth: int = 0) -> None:
    """Delete a data file behind the table's back: whoever reads it fails."""
    found = [o for o in list_objects(s3_client(settings), settings.lake_bucket, QUARANTINE.key_prefix) if f"/{containing}" in o.key]
    s3_client(settings).delete_object(Bucket=settings.lake_bucket, Key=sorted(found, key=lambda o: o.modified_at)[nth].key)


def test_a_tables_size_is_told_by_its_log(settings: Settings, lake: LakeReader) -> None:
    states = lake.states([QUARANTINE, table("silver.auth_events")])
    assert set(states) == {QUARANTINE.name}
    state = states[QUARANTINE.name]
    assert (state.version, state.rows, state.files) == (3, 4, 3)
    data = [o for o in list_objects(s3_client(settings), settings.lake_bucket, QUARANTINE.key_prefix) if o.key.endswith(".parquet")]
    assert state.bytes == sum(o.size for o in data)
    assert state.written_ms is not None
    assert abs(state.written_ms - max(o.modified_at for o in data).timestamp() * 1000) < 60_000


def test_a_later_look_sees_what_was_written_since(settings: Settings, lake: LakeReader) -> None:
    assert lake.states([QUARANTINE])[QUARANTINE.name].rows == 4
    add(settings, [quarantined(5, NOW)])
    assert lake.states([QUARANTINE])[QUARANTINE.name].rows == 5


def test_commits_are_told_newest_first_with_their_rows_and_runs(lake: LakeReader) -> None:
    versions = lake.versions(QUARANTINE, 3)
    assert [(v.version, v.operation, v.rows_written, v.run_id) for v in versions] == [
        (3, "WRITE", 1, "run-3"), (2, "WRITE", 2, "run-1"), (1, "WRITE", 1, "run-1"),
    ]  # fmt: skip
    told = [v.at_ms or 0 for v in versions]
    assert told == sorted(told, reverse=True)
    assert NOW.timestamp() * 1000 - 60_000 <= told[-1] <= told[0] <= datetime.now(UTC).timestamp() * 1000 + 60_000


def test_rows_by_day_are_counted_without_reading_a_row(settings: Settings, lake: LakeReader) -> None:
    for _ in range(3):
        lose(settings, "_ingest_date=")
    assert lake.rows_by_day(QUARANTINE) == {OLD.date(): 1, TODAY: 3}


def test_days_before_the_asked_ones_are_not_read(settings: Settings, lake: LakeReader) -> None:
    lose(settings, f"_ingest_date={OLD.date()}")
    assert lake.query(QUARANTINE, ROWS, since=TODAY)["_row"].to_pylist() == [2, 3, 4]
    with pytest.raises(InfrastructureError):
        lake.query(QUARANTINE, "select max(raw) from lake_rows", since=OLD.date())


def test_the_text_of_a_few_rows_is_read_from_their_files_only(settings: Settings, lake: LakeReader) -> None:
    lose(settings, f"_ingest_date={TODAY}")
    found = lake.pick(QUARANTINE, ["_row", "raw"], {"_batch_id": ["okta-3"], "_row": [4]}, since=TODAY)
    assert found.to_pylist() == [{"_row": 4, "raw": "the text of row 4"}]


def test_a_table_that_is_not_there_has_no_rows(settings: Settings) -> None:
    lake = LakeReader(settings)
    assert (lake.states([QUARANTINE]), lake.versions(QUARANTINE, 5), lake.rows_by_day(QUARANTINE)) == ({}, [], {})
    assert lake.query(QUARANTINE, ROWS, since=TODAY).num_rows == 0
    assert lake.pick(QUARANTINE, ["raw"], {"_row": [1]}, since=TODAY).num_rows == 0
    assert read_quarantine(lake, Wanted(), TODAY).total == 0
    assert read_waiting(lake).left == []


def test_the_pages_questions_are_answered_by_a_real_table(lake: LakeReader) -> None:
    seen = read_quarantine(lake, Wanted(batch="okta-2"), TODAY)
    assert (seen.total, [row["_row"] for row in seen.rows]) == (2, [2, 3])
    assert all(json.loads(row["raw"])["uuid"] == f"event-{row['_row']}" for row in seen.rows)
    assert read_waiting(lake).left_rows == 4
    assert read_quarantine(lake, Wanted(days=5), TODAY).total == 3


def test_a_store_that_does_not_answer_and_one_that_is_not_known_are_told_alike(settings: Settings) -> None:
    for without in ("http://127.0.0.1:9", None):
        lake = LakeReader(settings.model_copy(update={"s3_endpoint": without}))
        for look in (lambda lake=lake: lake.states([QUARANTINE]), lambda lake=lake: lake.query(QUARANTINE, ROWS, since=TODAY)):
            with pytest.raises(InfrastructureError) as told:
                look()
            assert told.value.next_step


def test_a_question_that_takes_too_long_is_given_up(settings: Settings, lake: LakeReader) -> None:
    hasty = LakeReader(settings, time_limit_s=0.2)
    endless = "select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1"
    with pytest.raises(InfrastructureError, match=r"could not be read within 0\.2 s"):
        hasty.query(QUARANTINE, endless, since=TODAY)
