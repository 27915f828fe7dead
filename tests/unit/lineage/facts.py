"""Facts of two runs and of what became of other steps, and a reader over them.

Does not belong here: assertions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.ops.runs import schema_hash
from lakehouse.tables import table
from tests.unit.dash_app.facts import FakeReader, Row, fact

FIRST, SECOND, ROOT = "7d9c0a52-3f0e-4f0e-9f59-0d0b6f1d0001", "7d9c0a52-3f0e-4f0e-9f59-0d0b6f1d0002", "7d9c0a52-3f0e-4f0e-9f59-0d0b6f1d0000"
BEGAN = datetime(2026, 11, 12, 9, 0, tzinfo=UTC)
FILES = ("okta/date=2026-11-12/tenant=acme/a.jsonl", "okta/date=2026-11-12/tenant=acme/b.jsonl")
BRONZE, SILVER, GOLD = "bronze.okta", "silver.auth_events", "gold.auth_daily"


def at(minutes: float) -> datetime:
    """So long after the first run began."""
    return BEGAN + timedelta(minutes=minutes)


def step(run_id: str, asset: str, begun: float, status: str = "SUCCEEDED", **more: Any) -> list[Row]:
    """A start and, unless it is running, an end a minute later."""
    pipeline = "gold" if asset.startswith("gold") else "okta"
    common = {
        "pipeline": pipeline, "asset": asset, "layer": asset.split(".")[0], "started_at": at(begun), "code_version": "4f1c2ab",
        "parent_run_id": ROOT, "attempt": more.pop("attempt", 1),
    }  # fmt: skip
    facts = [fact("start", run_id, "RUNNING", at(begun), **common)]
    if status != "RUNNING":
        facts.append(fact("end", run_id, status, at(begun + 1), **{**common, **more}))
    return facts


def edge(run_id: str, output: str, version: int, name: str, read: int | None, told: float, *columns: str | None) -> Row:
    """An edge; of columns, if they are given: the one that was read, then what was made from it."""
    read_column, made = columns or (None, None)
    return {
        "run_id": run_id, "output_name": output, "output_version": version, "input_name": name, "input_version": read,
        "input_column": read_column, "output_column": made, "recorded_at": at(told), "recorded_date": at(told).date(),
    }  # fmt: skip


def check(run_id: str, asset: str, told: float, outcome: str = "passed", severity: str = "block", **more: Any) -> Row:
    """A result of a check."""
    return {
        "run_id": run_id, "pipeline": "gold" if asset.startswith("gold") else "okta", "table_name": asset, "check_name": "user is known",
        "check_type": "missing", "column_name": "user_key", "severity": severity, "outcome": outcome, "expected": "0 rows",
        "observed": 0.0, "rows_tested": 90, "rows_failed": 0, "contract_version": "c1", "recorded_at": at(told),
        "recorded_date": at(told).date(), **more,
    }  # fmt: skip


def reader() -> FakeReader:
    """A run that moved two files to gold, its column edges told; a second one, an hour later, that failed at gold; other steps."""
    silver_hash = schema_hash(table(SILVER))
    error = {"error_class": "DataError", "error_message": "nothing published"}
    events = [
        *step(FIRST, BRONZE, 0, rows_read=100, rows_inserted=90, bytes_written=9000, files_written=1, version_before=3, version_after=4),
        *step(FIRST, SILVER, 1, rows_read=90, rows_inserted=80, rows_updated=2, version_after=7, schema_hash=silver_hash),
        *step(FIRST, GOLD, 2, rows_read=80, rows_inserted=5, version_after=2, schema_hash="older"),
        *step(SECOND, SILVER, 61, "SUCCEEDED_WITH_WARNINGS", rows_read=9, rows_inserted=9, version_after=8, schema_hash=silver_hash),
        *step(SECOND, GOLD, 62, "FAILED", input_versions=f'{{"{SILVER}": 8}}', **error),
        fact("verdict", SECOND, "SKIPPED_UPSTREAM", at(63), pipeline="gold", asset="gold.user_days", layer="gold", started_at=None,
             nominal_start=at(63), error_message=f"not tried: {GOLD} failed"),
        *step("rebuild", BRONZE, 120, "RUNNING"),
        fact("start", "gone", "RUNNING", at(130), asset=BRONZE, pipeline="okta"),
        fact("verdict", "gone", "TERMINATED", at(140), asset=BRONZE, pipeline="okta", started_at=at(130), error_class="ProcessTerminated",
             error_message="process 7 ended without a word"),
        fact("verdict", "due", "MISSING", at(150), asset=BRONZE, pipeline="okta", started_at=None, nominal_start=at(145),
             expected_end=at(149)),
        *step("upkeep", "dagster.runs", 160, layer=None, rows_deleted=3),
    ]  # fmt: skip
    edges = [
        *(edge(FIRST, BRONZE, 4, name, None, 0.9) for name in FILES),
        edge(FIRST, SILVER, 7, BRONZE, 4, 1.9),
        edge(FIRST, SILVER, 7, BRONZE, 4, 1.9, "raw", "outcome"),
        edge(FIRST, SILVER, 7, BRONZE, 4, 1.9, "tenant_id", "tenant_id"),
        edge(FIRST, SILVER, 7, BRONZE, 4, 1.9, "raw", None),
        edge(FIRST, GOLD, 2, SILVER, 7, 2.9),
        edge(FIRST, GOLD, 2, SILVER, 7, 2.9, "outcome", "successes"),
        edge(FIRST, GOLD, 2, SILVER, 7, 2.9, "environment", None),
        edge(SECOND, SILVER, 8, BRONZE, 4, 61.9),
    ]
    checks = [
        check(FIRST, SILVER, 1.5),
        check(FIRST, SILVER, 1.6, check_name="share", severity="slice", column_name=None, observed=0.25),
        check(SECOND, GOLD, 62.5, "failed", rows_failed=4, observed=4.0),
    ]
    return FakeReader({"ops.run_events": events, "ops.lineage_edges": edges, "ops.check_results": checks})
