"""`lineage`: what a table or column is made from and what is made from it; exporting recorded runs to other tools.

Does not belong here: finding or rendering it (lakehouse.lineage).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import click
import typer
from rich.markup import escape
from rich.tree import Tree
from typer.core import TyperGroup

from infra.printing import AsJson, answers, print_json
from infra.progress import stderr_console
from lakehouse.errors import ConfigurationError
from lakehouse.lineage.attempts import EVER, attempts
from lakehouse.lineage.graph import Branch, Graph, Node
from lakehouse.mistakes import hint
from lakehouse.ops.store import OpsReader
from lakehouse.settings import settings
from lakehouse.sources import declared_tables, load_sources

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

SHOW = "of"
STDOUT = "-"


class _ShowsByDefault(TyperGroup):
    """`lineage gold.auth_daily` is `lineage of gold.auth_daily`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if known else [SHOW, *args])


group = typer.Typer(
    cls=_ShowsByDefault, no_args_is_help=True, help="Where tables and columns come from and go to: `lakehouse lineage TABLE[.COLUMN]`."
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="lineage")


@group.command(SHOW)
def show(name: Annotated[str, typer.Argument(metavar="TABLE[.COLUMN]")], as_json: AsJson = False) -> None:
    """Show what a table or column is made from, and what is made from it, as runs recorded it."""
    node, graph = _node(name), Graph(OpsReader(settings()))
    before, after, deciders = graph.upstream(node), graph.downstream(node), graph.deciders(node.table)
    if as_json:
        print_json({"upstream": _as_dict(before), "downstream": _as_dict(after), "rows_decided_by": list(map(str, deciders))})
        return
    if not graph.knows(node.table):
        answers().print(f"No run has read or written {node.table} yet. Next: `lakehouse run`")
        return
    answers().print(_shown(before, "made from"))
    if deciders:
        answers().print(f"  which rows there are, is decided by {_by_table(deciders)}", soft_wrap=True)
    answers().print(_shown(after, "goes into"))


def _by_table(columns: Iterable[Node]) -> str:
    """Columns, in their order, behind the name of their table."""
    grouped = groupby(columns, key=lambda node: node.table)
    return "; ".join(f"{table} ({', '.join(str(node.column) for node in those)})" for table, those in grouped)


def _node(name: str) -> Node:
    """A declared table or column by its name. Raises ConfigurationError where there is none."""
    tables = {declared.name: declared for declared in declared_tables(load_sources(settings()))}
    if name in tables:
        return Node(name)
    table, _, column = name.rpartition(".")
    if table not in tables:
        raise ConfigurationError(f"there is no table {name!r}{hint(name, list(tables))}", next_step="write it as LAYER.TABLE[.COLUMN]")
    if column not in tables[table].column_names:
        near = hint(column, tables[table].column_names)
        raise ConfigurationError(f"{table} has no column {column!r}{near}", next_step="docs/data_dictionary.md names them all")
    return Node(table, column)


def _shown(branch: Branch, heading: str) -> Tree:
    tree = Tree(f"[bold]{escape(str(branch.node))}[/] {heading}{'' if branch.branches else ' nothing that was recorded'}")
    _grow(tree, branch)
    return tree


def _grow(tree: Tree, branch: Branch) -> None:
    for one in branch.branches:
        note = f"  [dim]{escape(one.note)}[/]" if one.note else ""
        seen = "  [dim](see above)[/]" if one.is_shown else ""
        _grow(tree.add(f"{escape(str(one.node))}{note}{seen}"), one)


def _as_dict(branch: Branch) -> dict[str, Any]:
    told = {"table": branch.node.table, "column": branch.node.column, "note": branch.note or None}
    return {**told, "branches": [_as_dict(one) for one in branch.branches]}


@group.command()
def export(
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only runs of which something was recorded since, in ISO 8601.")] = None,
    run: Annotated[str, typer.Option(metavar="ID", help="Only this run, given by the first characters of its id.")] = "",
    to: Annotated[str | None, typer.Option(metavar="FILE|-", help="Write the events there as JSON lines; - is standard output.")] = None,
    url: Annotated[str | None, typer.Option(help="Send them there; default LAKEHOUSE_OPENLINEAGE_URL. Next to it --to does both.")] = None,
) -> None:
    """Tell recorded runs as OpenLineage events, to a file or to a tool that takes them. Telling them again changes nothing."""
    from lakehouse.lineage.sending import send

    url = url or (settings().openlineage_url if to is None else None)
    if to is None and url is None:
        to = STDOUT
    with _opened(to) as file:
        events = _written(_events(_time(since), run), file)
        sent = send(events, url, settings().openlineage_api_key) if url else sum(1 for _ in events)
    stderr_console().print(f"{sent:,} events {'sent' if url else 'written'}", highlight=False)


def _events(since: datetime, run_id: str) -> Iterator[RunEvent]:
    from lakehouse.lineage.datasets import DataSets
    from lakehouse.lineage.openlineage import run_events

    datasets = DataSets(settings(), declared_tables(load_sources(settings())))
    for attempt in attempts(OpsReader(settings()), since=since, run_id=run_id):
        yield from run_events(attempt, settings().openlineage_namespace, datasets)


def _written(events: Iterator[RunEvent], file: IO[str] | None) -> Iterator[RunEvent]:
    """The events, each written to the file as it goes by."""
    from openlineage.client.serde import Serde

    for event in events:
        if file:
            file.write(Serde.to_json(event) + "\n")
        yield event


@contextmanager
def _opened(to: str | None) -> Iterator[IO[str] | None]:
    if to is None or to == STDOUT:
        yield sys.stdout if to else None
        return
    try:
        with Path(to).open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise ConfigurationError(f"cannot write {to}: {error.strerror}", next_step="name a file in a folder that is there") from error


def _time(text: str | None) -> datetime:
    if text is None:
        return EVER
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no time", next_step="write it as 2026-11-27T13:00 (UTC), or with its zone") from error
    return told if told.tzinfo else told.replace(tzinfo=UTC)
