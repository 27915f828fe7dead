"""`runs`: what ran lately, and the steps of a run, from the run log.

Does not belong here: starting a run; that needs Dagster, which takes seconds to import.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from infra.printing import AsJson, answers, in_words, plain_table, print_json, right
from lakehouse.errors import ConfigurationError
from lakehouse.ops.store import OpsReader
from lakehouse.settings import Settings, settings

SHORT_ID = 8
"""Characters of a run's id that are shown; `runs` takes as many or more."""
LATEST_RUNS = """
with attempts as (
    select *, row_number() over (
        partition by run_id, pipeline, asset order by coalesce(started_at, nominal_start) desc, attempt desc
    ) as nth
    from ops.run_log
)
select run_id, min(started_at) as started_at, max(ended_at) as ended_at, count(*) as steps,
       count(*) filter (status in ('FAILED', 'TERMINATED')) as failed, count(*) filter (status = 'RUNNING') as running,
       arg_max(status, case status when 'SUCCEEDED' then 0 when 'SUCCEEDED_WITH_WARNINGS' then 1 when 'SKIPPED_UPSTREAM' then 2
                                   when 'RUNNING' then 4 else 3 end) filter (nth = 1) as status,
       sum(rows_inserted)::bigint as rows_inserted, sum(rows_quarantined)::bigint as rows_quarantined,
       any_value("trigger") as started_by
from attempts group by run_id order by started_at desc limit ?
"""
"""A run's status is the worst among its steps, each as its last attempt left it."""
COUNTS = (
    "rows_read",
    "rows_expanded",
    "rows_inserted",
    "rows_updated",
    "rows_deleted",
    "rows_quarantined",
    "rows_held_back",
    "rows_duplicate",
    "rows_conflicting",
    "rows_not_applicable",
)
ALWAYS_SHOWN = ("rows_read", "rows_inserted")
RUN_STEPS = """
select run_id, pipeline, asset, attempt, status, started_at, duration_s, rows_read, rows_inserted, rows_updated, rows_deleted,
       rows_expanded, rows_quarantined, rows_held_back, rows_duplicate, rows_conflicting, rows_not_applicable,
       batch_id, error_class, error_message
from ops.run_log where starts_with(run_id, ?) order by started_at
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(runs)


def steps_of(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """The steps of the runs whose id begins so, every attempt, as the run log has them."""
    return OpsReader(settings).rows(RUN_STEPS, [run_id])


def show_run(run_id: str, steps: list[dict[str, Any]], as_json: bool) -> None:
    """Show the steps of a run, and what failed."""
    if as_json:
        print_json({"run_id": run_id, "steps": steps})
    elif steps:
        console = answers()
        console.print(steps_table(steps))
        for step in steps:
            if step["error_message"]:
                console.print(f"{step['asset']}: {escape(step['error_message'])}", soft_wrap=True)
    else:
        answers().print(f"run {run_id}: nothing had changed, no table was touched")


def steps_table(steps: list[dict[str, Any]]) -> Table:
    """Steps of a run as people read them; counts that are nowhere more than 0 are left out."""
    shown_counts = [c for c in COUNTS if c in ALWAYS_SHOWN or any(step[c] for step in steps)]
    headers = [name.removeprefix("rows_").replace("_", " ") for name in shown_counts]
    shown = plain_table("table", "source", "status", *map(right, ("s", *headers)))
    for step in steps:
        shown.add_row(
            step["asset"],
            "" if step["pipeline"] in step["asset"] else step["pipeline"],
            in_words(step["status"]),
            f"{step['duration_s'] or 0:.1f}",
            *("" if step[c] is None else f"{step[c]:,}" for c in shown_counts),
        )
    return shown


def runs(
    limit: Annotated[int, typer.Option(help="How many of the latest.")] = 20,
    run_id: Annotated[str | None, typer.Argument(help="Show the steps of this run, given by the first characters of its id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest runs, or the steps of one, from the run log."""
    if run_id:
        steps = steps_of(settings(), run_id)
        if not steps:
            raise ConfigurationError(
                f"there is no run {run_id!r} in the run log; a run that touched no table leaves nothing there",
                next_step="`lakehouse runs` shows the latest",
            )
        show_run(run_id, steps, as_json)
        return
    found = OpsReader(settings()).rows(LATEST_RUNS, [limit])
    if as_json:
        print_json(found)
        return
    shown = plain_table("run", Column("started (UTC)", no_wrap=True), "by", "status", *map(right, ("steps", "inserted", "quarantined")))
    for row in found:
        numbers = (f"{int(row[n] or 0):,}" for n in ("steps", "rows_inserted", "rows_quarantined"))
        started = f"{row['started_at']:%Y-%m-%d %H:%M}" if row["started_at"] else ""
        shown.add_row(row["run_id"][:SHORT_ID], started, row["started_by"], in_words(row["status"]), *numbers)
    answers().print(shown if found else "No run yet. Next: `lakehouse run`")
