"""`dictionary`: print the data dictionary.

Does not belong here: its text (lakehouse.dictionary).
"""

from __future__ import annotations

import typer

from lakehouse.dictionary import render
from lakehouse.settings import settings
from lakehouse.sources import load_sources


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(dictionary)


def dictionary() -> None:
    """Print every table and column, as Markdown."""
    print(render(load_sources(settings()).values()), end="")
