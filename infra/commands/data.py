"""`land`, `run`, `rebuild`: bring data in and have it processed.

Does not belong here: processing anything.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from infra.commands.runs import show_run, steps_of
from infra.landing import land_files
from infra.orchestrator import Launched, launch
from infra.outcome import failure, wait
from infra.preparation import prepare
from infra.printing import AsJson, answers, print_json
from infra.progress import stderr_console
from infra.pulling import pull_sources, told
from jobs.catalog import ensure_catalog
from jobs.context import Context
from lakehouse.errors import ConfigurationError, LakehouseError
from lakehouse.ops.runs import Run
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources
from lakehouse.stamp import forget
from lakehouse.tables import TABLES
from lakehouse.tenants import DEFAULT_ZONE, TenantRegistry

EVENTS_TABLE = "silver.auth_events"
DAYS = "write --days 2026-06-01..2026-06-30"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (land, run, rebuild):
        app.command()(command)


def land(
    source: str,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="Tenant that the data belong to.")],
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Landing date; default today (UTC).")] = None,
    as_json: AsJson = False,
) -> None:
    """Put files into the landing bucket, where the sensor finds them within seconds."""
    landed = land_files(settings(), source_named(source), files, tenant, day.date() if day else datetime.now(UTC).date())
    _tell_of_new_tenant(tenant)
    if as_json:
        print_json([{"key": key, "new": new} for key, new in landed.items()])
        return
    for key, new in landed.items():
        answers().print(f"{'landed' if new else 'is there already'}  {escape(key)}", soft_wrap=True)


def _tell_of_new_tenant(tenant: str) -> None:
    known = TenantRegistry(settings()).all()
    if tenant not in known:
        stderr_console().print(
            f"Tenant {tenant!r} is new: unless it is declared before its data are taken in, its days are cut in {DEFAULT_ZONE} for good. "
            f"Next: `lakehouse tenants add {tenant} --name NAME --zone ZONE`; known are {', '.join(sorted(known)) or 'none'}",
            soft_wrap=True,
            highlight=False,
        )


def run(
    source: Annotated[str | None, typer.Option(help="Only this source, and what follows from it.")] = None,
    select: Annotated[str | None, typer.Option(help="Only these tables, separated by commas.")] = None,
    days: Annotated[str | None, typer.Option(help="Backfill: map these event days (UTC) of --source again, as A..B.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pull from databases, take in what has landed and bring the tables up to date, through Dagster; waits and says what came of it."""
    selection = [] if days else _selection(source, select)
    failed = None if days else _pull_first(selection)
    finish(_launch(source, days, selection), as_json)
    if failed:
        raise failed


def _pull_first(selection: list[str]) -> LakehouseError | None:
    """Pull the sources whose bronze tables a run takes in. Returns what failed: it holds up nothing that has landed."""
    wanted = [s for s in load_sources(settings()).values() if s.pull and (not selection or s.bronze.name in selection)]
    try:
        for one in pull_sources(settings(), wanted):
            stderr_console().print(f"{one.source}: {told(one)}", soft_wrap=True, highlight=False)
    except LakehouseError as error:
        return error
    return None


def finish(launched: Launched, as_json: bool) -> None:
    """Wait for a run and show what came of it. Raises the error that its failure is."""
    steps, error = outcome_of(launched, as_json)
    show_run(launched.run_id, steps, as_json)
    if error:
        raise error


def outcome_of(launched: Launched, as_json: bool) -> tuple[list[dict[str, Any]], LakehouseError | None]:
    """The steps of a run that was waited for, and the error that its failure is."""
    succeeded = wait(settings(), launched, Console(stderr=True, quiet=as_json), shown_as=f"run {launched.run_id}")
    steps = steps_of(settings(), launched.run_id)
    return steps, None if succeeded else failure(settings(), launched, steps)


def _launch(source: str | None, days: str | None, selection: list[str]) -> Launched:
    if days:
        first, last = _days(days)
        if source is None:
            raise ConfigurationError("a backfill needs a source", next_step="add --source NAME")
        if (table := source_named(source).silver.table) != EVENTS_TABLE:
            raise ConfigurationError(
                f"{source} maps to {table}, whose rows belong to no day", next_step="leave --days out, or give a source of events"
            )
        config = {"source": source, "first_day": first.isoformat(), "last_day": last.isoformat()}
        return launch(settings(), "backfill", config={"ops": {"map_again": {"config": config}}}, trigger="backfill")
    return launch(settings(), "lake", selection=selection)


def _selection(source: str | None, select: str | None) -> list[str]:
    if select:
        known = {*TABLES, *(s.bronze.name for s in load_sources(settings()).values())}
        asked = [name.strip() for name in select.split(",")]
        if unknown := sorted(set(asked) - known):
            raise ConfigurationError(f"there are no tables {', '.join(unknown)}", next_step=f"use some of {', '.join(sorted(known))}")
        return asked
    if source:
        found = source_named(source)
        gold = [t.name for t in TABLES.values() if t.layer == "gold"] if found.silver.table == EVENTS_TABLE else []
        return [found.bronze.name, found.silver.table, *gold]
    return []


def _days(text: str) -> tuple[date, date]:
    first, _, last = text.partition("..")
    days = _day(first), _day(last or first)
    if days[1] < days[0]:
        raise ConfigurationError(f"{days[1]} is before {days[0]}", next_step=DAYS)
    return days


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no day", next_step=DAYS) from error


def source_named(name: str) -> Source:
    """A declared source. Raises ConfigurationError where there is none of that name."""
    sources = load_sources(settings())
    if name not in sources:
        raise ConfigurationError(f"there is no source {name!r}", next_step=f"use one of {', '.join(sources)}")
    return sources[name]


def rebuild(as_json: AsJson = False) -> None:
    """Recreate the catalog with its views from the declarations, and the ledger from the claimed batches; data tables are not touched."""
    forget(settings())
    context = Context(settings(), Run("rebuild", trigger="cli"))
    ensure_catalog(context)
    left = {name: len(context.ledger(source).unfinished()) for name, source in context.sources.items()}
    context.close()
    prepare(settings())
    if as_json:
        print_json({"unfinished_batches": left})
        return
    answers().print("Catalog and ledger are rebuilt. Next: `lakehouse run`")
    for name, batches in left.items():
        if batches:
            answers().print(f"  {name}: {batches} batches to look at again; what they published is found, not repeated")
