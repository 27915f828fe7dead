"""A table in an older and in a newer declaration, with its rows before and after: columns added, widened and renamed.

Does not belong here: migrating it, or assertions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from jobs.catalog import make_tables
from lakehouse.delta import append
from lakehouse.tables import Column, Table
from tests.lake import TestLake

OLD = Table(
    "silver.t",
    "Measured things.",
    (
        Column("thing", "string", "Which thing.", required=True),
        Column("day", "date", "When it was measured."),
        Column("pieces", "int", "How many.", unit="pieces"),
        Column("share", "float", "Which part of all."),
        Column("old_mark", "short", "Its mark."),
        Column("mail", "string", "Whose it is.", pii=True),
    ),
    key=("thing",),
    partition_by=("day",),
)
NEW = replace(
    OLD,
    description="Measured things and their colour.",
    columns=(
        Column("thing", "string", "Which thing; it's unique.", required=True),
        Column("day", "date", "When it was measured."),
        Column("pieces", "long", "How many.", unit="pieces"),
        Column("share", "double", "Which part of all."),
        Column("mark", "int", "Its mark.", was=("old_mark",)),
        Column("colour", "string", "Its colour."),
        Column("mail", "string", "Whose it is.", pii=True),
    ),
)
ROWS = [("a", date(2026, 1, 1), 2**31 - 1, 0.1, -(2**15), "a@example.com"), ("b", date(2026, 1, 2), None, 0.5, 7, None)]
MIGRATED = [
    {"thing": "a", "day": date(2026, 1, 1), "pieces": 2**31 - 1, "share": 0.10000000149011612, "mark": -(2**15), "colour": None,
     "mail": "a@example.com"},
    {"thing": "b", "day": date(2026, 1, 2), "pieces": None, "share": 0.5, "mark": 7, "colour": None, "mail": None},
]  # fmt: skip


def filled(lake: TestLake, declared: Table) -> Table:
    """Make a table of the older declaration, with its rows committed under the transaction `first`."""
    make_tables(lake.context, [declared])
    write(lake, declared, ROWS)
    return declared


def write(lake: TestLake, declared: Table, rows: Sequence[tuple[Any, ...]], transaction: str = "first") -> None:
    """Append rows in the declared order of columns."""
    append(lake.context.session.createDataFrame(rows, declared.ddl), lake.settings, declared, transaction, {"transaction": transaction})
