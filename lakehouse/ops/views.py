"""The views over ops tables, and which tables a statement reads.

Does not belong here: asking anything, or the tables themselves (lakehouse.tables).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lakehouse.tables import TABLES, Layer


@dataclass(frozen=True)
class View:
    """A view: the table whose facts it sums up, and how."""

    table: str
    sql: str


def _sql(file: str) -> str:
    return (Path(__file__).parent / file).read_text(encoding="utf-8")


VIEWS = {
    "ops.run_log": View("ops.run_events", _sql("run_log.sql")),
    "ops.incidents": View("ops.incident_events", _sql("incidents.sql")),
}


def views_over(name: str) -> list[str]:
    """The views that sum up a table."""
    return [view for view, declared in VIEWS.items() if declared.table == name]


def tables_read_by(sql: str) -> list[str]:
    """The ops and ctl tables that a statement names, or reads through a view."""
    names = [t.name for t in TABLES.values() if t.layer in (Layer.OPS, Layer.CONTROL)]
    return [name for name in names if any(re.search(rf"\b{re.escape(known)}\b", sql) for known in (name, *views_over(name)))]
