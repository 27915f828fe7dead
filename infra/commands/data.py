"""`land`, `run`, `runs`, `release`, `rebuild`: bring data in, have it processed, see what became of it.

Does not belong here: processing anything.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
import typer
from rich.console import Console
from rich.table import Column, Table

from infra.landing import land_files
from infra.orchestrator import Launched, launch
from jobs.catalog import ensure_catalog, forget
from jobs.context import Context
from lakehouse.errors import ConfigurationError, DataError
from lakehouse.ops.runs import Run
from lakehouse.ops.store import OpsReader
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources
from lakehouse.tables import TABLES

RUN_STEPS = """
select pipeline, asset, status, started_at, duration_s, rows_read, rows_inserted, rows_updated, rows_deleted, rows_quarantined,
       rows_held_back, rows_duplicate, batch_id, error_message
from ops.run_log where starts_with(run_id, ?) order by started_at
"""
LATEST_RUNS = """
select run_id, min(started_at) as started_at, max(ended_at) as ended_at, count(*) as steps,
       count(*) filter (where status in ('FAILED', 'TERMINATED')) as failed, count(*) filter (where status = 'RUNNING') as running,
       sum(rows_inserted)::bigint as rows_inserted, sum(rows_quarantined)::bigint as rows_quarantined,
       any_value("trigger") as started_by
from ops.run_log group by run_id order by started_at desc limit ?
"""

SHORT_ID = 8
"""Characters of a run's id that are shown; `runs` takes as many or more."""
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (land, run, runs, release, rebuild):
        app.command()(command)


def land(
    source: str,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="Tenant that the data belong to.")],
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Landing date; default today (UTC).")] = None,
    as_json: AsJson = False,
) -> None:
    """Put files into the landing bucket, where the sensor finds them within seconds."""
    landed = land_files(settings(), _source(source), files, tenant, day.date() if day else datetime.now(UTC).date())
    if as_json:
        print(json.dumps([{"key": key, "new": new} for key, new in landed.items()], indent=2))
        return
    for key, new in landed.items():
        Console().print(f"{'landed' if new else 'is there already'}  {key}", soft_wrap=True, highlight=False)


def run(
    source: Annotated[str | None, typer.Option(help="Only this source, and what follows from it.")] = None,
    select: Annotated[str | None, typer.Option(help="Only these tables, separated by commas.")] = None,
    days: Annotated[str | None, typer.Option(help="Backfill: map these event days (UTC) of --source again, as A..B.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take in what has landed and bring the tables up to date, through Dagster; waits and says what came of it."""
    launched = _launch(source, select, days)
    failed = _wait(launched, quiet=as_json) != dg.DagsterRunStatus.SUCCESS
    _show_run(launched.run_id, as_json)
    if failed:
        raise DataError(f"run {launched.run_id} failed", next_step=f"see {settings().dagster_url}/runs/{launched.run_id}")


def _launch(source: str | None, select: str | None, days: str | None) -> Launched:
    if days:
        first, _, last = days.partition("..")
        if source is None:
            raise ConfigurationError("a backfill needs a source", next_step="add --source NAME")
        config = {"source": source, "first_day": _day(first), "last_day": _day(last or first)}
        return launch(settings(), "backfill", config={"ops": {"map_again": {"config": config}}}, trigger="backfill")
    return launch(settings(), "lake", selection=_selection(source, select))


def _selection(source: str | None, select: str | None) -> list[str]:
    if select:
        known = {*TABLES, *(s.bronze.name for s in load_sources(settings()).values())}
        asked = [name.strip() for name in select.split(",")]
        if unknown := sorted(set(asked) - known):
            raise ConfigurationError(f"there are no tables {', '.join(unknown)}", next_step=f"use some of {', '.join(sorted(known))}")
        return asked
    if source:
        found = _source(source)
        gold = [t.name for t in TABLES.values() if t.layer == "gold"] if found.silver.table == "silver.auth_events" else []
        return [found.bronze.name, found.silver.table, *gold]
    return []


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no day", next_step="write --days 2026-06-01..2026-06-30") from error


def _source(name: str) -> Source:
    sources = load_sources(settings())
    if name not in sources:
        raise ConfigurationError(f"there is no source {name!r}", next_step=f"use one of {', '.join(sources)}")
    return sources[name]


def _wait(launched: Launched, *, quiet: bool) -> dg.DagsterRunStatus:
    state = dg.DagsterRunStatus.NOT_STARTED
    with Console(stderr=True, quiet=quiet).status(f"run {launched.run_id}") as shown:
        for state in launched.states():
            shown.update(f"run {launched.run_id}: {state.value.lower()}")
    return state


def _show_run(run_id: str, as_json: bool) -> None:
    steps = OpsReader(settings()).rows(RUN_STEPS, [run_id])
    if as_json:
        print(json.dumps({"run_id": run_id, "steps": steps}, default=str, indent=2))
    elif steps:
        Console().print(steps_table(steps))
    else:
        Console().print(f"run {run_id}: nothing had changed, no table was touched", highlight=False)


def steps_table(steps: list[dict[str, Any]]) -> Table:
    """Steps of a run as people read them."""
    shown = plain_table(
        "table",
        "source",
        "status",
        *(right(h) for h in ("s", "read", "inserted", "updated", "quarantined", "held back", "duplicate")),
        "error",
    )
    for step in steps:
        numbers = ("rows_read", "rows_inserted", "rows_updated", "rows_quarantined", "rows_held_back", "rows_duplicate")
        shown.add_row(
            step["asset"],
            "" if step["pipeline"] in step["asset"] else step["pipeline"],
            in_words(step["status"]),
            f"{step['duration_s'] or 0:.1f}",
            *("" if step[n] is None else f"{step[n]:,}" for n in numbers),
            step["error_message"] or "",
        )
    return shown


def right(header: str) -> Column:
    """A column of numbers."""
    return Column(header, justify="right")


def plain_table(*columns: str | Column) -> Table:
    """A table without frames, whose first column is never cut."""
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    shown.columns[0].no_wrap = True
    return shown


def in_words(status: str) -> str:
    """A status of the run log, in a word."""
    return {"SUCCEEDED_WITH_WARNINGS": "warnings"}.get(status, status.lower())


def runs(
    limit: Annotated[int, typer.Option(help="How many of the latest.")] = 20,
    run_id: Annotated[str | None, typer.Argument(help="Show the steps of this run, given by the first characters of its id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest runs, or the steps of one, from the run log."""
    if run_id:
        _show_run(run_id, as_json)
        return
    found = OpsReader(settings()).rows(LATEST_RUNS, [limit])
    if as_json:
        print(json.dumps(found, default=str, indent=2))
        return
    shown = plain_table("run", "started (UTC)", "by", *map(right, ("steps", "failed", "running", "inserted", "quarantined")))
    for row in found:
        numbers = (row[n] or 0 for n in ("steps", "failed", "running", "rows_inserted", "rows_quarantined"))
        shown.add_row(
            row["run_id"][:SHORT_ID], f"{row['started_at']:%Y-%m-%d %H:%M:%S}", row["started_by"], *(f"{int(n):,}" for n in numbers)
        )
    Console().print(shown if found else "No run yet. Next: `lakehouse run`")


def release(
    batch: Annotated[str, typer.Argument(help="Batch that was held back, as in bronze.quarantine.")],
    tenant: Annotated[str, typer.Option(help="Tenant whose slice to publish.")],
) -> None:
    """Publish the slice of a batch that a threshold had held back."""
    source = _source(batch.rsplit("-", 1)[0])
    config = {"ops": {"publish_held_back": {"config": {"source": source.name, "batch_id": batch, "tenant_id": tenant}}}}
    launched = launch(settings(), "release", config=config)
    failed = _wait(launched, quiet=False) != dg.DagsterRunStatus.SUCCESS
    _show_run(launched.run_id, as_json=False)
    if failed:
        raise DataError(f"run {launched.run_id} failed", next_step=f"see {settings().dagster_url}/runs/{launched.run_id}")


def rebuild() -> None:
    """Recreate the catalog from the declarations, and the ledger from the claimed batches; data tables are not touched."""
    forget(settings())
    context = Context(settings(), Run("rebuild", trigger="cli"))
    ensure_catalog(context)
    left = {name: len(context.ledger(source).unfinished()) for name, source in context.sources.items()}
    context.close()
    Console().print("Catalog and ledger are rebuilt. Next: `lakehouse run`", highlight=False)
    for name, batches in left.items():
        if batches:
            Console().print(f"  {name}: {batches} batches to look at again; what they published is found, not repeated", highlight=False)
