"""The addresses of the operations pages. What comes from data is always quoted, so that it stays within its place in the address.

Does not belong here: what a page shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

OVERVIEW = "/"
INCIDENTS = "/incidents"
BROKEN = "/broken"
PIPELINES = "/pipelines"
TABLES = "/tables"
QUALITY = "/quality"
QUARANTINE = "/quarantine"
ALERTS = "/alerts"
RUNS = "/runs"
ROWS = "/rows"


def within(path: str, asked: Mapping[str, Any]) -> str:
    """A page with its filters; those without a value are left out."""
    query = urlencode({name: str(value) for name, value in asked.items() if value})
    return f"{path}?{query}" if query else path


def run(run_id: str) -> str:
    """The page of a run."""
    return f"{RUNS}/{quote(run_id, safe='')}"


def incident(incident_id: str) -> str:
    """The page of an incident."""
    return f"{INCIDENTS}/{quote(incident_id, safe='')}"


def table(name: str) -> str:
    """The page of a table; landed files lead to the pipeline that takes them."""
    kind, _, source = name.partition("/")
    return within(PIPELINES, {"pipeline": source}) if kind == "files" and source else f"{TABLES}/{quote(name, safe='')}"


def pipeline(name: str | None, asset: str | None = None) -> str:
    """The Pipelines page for one pipeline, or one table of it."""
    return within(PIPELINES, {"pipeline": name, "table": asset})


def rows(relation: str, where: Mapping[str, Any]) -> str:
    """The rows of a table that have these values; None asks for rows without a value."""
    return f"{ROWS}?{urlencode({'table': relation, **{name: _text(value) for name, value in where.items()}})}"


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
