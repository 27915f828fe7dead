"""`incidents`: what is wrong, why, and who is on it.

Does not belong here: finding incidents (the evaluator does), or telling people of them.
"""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from infra.printing import AsJson, answers, plain_table, print_json
from lakehouse.errors import ConfigurationError
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import settings

group = typer.Typer(invoke_without_command=True, help="Incidents: what is wrong, why, and who is on it.")
LISTED = """
select * from ops.incidents where state != 'resolved' or $1 order by state = 'resolved', opened_at desc limit $2
"""
ONE = "select * from ops.incidents where starts_with(incident_id, $1)"
TIMELINE = "select event, happened_at, actor, note, severity, cause from ops.incident_events where incident_id = $1 order by happened_at"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="incidents")


@group.callback()
def listed(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 30,
    as_json: AsJson = False,
) -> None:
    """Show the open incidents, the newest first."""
    if context.invoked_subcommand:
        return
    rows = OpsReader(settings()).rows(LISTED, [everything, limit])
    if as_json:
        print_json(rows)
        return
    if not rows:
        answers().print("No incident is open.")
        return
    shown = plain_table("incident", "state", "severity", "what", "since (UTC)", "owner")
    for row in rows:
        shown.add_row(
            row["incident_id"], row["state"], row["severity"], escape(row["title"]), f"{row['since']:%Y-%m-%d %H:%M}", row["owner"]
        )
    answers().print(shown)


@group.command()
def show(incident: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")], as_json: AsJson = False) -> None:
    """Show one incident: cause, evidence, what it hits, and what has happened."""
    row = _one(incident)
    timeline = OpsReader(settings()).rows(TIMELINE, [row["incident_id"]])
    if as_json:
        print_json({**row, "causes": json.loads(row["causes"]), "symptoms": json.loads(row["symptoms"]), "timeline": timeline})
        return
    out = answers()
    out.print(f"[bold]{escape(row['title'])}[/bold]  {row['state']}, {row['severity']}, {row['scope']}", soft_wrap=True)
    out.print(escape(f"observed: {row['observed']}\nexpected: {row['expected']}"), soft_wrap=True)
    out.print(f"since {row['since']:%Y-%m-%d %H:%M} UTC, owner {row['owner']}, acknowledged by {row['acknowledged_by'] or 'nobody'}")
    out.print(
        f"hits {', '.join(row['hit_tables']) or 'no table downstream'}; clients {', '.join(row['hit_tenants']) or 'none'}", soft_wrap=True
    )
    for cause in json.loads(row["causes"]):
        out.print(f"{cause['score']:.0%} {cause['name']}: {escape(cause['title'])}", soft_wrap=True)
        for evidence in cause["evidence"]:
            out.print(escape(f"     {evidence['text']}  [{evidence['table']} where {evidence['where']}]"), soft_wrap=True)
    for event in timeline:
        told = f": {escape(event['note'])}" if event["note"] else ""
        out.print(f"{event['happened_at']:%Y-%m-%d %H:%M:%S} {event['event']} by {event['actor']}{told}", soft_wrap=True)


@group.command()
def acknowledge(incident: str, note: Annotated[str | None, typer.Option(help="What you know so far.")] = None) -> None:
    """Say that you are on it: no reminder is sent from then on."""
    row, actor = _one(incident), getpass.getuser()
    about = {"incident_id": row["incident_id"], "event": "acknowledged", "happened_at": datetime.now(UTC), "actor": actor, "note": note}
    OpsWriter(settings()).append("ops.incident_events", [about])
    answers().print(f"{row['incident_id']} is acknowledged by {actor}.")


def _one(incident: str) -> dict[str, Any]:
    found = OpsReader(settings()).rows(ONE, [incident])
    if len(found) != 1:
        problem = "there is no incident" if not found else f"{len(found)} incidents begin with"
        raise ConfigurationError(f"{problem} {incident!r}", next_step="see `lakehouse incidents --all`")
    return found[0]
