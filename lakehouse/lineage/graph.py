"""What stands before and behind a table or a column, as runs recorded it.

Does not belong here: how it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from lakehouse.lineage.recorded import Told, told_since
from lakehouse.ops.store import Reader

LANDED = "landing"
TABLES = f"""
select
    output_name,
    case when input_version is null then '{LANDED}.' || split_part(input_name, '/', 1) else input_name end as input_name,
    max(input_version) as input_version,
    max(output_version) as output_version,
    count(distinct input_name) filter (input_version is null) as files,
    max(recorded_at) as recorded_at
from ops.lineage_edges
where input_column is null and output_column is null
group by 1, 2
order by 1, 2
"""
"""The newest versions of each output and input; landed files are counted by source."""
EVER = date(1970, 1, 1)


class Node(NamedTuple):
    """A table (landed files: `landing.<source>`), or a column of one."""

    table: str
    column: str | None = None

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table


@dataclass(frozen=True)
class Branch:
    """A node and what is reached from it in one direction.

    Args:
        note: what there is to say of the way to it.
        is_shown: its own branches stand elsewhere in the tree already.
    """

    node: Node
    note: str = ""
    is_shown: bool = False
    branches: list[Branch] = field(default_factory=list)


class Step(NamedTuple):
    """A way from one node to the next."""

    to: Node
    note: str


class Graph:
    """Recorded lineage. Raises InfrastructureError when the store does not answer."""

    def __init__(self, reader: Reader) -> None:
        self._tables = reader.rows(TABLES)
        self._columns: Told = told_since(reader, EVER)

    def knows(self, table: str) -> bool:
        """Whether a run has recorded that it read or wrote a table."""
        return any(table in (row["output_name"], row["input_name"]) for row in self._tables)

    def upstream(self, node: Node) -> Branch:
        """What a table or column is made from, and that from what, down to the landed files."""
        return _tree(node, self._before, set())

    def downstream(self, node: Node) -> Branch:
        """What is made from a table or column, directly and on."""
        return _tree(node, self._after, set())

    def deciders(self, table: str) -> list[Node]:
        """The columns that decide which rows a table has."""
        found = (edge for (output, _), edges in self._columns.items() for edge in edges if output == table and edge.output_column is None)
        return sorted(Node(edge.input_name, edge.input_column) for edge in found)

    def _before(self, node: Node) -> Iterable[Step]:
        rows = [row for row in self._tables if row["output_name"] == node.table]
        if node.column is None or all(row["files"] for row in rows):
            return [Step(Node(row["input_name"]), _versions(row)) for row in rows]
        return [
            Step(Node(edge.input_name, edge.input_column), "")
            for (output, _), edges in sorted(self._columns.items())
            for edge in sorted(edges, key=str)
            if output == node.table and edge.output_column == node.column
        ]

    def _after(self, node: Node) -> Iterable[Step]:
        if node.column is None:
            return [Step(Node(row["output_name"]), _versions(row)) for row in self._tables if row["input_name"] == node.table]
        return [
            Step(Node(output, edge.output_column), "" if edge.output_column else "decides which rows there are")
            for (output, _), edges in sorted(self._columns.items())
            for edge in sorted(edges, key=str)
            if edge.input_name == node.table and edge.input_column == node.column
        ]


def _versions(row: dict[str, Any]) -> str:
    when = f"{row['recorded_at']:%Y-%m-%d %H:%M} UTC"
    read = f"{row['files']:,} files" if row["files"] else f"version {row['input_version']}"
    return f"{read} → version {row['output_version']}, {when}"


def _tree(node: Node, steps: Callable[[Node], Iterable[Step]], shown: set[Node], note: str = "") -> Branch:
    if node in shown:
        return Branch(node, note, is_shown=any(True for _ in steps(node)))
    shown.add(node)
    return Branch(node, note, branches=[_tree(step.to, steps, shown, step.note) for step in steps(node)])
