"""What has to be done to a stored table so that it is as its declaration says, or why it cannot be done.

Does not belong here: doing it (lakehouse.delta, lakehouse.ops.store), or in which order tables are migrated (jobs.catalog).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lakehouse.tables.model import Column, Layer, Table

WIDER: Mapping[str, tuple[str, ...]] = {
    "tinyint": ("smallint", "int", "bigint", "float", "double"),
    "smallint": ("int", "bigint", "float", "double"),
    "int": ("bigint", "double"),
    "float": ("double",),
}
"""To each type, those that hold every one of its values."""

SYNONYMS = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint", "real": "float", "dec": "decimal"}


@dataclass(frozen=True)
class StoredColumn:
    """A column as the table has it; `type` in Spark's short form, e.g. `bigint`."""

    name: str
    type: str
    comment: str = ""
    nullable: bool = True


@dataclass(frozen=True)
class StoredTable:
    """A table as its log tells it."""

    columns: tuple[StoredColumn, ...]
    partition_by: tuple[str, ...] = ()
    description: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Migration:
    """The way from a stored table to its declaration.

    Args:
        declared: where it leads.
        stored: where it starts.
    """

    declared: Table
    stored: StoredTable

    @property
    def origin(self) -> dict[str, StoredColumn]:
        """The stored column behind each declared one that has one."""
        stored = {c.name: c for c in self.stored.columns}
        taken = set(self.declared.column_names)
        found = {}
        for column in self.declared.columns:
            former = [name for name in column.was if name in stored and name not in taken]
            name = column.name if column.name in stored else next(iter(former), None)
            if name is not None:
                found[column.name] = stored[name]
                taken.add(name)
        return found

    @property
    def added(self) -> tuple[Column, ...]:
        """Declared columns that the table has not."""
        return tuple(c for c in self.declared.columns if c.name not in self.origin)

    @property
    def renamed(self) -> dict[str, str]:
        """Present names by former ones."""
        return {stored.name: name for name, stored in self.origin.items() if stored.name != name}

    @property
    def rewrites(self) -> bool:
        """Whether rows have to be written anew: columns are renamed or widened, or the partitions are others."""
        widened = any(stored.type != short_type(self._column(name).type) for name, stored in self.origin.items())
        return bool(self.renamed) or widened or self.stored.partition_by != self.declared.partition_by

    @property
    def commented(self) -> tuple[Column, ...]:
        """Columns that are there and whose comment is another."""
        return tuple(self._column(name) for name, stored in self.origin.items() if stored.comment != self._column(name).comment)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it cannot be done, a sentence for each reason; empty where it can."""
        return (*self._lost(), *self._retyped(), *self._beyond_delta_rs())

    def _column(self, name: str) -> Column:
        return self.declared.column(name)

    def _lost(self) -> Iterator[str]:
        kept = {stored.name for stored in self.origin.values()}
        for stored in self.stored.columns:
            if stored.name not in kept:
                yield f"column {stored.name} is no longer declared, and its values would be lost"
            elif not stored.nullable and not self._column(self.renamed.get(stored.name, stored.name)).required:
                yield f"column {stored.name} is stored as never null and no longer declared as required"

    def _retyped(self) -> Iterator[str]:
        for name, stored in self.origin.items():
            wanted = short_type(self._column(name).type)
            if wanted != stored.type and wanted not in WIDER.get(stored.type, ()):
                yield f"column {name} is stored as {stored.type} and declared as {wanted}, which does not hold each of its values"

    def _beyond_delta_rs(self) -> Iterator[str]:
        if self.rewrites and self.declared.layer in (Layer.OPS, Layer.CONTROL):
            yield "columns of the append-only facts are only added, and their files stay as they are: other processes append meanwhile"


def short_type(type_: str) -> str:
    """A declared type in Spark's short form."""
    return re.sub(r"[a-z]+", lambda word: SYNONYMS.get(word[0], word[0]), type_.lower().replace(" ", ""))
