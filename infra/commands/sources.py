"""`sources`: which there are, whether their declarations are right, what they make of a file; having them take effect; pulling by hand.

Does not belong here: judging, mapping or pulling anything (lakehouse.sources, jobs.preview, jobs.pull).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from infra.printing import AsJson, answers, print_json
from infra.progress import stderr_console
from lakehouse.errors import ConfigurationError, LakehouseError
from lakehouse.mistakes import Mistake
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources, mistakes_at, pools, read_source, source_files

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.preview import Preview

group = typer.Typer(no_args_is_help=True, help="Source declarations.")
LONG_SECONDS = 3.0


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
def scaffold(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of its records, as it would be landed.")],
    name: Annotated[str | None, typer.Option(help="What the source is called; by default after the file.")] = None,
    table: Annotated[str, typer.Option(help="Silver table that the records go to.")] = "silver.auth_events",
    write: Annotated[bool, typer.Option("--write", help="Write it to the instance's own sources instead of printing it.")] = False,
) -> None:
    """Guess a declaration from a file: format, fields, id, time and a first mapping, each with the reason for it."""
    from lakehouse.scaffold import scaffold_of, write_scaffold

    guessed = scaffold_of(file, name, table)
    if write:
        written = write_scaffold(settings(), guessed)
        answers().print(f"{written}: settle what says `decide`, then `lakehouse sources validate {written}`", soft_wrap=True, markup=False)
    else:
        print(guessed.text, end="")


@group.command()
def validate(files: Annotated[list[Path] | None, typer.Argument(exists=True, dir_okay=False)] = None, as_json: AsJson = False) -> None:
    """Check declarations, by default all of the instance; every mistake is named with its line. Expressions are checked by Spark."""
    read = {file: read_source(file) for file in files or source_files(settings())}
    found = {file: mistakes for file, (_, mistakes) in read.items()}
    unchecked = _check_expressions({file: source for file, (source, _) in read.items() if source}, found)
    if as_json:
        print_json([
            {"file": file, "expressions_checked": not unchecked, "mistakes": [m.model_dump(mode="json", exclude={"path"}) for m in ms]}
            for file, ms in found.items()
        ])  # fmt: skip
    else:
        for file in (file for file, mistakes in found.items() if not mistakes):
            answers().print(f"{file.name}: fine", markup=False)
        for mistake in (mistake for mistakes in found.values() for mistake in mistakes):
            answers().print(str(mistake), soft_wrap=True, markup=False)
    if unchecked:
        stderr_console().print(f"Expressions were not checked: {unchecked}", soft_wrap=True, markup=False)
    if wrong := sum(map(len, found.values())):
        raise ConfigurationError(f"{wrong} mistake{'s' if wrong > 1 else ''}", next_step="mend the lines named above")


def _check_expressions(sources: dict[Path, Source], found: dict[Path, list[Mistake]]) -> str:
    """Add what Spark finds wrong; returns why it could not be asked, else nothing."""
    if not settings().spark_remote:
        return "no Spark server of this instance is running; `lakehouse up` starts one"
    from jobs.expressions import wrong_expressions

    try:
        with _session() as session:
            for file, source in sources.items():
                found[file] = mistakes_at(file, wrong_expressions(session, source))
    except LakehouseError as error:
        return str(error)
    return ""


@group.command()
def apply() -> None:
    """Have the declarations take effect: makes their tables and has Dagster load them; nothing where one of them has a mistake."""
    from infra.loaded_sources import take
    from infra.orchestrator import reload_definitions
    from infra.preparation import prepare
    from infra.services.dagster_daemon import limit_pools
    from infra.services.dagster_home import dagster_home

    sources = load_sources(settings())
    _refuse_wrong_expressions()
    prepare(settings())
    take(settings())
    limit_pools(dagster_home(settings().home), pools(sources))
    reload_definitions(settings())
    answers().print(f"Dagster works with {len(sources)} sources: {', '.join(sources)}", soft_wrap=True)


def _refuse_wrong_expressions() -> None:
    """Raises ConfigurationError where Spark finds a mistake in a declaration of the instance: every run of its source would fail."""
    read = {file: read_source(file)[0] for file in source_files(settings())}
    found: dict[Path, list[Mistake]] = {}
    _check_expressions({file: source for file, source in read.items() if source}, found)
    if wrong := [mistake for mistakes in found.values() for mistake in mistakes]:
        raise _wrong(wrong)


@group.command()
def preview(
    source: Annotated[str, typer.Argument(help="Name of a source, or a declaration file.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of its records.")],
    limit: Annotated[int, typer.Option(min=1, help="How many records to read.")] = 100,
    rows: Annotated[int, typer.Option(min=0, help="How many rows to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what a declaration makes of a file's first records: silver rows, and rejects with their reasons. Nothing is written."""
    began = time.monotonic()
    path, declared = _declared(source)
    from infra.preview_text import lines_of

    with _session() as session:
        seen = _previewed(session, path, declared, file, limit)
    if as_json:
        print_json({**asdict(seen), "rejected_by_reason": seen.rejected_by_reason})
    else:
        console = answers()
        for line in lines_of(seen, rows, console.width):
            console.print(line, soft_wrap=True, markup=False)
    if (seconds := time.monotonic() - began) > LONG_SECONDS:
        stderr_console().print(f"took {seconds:.1f} s")


def _previewed(session: SparkSession, path: Path, source: Source, file: Path, limit: int) -> Preview:
    from pyspark.errors import PySparkException

    from jobs.expressions import explained, in_brief
    from jobs.preview import preview as preview_file

    try:
        return preview_file(session, source, file, limit)
    except PySparkException as error:
        if wrong := explained(session, source, error):
            raise _wrong(mistakes_at(path, wrong)) from error
        next_step = "the record that it fails on is within the first --limit; mend the expression that reads it so"
        raise ConfigurationError(f"{path}: an expression fails: {in_brief(error)}", next_step=next_step) from error


@contextmanager
def _session() -> Iterator[SparkSession]:
    """A session on the instance's Spark. Raises LakehouseError where there is none."""
    from jobs.expressions import quiet_errors
    from lakehouse.spark import connect

    session = connect(settings())
    try:
        with quiet_errors():
            yield session
    finally:
        session.stop()


@group.command()
def pull(
    source: Annotated[str, typer.Argument(help="Name of a source with a `pull`.")],
    since: Annotated[str | None, typer.Option(help="Read again from this value of the cursor on.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Read again from the first row on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Land what is new in the database of a source, now; rows that are known already are not doubled."""
    _, declared = _declared(source)
    if declared.pull is None:
        raise ConfigurationError(f"{source} is pulled from no database", next_step="`lakehouse land` puts files into the landing bucket")
    if whole and since is not None:
        raise ConfigurationError("--since and --whole do not go together", next_step="give one of them")
    from infra.pulling import pull_sources, told

    pulled = pull_sources(settings(), [declared], since, whole=whole)
    if as_json:
        print_json([asdict(one) for one in pulled])
        return
    for one in pulled:
        answers().print(f"pull {one.number}: {told(one)}", soft_wrap=True, markup=False)


def _declared(name: str) -> tuple[Path, Source]:
    if not name.endswith((".yaml", ".yml")):
        sources = load_sources(settings())
        if name not in sources:
            raise ConfigurationError(f"there is no source {name!r}", next_step=f"use one of {', '.join(sources)}, or a declaration file")
        return next(path for path in source_files(settings()) if path.stem == name), sources[name]
    source, mistakes = read_source(Path(name))
    if source is None:
        raise _wrong(mistakes)
    return Path(name), source


def _wrong(mistakes: Iterable[Mistake]) -> ConfigurationError:
    return ConfigurationError("mistakes:\n  " + "\n  ".join(map(str, mistakes)), next_step="mend the lines named above")
