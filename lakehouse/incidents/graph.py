"""What is made from what: the way of the data as it is declared.

Does not belong here: what a run has read and written (ops.lineage_edges).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from lakehouse.sources import Source
from lakehouse.tables import TABLES


class Graph:
    """The tables of an instance with these sources, and the landed files before them."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    @cached_property
    def outputs(self) -> dict[str, frozenset[str]]:
        """What is made directly from each table, or from landed files."""
        found: dict[str, set[str]] = defaultdict(set)
        for source in self._sources.values():
            found[source.landing].add(source.bronze.name)
            found[source.bronze.name].add(source.silver.table)
        for declared in TABLES.values():
            for name in declared.inputs:
                found[name].add(declared.name)
        return {name: frozenset(made) for name, made in found.items()}

    def downstream(self, name: str) -> frozenset[str]:
        """All that is made from a table, directly or not, without itself."""
        reached: set[str] = set()
        waiting = [name]
        while waiting:
            for made in self.outputs.get(waiting.pop(), ()):
                if made not in reached:
                    reached.add(made)
                    waiting.append(made)
        return frozenset(reached)

    def leads_to(self, upstream: str | None, name: str | None) -> bool:
        """Whether a table is the other one, or is made from it."""
        return upstream is not None and name is not None and (upstream == name or name in self.downstream(upstream))

    def owner_of(self, names: Iterable[str | None], pipeline: str | None) -> str:
        """Who answers for the first of some tables that is known, or else for the pipeline."""
        if pipeline and pipeline in self._sources:
            return self._sources[pipeline].owner
        return next((TABLES[name].owner for name in names if name in TABLES), "data-team")
