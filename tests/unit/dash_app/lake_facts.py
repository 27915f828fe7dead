"""Made-up facts for the pages on data: a lake in memory, quarantined rows, checks, files, promises, anomalies.

Does not belong here: tests, or anything that the product uses.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from lakehouse.arrow import arrow_table
from lakehouse.delta_reads import TableState, Version, among_filter
from lakehouse.errors import InfrastructureError
from lakehouse.tables import TABLES, Table
from lakehouse.tables.bronze import QUARANTINE
from tests.unit.dash_app.facts import Facts, Row, fact

HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>'


class FakeLake:
    """The interface of LakeReader over rows in memory; `down` makes it fail as a stopped store does."""

    def __init__(self, quarantined: Sequence[Row] = (), states: Mapping[str, TableState] | None = None) -> None:
        self.down, self.queries = False, 0
        self._rows = arrow_table(QUARANTINE, quarantined)
        self._states = dict(states or {})
        self._versions: list[Version] = []

    def put_versions(self, versions: Sequence[Version]) -> None:
        """Make these the commits of every table."""
        self._versions = list(versions)

    def put(self, quarantined: Sequence[Row]) -> None:
        """Make these the rows of the quarantine."""
        self._rows = arrow_table(QUARANTINE, quarantined)

    def states(self, tables: Sequence[Table]) -> dict[str, TableState]:
        """The tables that exist, by name."""
        self._asked()
        return {t.name: self._states[t.name] for t in tables if t.name in self._states}

    def versions(self, declared: Table, most: int) -> list[Version]:
        """The newest commits, newest first."""
        self._asked()
        return self._versions[:most]

    def rows_by_day(self, declared: Table) -> dict[date, int]:
        """Rows by day."""
        self._asked()
        days = self._rows["_ingest_date"].to_pylist()
        return {day: days.count(day) for day in set(days)}

    def query(self, declared: Table, sql: str, parameters: Sequence[Any] = (), *, since: date) -> pa.Table:
        """DuckDB SQL over `lake_rows`."""
        self._asked()
        with duckdb.connect(":memory:") as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.register("lake_rows", self._rows.filter(pa.compute.field("_ingest_date") >= since))
            return connection.sql(sql, params=list(parameters)).to_arrow_table()

    def pick(self, declared: Table, columns: Sequence[str], among: Mapping[str, Collection[Any]], *, since: date) -> pa.Table:
        """Some columns of the rows whose values are among those given."""
        self._asked()
        return ds.dataset(self._rows).to_table(columns=list(columns), filter=among_filter(among))

    def _asked(self) -> None:
        self.queries += 1
        if self.down:
            raise InfrastructureError("the store did not answer while reading bronze.quarantine", next_step="run `lakehouse doctor`")


class FakeWriter:
    """Keeps what is recorded; `refuses` makes it lose everything."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, Row]] = []
        self.refuses = False

    def append(self, name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Append rows to a table. Returns whether they are kept."""
        if not self.refuses:
            self.recorded += [(name, dict(row)) for row in rows]
        return not self.refuses


def quarantined(n: int, at: datetime, **more: Any) -> Row:
    """One row of the quarantine; `n` tells it from the others."""
    source, tenant = more.get("source", "okta"), more.get("tenant_id", "acme")
    body = {"uuid": f"event-{n}", "actor": {"alternateId": f"user{n}@example.com"}, "published": at.isoformat(), "ok": n % 2 == 0}
    return {
        "source": source,
        "tenant_id": tenant,
        "layer": "bronze",
        "disposition": "quarantined",
        "reasons": ["record.unreadable"],
        "detail": None,
        "event_id": f"event-{n}",
        "event_time": at - timedelta(minutes=7),
        "raw": json.dumps(body),
        "_source_file": f"{source}/date={at:%Y-%m-%d}/tenant={tenant}/part-{n % 4}.jsonl.gz",
        "_row": n,
        "_batch_id": f"{source}-{at.day:010d}",
        "_ingested_at": at,
        "_ingest_date": at.date(),
        **more,
    }


REASONS = (
    ("okta", "record.unreadable", "bronze"),
    ("okta", "event_time.missing", "bronze"),
    ("provider_events", "failure_reason.on_success", "silver"),
    ("cloudtrail", "ip.malformed", "silver"),
    ("stripe_customers", "event_id.missing", "bronze"),
)
TENANTS = ("acme", "globex", "initech", "umbrella")


def quarantine_of_a_bad_fortnight(now: datetime, *, seed: int = 3, rows: int = 420) -> list[Row]:
    """Rows of many reasons, one slice that is held back, one conflict, broken lines, and hostile text."""
    rng = random.Random(seed)
    made = []
    for n in range(rows):
        source, reason, layer = REASONS[min(int(rng.expovariate(0.9)), len(REASONS) - 1)]
        at = now - timedelta(hours=rng.triangular(0, 13 * 24, 20))
        tenant = rng.choices(TENANTS, (6, 3, 2, 1))[0]
        more: Row = {"source": source, "tenant_id": tenant, "layer": layer, "reasons": [reason]}
        if reason == "record.unreadable":
            cut_off = f'{{"uuid": "event-{n}", "actor": {{"alternateId": "user{n}@exa'
            more |= {"raw": cut_off, "event_id": None, "event_time": None, "detail": "JSON ends too early"}
        made.append(quarantined(n, at, **more))
    held = {
        "source": "provider_events",
        "tenant_id": "globex",
        "layer": "silver",
        "disposition": "held_back",
        "reasons": ["rejected share"],
        "_batch_id": "provider_events-0000000412",
        "_source_file": "provider_events/date=2026-11-12/tenant=globex/synthetic-000.jsonl.gz",
    }
    made += [quarantined(10_000 + n, now - timedelta(hours=3), **held) for n in range(130)]
    conflict = {"disposition": "conflicting", "reasons": ["another_body_is_published"], "tenant_id": "umbrella"}
    made += [quarantined(20_000 + n, now - timedelta(days=2), **conflict) for n in range(9)]
    hostile = {"raw": f'{{"{HOSTILE}": "{HOSTILE}"}}'.replace('="owned"', "=1"), "reasons": [HOSTILE], "detail": HOSTILE,
               "event_id": HOSTILE, "_source_file": f"okta/date=2026-11-12/tenant=acme/{HOSTILE}.jsonl"}  # fmt: skip
    return [*made, quarantined(30_000, now - timedelta(minutes=20), **hostile)]


def checks_of_a_fortnight(now: datetime, *, is_failing: bool = True) -> list[Row]:
    """Results of a handful of checks, four times a day; some fail now."""
    rng = random.Random(5)
    checks = (
        ("provider_events", "silver.auth_events", "failure_reason.on_success", "failed_rows", "failure_reason", "row"),
        ("provider_events", "silver.auth_events", "rejected share", "metric", None, "slice"),
        ("okta", "silver.auth_events", "schema", "schema", None, "block"),
        ("okta", "bronze.okta", "record.unreadable", "failed_rows", "raw", "row"),
        ("cloudtrail", "silver.auth_events", "ip.malformed", "failed_rows", "ip", "row"),
        ("stripe_customers", "silver.billing_customers", "currency.unknown", "failed_rows", "currency", "warn"),
        ("gold", "gold.auth_daily", "attempts add up", "failed_rows", "attempts", "block"),
    )
    batches = {"provider_events": "provider_events-0000000412", "cloudtrail": "cloudtrail-0000000012", "okta": f"okta-{now.day:010d}"}
    made = []
    for back in range(14 * 4, 0, -1):
        at = now - timedelta(hours=6 * back - 5)
        for pipeline, table, name, kind, column, severity in checks:
            now_bad = back == 1 and is_failing and name in ("failure_reason.on_success", "rejected share", "record.unreadable")
            bad = now_bad or (is_failing and back > 1 and rng.random() < (0.12 if severity == "row" else 0.01))
            warned = not bad and name == "currency.unknown" and rng.random() < 0.4
            outcome = "failed" if bad else "warned" if warned else "passed"
            made.append(
                {
                    "run_id": f"{back:032x}", "pipeline": pipeline, "table_name": table, "check_name": name, "check_type": kind,
                    "column_name": column, "severity": severity, "outcome": outcome, "batch_id": batches.get(pipeline, f"{pipeline}-1"),
                    "expected": "at most 20 % of a tenant's rows" if severity == "slice" else "no such row",
                    "observed": 0.226 if bad and kind == "metric" else 17.0 if bad else 0.0,
                    "rows_tested": 5310, "rows_failed": 17 if bad else 0, "contract_version": "a1b2",
                    "recorded_at": at, "recorded_date": at.date(),
                }
            )  # fmt: skip
    return made


def file_row(path: str, at: datetime, **more: Any) -> Row:
    """One row of the ledger."""
    source = path.split("/")[0]
    base = {"sha256": "0" * 64, "etag": "e", "size": 48_211, "modified_at": at, "first_seen": at, "source": source, "tenant_id": "acme"}
    return {**base, "path": path, "state": "published", "batch_id": f"{source}-0000000007", "recorded_at": at, **more}


def files_left_out(now: datetime) -> list[Row]:
    """Files that were rejected or not read as a whole, one that was landed again since, and one with a hostile name."""
    at = now - timedelta(hours=9)
    outside = "the path is not <source>/date=YYYY-MM-DD/tenant=<id>/<name>"
    return [
        file_row("okta/2026-11-12/export.jsonl", at, state="rejected", tenant_id="", batch_id=None, reason=outside),
        file_row("cloudtrail/date=2026-11-11/tenant=acme/a.json.gz", at, reason="the gzip stream ends after 40,112 bytes", records=310),
        file_row("okta/date=2026-11-10/tenant=acme/b.jsonl", at, state="rejected", reason="was overwritten before it was read"),
        file_row("okta/date=2026-11-10/tenant=acme/b.jsonl", now - timedelta(hours=2), sha256="1" * 64),
        file_row(f"okta/{HOSTILE}.jsonl", at, state="rejected", tenant_id="", batch_id=None, reason=f"{outside} {HOSTILE}"),
    ]


def promises(now: datetime) -> list[Row]:
    """One promise that is broken, some that are kept, one that was broken before."""
    kept = {"promise": "fresh_within", "state": "kept", "observed": "12 minutes", "expected": "60 minutes", "budget_burnt": 0.31}
    late = {**kept, "state": "broken", "observed": "3 h 12 min", "budget_burnt": 1.24, "reason": HOSTILE}
    rate = {"promise": "success_rate", "state": "kept", "observed": "99.6 %", "expected": "99 %", "budget_burnt": 0.4}
    unknown = {"promise": "complete_by", "state": "not_judged", "expected": "06:00 UTC", "reason": "7 of 14 days of history"}
    return [
        {"table_name": "silver.auth_events", "evaluated_at": now - timedelta(hours=2), **late},
        {"table_name": "silver.auth_events", "evaluated_at": now - timedelta(days=3), **kept},
        {"table_name": "silver.auth_events", "evaluated_at": now - timedelta(days=5), **rate},
        {"table_name": "silver.auth_events", "evaluated_at": now - timedelta(days=5), **unknown},
        {"table_name": "gold.auth_daily", "evaluated_at": now - timedelta(days=1), **kept},
    ]


def anomalies(now: datetime) -> list[Row]:
    """Buckets out of their band, one marked as expected, one not judged."""
    base = {"table_name": "silver.auth_events", "metric": "rows", "bucket_s": 3600, "actor": "evaluator", "judged_at": now}
    low = {"verdict": "anomalous", "direction": "low", "observed": 12.0, "expected": 2140.0, "lower": 1500.0, "upper": 2900.0}
    return [
        {**base, **low, "tenant_id": "globex", "bucket_start": now - timedelta(hours=2)},
        {**base, **low, "tenant_id": "globex", "bucket_start": now - timedelta(hours=3), "verdict": "expected", "reason": "holiday",
         "actor": "admin"},
        {**base, "bucket_start": now - timedelta(hours=2), "metric": "filled_rows", "dimension": HOSTILE, "verdict": "not_judged",
         "reason": "7 of 14 days of history"},
    ]  # fmt: skip


def hostile_failure(now: datetime) -> list[Row]:
    """An attempt whose error is hostile text."""
    more = {"error_class": HOSTILE, "error_message": HOSTILE, "partition": HOSTILE}
    return [fact("end", "hostile-run", "FAILED", now - timedelta(minutes=4), pipeline="okta", asset="bronze.okta", **more)]


def with_trouble(facts: Facts, now: datetime) -> Facts:
    """Facts of runs, with all that the pages on data show beside them."""
    return {
        **facts,
        "ops.run_events": facts["ops.run_events"] + hostile_failure(now),
        "ops.check_results": checks_of_a_fortnight(now),
        "ctl.files": facts["ctl.files"] + files_left_out(now),
        "ops.sla_evaluations": promises(now),
        "ops.anomalies": anomalies(now),
    }


def states_of_every_table(now: datetime, bronze: Sequence[str] = ()) -> dict[str, TableState]:
    """Sizes that grow with the length of a table's name."""
    names = [*TABLES, *(f"bronze.{source}" for source in bronze)]
    written = int((now - timedelta(minutes=17)).timestamp() * 1000)
    return {name: TableState(40 + n, 1000 * len(name) ** 2, 123_456 * len(name), n + 1, written) for n, name in enumerate(names)}


def versions(now: datetime, most: int = 24) -> list[Version]:
    """Commits, newest first."""
    at = int(now.timestamp() * 1000)
    return [
        Version(
            most - n, at - n * 3_600_000, ("WRITE", "MERGE", "OPTIMIZE")[n % 3], 5000 - n if n % 3 < 2 else None, n or None, f"{n:032x}"
        )
        for n in range(most)
    ]
