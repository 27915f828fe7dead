"""What runs recorded in ops.lineage_edges: which column edges were told last, and what stands before and behind a table or column.

Does not belong here: which edges there should be (lakehouse.lineage.columns), or how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from lakehouse.lineage.columns import ColumnEdge
from lakehouse.ops.store import Reader

Pair = tuple[str, str]
"""Names of an output and one of its inputs."""
Told = dict[Pair, frozenset[ColumnEdge]]

TOLD_AGAIN_AFTER = timedelta(days=7)
"""Column edges that stay the same are told once in so many days: who looks for them need not read further back than that."""

NEWEST_TOLD = """
select output_name, input_name, input_column, output_column
from ops.lineage_edges
where input_column is not null and recorded_date >= ?
qualify recorded_at = max(recorded_at) over (partition by output_name, input_name)
"""


def told_since(reader: Reader, day: date) -> Told:
    """The column edges of each output and input as they were last told on or after a day (UTC).

    Raises InfrastructureError when the store does not answer.
    """
    found: dict[Pair, set[ColumnEdge]] = {}
    for row in reader.rows(NEWEST_TOLD, [day]):
        edge = ColumnEdge(row["input_name"], row["input_column"], row["output_column"])
        found.setdefault((row["output_name"], row["input_name"]), set()).add(edge)
    return {pair: frozenset(edges) for pair, edges in found.items()}


def by_pair(output: str, edges: Iterable[ColumnEdge]) -> Told:
    """Column edges to an output, by what they come from."""
    found: dict[Pair, set[ColumnEdge]] = {}
    for edge in edges:
        found.setdefault((output, edge.input_name), set()).add(edge)
    return {pair: frozenset(those) for pair, those in found.items()}


def untold(known: Mapping[Pair, frozenset[ColumnEdge]], now: Told) -> Told:
    """Those pairs whose edges are not as they were last told."""
    return {pair: edges for pair, edges in now.items() if known.get(pair) != edges}
