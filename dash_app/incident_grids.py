"""The grids of incidents, of sent messages, and of plain rows: their columns; static/grid.js draws the cells.

Does not belong here: queries or callbacks, or how every grid behaves (grids).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from dash.development.base_component import Component

from dash_app import links
from dash_app.grids import AFTER_NUMBERS, column, listing, numeric
from dash_app.incident_words import ACTIVE, OUTCOMES, SCOPES, SEVERITIES, STATES, cause_title, known
from dash_app.statuses import Tone

Row = dict[str, Any]


def _from(width_px: int) -> Row:
    return {"least_px": width_px}


INCIDENT_COLUMNS = [
    column("title", "Incident", "IncidentTitle", flex=40, minWidth=170, wrapText=True, autoHeight=True),
    column("state", "State", "Pill", cellRendererParams={"tone": "state_tone"}, width=152),
    column("severity", "Severity", "Pill", cellRendererParams={"tone": "severity_tone"}, width=98, **_from(620)),
    column("scope", "Whose", "Sub", cellRendererParams={"beneath": "tenant_id"}, width=96, **_from(760)),
    column(
        "table_name", "Where", "Sub", cellRendererParams={"beneath": "pipeline", "href": "table_href"}, flex=20, minWidth=150, **_from(900)
    ),
    column("since_ms", "Since", "Clock", filter=False, width=112, **_from(760)),
    column("on_it", "On it", "Sub", cellRendererParams={"beneath": "team"}, flex=10, minWidth=104, **_from(1100)),
    numeric("n_tables", "Tables hit", "Tables that are made from what is broken.", 62, filter=False, **_from(1000)),
    numeric("n_tenants", "Clients hit", "Clients whose data are concerned.", 64, filter=False, **_from(1000)),
    numeric(
        "detected_after_s", "Found after", "From the beginning of the trouble to the incident.", 76, "seconds", filter=False, **_from(1380)
    ),
    numeric(
        "resolved_after_s", "Resolved after", "From the beginning to the end of the trouble.", 80, "seconds", filter=False, **_from(1380)
    ),
]

DELIVERY_COLUMNS = [
    column("sent_ms", "Sent", "Clock", filter=False, width=124),
    column("channel", "Channel", None, flex=10, minWidth=88),
    column("kind", "Message", "Words", flex=10, minWidth=100, **_from(620)),
    column("outcome", "Outcome", "Status", width=116),
    column("incident_id", "Incident", "Link", cellRendererParams={"href": "incident_href"}, flex=14, minWidth=110, **_from(620)),
    column("error", "Error", "Words", flex=26, minWidth=160, wrapText=True, autoHeight=True, **_from(900)),
    numeric("attempt", "Attempt", "Attempt at this message, from 1.", 74, filter=False, flex=None, width=78, **_from(760)),
    numeric(
        "took_s", "After", "From when it was due to the end of the attempt.", 80, "seconds", filter=False, flex=None, width=86, **_from(760)
    ),
    column("is_repeat", "Repeat", "Words", width=106, **AFTER_NUMBERS, **_from(1100)),
]


def incidents_grid(rows: list[Row]) -> Component:
    """The table of incidents."""
    return listing("incidents-grid", rows, INCIDENT_COLUMNS)


def incident_row(row: Row, is_synthetic: bool) -> Row:
    """An incident as a row of the grid."""
    is_active = row["state"] in ACTIVE
    severity, state = known(SEVERITIES, row["severity"]), known(STATES, row["state"])
    on_it = (None if row["state"] == "open" else row["acknowledged_by"]) or ("nobody yet" if is_active else "nobody")
    is_expected = is_active and row["mark"] == "expected"
    return {
        **row,
        "id": row["incident_id"],
        "title": row["title"] or cause_title(row["cause"]),
        "cause": cause_title(row["cause"]),
        "href": links.incident(row["incident_id"]),
        "table_href": links.table(row["table_name"]) if row["table_name"] else None,
        "table_name": row["table_name"] or row["pipeline"],
        "pipeline": row["pipeline"] if row["table_name"] else None,
        "severity": severity.label,
        "severity_tone": severity.tone if is_active and not is_expected else Tone.NONE,
        "state": "Expected" if is_expected else state.label,
        "state_tone": Tone.NONE if is_expected else state.tone,
        "scope": SCOPES.get(row["scope"] or "", "–").capitalize(),
        "tenant_id": row["tenant_id"] or ("platform" if row["scope"] == "platform" else None),
        "on_it": on_it,
        "team": row["owner"] if row["owner"] != on_it else None,
        "since_ms": row["since_ms"] or row["opened_ms"],
        "n_tables": len(row["hit_tables"] or ()),
        "n_tenants": len(row["hit_tenants"] or ()),
        "synthetic": is_synthetic,
        "hit_tables": None,
        "hit_tenants": None,
    }


def deliveries_grid(rows: list[Row]) -> Component:
    """The table of sent messages."""
    return listing("deliveries-grid", rows, DELIVERY_COLUMNS, row_px=38, page_size=15)


def delivery_row(row: Row) -> Row:
    """An attempt at a message as a row of the grid."""
    shown = known(OUTCOMES, row["outcome"])
    return {
        **row,
        "id": "|".join((row["alert_key"], row["channel"], str(row["attempt"]), str(row["sent_ms"]))),
        "kind": row["kind"].replace("_", " "),
        "label": shown.label,
        "tone": shown.tone,
        "meaning": shown.meaning,
        "incident_href": links.incident(row["incident_id"]) if row["incident_id"] else None,
        "is_repeat": "perhaps" if row["is_repeat"] else "",
    }


def rows_grid(rows: list[Row], columns: Sequence[str], times: Collection[str]) -> Component:
    """Plain rows, with the columns that have a value in any of them; those in `times` are milliseconds since 1970, UTC."""
    filled = [name for name in columns if any(row.get(name) is not None for row in rows)]
    shown = [column(name, name, "Stamp" if name in times else None, minWidth=110, width=170) for name in filled]
    return listing("rows-grid", [{**row, "id": str(n)} for n, row in enumerate(rows)], shown, row_px=36)
