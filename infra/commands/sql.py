"""`sql`: ask Trino.

Does not belong here: connecting (trino_client).
"""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.trino_client import Answer, query
from lakehouse.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sql)


def sql(
    statement: str,
    user: Annotated[str | None, typer.Option("--as", help="Ask as this user, with their rights.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON: a list of rows.")] = False,
) -> None:
    """Run one SQL statement on Trino."""
    answer = query(settings(), statement, user=user)
    if as_json:
        print(json.dumps([dict(zip(answer.columns, row, strict=True)) for row in answer.rows], default=str, indent=2))
    else:
        Console().print(_table(answer))


def _table(answer: Answer) -> Table:
    table = Table(*answer.columns)
    for row in answer.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    return table
