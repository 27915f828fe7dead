"""Questions about checks: how each ended last, how it went day by day, and rows that broke it.

Does not belong here: running checks (dq_checks), or how anything is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from dash_app.broken_queries import synthetic_names
from dash_app.lake_context import Sight
from dash_app.quarantine_queries import read_samples
from dash_app.queries import MS_PER_DAY, Row

HISTORY_DAYS = 14
MOST_HISTORY_DAYS = 90
LAST_DAY = 99_999
MOST_CHECKS = 2000
SAMPLES_OF_A_CHECK = 3
SAMPLED_CHECKS = 6
OUTCOMES = ("failed", "not_evaluated", "warned", "passed")
"""Worst first."""
BAD = ("failed", "not_evaluated")
SEVERITIES = {
    "row": "its rows are set aside",
    "slice": "the tenant's slice is held back",
    "block": "nothing is published",
    "warn": "a warning",
}

RANK = "case outcome when 'failed' then 0 when 'not_evaluated' then 1 when 'warned' then 2 else 3 end"

CHECKS = f"""
with results as (
    select *, epoch_ms(recorded_at) // {MS_PER_DAY} as day, {RANK} as rank from ops.check_results where recorded_date >= ?
),
days as (
    select pipeline, table_name, check_name, day, min(rank) as worst, count(*) as times, count(*) filter (rank < 2) as failed
    from results group by all
),
histories as (
    select pipeline, table_name, check_name,
        list({{'day': day, 'worst': worst, 'times': times, 'failed': failed}} order by day) as history
    from days group by all
)
select
    pipeline, table_name, check_name,
    arg_max({{
        'check_type': check_type, 'column_name': column_name, 'severity': severity, 'outcome': outcome, 'expected': expected,
        'observed': observed, 'rows_tested': rows_tested, 'rows_failed': rows_failed, 'batch_id': batch_id, 'run_id': run_id,
        'sample_reference': sample_reference, 'at_ms': epoch_ms(recorded_at)
    }}, case when ? then row(-rank, recorded_at) else row(epoch_us(recorded_at), recorded_at) end) as newest,
    epoch_ms(max(recorded_at) filter (rank < 2)) as last_failed_ms,
    count(*) as times,
    count(*) filter (rank < 2) as times_failed,
    any_value(histories.history) as history
from results join histories using (pipeline, table_name, check_name)
where not ? or day = ?
group by pipeline, table_name, check_name
order by table_name, pipeline, check_name
limit {MOST_CHECKS}
"""
"""The last outcome of each check; of one day, where one is asked for, the worst."""

DAYS = f"""
select epoch_ms(recorded_at) // {MS_PER_DAY} as day, outcome, count(*) as n
from ops.check_results
where recorded_date >= ? and ('' = ? or table_name = ?) and ('' = ? or check_name = ?) and ('' = ? or pipeline = ?)
group by all
order by all
"""


@dataclass(frozen=True)
class Asked:
    """What the page is narrowed to; "" is all. `day` is days since 1970 (UTC), 0 for all of the last `days`."""

    table: str = ""
    check: str = ""
    pipeline: str = ""
    outcome: str = ""
    days: int = HISTORY_DAYS
    day: int = 0

    def search(self, **changed: str | int) -> str:
        """The query string of this view, or of one that differs from it."""
        values = {f.name: getattr(self, f.name) for f in fields(self)} | changed
        shown = {name: value for name, value in values.items() if value and value != getattr(EVERY_CHECK, name)}
        return f"?{urlencode(shown)}" if shown else ""


EVERY_CHECK = Asked()


def asked_in(query: Mapping[str, Any]) -> Asked:
    """The view that the values of a query string name; what cannot be read counts as not given."""
    texts = {name: value for name in ("table", "check", "pipeline", "outcome") if isinstance(value := query.get(name), str)}
    days, day = (_number(query.get(name), most) for name, most in (("days", MOST_HISTORY_DAYS), ("day", LAST_DAY)))
    return replace(EVERY_CHECK, **texts, days=days or HISTORY_DAYS, day=day)


def _number(value: Any, most: int) -> int:
    """A whole number from 1 to `most`; 0 where it is none."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 7 else 0
    return number if number <= most else 0


@dataclass(frozen=True)
class Quality:
    """Checks with their latest outcome and history, and outcomes by day; times are milliseconds since 1970, UTC."""

    checks: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    first_day: int = 0
    n_days: int = HISTORY_DAYS

    def within(self, asked: Asked) -> list[Row]:
        """The checks that a view is narrowed to."""
        names = {"table_name": asked.table, "check_name": asked.check, "pipeline": asked.pipeline, "outcome": asked.outcome}
        return [row for row in self.checks if all(not value or row[name] == value for name, value in names.items())]


def read_quality(sight: Sight, asked: Asked) -> Quality:
    """Every check of the last days, and outcomes by day of those that the view is narrowed to."""
    first = sight.today - timedelta(days=asked.days - 1)
    synthetic = synthetic_names(sight)
    narrowed = [value for value in (asked.table, asked.check, asked.pipeline) for _ in range(2)]
    has_day = asked.day > 0
    checks = [_flat(row, synthetic) for row in sight.rows(CHECKS, first, has_day, has_day, asked.day)]
    checks.sort(key=lambda row: OUTCOMES.index(row["outcome"]) if row["outcome"] in OUTCOMES else 0)
    return Quality(checks, sight.rows(DAYS, first, *narrowed), _day(first), asked.days)


def read_failing_samples(sight: Sight, checks: list[Row], days: int) -> dict[tuple[str, str], list[Row]]:
    """Rows that wait since the first few of these checks failed, with `raw`, by (batch, check)."""
    failed = [(row["batch_id"], row["check_name"]) for row in checks if row["outcome"] in BAD and row["batch_id"]]
    return read_samples(sight.lake, failed[:SAMPLED_CHECKS], SAMPLES_OF_A_CHECK, sight.today, days)


def _flat(row: Row, synthetic: frozenset[str]) -> Row:
    newest = row.pop("newest")
    known = row["pipeline"] in synthetic or row["table_name"] in synthetic
    return {**row, **newest, "id": f"{row['table_name']}|{row['pipeline']}|{row['check_name']}", "synthetic": known}


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days
