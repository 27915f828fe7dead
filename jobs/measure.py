"""Measurements of a batch by tenant and bucket of event time, for ops.metrics: what the watch over series is given.

Does not belong here: judging a measurement (lakehouse.monitoring), or rules about single rows (dq_checks).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from jobs.context import Context
from lakehouse.ledger import Release
from lakehouse.ops.runs import Facts
from lakehouse.tables import Table

HOURLY_FOR = timedelta(days=35)
"""Events that come later than this are counted by the day: no judgement looks back further, and half a year has 4,320 hours."""
HOUR_S, DAY_S = 3600, 86400
BUCKET = "_bucket"
WATCHED_ENUMERATIONS = ("activity", "auth_method", "phase", "outcome")
"""Closed enumerations that say what happened; the others follow from them, or from the source."""


def in_buckets(rows: DataFrame) -> Column:
    """Start (epoch seconds) and length of the bucket that a row is counted in: by its ingestion where its own time is not plausible."""
    ingested = F.col("_ingested_at")
    time = F.coalesce(F.col("event_time"), ingested) if "event_time" in rows.columns else ingested
    if "time_quality" in rows.columns:
        time = F.when(F.col("time_quality") == "plausible", time).otherwise(ingested)
    seconds = F.when(time < ingested - F.make_dt_interval(days=F.lit(HOURLY_FOR.days)), DAY_S).otherwise(HOUR_S)
    at = F.unix_timestamp(time)
    return F.struct((at - at % seconds).alias("start"), seconds.alias("seconds")).alias(BUCKET)


def value_counts(declared: Table, among: Column) -> list[Column]:
    """Aggregates: the rows among those that count with each value of a watched enumeration, under `column=value`."""
    return [
        F.count_if(among & (F.col(column.name) == value)).alias(f"{column.name}={value}")
        for column in declared.columns
        if column.name in WATCHED_ENUMERATIONS
        for value in column.values
    ]


class Measurements:
    """What was counted in a step at a table; a count of zero is not kept."""

    def __init__(self, context: Context, pipeline: str, declared: Table, facts: Facts) -> None:
        self._context = context
        self._about = {"run_id": context.run.run_id, "pipeline": pipeline, "table_name": declared.name, "batch_id": facts.batch_id}
        self._parts: dict[tuple[str, int, int, str, str | None], float] = defaultdict(float)
        self._whole: dict[tuple[str, str | None], float] = {}
        self._times: list[tuple[float, int]] = []

    def add(self, row: Row, metric: str, count: float, dimension: str | None = None) -> None:
        """Add to a count of the tenant and bucket of a collected row."""
        if count:
            bucket = row[BUCKET]
            self._parts[row["tenant_id"], bucket["start"], bucket["seconds"], metric, dimension] += count

    def add_times(self, mean: float | None, rows: int) -> None:
        """Take in the mean event time (epoch seconds) of some rows that were published."""
        if mean is not None:
            self._times.append((mean, rows))

    def of_batch(self, metric: str, value: float, dimension: str | None = None) -> None:
        """Tell a measurement of the batch as a whole."""
        self._whole[metric, dimension] = value

    def record(self, now: datetime) -> None:
        """Append all of it to ops.metrics in one commit, with the tenants, the freshness and the lateness that follow from it at a time."""
        self.of_batch("tenants", len({tenant for tenant, _, _, metric, _ in self._parts if metric == "rows"}))
        if self._times:
            self.of_batch("freshness_s", now.timestamp() - max(mean for mean, _ in self._times))
            self.of_batch("lateness_s", _weighted_median((now.timestamp() - mean, rows) for mean, rows in self._times))
        self._context.writer.append_meanwhile("ops.metrics", [*self._rows_of_batch(), *self._rows_of_parts()])

    def _rows_of_batch(self) -> list[dict[str, Any]]:
        return [{**self._about, "metric": m, "dimension": d, "value": float(value)} for (m, d), value in self._whole.items()]

    def _rows_of_parts(self) -> list[dict[str, Any]]:
        return [
            {
                **self._about,
                "metric": metric,
                "dimension": dimension,
                "value": float(value),
                "tenant_id": tenant,
                "bucket_start": datetime.fromtimestamp(start, UTC),
                "bucket_s": seconds,
            }
            for (tenant, start, seconds, metric, dimension), value in self._parts.items()
        ]


def tell_released(context: Context, pipeline: str, declared: Table, released: Release) -> None:
    """Record that nothing of a slice is held back any more."""
    context.writer.append("ops.metrics", [{
        "run_id": context.run.run_id, "pipeline": pipeline, "table_name": declared.name, "batch_id": released.batch_id,
        "metric": "held_back_rows", "value": 0.0, "tenant_id": released.tenant_id,
    }])  # fmt: skip


def _weighted_median(pairs: Iterable[tuple[float, int]]) -> float:
    ordered = sorted(pairs)
    half, passed = sum(weight for _, weight in ordered) / 2, 0.0
    return next(value for value, weight in ordered if (passed := passed + weight) >= half)
