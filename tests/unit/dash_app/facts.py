"""Hand-made and generated run facts, and a reader that answers SQL over them without a store.

Does not belong here: tests, or anything that the product uses.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from lakehouse.arrow import arrow_table
from lakehouse.errors import InfrastructureError
from lakehouse.ops.store import DELTA_RS_TABLES
from lakehouse.ops.views import VIEWS, views_over
from lakehouse.tables import table

Row = dict[str, Any]
Facts = dict[str, list[Row]]
TABLES = tuple(t.name for t in DELTA_RS_TABLES)
NOON = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)


class FakeReader:
    """The interfaces of OpsReader and OpsWriter over rows in memory; `down` makes it fail as a stopped store does."""

    def __init__(self, facts: Facts | None = None) -> None:
        self.down, self.queries = False, 0
        self.facts: Facts = {}
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("set TimeZone = 'UTC'; create schema ops; create schema ctl")
        for name in TABLES:
            self.put(name, (facts or {}).get(name, []))

    def put(self, name: str, rows: Sequence[Row]) -> None:
        """Make these the rows of a table."""
        self.facts[name] = list(rows)
        stamped = [{"recorded_at": NOON, "recorded_date": NOON.date(), **row} for row in rows]
        self._connection.register("given", arrow_table(table(name), stamped))
        self._connection.execute(f"create or replace table {name} as select * from given")
        for view in views_over(name):
            self._connection.execute(f"create or replace view {view} as {VIEWS[view].sql}")

    def append(self, name: str, rows: Sequence[Row]) -> bool:
        """Add rows to a table, also while it does not answer: a writer has its spool."""
        self.put(name, [*self.facts[name], *rows])
        return True

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run one statement with bound values."""
        self.queries += 1
        if self.down:
            raise InfrastructureError("the store did not answer while reading the ops tables: refused", next_step="run `lakehouse doctor`")
        return self._connection.cursor().sql(sql, params=list(parameters)).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The same, as a list of dictionaries."""
        return list(self.query(sql, parameters).to_pylist())


class FakeWriter:
    """The interface of OpsWriter over rows in memory; what it is given, a reader tells too."""

    def __init__(self, reader: FakeReader | None = None) -> None:
        self.kept: Facts = {}
        self._reader = reader

    def append(self, name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Keep rows, which must fit their table."""
        stamped = [{**row, "recorded_at": NOON, "recorded_date": NOON.date()} for row in rows]
        arrow_table(table(name), stamped)
        self.kept.setdefault(name, []).extend(stamped)
        return self._reader.append(name, rows) if self._reader else True


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
    ("SparkConnectGrpcException", "[UNRESOLVED_COLUMN] A column with name `authMethod` cannot be resolved. Did you mean `auth_method`?"),
)
CHECKS = (
    ("schema", "schema", "block", None),
    ("event_id is unique", "duplicate", "warn", "event_id"),
    ("email looks like one", "invalid", "row", "user_email"),
    ("rejected share", "metric", "slice", None),
)
LAST_STATUS = {
    "silver.billing_customers": "FAILED",
    "gold.auth_hourly": "SUCCEEDED_WITH_WARNINGS",
    "gold.active_users_daily": "RUNNING",
}
STATUSES, WEIGHTS = ("SUCCEEDED", "SUCCEEDED_WITH_WARNINGS", "FAILED", "TERMINATED"), (92, 3, 4, 1)


class Step(NamedTuple):
    """A step of a generated run."""

    run_id: str
    pipeline: str
    asset: str
    size: int
    at: datetime

    @property
    def upstream(self) -> str:
        """What it reads."""
        file = f"{self.pipeline}/date=2026-11-12/tenant=acme/part-0.jsonl"
        return {"silver": f"bronze.{self.pipeline}", "gold": "silver.auth_events"}.get(self.asset.split(".")[0], file)


def fortnight(now: datetime, *, seed: int = 7, hours: int = 14 * 24, every: int = 4) -> Facts:
    """A fortnight of runs of six pipelines, some of which fail; the last ones leave one failed, one warned, one running."""
    rng = random.Random(seed)
    facts: Facts = {name: [] for name in TABLES}
    for back in range(hours, 0, -every):
        at = now - timedelta(hours=back) + timedelta(minutes=rng.uniform(100, 200))
        for pipeline, (assets, size) in PIPELINES.items():
            run_id = f"{rng.getrandbits(128):032x}"
            for asset in assets:
                step = Step(run_id, pipeline, asset, size, at)
                status = LAST_STATUS.get(asset, "SUCCEEDED") if back <= every else rng.choices(STATUSES, WEIGHTS)[0]
                at += _attempt(facts, rng, step, status)
    facts["ctl.files"] = [_file(pipeline, now) for pipeline in PIPELINES if pipeline != "gold"]
    return facts


def _attempt(facts: Facts, rng: random.Random, step: Step, status: str) -> timedelta:
    took = timedelta(seconds=rng.uniform(0.6, 4) + step.size / 4_000)
    common: Row = {
        "pipeline": step.pipeline,
        "asset": step.asset,
        "layer": step.asset.split(".")[0],
        "code_version": "4f1c2ab",
        "started_at": step.at,
        "batch_id": step.run_id[:12],
        "host": "worker-1",
        "process": "4711@1794480000",
    }
    facts["ops.run_events"].append(fact("start", step.run_id, "RUNNING", step.at, **common))
    if status == "TERMINATED":
        facts["ops.run_events"].append(fact("verdict", step.run_id, status, step.at + took, **common))
    elif status != "RUNNING":
        facts["ops.run_events"].append(fact("end", step.run_id, status, step.at + took, **common, **_counts(rng, step, status)))
        _beside(facts, rng, step, status)
    return took


def _counts(rng: random.Random, step: Step, status: str) -> Row:
    read = int(step.size * rng.uniform(0.5, 1.4))
    if status == "FAILED":
        error_class, error_message = rng.choice(ERRORS)
        return {"rows_read": read, "error_class": error_class, "error_message": error_message}
    rejected, double = int(read * rng.choice((0, 0, 0.002))), int(read * rng.choice((0, 0.001)))
    return {
        "rows_read": read,
        "rows_inserted": read - rejected - double,
        "rows_updated": read // 40 if "billing" in step.asset else 0,
        "rows_deleted": 0,
        "rows_quarantined": rejected,
        "rows_duplicate": double,
        "rows_held_back": 0,
        "bytes_written": read * 210,
        "files_written": 2,
        "version_before": 41,
        "version_after": 42,
        "input_versions": f'{{"{step.upstream}": 41}}',
        "checks_passed": 4,
        "checks_warned": 0,
        "checks_failed": 0,
        "event_time_max": step.at,
    }


def _beside(facts: Facts, rng: random.Random, step: Step, status: str) -> None:
    input_version = None if "/" in step.upstream else 41
    edge = {"input_name": step.upstream, "input_version": input_version, "output_name": step.asset, "output_version": 42}
    facts["ops.lineage_edges"].append({"run_id": step.run_id, **edge})
    facts["ops.check_results"] += [_check(step, check, rng.random() < (0.5 if status == "FAILED" else 0.02)) for check in CHECKS]
    last = ("INFO", f"published {step.asset}")
    if status == "FAILED":
        last = ("ERROR", 'Traceback (most recent call last):\n  File "jobs/silver.py", line 88, in publish\nDataError: the contract failed')
    lines = (("INFO", f"reading {step.upstream}"), ("INFO", f"staged {rng.randint(100, 9000):,} rows of {step.asset}"), last)
    for n, (level, text) in enumerate(lines):
        line = {"level": level, "logger": "jobs", "message": text, "logged_at": step.at + timedelta(seconds=n)}
        facts["ops.event_log"].append({"run_id": step.run_id, "asset": step.asset, **line})


def _check(step: Step, check: tuple[str, str, str, str | None], is_failed: bool) -> Row:
    name, kind, severity, column = check
    return {
        "run_id": step.run_id,
        "pipeline": step.pipeline,
        "table_name": step.asset,
        "check_name": name,
        "check_type": kind,
        "severity": severity,
        "column_name": column,
        "outcome": "failed" if is_failed else "passed",
        "expected": "at most 0.2" if kind == "metric" else "0",
        "observed": (0.226 if kind == "metric" else 17.0) if is_failed else 0.0,
        "rows_tested": 5310,
        "rows_failed": 17 if is_failed else 0,
        "contract_version": "a1",
    }


def _file(pipeline: str, now: datetime) -> Row:
    name = "synthetic-000.jsonl.gz" if pipeline == "provider_events" else "part-0.jsonl"
    return {
        "path": f"{pipeline}/date=2026-11-12/tenant=acme/{name}",
        "sha256": "0" * 64,
        "etag": "e",
        "size": 1,
        "modified_at": now,
        "first_seen": now,
        "source": pipeline,
        "tenant_id": "acme",
        "state": "published",
    }
