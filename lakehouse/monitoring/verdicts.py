"""Verdicts on steps that cannot tell themselves: which should have run and did not, and which take longer than they should.

A verdict is a row of ops.run_events with an id that follows from what it is about: given twice, it is one row of the run log.

Does not belong here: processes that died (lakehouse.ops.evaluator), or what a verdict leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cronsim import CronSim

from lakehouse.ops.store import Reader, Row
from lakehouse.schedules import SCHEDULES, Schedule
from lakehouse.sources import Source
from lakehouse.tables import table

LEAST_ALLOWED = timedelta(minutes=15)
"""A step is never late before this: small steps vary by several times their usual length."""
USUAL_TIMES = 3
PULL_GRACE = timedelta(minutes=10)
PICKED_UP_WITHIN = timedelta(minutes=10)
"""A landed file starts a run within seconds; a run that is under way may hold it up."""

Waiting = Callable[[datetime], Mapping[str, datetime]]
"""Tells by source since when (UTC) the oldest landed file waits that no run has taken."""


@dataclass(frozen=True)
class Expected:
    """A run that should have begun: of which pipeline and step, when (UTC), and by when at the latest."""

    pipeline: str
    asset: str
    nominal_start: datetime
    latest: datetime
    because: str


def late(reader: Reader, now: datetime) -> list[Row]:
    """A verdict for each attempt under way that has taken far longer than it usually does, and has none yet."""
    return [
        {
            **{name: row[name] for name in row if name in table("ops.run_events").column_names},
            "fact": "verdict",
            "status": "LATE",
            "error_message": f"usually ends within {row['allowed_s'] / USUAL_TIMES:.0f} s",
        }
        for row in reader.rows(LATE, [now])
    ]


LATE = f"""
with started as (
    select * exclude (fact, recorded_at, recorded_date, expected_end, status) from ops.run_events as s
    where fact = 'start' and recorded_at > $1::timestamptz - interval 3 days and recorded_at <= $1
      and not exists (
          select 1 from ops.run_events as e
          where e.fact in ('end', 'verdict') and e.recorded_at > $1::timestamptz - interval 3 days and e.run_id = s.run_id
            and e.pipeline = s.pipeline and e.asset = s.asset and e.attempt = s.attempt and e.started_at = s.started_at
      )
),
usual as (
    select pipeline, asset, quantile_cont(duration_s, 0.95) as p95
    from ops.run_events join (select distinct pipeline, asset from started) using (pipeline, asset)
    where fact = 'end' and status like 'SUCCEEDED%' group by all
)
select started.*, greatest({LEAST_ALLOWED.total_seconds()}, {USUAL_TIMES} * p95) as allowed_s,
       started_at + to_seconds(greatest({LEAST_ALLOWED.total_seconds()}, {USUAL_TIMES} * p95)) as expected_end
from started join usual using (pipeline, asset)
where $1::timestamptz > started_at + to_seconds(greatest({LEAST_ALLOWED.total_seconds()}, {USUAL_TIMES} * p95))
"""


def missing(reader: Reader, expected: Sequence[Expected], now: datetime, host: str) -> list[Row]:
    """A verdict for each run that should have begun by now, did not, and has none yet."""
    overdue = [run for run in expected if now > run.latest]
    if not overdue:
        return []
    known = {row["run_id"] for row in reader.rows("select distinct run_id from ops.run_events where status = 'MISSING'")}
    begun = {(r["pipeline"], r["asset"]): r["at"] for r in reader.rows(BEGUN)}
    lacking = [run for run in overdue if _has_not_begun(run, begun.get((run.pipeline, run.asset))) and _id_of(run) not in known]
    return [_missing(run, host) for run in lacking]


BEGUN = "select pipeline, asset, max(started_at) as at from ops.run_events where fact = 'start' group by all"


def _has_not_begun(run: Expected, last: datetime | None) -> bool:
    return last is None or last < run.nominal_start


def _id_of(run: Expected) -> str:
    return f"missing.{run.pipeline}.{run.asset}.{run.nominal_start:%Y%m%dT%H%M%SZ}"


def _missing(run: Expected, host: str) -> dict[str, Any]:
    return {
        "fact": "verdict",
        "status": "MISSING",
        "run_id": _id_of(run),
        "attempt": 1,
        "pipeline": run.pipeline,
        "asset": run.asset,
        "nominal_start": run.nominal_start,
        "expected_end": run.latest,
        "error_message": run.because,
        "host": host,
    }


def by_schedule(since: datetime, now: datetime, schedules: Iterable[Schedule] = SCHEDULES) -> list[Expected]:
    """The newest run of each schedule that was due before now, of those due after a time (UTC) at which the instance lived."""
    found = []
    for schedule in schedules:
        due = next(CronSim(schedule.cron, now, reverse=True))
        if due > since and schedule.evidence:
            because = f"due at {due:%Y-%m-%d %H:%M} UTC by schedule {schedule.cron}"
            found.append(Expected(schedule.pipeline, schedule.evidence, due, due + schedule.grace, because))
    return found


def by_pull(reader: Reader, sources: Mapping[str, Source]) -> list[Expected]:
    """The next pull of each source that is pulled out of a database."""
    pulled = [s for s in sources.values() if s.pull]
    begun = {r["asset"]: r["at"] for r in reader.rows(BEGUN) if r["asset"].startswith("landing.")} if pulled else {}
    found = []
    for source in (s for s in pulled if s.landing in begun and s.pull):
        due = begun[source.landing] + timedelta(minutes=source.pull.every_minutes if source.pull else 0)
        found.append(Expected(source.name, source.landing, due, due + PULL_GRACE, "a pull was due"))
    return found


def by_landing(reader: Reader, sources: Mapping[str, Source], waiting: Waiting, now: datetime) -> list[Expected]:
    """The run that each landed file waits for, unless one is under way."""
    since = waiting(now)
    if not since or reader.rows(UNDER_WAY, [now]):
        return []
    return [
        Expected(name, sources[name].bronze.name, at, at + PICKED_UP_WITHIN, f"a file has waited since {at:%Y-%m-%d %H:%M} UTC")
        for name, at in since.items()
        if name in sources
    ]


UNDER_WAY = """
select 1 from ops.run_events as s
where fact = 'start' and recorded_at > $1::timestamptz - interval 1 day and layer in ('bronze', 'silver', 'gold')
  and not exists (select 1 from ops.run_events as e
                  where e.fact in ('end', 'verdict') and e.recorded_at > $1::timestamptz - interval 1 day and e.run_id = s.run_id
                    and e.asset = s.asset and e.pipeline = s.pipeline and e.attempt = s.attempt)
limit 1
"""
