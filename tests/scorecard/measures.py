"""What the pipeline measures of a batch: rows of ops.metrics for the whole of it, and for the part of each tenant and hour.

Does not belong here: when a batch is measured (tests.scorecard.pipeline).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lakehouse.tables import Layer
from tests.scorecard.facts import micros
from tests.scorecard.world import HOUR, LandedFile, Part

COLUMNS = (
    "run_id", "pipeline", "table_name", "batch_id", "metric", "dimension", "value", "tenant_id", "bucket_start", "bucket_s",
)  # fmt: skip
BUCKET_S = 3600
BYTES_PER_ROW = {Layer.BRONZE: 410, Layer.SILVER: 96, Layer.GOLD: 30}

Counts = Counter[tuple[str, str | None]]


def hour_of(at: datetime) -> datetime:
    """The start of the hour of a moment."""
    return at.replace(minute=0, second=0, microsecond=0)


@dataclass
class Taken:
    """What a step has made of a batch.

    Args:
        at: when the batch was claimed (UTC); what has no plausible event time is counted in this hour.
        total: the batch's counts by metric.
        of: the counts of each tenant and hour, by metric and dimension.
        middles: moments at which the events were, with how many.
        tenants: those that have published rows.
    """

    at: datetime
    total: Counter[str] = field(default_factory=Counter)
    of: dict[tuple[str, datetime], Counts] = field(default_factory=lambda: defaultdict(Counter))
    middles: list[tuple[datetime, int]] = field(default_factory=list)
    newest: datetime | None = None
    oldest: datetime | None = None
    tenants: set[str] = field(default_factory=set)

    def count(self, tenant: str, hour: datetime, metric: str, rows: int, dimension: str | None = None) -> None:
        """Add to a count; none is kept of zero."""
        if rows:
            self.of[tenant, hour][metric, dimension] += rows
            if dimension is None:
                self.total[metric] += rows

    def happened(self, tenant: str, part: Part, rows: int) -> None:
        """Note when published rows happened, spread evenly over their hour."""
        if rows:
            self.tenants.add(tenant)
            self.middles.append((part.hour + HOUR / 2, rows))
            self.newest = max(self.newest or part.hour, part.hour + HOUR * (1 - 1 / (rows + 1)))
            self.oldest = min(self.oldest or part.hour + HOUR, part.hour + HOUR / (rows + 1))

    @property
    def lateness_s(self) -> float:
        """Median of the time from event to ingestion."""
        half, seen = sum(rows for _, rows in self.middles) / 2, 0
        for middle, rows in sorted(self.middles, reverse=True):
            seen += rows
            if seen >= half:
                return (self.at - middle).total_seconds()
        return 0.0


def in_bronze(files: Sequence[LandedFile], at: datetime, held: frozenset[str]) -> Taken:
    """What bronze makes of the files of a batch; `held` are the tenants whose slice it holds back."""
    taken, now = Taken(at), hour_of(at)
    for file in files:
        for part in file.parts:
            taken.count(file.tenant_id, part.hour, "duplicate_rows", part.duplicate)
            taken.count(file.tenant_id, now, "quarantined_rows", part.unreadable)
            if file.tenant_id in held:
                taken.count(file.tenant_id, part.hour, "held_back_rows", part.published)
                continue
            taken.count(file.tenant_id, part.hour, "rows", part.published - part.implausible)
            taken.count(file.tenant_id, now, "rows", part.implausible)
            taken.count(file.tenant_id, now, "implausible_rows", part.implausible)
            taken.happened(file.tenant_id, part, part.published)
    return taken


def in_silver(files: Sequence[LandedFile], at: datetime) -> Taken:
    """What silver makes of what bronze has published of files."""
    taken = Taken(at)
    for file in files:
        for part in file.parts:
            _count_silver(taken, file.tenant_id, part)
    return taken


def _count_silver(taken: Taken, tenant: str, part: Part) -> None:
    taken.count(tenant, part.hour, "rows", part.inserted)
    taken.count(tenant, part.hour, "not_applicable_rows", part.not_applicable)
    taken.count(tenant, part.hour, "quarantined_rows", part.rejected)
    for column, rows in part.filled.items():
        taken.count(tenant, part.hour, "filled_rows", rows, column)
    for value, rows in part.values.items():
        taken.count(tenant, part.hour, "value_rows", rows, value)
    taken.happened(tenant, part, part.inserted)


def measurements(taken: Taken, duration_s: float, layer: Layer) -> Iterator[tuple[Any, ...]]:
    """Metric, dimension, value, tenant and bucket (µs since 1970, s) of all that is measured of a batch; counts of zero are left out."""
    rows = taken.total["rows"]
    of_all: Mapping[str, float] = {
        "rows": rows, "tenants": len(taken.tenants), "duration_s": round(duration_s, 3), "bytes": rows * BYTES_PER_ROW[layer],
    }  # fmt: skip
    yield from ((metric, None, float(value), None, None, None) for metric, value in of_all.items() if value)
    if taken.newest:
        yield "freshness_s", None, round((taken.at - taken.newest).total_seconds(), 3), None, None, None
        yield "lateness_s", None, round(taken.lateness_s, 3), None, None, None
    for (tenant, hour), counts in taken.of.items():
        bucket = micros(hour)
        for (metric, dimension), count in counts.items():
            yield metric, dimension, float(count), tenant, bucket, BUCKET_S


def late_rows(files: Sequence[LandedFile], at: datetime) -> int:
    """Rows that come when a whole day has passed since their event day."""
    closed = (at - timedelta(days=1)).date()
    return sum(part.inserted for file in files for part in file.parts if part.hour.date() < closed)
