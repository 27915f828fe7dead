"""All SQL behind the operations pages: what each pipeline does, how it went day by day, what failed, and one run in full.

Does not belong here: how anything is shown, or how facts are stored (lakehouse.ops).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dash_app.cache import Cache, Look
from dash_app.statuses import FAILURES, SEVERITY, SUCCESSES, UNDER_WAY, Tone, status, worst
from lakehouse.ops.store import Reader

Row = dict[str, Any]

RATED_ATTEMPTS = 30
TREND_DAYS = 14
FAILURE_DAYS = 30
FAILURES_PER_TABLE = 50
LOG_LINES = 2000
MS_PER_DAY = 86_400_000


def _names(statuses: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in statuses)


ATTEMPTS = f"""
    select
        *,
        coalesce(started_at, nominal_start, ended_at) as happened_at,
        coalesce(epoch_us(happened_at), 0) * 1000 + attempt as place,
        status in ({_names(SUCCESSES)}) as good,
        status in ({_names(FAILURES)}) as bad,
        status not in ({_names(UNDER_WAY)}) as over
    from ops.run_log
"""

ROW_COUNTS = (
    "read", "expanded", "inserted", "updated", "deleted", "quarantined", "duplicate", "conflicting", "not_applicable", "held_back",
)  # fmt: skip
OF_LAST = ("duration_s", *(f"rows_{name}" for name in ROW_COUNTS))

PIPELINES = f"""
with attempts as ({ATTEMPTS}),
tables as (
    select
        pipeline,
        asset,
        max(layer) as layer,
        arg_max({{'status': status, 'run_id': run_id, 'happened_ms': epoch_ms(happened_at)}}, place) as newest,
        arg_max({{'status': status, 'error': error_class, {", ".join(f"'{c}': {c}" for c in OF_LAST)}}}, place) filter (over) as last,
        epoch_ms(max(ended_at) filter (good)) as last_success_ms,
        list_reverse(
            arg_max({{'rows': rows_inserted, 'bad': bad, 'at_ms': epoch_ms(happened_at)}}, place, {RATED_ATTEMPTS}) filter (good or bad)
        ) as trend
    from attempts
    group by pipeline, asset
)
select
    pipeline, asset, layer, newest.status as status, newest.run_id as run_id, newest.happened_ms as happened_ms,
    last.status as last_status, last.error as last_error, {", ".join(f"last.{c} as {c}" for c in OF_LAST)},
    last_success_ms,
    coalesce(len(list_filter(trend, lambda run: not run.bad)), 0) as succeeded,
    coalesce(len(trend), 0) as rated,
    trend
from tables
order by pipeline, asset
"""

DAYS = f"""
with attempts as ({ATTEMPTS})
select
    pipeline,
    asset,
    layer,
    epoch_ms(happened_at) // {MS_PER_DAY} as day,
    cast(coalesce(sum(rows_inserted), 0) as bigint) as rows_inserted,
    count(*) filter (bad) as failed
from attempts
where epoch_ms(happened_at) // {MS_PER_DAY} > ?
group by all
order by all
"""

FAILED_RUNS = f"""
with attempts as ({ATTEMPTS}),
successes as (select pipeline, asset, max(place) filter (good) as place from attempts group by all)
select
    run_id, attempt, pipeline, asset, layer, status, error_class, error_message,
    epoch_ms(happened_at) as happened_ms,
    epoch_ms(ended_at) as ended_ms,
    coalesce(successes.place > attempts.place, false) as recovered
from attempts join successes using (pipeline, asset)
where bad and epoch_ms(happened_at) // {MS_PER_DAY} > ?
qualify row_number() over (partition by pipeline, asset order by attempts.place desc) <= {FAILURES_PER_TABLE}
order by happened_ms desc, run_id, asset, attempt desc
"""

NEWEST_FACT = "select count(*) as facts, epoch_ms(max(recorded_at)) as recorded_ms from ops.run_events"

SYNTHETIC_SOURCES = "select source, bool_or(contains(path, 'synthetic')) as synthetic from ctl.files group by source"

SYNTHETIC_TABLES = """
with recursive edges as (select distinct input_name, output_name from ops.lineage_edges),
reached(name) as (
    select output_name from edges where contains(input_name, 'synthetic')
    union
    select 'bronze.' || source from ctl.files where contains(path, 'synthetic')
    union
    select edges.output_name from edges join reached on edges.input_name = reached.name
)
select distinct name from reached
"""

STEP_TIMES = ("nominal_start", "expected_end", "started_at", "ended_at", "event_time_min", "event_time_max")

STEPS = f"""
select
    * exclude ({", ".join(STEP_TIMES)}),
    {", ".join(f"epoch_ms({c}) as {c}" for c in STEP_TIMES)}
from ops.run_log
where run_id = ?
order by coalesce(started_at, nominal_start, ended_at), asset, attempt
"""

CHECKS = """
select
    table_name, check_name, check_type, column_name, severity, outcome, expected, observed, rows_tested, rows_failed, batch_id,
    sample_reference
from ops.check_results
where run_id = ?
order by case outcome when 'failed' then 0 when 'not_evaluated' then 1 when 'warned' then 2 else 3 end, table_name, check_name
"""

LOG = f"""
select epoch_ms(logged_at) as logged_ms, level, asset, logger, message, count(*) over () as lines
from ops.event_log
where run_id = ?
order by logged_at desc
limit {LOG_LINES}
"""

LINEAGE = """
select output_name, output_version, input_name, input_version
from ops.lineage_edges
where run_id = ? and input_column is null and output_column is null
order by all
"""

RETRIES = "select distinct run_id from ops.run_log where retry_of = ? or parent_run_id = ? order by run_id"


@dataclass(frozen=True)
class Overview:
    """What the Pipelines page shows; times are milliseconds since 1970, UTC."""

    pipelines: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    recorded_ms: int | None = None
    first_day: int = 0

    def health(self) -> dict[str, Tone]:
        """Each pipeline with the worst state of its tables, judged by the last attempt that is over."""
        names = {row["pipeline"] for row in self.pipelines}
        return {n: worst([Tone(r["health"]) for r in self.pipelines if r["pipeline"] == n]) for n in sorted(names)}

    def running(self) -> set[str]:
        """Pipelines with an attempt under way."""
        return {row["pipeline"] for row in self.pipelines if row["status"] in UNDER_WAY}

    def within(self, pipeline: str | None, asset: str | None) -> Overview:
        """The same with the days and failures of one pipeline, or one table of it."""
        return Overview(
            self.pipelines,
            [r for r in self.days if _is_of(r, pipeline, asset)],
            [r for r in self.failures if _is_of(r, pipeline, asset)],
            self.recorded_ms,
            self.first_day,
        )


@dataclass(frozen=True)
class Run:
    """One run in full; times are milliseconds since 1970, UTC."""

    run_id: str
    steps: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    log: list[Row] = field(default_factory=list)
    lineage: list[Row] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Synthetic:
    """Where synthetic data went: whether each source has any, and the tables that it reached."""

    sources: dict[str, bool] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()

    def is_in(self, row: Row) -> bool:
        """Whether what a pipeline wrote there includes synthetic data."""
        return self.reaches(row["pipeline"], row["asset"])

    def reaches(self, pipeline: str | None, asset: str | None) -> bool:
        """The same by the names of the pipeline and the table."""
        return self.sources.get(pipeline or "", asset in self.tables)


class Operations:
    """What the operations pages know, read at most once per `ttl_s` however many look.

    Args:
        reader: answers SQL over the ops tables.
        ttl_s: for how long an answer is good.
        now: the present, in UTC.
    """

    def __init__(self, reader: Reader, *, ttl_s: float = 4, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._reader, self._now = reader, now
        self._looks = Cache(ttl_s)
        self._slow_looks = Cache(60)
        self._last: tuple[Any, Overview] = (None, Overview())

    def overview(self) -> Look[Overview]:
        """What runs and how it went."""
        return self._looks.look("overview", self._read_overview)

    def run(self, run_id: str) -> Look[Run]:
        """One run in full; a run that is not known has no steps."""
        return self._looks.look(f"run {run_id}", lambda: self._read_run(run_id))

    def synthetic(self) -> Synthetic:
        """Where synthetic data went, as far as is known."""
        return self._slow_looks.look("synthetic", self._read_synthetic).value or Synthetic()

    def _rows(self, sql: str, *parameters: Any) -> list[Row]:
        rows: list[Row] = self._reader.query(sql, parameters).to_pylist()
        return rows

    def _read_overview(self) -> Overview:
        today = int(self._now().timestamp() * 1000) // MS_PER_DAY
        synthetic = self.synthetic()
        newest = self._rows(NEWEST_FACT)[0]
        known = (today, synthetic, newest)
        if self._last[0] != known:
            self._last = known, self._read_all(today, synthetic, newest["recorded_ms"])
        return self._last[1]

    def _read_all(self, today: int, synthetic: Synthetic, recorded_ms: int | None) -> Overview:
        return Overview(
            pipelines=_troubled_first([_judged(row, synthetic) for row in self._rows(PIPELINES)]),
            days=self._rows(DAYS, today - TREND_DAYS),
            failures=[_labelled(row) for row in self._rows(FAILED_RUNS, today - FAILURE_DAYS)],
            recorded_ms=recorded_ms,
            first_day=today - TREND_DAYS + 1,
        )

    def _read_synthetic(self) -> Synthetic:
        sources = {row["source"]: row["synthetic"] for row in self._rows(SYNTHETIC_SOURCES)}
        return Synthetic(sources, frozenset(row["name"] for row in self._rows(SYNTHETIC_TABLES)))

    def _read_run(self, run_id: str) -> Run:
        return Run(
            run_id,
            steps=self._rows(STEPS, run_id),
            checks=self._rows(CHECKS, run_id),
            log=self._rows(LOG, run_id)[::-1],
            lineage=self._rows(LINEAGE, run_id),
            retries=[row["run_id"] for row in self._rows(RETRIES, run_id, run_id)],
        )


def row_id(pipeline: str | None, asset: str | None) -> str:
    """Identity of a row of the pipelines table."""
    return f"{pipeline}|{asset}"


def _is_of(row: Row, pipeline: str | None, asset: str | None) -> bool:
    return pipeline in (None, row["pipeline"]) and asset in (None, row["asset"])


def _troubled_first(rows: list[Row]) -> list[Row]:
    health = {name: worst([Tone(r["health"]) for r in rows if r["pipeline"] == name]) for name in {r["pipeline"] for r in rows}}
    return sorted(rows, key=lambda r: (SEVERITY.index(health[r["pipeline"]]), r["pipeline"], r["asset"]))


def _judged(row: Row, synthetic: Synthetic) -> Row:
    last = status(row["last_status"])
    row["success_rate"] = row["succeeded"] / row["rated"] if row["rated"] else None
    return {
        **_labelled(row),
        "id": row_id(row["pipeline"], row["asset"]),
        "trend": row["trend"] or [],
        "health": last.tone,
        "last_label": last.label,
        "synthetic": synthetic.is_in(row),
    }


def _labelled(row: Row) -> Row:
    shown = status(row["status"])
    return {**row, "label": shown.label, "tone": shown.tone, "meaning": shown.meaning}
