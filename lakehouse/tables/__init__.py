"""Every table of the lake, declared once.

Does not belong here: rendering a declaration into a schema, contract or page; those read this registry.
"""

from __future__ import annotations

from lakehouse.errors import ConfigurationError
from lakehouse.tables import bronze, ops, silver
from lakehouse.tables.bronze import bronze_table
from lakehouse.tables.gold import sign_ins, signals, users
from lakehouse.tables.model import Column, Definition, Layer, Reach, Reads, Sla, Table

TABLES: dict[str, Table] = {
    declared.name: declared
    for module in (bronze, silver, sign_ins, users, signals, ops)
    for declared in vars(module).values()
    if isinstance(declared, Table)
}
"""All tables but the bronze ones, which are made from the source declarations; by name, in the order of the data's way."""


SPARK_LAYERS = (Layer.BRONZE, Layer.SILVER, Layer.GOLD)
"""Layers that only Spark writes; the others belong to delta-rs."""


def table(name: str) -> Table:
    """The declaration of a table. Raises ConfigurationError where there is none of that name."""
    if name not in TABLES:
        raise ConfigurationError(f"there is no table {name!r}", next_step=f"use one of {', '.join(TABLES)}")
    return TABLES[name]


__all__ = ["SPARK_LAYERS", "TABLES", "Column", "Definition", "Layer", "Reach", "Reads", "Sla", "Table", "bronze_table", "table"]
