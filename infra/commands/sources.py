"""`sources`: which there are, whether their declarations are right, what they make of a file; having them take effect; pulling by hand.

Does not belong here: judging, mapping or pulling anything (lakehouse.sources, jobs.preview, jobs.pull).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.loaded_sources import take
from infra.orchestrator import reload_definitions
from infra.preparation import prepare
from infra.printing import AsJson, answers, print_json
from infra.pulling import pull_sources, told
from infra.services.dagster_daemon import limit_pools
from infra.services.dagster_home import dagster_home
from jobs.preview import preview as preview_file
from lakehouse.errors import ConfigurationError
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources, pools, read_source, source_files
from lakehouse.spark import connect

group = typer.Typer(no_args_is_help=True, help="Source declarations.")
TEXT_SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="sources")


@group.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show the declared sources."""
    sources = load_sources(settings()).values()
    if as_json:
        print_json([s.model_dump(mode="json") for s in sources])
        return
    shown = Table("source", "format", "silver table", "owner", "what it is")
    for source in sources:
        shown.add_row(source.name, source.format, source.silver.table, source.owner, source.description)
    answers().print(shown)


@group.command()
def validate(files: Annotated[list[Path] | None, typer.Argument(exists=True, dir_okay=False)] = None, as_json: AsJson = False) -> None:
    """Check declarations, by default all of the instance; every mistake is named with its line."""
    found = {file: read_source(file)[1] for file in files or source_files(settings())}
    wrong = [mistake for mistakes in found.values() for mistake in mistakes]
    if as_json:
        print_json([{"file": file, "mistakes": [m.model_dump(mode="json", exclude={"path"}) for m in ms]} for file, ms in found.items()])
    else:
        for file in (file for file, mistakes in found.items() if not mistakes):
            answers().print(f"{file.name}: fine", markup=False)
        for mistake in wrong:
            answers().print(str(mistake), soft_wrap=True, markup=False)
    if wrong:
        raise ConfigurationError(f"{len(wrong)} mistakes", next_step="mend the lines named above")


@group.command()
def apply() -> None:
    """Have the declarations take effect: makes their tables and has Dagster load them; nothing where one of them has a mistake."""
    sources = load_sources(settings())
    prepare(settings())
    take(settings())
    limit_pools(dagster_home(settings().home), pools(sources))
    reload_definitions(settings())
    answers().print(f"Dagster works with {len(sources)} sources: {', '.join(sources)}", soft_wrap=True)


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
        print_json({"rows": seen.rows, "rejects": seen.rejects, "not_applicable": seen.not_applicable})
        return
    console = answers()
    for row in seen.rows:
        said = "  ".join(f"{k}={v}" for k, v in row.items() if v is not None and not k.startswith("_"))
        console.print(said, soft_wrap=True, markup=False)
    for place, reasons, text in seen.rejects:
        console.print(f"rejected, record {place}: {', '.join(reasons)}: {text[:TEXT_SHOWN]}", soft_wrap=True, markup=False)
    console.print(f"{len(seen.rows)} rows, {len(seen.rejects)} rejected, {seen.not_applicable} not applicable")


@group.command()
def pull(
    source: Annotated[str, typer.Argument(help="Name of a source with a `pull`.")],
    since: Annotated[str | None, typer.Option(help="Read again from this value of the cursor on.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Read again from the first row on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Land what is new in the database of a source, now; rows that are known already are not doubled."""
    declared = _declared(source)
    if declared.pull is None:
        raise ConfigurationError(f"{source} is pulled from no database", next_step="`lakehouse land` puts files into the landing bucket")
    if whole and since is not None:
        raise ConfigurationError("--since and --whole do not go together", next_step="give one of them")
    pulled = pull_sources(settings(), [declared], since, whole=whole)
    if as_json:
        print_json([asdict(one) for one in pulled])
        return
    for one in pulled:
        answers().print(f"pull {one.number}: {told(one)}", soft_wrap=True, markup=False)


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
