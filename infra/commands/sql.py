"""`sql`: ask Trino.

Does not belong here: connecting (trino_client).
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from infra.printing import AsJson, answers, print_json
from infra.trino_client import Answer, query
from lakehouse.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sql)


def sql(
    statement: str,
    user: Annotated[str | None, typer.Option("--as", help="Ask as this user, with their rights.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run one SQL statement on Trino."""
    answer = query(settings(), statement, user=user)
    if as_json:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    else:
        answers().print(_table(answer))


def _table(answer: Answer) -> Table:
    table = Table(*answer.columns)
    for row in answer.rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    return table
