"""Hand-made and generated run facts, and a reader that answers SQL over them without a store.

Does not belong here: tests, or anything that the product uses.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse.arrow import arrow_table
from lakehouse.errors import InfrastructureError
from lakehouse.ops.store import RUN_LOG_SQL
from lakehouse.tables import table

Row = dict[str, Any]
TABLES = ("ops.run_events", "ops.check_results", "ops.event_log", "ops.lineage_edges", "ctl.files")
NOON = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)


class FakeReader:
    """The interface of OpsReader over rows in memory; `down` makes it fail as a stopped store does."""

    def __init__(self, facts: dict[str, list[Row]] | None = None) -> None:
        self.down, self.queries = False, 0
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set TimeZone = 'UTC'; create schema ops; create schema ctl")
        for name in TABLES:
            self.put(name, (facts or {}).get(name, []))

    def put(self, name: str, rows: Sequence[Row]) -> None:
        """Make these the rows of a table."""
        stamped = [{"recorded_at": NOON, "recorded_date": NOON.date(), **row} for row in rows]
        self._connection.register("given", arrow_table(table(name), stamped))
        self._connection.execute(f"create or replace table {name} as select * from given")
        if name == "ops.run_events":
            self._connection.execute(f"create or replace view ops.run_log as {RUN_LOG_SQL}")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run one statement with bound values."""
        self.queries += 1
        if self.down:
            raise InfrastructureError("the store did not answer while reading the ops tables: refused", next_step="run `lakehouse doctor`")
        return self._connection.cursor().execute(sql, list(parameters)).to_arrow_table()


def fact(kind: str, run_id: str, status: str, at: datetime, **more: Any) -> Row:
    """One fact of run_events; `at` is its start for a start, its end for an end."""
    started = more.pop("started_at", at if kind == "start" else at - timedelta(seconds=5))
    ended = {"ended_at": at, "duration_s": (at - started).total_seconds()} if kind == "end" else {}
    base = {"pipeline": "okta", "asset": "bronze.okta", "layer": "bronze", "attempt": 1, "trigger": "sensor"}
    return {**base, "fact": kind, "run_id": run_id, "status": status, "started_at": started, "recorded_at": at, **ended, **more}


PIPELINES = {
    "provider_events": (("bronze.provider_events", "silver.auth_events"), 64_000),
    "okta": (("bronze.okta", "silver.auth_events"), 2_300),
    "cloudtrail": (("bronze.cloudtrail", "silver.auth_events"), 9_100),
    "stripe_customers": (("bronze.stripe_customers", "silver.billing_customers"), 140),
    "stripe_subscriptions": (("bronze.stripe_subscriptions", "silver.billing_subscriptions"), 60),
    "gold": (("gold.user_days", "gold.auth_daily", "gold.auth_hourly", "gold.active_users_daily"), 18_000),
}
ERRORS = (
    ("DataError", "the contract of silver.auth_events failed: 2 of 9 checks; 1,204 of 5,310 rows of tenant acme are held back"),
    ("InfrastructureError", "the store did not answer while writing bronze/okta: connection refused (attempt 3 of 3)"),
    ("SparkConnectGrpcException", "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `authMethod` cannot be resolved. Did you mean `auth_method`?"),
)  # fmt: skip


def fortnight(now: datetime, *, seed: int = 7, hours: int = 14 * 24, every: int = 4) -> dict[str, list[Row]]:
    """A fortnight of runs of six pipelines, some of which fail."""
    rng = random.Random(seed)
    facts: dict[str, list[Row]] = {name: [] for name in TABLES}
    for back in range(hours, 0, -every):
        at = now - timedelta(hours=back) + timedelta(minutes=rng.uniform(100, 200))
        run_id = f"{rng.getrandbits(128):032x}"
        for pipeline, (assets, size) in PIPELINES.items():
            for asset in assets:
                at += _attempts(facts, rng, run_id, pipeline, asset, size, at, is_last=back <= every)
    _files(facts, now)
    return facts


def _attempts(facts: dict[str, list[Row]], rng: random.Random, run_id: str, pipeline: str, asset: str, size: int, at: datetime, *, is_last: bool) -> timedelta:
    status = rng.choices(("SUCCEEDED", "SUCCEEDED_WITH_WARNINGS", "FAILED", "TERMINATED"), (92, 3, 4, 1))[0]
    if is_last:
        status = {"silver.billing_customers": "FAILED", "gold.auth_hourly": "SUCCEEDED_WITH_WARNINGS", "gold.active_users_daily": "RUNNING"}.get(asset, "SUCCEEDED")
    took = timedelta(seconds=rng.uniform(0.6, 4) + size / 4_000)
    common: Row = {"pipeline": pipeline, "asset": asset, "layer": asset.split(".")[0], "code_version": "4f1c2ab", "started_at": at,
                   "batch_id": run_id[:12], "host": "worker-1", "process": "4711@1794480000"}  # fmt: skip
    facts["ops.run_events"].append(fact("start", run_id, "RUNNING", at, **common))
    if status == "RUNNING":
        return took
    read = int(size * rng.uniform(0.5, 1.4))
    rejected, double = (int(read * rng.choice((0, 0, 0.002))), int(read * rng.choice((0, 0.001))))
    counts: Row = {"rows_read": read, "rows_inserted": read - rejected - double, "rows_updated": read // 40 if "billing" in asset else 0, "rows_deleted": 0,
                   "rows_quarantined": rejected, "rows_duplicate": double, "rows_held_back": 0, "bytes_written": read * 210, "files_written": 2,
                   "version_before": 41, "version_after": 42, "input_versions": '{"bronze.okta": 41}', "checks_passed": 9, "checks_warned": 0,
                   "checks_failed": 0, "event_time_max": at}  # fmt: skip
    if status in ("FAILED", "TERMINATED"):
        error, message = rng.choice(ERRORS)
        counts = {"error_class": error, "error_message": message, "rows_read": read} if status == "FAILED" else {}
    kind = "verdict" if status == "TERMINATED" else "end"
    facts["ops.run_events"].append(fact(kind, run_id, status, at + took, **common, **counts))
    _beside(facts, rng, run_id, pipeline, asset, at, status)
    return took


def _beside(facts: dict[str, list[Row]], rng: random.Random, run_id: str, pipeline: str, asset: str, at: datetime, status: str) -> None:
    upstream = {"silver": f"bronze.{pipeline}", "gold": "silver.auth_events"}.get(asset.split(".")[0], f"{pipeline}/date=2026-11-12/tenant=acme/part-0.jsonl")
    facts["ops.lineage_edges"].append({"run_id": run_id, "input_name": upstream, "input_version": 41 if "." in upstream[:8] else None, "output_name": asset, "output_version": 42})  # fmt: skip
    for name, kind, severity in (("schema", "schema", "block"), ("event_id is unique", "duplicate", "warn"), ("email looks like one", "invalid", "row"), ("rejected share", "metric", "slice")):
        failed = rng.random() < (0.5 if status == "FAILED" else 0.02)
        facts["ops.check_results"].append({"run_id": run_id, "pipeline": pipeline, "table_name": asset, "check_name": name, "check_type": kind, "severity": severity,
            "column_name": "user_email" if kind == "invalid" else None, "outcome": "failed" if failed else "passed", "expected": "= 0" if kind != "metric" else "≤ 0.2",
            "observed": 0.226 if failed and kind == "metric" else float(failed * 17), "rows_tested": 5310, "rows_failed": 17 if failed else 0, "contract_version": "a1"})  # fmt: skip
    lines = [("INFO", f"reading {upstream}"), ("INFO", f"staged {rng.randint(100, 9000):,} rows of {asset}")]
    lines.append(("ERROR", "Traceback (most recent call last):\n  File \"jobs/silver.py\", line 88, in publish\nDataError: the contract failed") if status == "FAILED" else ("INFO", f"published {asset}"))
    facts["ops.event_log"] += [{"run_id": run_id, "asset": asset, "level": level, "logger": "jobs", "message": text, "logged_at": at + timedelta(seconds=i)} for i, (level, text) in enumerate(lines)]


def _files(facts: dict[str, list[Row]], now: datetime) -> None:
    for pipeline in PIPELINES:
        name = "synthetic-000.jsonl.gz" if pipeline == "provider_events" else "part-0.jsonl"
        if pipeline != "gold":
            facts["ctl.files"].append({"path": f"{pipeline}/date=2026-11-12/tenant=acme/{name}", "sha256": "0" * 64, "etag": "e", "size": 1, "modified_at": now,
                                       "first_seen": now, "source": pipeline, "tenant_id": "acme", "state": "published"})  # fmt: skip
