"""Anomalies without a model to train: each series of measurements against its own weeks before, by median and MAD.

A volume is compared with what the same hours of the week had, a share with what it usually is. Counts are judged on the scale of
their square roots (Anscombe 1948), on which they vary alike whether they are large or small; the spread is 1.4826 times the median
absolute deviation, never less than that of pure chance. A series is judged once it has enough history and few enough gaps.

Does not belong here: what an anomaly means (lakehouse.incidents), or measuring (jobs.measure).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse.monitoring.series_sql import (
    ACCEPTED,
    BAND,
    BASELINE_SHARES,
    BASELINE_VOLUMES,
    COUNTS,
    GRACE,
    HISTORY,
    HISTORY_OF_TABLE,
    JUDGED_SHARES,
    JUDGED_VOLUMES,
    LAST_HOURS,
    NEWEST,
    RECENT,
    RECENT_COUNTS,
    RECENT_SINCE,
    TABLES,
    TENANTS,
    sums_in,
)
from lakehouse.monitoring.symptoms import Kind, Symptom
from lakehouse.ops.store import Reader


@dataclass(frozen=True)
class Rules:
    """By what a series is judged.

    Args:
        history_days: days that a series must have before it is judged; it is compared with up to twice as many.
        coverage: least share of the hours of its history in which it must have had rows for a silence to mean anything.
        volume_spreads, share_spreads: how many spreads away an anomaly is.
        tenant_ratio, platform_ratio: a volume is low only below this share of what is expected, of one tenant and of all.
        least_expected: rows that a window must be expected to have; shorter windows are passed over.
        least_seen: rows that a window must have for its shares to be judged.
        least_change: least absolute change of a share; `least_factor` times what is usual is enough for shares that are rare.
    """

    history_days: int = 14
    coverage: float = 0.5
    volume_spreads: float = 5.0
    share_spreads: float = 6.0
    tenant_ratio: float = 0.5
    platform_ratio: float = 0.8
    high_ratio: float = 2.5
    least_expected: float = 15
    least_seen: float = 40
    least_change: float = 0.15
    least_rare_change: float = 0.03
    windows_h: tuple[int, ...] = (1, 3, 6, 24)


RULES = Rules()
BASELINE_KEPT = timedelta(hours=6)
"""For how long a baseline is good: weeks change little in a quarter of a day."""
TENANTS_AT_ONCE = 32
"""The baseline is made of so many tenants at a time, and renewed of so many in a round: neither memory nor a round grows with them."""
ALL_TENANTS = -1


@dataclass(frozen=True)
class Anomaly:
    """A series out of its band, or why it is not judged, as columns of ops.anomalies."""

    table_name: str
    pipeline: str
    tenant_id: str | None
    metric: str
    dimension: str | None
    bucket_start: datetime
    bucket_s: int
    direction: str
    observed: float
    expected: float
    lower: float
    upper: float
    since: datetime
    run_id: str | None = None


class SeriesWatch:
    """Judges all series of an instance; keeps the baseline from one round to the next."""

    def __init__(self, reader: Reader, rules: Rules = RULES) -> None:
        self._reader = reader
        self._rules = rules
        self._db = duckdb.connect(":memory:")
        self._db.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        self._db.execute(TABLES)
        self._made_at: dict[int, datetime] = {}
        self._judged: dict[str, list[Anomaly]] = {}
        self._judged_as_of: dict[str, list[object]] = {}

    def judge(self, now: datetime) -> list[Anomaly]:
        """The series that are out of their bands at a time (UTC)."""
        self._renew_baseline(now)
        accepted = self._reader.query(ACCEPTED, [now])
        as_of = self._as_of(now, accepted.to_pylist())
        changed = sorted(pipeline for pipeline in as_of if as_of[pipeline] != self._judged_as_of.get(pipeline))
        if changed:
            self._put("accepted", accepted)
            self._put("judging", pa.table({"pipeline": changed}))
            of = self._rows(RECENT_SINCE, now)[0]
            self._put("recent", self._reader.query(RECENT, [now, changed, of["since"], of["newest"]]))
            self._db.execute(RECENT_COUNTS)
            found = [Anomaly(**row) for row in (*self._rows(JUDGED_VOLUMES, now), *self._rows(JUDGED_SHARES, now))]
            told = [anomaly for anomaly in found if anomaly.direction in KIND_OF_METRIC[anomaly.metric]]
            self._judged |= {pipeline: [a for a in told if a.pipeline == pipeline] for pipeline in changed}
        self._judged_as_of = as_of
        return [anomaly for pipeline in as_of for anomaly in self._judged.get(pipeline, [])]

    def band(self, pipeline: str, table: str, now: datetime) -> list[dict[str, Any]]:
        """Each hour of the last week of a table, of all tenants together: hour (UTC), rows observed, expected, lower and upper end of the
        band, and the reason where it is not judged. Takes the place of whatever else this watch knew."""
        self._put("history", self._reader.query(HISTORY_OF_TABLE, [now, pipeline, table]))
        self._forget()
        for statement, part in ((COUNTS, 0), (GRACE, 0), (BASELINE_VOLUMES, ALL_TENANTS)):
            self._db.execute(self._filled(statement, now, part=part))
        return self._rows(BAND, now)

    def _as_of(self, now: datetime, accepted: list[dict[str, Any]]) -> dict[str, list[object]]:
        """By pipeline: all that its verdicts depend on."""
        until = self._rows(LAST_HOURS, now)
        newest = {row["pipeline"]: row for row in self._reader.rows(NEWEST, [now])}
        about = {row["pipeline"]: [row, newest.get(row["pipeline"]), {**self._made_at}] for row in until}
        return {name: [*facts, [row for row in accepted if row["pipeline"] == name]] for name, facts in about.items()}

    def unjudged(self) -> list[dict[str, Any]]:
        """Table, tenant and reason of each series that is too young, or has too many gaps, to be judged."""
        return self._rows("select pipeline, table_name, tenant_id, reason from volume_state where reason is not null order by all")

    def _renew_baseline(self, now: datetime) -> None:
        tenants = self._reader.rows(TENANTS, [now])[0]["n"]
        parts = max(1, -(-tenants // TENANTS_AT_ONCE))
        if parts != len(self._made_at):
            self._forget()
            self._make_baseline(range(parts), parts, now)
            return
        oldest = min(self._made_at, key=lambda part: self._made_at[part])
        if now >= self._made_at[oldest] + BASELINE_KEPT:
            self._make_baseline([oldest], parts, now)

    def _forget(self) -> None:
        self._db.execute("delete from counts; delete from volume_expected; delete from volume_state; delete from share_expected")
        self._made_at.clear()

    def _make_baseline(self, of: Iterable[int], parts: int, now: datetime) -> None:
        for part in of:
            self._put("history", self._reader.query(HISTORY, [now, part, parts]))
            for statement in (COUNTS, BASELINE_SHARES):
                self._db.execute(self._filled(statement, now, part=part))
            self._made_at[part] = now
        self._db.execute("drop table history")
        self._db.execute(self._filled(GRACE, now))
        for part in (*of, *([ALL_TENANTS] if parts - 1 in of else [])):
            self._db.execute(self._filled(BASELINE_VOLUMES, now, part=part))

    def _put(self, name: str, rows: pa.Table) -> None:
        self._db.register("given", rows)
        self._db.execute(f"create or replace table {name} as select * from given")
        self._db.unregister("given")

    def _rows(self, sql: str, now: datetime | None = None) -> list[dict[str, Any]]:
        return list(self._db.sql(self._filled(sql, now) if now else sql).to_arrow_table().to_pylist())

    def _filled(self, sql: str, now: datetime, *, part: int = ALL_TENANTS) -> str:
        windows = list(self._rules.windows_h)
        rules = {
            **vars(self._rules),
            **sums_in(windows),
            "windows": windows,
            "longest_window_h": max(windows),
            "shortest_window_h": min(windows),
        }
        return sql.format(**rules, now=f"timestamptz '{now.isoformat()}'", part=part)


KIND_OF_METRIC = {
    "rows": {"low": Kind.VOLUME_LOW, "high": Kind.VOLUME_HIGH},
    "filled_rows": {"low": Kind.NULLS, "high": Kind.VALUES},
    "value_rows": dict.fromkeys(("low", "high"), Kind.VALUES),
    "duplicate_rows": {"high": Kind.DUPLICATES},
    "conflicting_rows": {"high": Kind.DUPLICATES},
    "quarantined_rows": {"high": Kind.REJECTED},
    "not_applicable_rows": {"high": Kind.NOT_APPLICABLE},
    "implausible_rows": {"high": Kind.IMPLAUSIBLE},
}
WORDS = {
    "filled_rows": "rows with a value in {dimension}",
    "value_rows": "rows with {dimension}",
    "duplicate_rows": "rows that were there already",
    "conflicting_rows": "rows with another body under a known id",
    "quarantined_rows": "rows quarantined",
    "not_applicable_rows": "records that are not events",
    "implausible_rows": "rows with an implausible time",
}


def as_symptom(found: Anomaly) -> Symptom:
    """What an anomaly is a symptom of."""
    return Symptom(
        KIND_OF_METRIC[found.metric][found.direction],
        found.since,
        _in_words(found, found.observed),
        f"{_in_words(found, found.expected)} (between {_number(found, found.lower)} and {_number(found, found.upper)})",
        pipeline=found.pipeline,
        table=found.table_name,
        tenant=found.tenant_id,
        dimension=found.dimension,
        run_id=found.run_id,
        until=found.bucket_start,
        facts={"metric": found.metric, "observed": found.observed, "expected": found.expected},
    )


def _in_words(found: Anomaly, value: float) -> str:
    hours = found.bucket_s // 3600
    if found.metric == "rows":
        return f"{_number(found, value)} rows in {hours} h"
    return f"{_number(found, value)} {WORDS[found.metric].format(dimension=found.dimension)}"


def _number(found: Anomaly, value: float) -> str:
    return f"{value:,.0f}" if found.metric == "rows" else f"{value:.1%}"
