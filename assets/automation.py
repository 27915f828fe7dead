"""When things run: the sensors that pull and that take in what has landed, the backfill, the nightly maintenance.

Does not belong here: what a run does.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from pydantic import Field
from sqlalchemy import func, select

from assets.rendering import key_of, landing_key, materialized
from assets.resources import Lake
from jobs.aggregate import PIPELINE as GOLD_PIPELINE
from jobs.aggregate import aggregate
from jobs.commits import told_inputs, untold_commit
from jobs.maintenance import clear_facts, compact_facts, expire_landed_copies, forget_history, free_frames, maintain_table
from jobs.reach import is_behind, taken_in
from jobs.refine import backfill as backfill_silver
from lakehouse.dagster_api import TRIGGER_TAG
from lakehouse.delta import DeltaLogs
from lakehouse.errors import ConfigurationError, LakehouseError
from lakehouse.ledger import standings
from lakehouse.ops.processes import this_host
from lakehouse.ops.store import OpsReader
from lakehouse.pulls import Pulls
from lakehouse.settings import settings
from lakehouse.sources import Source
from lakehouse.store import store_errors
from lakehouse.tables import TABLES, Table, table

SENSOR_INTERVAL_S = 5
UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]

lake_job = dg.define_asset_job(
    "lake",
    selection=dg.AssetSelection.groups("bronze", "silver", "gold"),
    description="Take in all that has landed, and bring every table up to date.",
)


def waiting_assets(sources: dict[str, Source]) -> list[dg.AssetKey]:
    """The tables that have something to do: bronze of sources with files pending or unfinished, and all that follows; gold that is behind
    or has a commit that the run log does not tell of, since its attempt was killed.

    A table that has failed time after time is left out until its pause is over, so that it does not hold up the others.
    """
    reader, host = OpsReader(settings()), this_host(settings().home)
    pausing = failing_pairs(reader, datetime.now(UTC))
    bronze: set[str] = set()
    silver: set[str] = set()
    standing = standings(settings(), sources.values(), reader)
    for source in sources.values():
        if standing[source.name].bronze_waits and (source.name, source.bronze.name) not in pausing:
            bronze.add(source.bronze.name)
        silver_waits = source.bronze.name in bronze or standing[source.name].silver_waits
        if silver_waits and (source.name, source.silver.table) not in pausing:
            silver.add(source.silver.table)
    gold = [t for t in TABLES.values() if t.layer == "gold" and (GOLD_PIPELINE, t.name) not in pausing]
    moving, logs, told = set(silver), DeltaLogs(settings()), told_inputs(reader)
    for declared in gold:
        is_due = moving & set(declared.inputs) or is_behind(logs, declared)
        if is_due or untold_commit(reader, host, None, logs[declared], declared, taken_in(settings(), declared), told):
            moving.add(declared.name)
    return [key_of(name) for name in (*sorted(bronze), *sorted(moving))]


FAILING = """
select pipeline, asset, count(distinct run_id)::int as runs, max(coalesce(ended_at, started_at)) as last
from (
    select *, max(started_at) filter (where status like 'SUCCEEDED%') over (partition by pipeline, asset) as succeeded
    from ops.run_log
)
where status in ('FAILED', 'TERMINATED') and (succeeded is null or started_at > succeeded)
group by pipeline, asset
"""
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=15)


def failing_pairs(reader: OpsReader, now: datetime) -> set[tuple[str, str]]:
    """Pipelines and tables that have failed in several runs without a success since, and are not due for another try at a time (UTC)."""
    return {(row["pipeline"], row["asset"]) for row in reader.rows(FAILING) if now < row["last"] + pause_after(row["runs"])}


def pause_after(runs: int) -> timedelta:
    """How long to leave a table alone that has failed in this many runs: not at all after the first, then twice as long each time."""
    return timedelta() if runs < 2 else min(FIRST_PAUSE * 2 ** min(runs - 2, 16), LONGEST_PAUSE)


def landing_sensor(sources: dict[str, Source]) -> dg.SensorDefinition:
    """The sensor of the sources that the definitions were made for: it asks for no table that they have not."""

    @dg.sensor(job=lake_job, minimum_interval_seconds=SENSOR_INTERVAL_S, default_status=dg.DefaultSensorStatus.RUNNING)
    def landed_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Take all pending sources together into one run, unless one is under way."""
        under_way = context.instance.get_run_records(dg.RunsFilter(job_name=lake_job.name, statuses=UNDER_WAY), limit=1)
        if under_way:
            return dg.SkipReason("a run is under way; what has landed meanwhile goes into the next one")
        try:
            with store_errors():
                waiting = waiting_assets(sources)
        except LakehouseError as error:
            return dg.SkipReason(str(error))
        if not waiting:
            return dg.SkipReason("nothing has landed")
        return dg.SensorResult(run_requests=[dg.RunRequest(asset_selection=waiting, tags={TRIGGER_TAG: "sensor"})])

    return landed_files


PULL_TAG = "lakehouse/pull"
"""Names the source of a run that pulls; Dagster's settings let one such run at a time, so that slow databases leave room for the others."""


def pull_job(sources: dict[str, Source]) -> Any:
    """The job that pulls the sources that are pulled; None where there are none."""
    pulled = [landing_key(source) for source in sources.values() if source.pull]
    if not pulled:
        return None
    return dg.define_asset_job("pull", selection=dg.AssetSelection.keys(*pulled), description="Land what is new in databases.")


def pull_sensor(sources: dict[str, Source], job: Any) -> dg.SensorDefinition:
    """The sensor that has each source pulled when it is due."""

    @dg.sensor(job=job, minimum_interval_seconds=SENSOR_INTERVAL_S, default_status=dg.DefaultSensorStatus.RUNNING)
    def due_pulls(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """A run for each source that is due, unless one is under way, so that no database waits for another's."""
        try:
            with store_errors():
                due = waiting_pulls(sources)
        except LakehouseError as error:
            return dg.SkipReason(str(error))
        requests = [
            dg.RunRequest(asset_selection=[landing_key(source)], tags={TRIGGER_TAG: "schedule", PULL_TAG: source.name})
            for source in due
            if not context.instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY, tags={PULL_TAG: source.name}), limit=1)
        ]
        return dg.SensorResult(run_requests=requests) if requests else dg.SkipReason("no pull is due")

    return due_pulls


def waiting_pulls(sources: dict[str, Source]) -> list[Source]:
    """The sources whose next pull is due; one that has failed time after time is left out until its pause is over."""
    now = datetime.now(UTC)
    due = [source for source in sources.values() if source.pull and Pulls(settings(), source).is_due(now)]
    pausing = failing_pairs(OpsReader(settings()), now) if due else set()
    return [source for source in due if (source.name, source.landing) not in pausing]


class Backfill(dg.Config):
    """Which rows to map again."""

    source: str = Field(description="name of a source of events")
    first_day: str = Field(description="first day of the event time (UTC), YYYY-MM-DD")
    last_day: str = Field(description="last day of the event time (UTC), YYYY-MM-DD")

    def checked(self, sources: dict[str, Source]) -> tuple[Source, date, date]:
        """The source and the days. Raises ConfigurationError for an unknown source or days that are none."""
        if self.source not in sources:
            raise ConfigurationError(f"there is no source {self.source!r}", next_step=f"use one of {', '.join(sources)}")
        try:
            first, last = date.fromisoformat(self.first_day), date.fromisoformat(self.last_day)
        except ValueError as error:
            raise ConfigurationError(f"{error}", next_step="write days as YYYY-MM-DD") from error
        if last < first:
            raise ConfigurationError(f"{last} is before {first}", next_step="give the earlier day first")
        return sources[self.source], first, last


@dg.op(pool="silver.auth_events")
def map_again(context: dg.OpExecutionContext, config: Backfill, lake: Lake) -> None:
    """Map the bronze rows of a source and some days again, then recompute the gold days that they touch."""
    with lake.step(context) as work:
        source, first, last = config.checked(work.sources)
        backfill_silver(work, source, first, last)
        _tell(context, source.silver.table)
        for declared in (t for t in TABLES.values() if t.layer == "gold"):
            if aggregate(work, declared):
                _tell(context, declared.name)


def _tell(context: dg.OpExecutionContext, name: str) -> None:
    result = materialized(table(name), {})
    context.log_event(dg.AssetMaterialization(key_of(name), metadata=result.metadata))


@dg.job(tags={TRIGGER_TAG: "backfill"}, description="Map one source and range of days again, and recompute what follows from them.")
def backfill() -> Any:
    """One source, some days."""
    map_again()


def maintenance_job(declared: list[Table]) -> dg.JobDefinition:
    """One step per table that Spark writes, under the table's pool, and one for everything else."""
    steps = [_table_maintenance(t) for t in declared]

    @dg.op(name="facts_and_history")
    def facts_and_history(context: dg.OpExecutionContext, lake: Lake) -> None:
        with lake.step(context) as work:
            clear_facts(work)
            expire_landed_copies(work)
            free_frames(work)
            forget_history(work, lambda before: forget_runs(context.instance, before))

    @dg.job(name="maintenance", description="Compact tables, remove old versions, landed copies and logs.")
    def maintenance() -> None:
        for step in steps:
            step()
        facts_and_history()

    return maintenance


def _table_maintenance(declared: Table) -> dg.OpDefinition:
    @dg.op(name=f"maintain__{declared.name.replace('.', '__')}", pool=declared.name)
    def maintain(context: dg.OpExecutionContext, lake: Lake) -> None:
        with lake.step(context) as work:
            maintain_table(work, declared)

    return maintain


@dg.op(name="compact_facts")
def compaction_of_facts(context: dg.OpExecutionContext, lake: Lake) -> None:
    """Compact ops and ctl where they are crowded."""
    with lake.step(context) as work:
        compact_facts(work)


@dg.job(name="fact_maintenance", description="Compact the tables of facts (ops, ctl) where many small files have gathered.")
def fact_maintenance() -> None:
    """One step; it needs no Spark."""
    compaction_of_facts()


def forget_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete finished runs created before a time from Dagster's storage, with all that Dagster itself leaves. Returns how many."""
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = [record.dagster_run.run_id for record in instance.get_run_records(dg.RunsFilter(statuses=finished, created_before=before))]
    for run_id in old:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        if isinstance(instance.event_log_storage, SqliteEventLogStorage):
            for left in Path(instance.event_log_storage.path_for_shard(run_id)).parent.glob(f"{run_id}.db*"):
                left.unlink()
    if isinstance(instance.event_log_storage, SqlEventLogStorage):
        _forget_checks(instance.event_log_storage, old)
    return len(old)


def _forget_checks(storage: SqlEventLogStorage, run_ids: list[str]) -> None:
    """Delete what the asset checks of some runs found; the newest of each check stays, since the asset's page shows it."""
    checks = AssetCheckExecutionsTable.c
    newest = select(func.max(checks.id)).group_by(checks.asset_key, checks.check_name)
    with storage.index_connection() as connection:
        connection.execute(AssetCheckExecutionsTable.delete().where(checks.run_id.in_(run_ids), checks.id.not_in(newest)))
