"""The data dictionary: every declared table as Markdown.

Does not belong here: a fact about a table that its declaration does not state.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.sources import Source
from lakehouse.tables import TABLES, Table
from lakehouse.tables.bronze import BRONZE_COLUMNS
from lakehouse.tables.model import Column

HEAD = """# Data dictionary

Rendered from the declarations in `lakehouse/tables/` by `make docs`; a test keeps it in step. Times are UTC unless a column says otherwise.
"""


def render(sources: Iterable[Source]) -> str:
    """The whole dictionary."""
    bronze = [
        "## bronze.<source>",
        "",
        "One table per source, all alike:",
        "",
        *(f"* `{s.bronze.name}`: {s.description}" for s in sources),
        "",
    ]
    return "\n".join([HEAD, *bronze, *_columns(BRONZE_COLUMNS), "", *(line for t in TABLES.values() for line in _table(t))]).rstrip() + "\n"


def _table(declared: Table) -> list[str]:
    facts = [f"* Grain: {', '.join(f'`{k}`' for k in declared.key)}." if declared.key else "* Append-only."]
    facts += [f"* Recomputed by `{declared.recomputed_by}`."] if declared.recomputed_by and not declared.partition_by else []
    facts += [f"* Partitioned by `{'`, `'.join(declared.partition_by)}`."] if declared.partition_by else []
    facts += [f"* Made from {', '.join(f'`{i}`' for i in declared.inputs)}."] if declared.inputs else []
    facts += [f"* Fresh within {declared.sla.fresh_within_minutes} minutes."] if declared.sla else []
    return [f"## {declared.name}", "", declared.description, "", *facts, *_definition(declared), "", *_columns(declared.columns), ""]


def _definition(declared: Table) -> list[str]:
    found = declared.definition
    if found is None:
        return []
    return [f"* Formula: {found.formula}", f"* Late data: {found.late_data}", f"* Example: {found.example}"]


def _columns(columns: Iterable[Column]) -> list[str]:
    rows = [f"| `{c.name}` | `{c.type}` | {'yes' if c.required else ''} | {c.comment.replace('|', chr(92) + '|')} |" for c in columns]
    return ["| column | type | required | meaning |", "| --- | --- | --- | --- |", *rows]
