"""How answers look on the command line.

Does not belong here: progress of what is under way (progress), or what any command answers.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

UNCUT_WIDTH = 500
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def print_json(answer: Any) -> None:
    """Answer in JSON; what JSON has no type for becomes text."""
    print(json.dumps(answer, default=str, indent=2))


def answers() -> Console:
    """The console for answers; into a file or a pipe nothing is cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=UNCUT_WIDTH)


def right(header: str) -> Column:
    """A column of numbers."""
    return Column(header, justify="right", no_wrap=True)


def plain_table(*columns: str | Column) -> Table:
    """A table without frames, whose first column is never cut."""
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    shown.columns[0].no_wrap = True
    return shown


def in_words(status: str) -> str:
    """A status of the run log, in a word."""
    return {"SUCCEEDED_WITH_WARNINGS": "warnings", "SKIPPED_UPSTREAM": "skipped"}.get(status, status.lower())
