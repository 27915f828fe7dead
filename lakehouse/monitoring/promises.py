"""What is promised of tables: whether it is kept now, and how much of the error budget of 30 days is used up.

Freshness and completeness burn minutes: those in which they were broken, of those in which they may be. Rates burn failures: those there
were, of those there may be (Google's Site Reliability Workbook, chapter 5).

Does not belong here: the promises themselves (lakehouse.tables, source declarations), or what a broken one leads to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from lakehouse.monitoring.symptoms import Kind, Symptom
from lakehouse.ops.store import Reader, Row
from lakehouse.sources import Source
from lakehouse.tables import TABLES, Layer, Sla, Table

BUDGET_DAYS = 30
LEAST_COUNTED = 20
"""Attempts, or checks, without which a rate says nothing."""
BUDGET_STEP = 0.05
"""By so much a budget must have changed for it to be recorded again."""


@dataclass(frozen=True)
class Evaluation:
    """One promise at one time, as columns of ops.sla_evaluations."""

    table_name: str
    promise: str
    state: str
    expected: str
    observed: str | None = None
    reason: str | None = None
    budget_burnt: float | None = None
    evaluated_at: datetime | None = None
    since: datetime | None = None

    def row(self) -> dict[str, Any]:
        """The columns of the table."""
        return {name: value for name, value in asdict(self).items() if name != "since"}


FACTS = """
with ends as (
    select asset, pipeline, status, event_time_max, run_id, checks_passed, checks_warned, checks_failed,
           status like 'SUCCEEDED%' as is_good
    from ops.run_events
    where fact in ('end', 'verdict') and recorded_at > $1::timestamptz - interval 30 days and recorded_at <= $1
),
bad as (select distinct asset, pipeline, run_id from ends where status in ('FAILED', 'TERMINATED', 'MISSING')),
recovered as (select distinct asset, pipeline, run_id from bad join ends using (asset, pipeline, run_id) where is_good),
lost as (select asset, count(*) as n from bad anti join recovered using (asset, pipeline, run_id) group by asset),
kept as (select asset, count(*) filter (is_good) as n from ends group by asset),
rates as (
    select asset, kept.n + coalesce(lost.n, 0) as runs, kept.n as good
    from kept left join lost using (asset) where kept.n + coalesce(lost.n, 0) > 0
),
checks as (
    select asset, sum(checks_passed) as passed,
           sum(coalesce(checks_passed, 0) + coalesce(checks_warned, 0) + coalesce(checks_failed, 0)) as n
    from ends group by asset
),
newest as (select pipeline, max(event_time_max) as newest from ends where is_good and asset like 'bronze.%' group by pipeline)
select 'rates' as what, asset as name, good::double as good, runs::double as n, null::timestamptz as newest from rates
union all select 'checks', asset, passed, n, null from checks
union all select 'newest', pipeline, null, null, newest from newest
"""
STANDING = """
select table_name, promise, max_by(state, evaluated_at) as state, max_by(coalesce(budget_burnt, 0), evaluated_at) as burnt
from ops.sla_evaluations group by all
"""
BROKEN_FOR = """
with changes as (
    select table_name, promise, state, evaluated_at,
           lead(evaluated_at, 1, $1::timestamptz) over (partition by table_name, promise order by evaluated_at) as until
    from ops.sla_evaluations where evaluated_at <= $1
)
select table_name, promise, max(evaluated_at) filter (state = 'broken' and until = $1) as since,
       sum(greatest(epoch(until) - greatest(epoch(evaluated_at), epoch($1::timestamptz) - 30 * 86400), 0))
           filter (state = 'broken') / 60 as minutes
from changes group by all
"""


@dataclass(frozen=True)
class Facts:
    """What the promises are held against.

    Args:
        now: time of the round (UTC).
        rates, checks: by table: how many there were, and how many were good.
        newest: by pipeline: its newest event.
        broken: by table and promise: minutes broken, and since when it is so now.
    """

    now: datetime
    rates: Mapping[str, Row]
    checks: Mapping[str, Row]
    newest: Mapping[str, datetime]
    broken: Mapping[tuple[str, str], Row]

    @staticmethod
    def read(reader: Reader, now: datetime) -> Facts:
        """The facts at a time."""
        rows = reader.rows(FACTS, [now])
        of = {what: {row["name"]: row for row in rows if row["what"] == what} for what in ("rates", "checks", "newest")}
        newest = {name: row["newest"] for name, row in of["newest"].items() if row["newest"]}
        broken = {(row["table_name"], row["promise"]): row for row in reader.rows(BROKEN_FOR, [now])}
        return Facts(now, of["rates"], of["checks"], newest, broken)


def evaluate(facts: Facts, sources: Mapping[str, Source]) -> list[Evaluation]:
    """Every promise of every table at a time (UTC)."""
    promising = [declared for declared in (*(s.bronze for s in sources.values()), *TABLES.values()) if declared.sla]
    return [found for declared in promising for found in _of_table(declared, declared.sla or Sla(), facts, sources)]


def _of_table(declared: Table, sla: Sla, facts: Facts, sources: Mapping[str, Source]) -> Iterator[Evaluation]:
    yield from _of_time(declared, sla, facts, feeding(declared, sources))
    for promise, least, of, what in (
        ("success_rate", sla.success_rate, facts.rates, "attempts that succeed"),
        ("check_pass_rate", sla.check_pass_rate, facts.checks, "checks that pass"),
    ):
        yield _of_rate(Evaluation(declared.name, promise, "not_judged", f"{least:.1%} of the {what}", evaluated_at=facts.now), least, of)


def _of_time(declared: Table, sla: Sla, facts: Facts, fed_by: Sequence[Source]) -> Iterator[Evaluation]:
    expected_of = {name: f"newest event within {_words(span)}, and the time between files" for name, span in _allowed(sla).items()}
    if sla.complete_by:
        expected_of["complete_by"] = f"the day before complete by {sla.complete_by:%H:%M} UTC"
    rhythmic = [s for s in fed_by if s.expected_every_minutes]
    known = [facts.newest[s.name] for s in rhythmic if s.name in facts.newest]
    for promise, expected in expected_of.items():
        unjudged = Evaluation(declared.name, promise, "not_judged", expected, evaluated_at=facts.now)
        if not known:
            yield replace(unjudged, reason="no data yet" if rhythmic else "no source with a declared rhythm feeds it")
        elif promise == "fresh_within":
            broken_at = max(known) + _allowed(sla)[promise] + timedelta(minutes=max(s.expected_every_minutes or 0 for s in rhythmic))
            yield _timed(unjudged, sla, facts, max(known), broken_at if facts.now > broken_at else None)
        else:
            yield _timed(unjudged, sla, facts, min(known), _incomplete_since(sla, min(known), facts.now))


def _allowed(sla: Sla) -> dict[str, timedelta]:
    return {"fresh_within": timedelta(minutes=sla.fresh_within_minutes)} if sla.fresh_within_minutes else {}


def _incomplete_since(sla: Sla, newest: datetime, now: datetime) -> datetime | None:
    """When the day before should have been complete, where its end has not been reached yet."""
    due = datetime.combine(now.date(), sla.complete_by or time(), UTC)
    due = due if now >= due else due - timedelta(days=1)
    return due if newest < datetime.combine(due.date(), time(), UTC) else None


def _timed(unjudged: Evaluation, sla: Sla, facts: Facts, newest: datetime, broken_at: datetime | None) -> Evaluation:
    past = facts.broken.get((unjudged.table_name, unjudged.promise), {})
    burnt = (past.get("minutes") or 0) / (BUDGET_DAYS * 1440 * (1 - sla.kept_share)) if sla.kept_share < 1 else None
    observed = f"newest event of {newest:%Y-%m-%d %H:%M} UTC"
    return replace(unjudged, state="broken" if broken_at else "kept", observed=observed, budget_burnt=burnt, since=broken_at)


def _of_rate(unjudged: Evaluation, least: float, of: Mapping[str, Row]) -> Evaluation:
    row = of.get(unjudged.table_name)
    counted = int(row["n"] or 0) if row else 0
    if row is None or counted < LEAST_COUNTED:
        return replace(unjudged, reason=f"{counted} of {LEAST_COUNTED} that a rate needs")
    failing = 1 - row["good"] / counted
    burnt = failing / (1 - least) if least < 1 else float(failing > 0)
    return replace(unjudged, state="kept" if burnt <= 1 else "broken", observed=f"{1 - failing:.1%} of {counted:,}", budget_burnt=burnt)


def feeding(declared: Table, sources: Mapping[str, Source]) -> list[Source]:
    """The sources whose records a table is made from."""
    if declared.layer is Layer.BRONZE:
        return [s for s in sources.values() if s.bronze.name == declared.name]
    if declared.layer is Layer.SILVER:
        return [s for s in sources.values() if s.silver.table == declared.name]
    return [s for name in declared.inputs if name in TABLES for s in feeding(TABLES[name], sources)]


def changes(reader: Reader, evaluations: Iterable[Evaluation]) -> list[Row]:
    """Those that are not as they were when last recorded, in state or by a step of their budget, as rows of ops.sla_evaluations."""
    standing = {(r["table_name"], r["promise"]): r for r in reader.rows(STANDING)}
    return [e.row() for e in evaluations if _has_changed(e, standing.get((e.table_name, e.promise), {"state": "not_judged", "burnt": 0.0}))]


def _has_changed(found: Evaluation, last: Row) -> bool:
    return bool(found.state != last["state"] or abs((found.budget_burnt or 0.0) - last["burnt"]) >= BUDGET_STEP)


def stale(evaluations: Iterable[Evaluation]) -> list[Symptom]:
    """A symptom for each table that is not as fresh, or as complete, as is promised; a rate is a matter of its page."""
    return [
        Symptom(Kind.SLA, e.since, e.observed or "", e.expected, table=e.table_name, dimension=e.promise)
        for e in evaluations
        if e.state == "broken" and e.since
    ]


def _words(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
