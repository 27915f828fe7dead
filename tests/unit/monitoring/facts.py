"""Facts in memory for the watch: run events, landed files, and weeks of measurements with a rhythm.

Does not belong here: tests, or anything that the product uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from lakehouse.settings import SHIPPED_SOURCES, Settings
from lakehouse.sources import Source, load_sources

Row = dict[str, Any]
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
TENANTS = {"small": 100, "middle": 2_000, "large": 20_000, "other": 5_000}
PIPELINE, BRONZE, SILVER = "provider_events", "bronze.provider_events", "silver.auth_events"
Change = Callable[[str, datetime, Row], Row]
"""Takes tenant, hour and the counts of the hour (`rows`, `success`, `with_ip`, `duplicate`, `not_applicable`); returns other ones."""


def sources(**changed: Any) -> dict[str, Source]:
    """The shipped sources; provider_events has a rhythm of an hour."""
    shipped = load_sources(Settings(sources_dirs=(SHIPPED_SOURCES,)))
    return {**shipped, PIPELINE: shipped[PIPELINE].model_copy(update={"expected_every_minutes": 60, **changed})}


def unchanged(_tenant: str, _hour: datetime, counts: Row) -> Row:
    """Nothing is wrong."""
    return counts


def measurements(days: int, change: Change = unchanged, *, seed: int = 1, begin: datetime = MONDAY) -> Iterator[Row]:
    """Rows of ops.metrics for some days: two tables, four tenants, hours of the day and days of the week; chance as in life."""
    rng = np.random.default_rng(seed)
    for tenant, a_day in TENANTS.items():
        for number in range(days * 24):
            hour = begin + timedelta(hours=number)
            rhythm = 1 + 0.8 * math.sin((hour.hour - 8) / 24 * 2 * math.pi)
            mean = a_day / 24 * rhythm * (0.4 if hour.weekday() > 4 else 1.1) * rng.gamma(40, 1 / 40)
            rows = int(rng.poisson(mean))
            counts = {
                "rows": rows,
                "success": int(rng.binomial(rows, 0.9)),
                "with_ip": int(rng.binomial(rows, 0.97)),
                "duplicate": int(rng.binomial(rows, 0.001)),
                "not_applicable": int(rng.binomial(rows, 0.05)),
            }
            yield from _told(tenant, hour, change(tenant, hour, counts))


def _told(tenant: str, hour: datetime, counts: Row) -> Iterator[Row]:
    recorded = hour + timedelta(hours=1, minutes=10)
    for table in (BRONZE, SILVER):
        about = {
            "run_id": f"run-{hour:%d%H}", "pipeline": PIPELINE, "table_name": table, "batch_id": f"b-{hour:%m%d%H}", "tenant_id": tenant,
            "bucket_start": hour, "bucket_s": 3600, "recorded_at": recorded, "recorded_date": recorded.date(),
        }  # fmt: skip
        told = [("rows", None, counts["rows"]), ("duplicate_rows", None, counts["duplicate"])]
        if table == SILVER:
            told += [
                ("value_rows", "outcome=success", counts["success"]),
                ("value_rows", "outcome=failure", counts["rows"] - counts["success"]),
                ("filled_rows", "ip", counts["with_ip"]),
                ("not_applicable_rows", None, counts["not_applicable"]),
            ]
        yield from ({**about, "metric": metric, "dimension": d, "value": float(value)} for metric, d, value in told if value > 0)


def end(pipeline: str, asset: str, run_id: str, status: str, at: datetime, **more: Any) -> Row:
    """The end of an attempt of one minute, at a time."""
    facts = {
        "fact": "end", "run_id": run_id, "attempt": 1, "pipeline": pipeline, "asset": asset, "status": status, "code_version": "aaa",
        "started_at": at - timedelta(minutes=1), "ended_at": at, "duration_s": 60.0, "recorded_at": at, "recorded_date": at.date(),
    }  # fmt: skip
    return {**facts, **more}


def skipped(pipeline: str, asset: str, run_id: str, at: datetime) -> Row:
    """The verdict that a step was left out."""
    return {
        "fact": "verdict", "run_id": run_id, "attempt": 1, "pipeline": pipeline, "asset": asset, "status": "SKIPPED_UPSTREAM",
        "nominal_start": at, "recorded_at": at, "recorded_date": at.date(), "error_message": "not tried: a step before it failed",
    }  # fmt: skip


def landed(tenant: str, at: datetime) -> Row:
    """A file of a tenant that came at a time and was published."""
    key = f"{PIPELINE}/date={at:%Y-%m-%d}/tenant={tenant}/{at:%H%M}.jsonl"
    return {
        "path": key, "sha256": key, "etag": key, "size": 1, "modified_at": at, "first_seen": at, "source": PIPELINE, "tenant_id": tenant,
        "state": "published", "recorded_at": at + timedelta(minutes=1), "recorded_date": at.date(),
    }  # fmt: skip
