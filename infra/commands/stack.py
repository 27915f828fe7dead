"""`up`, `down`, `status`, `logs`, `destroy`.

Does not belong here: starting or stopping anything (stack).
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Annotated

import click
import typer
from rich.markup import escape
from rich.table import Table

from infra import stack
from infra.instance import open_existing
from infra.logs import follow, tail
from infra.printing import AsJson, answers, plain_table, print_json, right
from infra.progress import service_board, stderr_console
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, read_settings

NOT_CONFIRMED = 1
"""Exit code where a question was not answered with yes."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, status, logs, restart, destroy):
        app.command()(command)


def up(
    only: Annotated[list[str] | None, typer.Option(help="Start only this service; may be repeated.")] = None,
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Take any free ports instead of the usual ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the servers, wait until they answer, and migrate tables that an older version made."""
    console = stderr_console()
    with service_board(console) as report:
        settings = stack.up(only=only, usual_ports=not free_ports, report=report)
    if as_json:
        print_json(addresses(settings))
        return
    for title, address in addresses(settings).items():
        console.print(f"{title:<12} {address}", soft_wrap=True)


def addresses(settings: Settings) -> dict[str, str]:
    """Where people find what."""
    found = {
        "store": settings.s3_endpoint,
        "spark": settings.spark_remote,
        "trino": f"https://{settings.trino_host}:{settings.trino_port}" if settings.trino_host else None,
        "dagster": settings.dagster_url,
        "operations": settings.operations_url,
        "home": str(settings.home),
    }
    return {title: address for title, address in found.items() if address}


def down(as_json: AsJson = False) -> None:
    """Stop the servers; data stays."""
    left = stack.down()
    if as_json:
        print_json({"home": read_settings().home, "stopped_apart": left})
        return
    stderr_console().print("Stopped. No process of this instance is left.")


def status(as_json: AsJson = False) -> None:
    """Show what runs, where, since when, and how much memory it takes."""
    rows = stack.status()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    answers().print(_table(rows))
    for row in rows:
        if row.problem:
            answers().print(f"{row.name}: {escape(row.problem)}", soft_wrap=True)


def logs(
    service: str,
    lines: Annotated[int, typer.Option("-n", help="How many lines.")] = 100,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines arrive.")] = False,
) -> None:
    """Print the last lines of a service's log."""
    path = open_existing(read_settings().home).logs / f"{service}.log"
    if not path.exists():
        raise ConfigurationError(f"{service} has no log.", next_step="`lakehouse status` names the services.")
    for line in tail(path, lines):
        print(line)
    if following:
        follow(path)


def restart(service: str) -> None:
    """Stop one service and start it again."""
    stack.restart(None, service)


def destroy(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the servers and delete the instance with all its data."""
    instance = open_existing(read_settings().home)
    if not (yes or _confirmed(f"Delete {instance.home} and all data in it?")):
        stderr_console().print("Nothing was deleted.")
        raise typer.Exit(NOT_CONFIRMED)
    stack.down()
    shutil.rmtree(instance.home)


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except click.Abort:
        return False


def _table(rows: list[stack.ServiceStatus]) -> Table:
    table = plain_table("service", "what", "state", *map(right, ("pid", "up", "port", "MB")))
    for row in rows:
        state = "ready" if row.ready else row.state.lower()
        memory = f"{row.proportional_bytes / 1e6:,.0f}"
        table.add_row(row.name, row.title, state, str(row.pid or ""), _age(row.seconds), str(row.port or ""), memory)
    table.add_row("total", "", "", "", "", "", f"{sum(row.proportional_bytes for row in rows) / 1e6:,.0f}")
    return table


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
