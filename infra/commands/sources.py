"""`sources`: which there are, whether their declarations are right, what they make of a file.

Does not belong here: judging or mapping anything (lakehouse.sources, jobs.preview).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jobs.preview import preview as preview_file
from lakehouse.errors import ConfigurationError
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources, read_source, source_files
from lakehouse.spark import connect

group = typer.Typer(no_args_is_help=True, help="Source declarations.")
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
TEXT_SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="sources")


@group.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show the declared sources."""
    sources = load_sources(settings()).values()
    if as_json:
        print(json.dumps([s.model_dump(mode="json") for s in sources], indent=2))
        return
    shown = Table("source", "format", "silver table", "owner", "what it is")
    for source in sources:
        shown.add_row(source.name, source.format, source.silver.table, source.owner, source.description)
    Console().print(shown)


@group.command()
def validate(files: Annotated[list[Path] | None, typer.Argument(exists=True, dir_okay=False)] = None) -> None:
    """Check declarations, by default all of the instance; every mistake is named with its line."""
    wrong = []
    for file in files or list(source_files(settings())):
        source, mistakes = read_source(file)
        wrong += mistakes
        if source:
            Console().print(f"{file.name}: fine", highlight=False)
    for mistake in wrong:
        Console().print(str(mistake), highlight=False, soft_wrap=True)
    if wrong:
        raise ConfigurationError(f"{len(wrong)} mistakes", next_step="mend the lines named above")


@group.command()
def preview(
    source: Annotated[str, typer.Argument(help="Name of a source, or a declaration file.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of its records.")],
    limit: Annotated[int, typer.Option(help="How many records to read.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what a declaration makes of a file's first records: silver rows, and rejects with their reasons."""
    session = connect(settings())
    try:
        seen = preview_file(session, _declared(source), file, limit)
    finally:
        session.stop()
    if as_json:
        print(json.dumps({"rows": seen.rows, "rejects": seen.rejects, "not_applicable": seen.not_applicable}, default=str, indent=2))
        return
    console = Console()
    for row in seen.rows:
        console.print(
            "  ".join(f"{k}={v}" for k, v in row.items() if v is not None and not k.startswith("_")), highlight=False, soft_wrap=True
        )
    for place, reasons, text in seen.rejects:
        console.print(f"rejected, record {place}: {', '.join(reasons)}: {text[:TEXT_SHOWN]}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"{len(seen.rows)} rows, {len(seen.rejects)} rejected, {seen.not_applicable} not applicable", highlight=False)


def _declared(name: str) -> Source:
    if not name.endswith((".yaml", ".yml")):
        sources = load_sources(settings())
        if name not in sources:
            raise ConfigurationError(f"there is no source {name!r}", next_step=f"use one of {', '.join(sources)}, or a declaration file")
        return sources[name]
    source, mistakes = read_source(Path(name))
    if source is None:
        raise ConfigurationError("; ".join(map(str, mistakes)), next_step="mend the lines named above")
    return source
