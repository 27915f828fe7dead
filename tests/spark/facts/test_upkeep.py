"""Tables of facts are compacted where many small files have gathered, and what is removed stands in the run log."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from deltalake import write_deltalake

from assets.definitions import build
from jobs.context import Context
from jobs.maintenance import HISTORY_KEPT, clear_facts, compact_facts, expire_landed_copies, forget_history
from lakehouse.arrow import arrow_table
from lakehouse.delta_rs import open_table, table_uri
from lakehouse.ops.runs import Run
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.ops.upkeep import OPEN_DAY_FILES
from lakehouse.schedules import FACT_MAINTENANCE, MAINTENANCE
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.store import delta_rs_options, s3_client
from lakehouse.tables import table

LOG = table("ops.event_log")
STEPS = "select asset, status, rows_deleted, files_written from ops.run_log where pipeline = 'maintenance' order by asset"


@pytest.fixture
def stored(spark_stack: Settings) -> Settings:
    """Settings with two empty buckets of the test's own."""
    name = uuid.uuid4().hex[:12]
    made = spark_stack.model_copy(update={"lake_bucket": f"{name}-lake", "landing_bucket": f"{name}-landing"})
    for bucket in (made.lake_bucket, made.landing_bucket):
        s3_client(made).create_bucket(Bucket=bucket)
    return made


@pytest.fixture
def context(stored: Settings) -> Context:
    OpsWriter(stored).create_tables()
    return Context(stored, Run("upkeep"))


def append_lines(settings: Settings, count: int, *, days_ago: int = 0) -> None:
    """As many files of a line each."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    for number in range(count):
        line = {"run_id": "r", "level": "INFO", "logger": "l", "message": str(number), "logged_at": at, "recorded_at": at,
                "recorded_date": at.date()}  # fmt: skip
        write_deltalake(table_uri(settings, LOG), arrow_table(LOG, [line]), mode="append", partition_by=["recorded_date"],
                        storage_options=delta_rs_options(settings))  # fmt: skip


def files_of_yesterday(settings: Settings) -> list[str]:
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    return [uri for uri in open_table(settings, LOG).file_uris() if f"recorded_date={day}" in uri]


def lines(settings: Settings) -> int:
    return OpsReader(settings).rows("select count(*) as n from ops.event_log where run_id = 'r'")[0]["n"]


def test_few_files_of_today_are_left_alone_and_nothing_is_recorded(context: Context) -> None:
    append_lines(context.settings, 3)
    append_lines(context.settings, 1, days_ago=1)
    before = open_table(context.settings, LOG).version()
    compact_facts(context)
    assert open_table(context.settings, LOG).version() == before
    assert context.reader.rows(STEPS) == []


def test_crowded_days_are_compacted_once_and_days_that_are_over_not_again(context: Context) -> None:
    append_lines(context.settings, 3, days_ago=1)
    compact_facts(context)
    closed = files_of_yesterday(context.settings)
    assert len(closed) == 1
    append_lines(context.settings, OPEN_DAY_FILES + 1)
    compact_facts(context)
    assert files_of_yesterday(context.settings) == closed
    assert lines(context.settings) == OPEN_DAY_FILES + 4
    step = {"asset": "ops.event_log", "status": "SUCCEEDED", "rows_deleted": 0, "files_written": 1}
    assert context.reader.rows(STEPS) == [step, step]


def test_what_is_removed_is_recorded_with_its_count(context: Context) -> None:
    append_lines(context.settings, 2, days_ago=200)
    asked: list[datetime] = []
    clear_facts(context)
    expire_landed_copies(context)
    forget_history(context, lambda before: asked.append(before) or 7)
    told = {row["asset"]: (row["status"], row["rows_deleted"]) for row in context.reader.rows(STEPS)}
    assert told["ops.event_log"] == ("SUCCEEDED", 2)
    assert told["landing"] == ("SUCCEEDED", 0)
    assert told["dagster.runs"] == ("SUCCEEDED", 7)
    assert datetime.now(UTC) - asked[0] >= HISTORY_KEPT
    assert lines(context.settings) == 0


def test_facts_are_compacted_hourly_and_tables_nightly(context: Context) -> None:
    schedules = build(load_sources(context.settings)).schedules or []
    assert {s.job_name: s.cron_schedule for s in schedules} == {"maintenance": MAINTENANCE.cron, "fact_maintenance": FACT_MAINTENANCE.cron}
    assert FACT_MAINTENANCE.cron.split()[1:] == ["*"] * 4
