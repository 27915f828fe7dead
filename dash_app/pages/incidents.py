"""The list of incidents: what there is and was, narrowed by filters that stand in the address.

Does not belong here: SQL (incident_queries), or one incident (pages.incident).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import incident_grids, links
from dash_app.cache import Look
from dash_app.context import knowledge_of_this_app
from dash_app.filters import Choice, asked_of, chips
from dash_app.incident_queries import FILTERS, active, chosen
from dash_app.incident_words import SCOPES, SEVERITIES, STATES, cause_title

PATH = links.INCIDENTS
Row = dict[str, Any]

CHIPS = (
    Choice("state", "State", {"active": "Active", **{name: shown.label for name, shown in STATES.items()}}),
    Choice("severity", "Severity", {name: shown.label for name, shown in SEVERITIES.items()}),
    Choice("scope", "Whose", {name: word.capitalize() for name, word in SCOPES.items()}),
)
PICKED = ("cause", "table", "tenant", "owner")
"""Filters with many values."""


def layout(**query: str) -> Component:
    """The page as it is now, with the filters that the address names."""
    asked = asked_of(query, FILTERS)
    seen = knowledge_of_this_app().incidents.all()
    rows = seen.value or []
    return html.Div(
        [
            dcc.Location(id="incidents-view", refresh="callback-nav"),
            dcc.Interval(id="incidents-every", interval=10_000),
            dcc.Store(id="incidents-seen", data=seen.fingerprint),
            dcc.Store(id="incidents-asked", data=asked),
            html.Div(ui.banner(seen), id="incidents-banner"),
            html.Div([html.H1("Incidents"), html.Div(_count(rows, asked), id="incidents-count", className="note")], className="page-head"),
            html.Div([*chips(PATH, CHIPS, asked), _pickers(rows, asked)], className="filters", role="search"),
            html.Div(
                [
                    incident_grids.incidents_grid(grid_rows(chosen(rows, asked))),
                    html.Div(_nothing(rows, asked), id="incidents-empty"),
                ],
                className="card",
            ),
            html.Div(
                [ui.export_button("incidents-grid", "incidents"), html.Span(ui.live(seen), id="incidents-looked", className="looked")],
                className="below",
            ),
        ],
        className="page",
    )


def register(app: Dash) -> None:
    """Keep the list up to date, and put picked filters into the address."""

    @app.callback(
        Output("incidents-looked", "children"),
        Output("incidents-banner", "children"),
        Output("incidents-seen", "data"),
        Output("incidents-grid", "rowData"),
        Output("incidents-count", "children"),
        Output("incidents-empty", "children"),
        Input("incidents-every", "n_intervals"),
        State("incidents-seen", "data"),
        State("incidents-asked", "data"),
        prevent_initial_call=True,
    )
    def look_again(_: int, before: str, asked: dict[str, str]) -> tuple[Any, ...]:
        seen = knowledge_of_this_app().incidents.all()
        if seen.fingerprint == before:
            return ui.live(seen), *(no_update,) * 5
        return ui.live(seen), ui.banner(seen), seen.fingerprint, *_drawn(seen, asked)

    app.clientside_callback(
        ClientsideFunction("clearlake", "picked"),
        Output("incidents-view", "search"),
        *[Input({"pick": name}, "value") for name in PICKED],
        prevent_initial_call=True,
    )


def _drawn(seen: Look[list[Row]], asked: Mapping[str, str]) -> tuple[Any, ...]:
    rows = seen.value or []
    return grid_rows(chosen(rows, asked)), _count(rows, asked), _nothing(rows, asked)


def grid_rows(rows: list[Row]) -> list[Row]:
    """Incidents as rows of the grid."""
    synthetic = knowledge_of_this_app().operations.synthetic()
    return [incident_grids.incident_row(row, synthetic.reaches(row["pipeline"], row["table_name"])) for row in rows]


def _count(rows: list[Row], asked: Mapping[str, str]) -> list[Any]:
    n = len(chosen(rows, asked))
    words = f"{n:,} of {len(rows):,}" if asked else f"{len(active(rows)):,} active, {len(rows):,} in all"
    return [words, dcc.Link("Show all", href=PATH, className="chip") if asked else None]


def _nothing(rows: list[Row], asked: Mapping[str, str]) -> Component | None:
    if not rows:
        return ui.empty("There has been no incident yet.", next_step="The evaluator opens one when something is wrong.")
    return None if chosen(rows, asked) else ui.empty("No incident has all of this.", next_step="Take a filter away.")


def _pickers(rows: list[Row], asked: Mapping[str, str]) -> Component:
    values: dict[str, set[str]] = {name: {asked[name]} if name in asked else set() for name in PICKED}
    for row in rows:
        values["cause"].add(row["cause"] or "")
        values["table"] |= {row["table_name"] or "", *(row["hit_tables"] or ())}
        values["tenant"] |= {row["tenant_id"] or "", *(row["hit_tenants"] or ())}
        values["owner"].add(row["owner"] or "")
    return html.Div([_picker(name, values[name] - {""}, asked.get(name)) for name in PICKED], className="pickers")


def _picker(name: str, values: set[str], value: str | None) -> Component:
    labels = {v: cause_title(v) if name == "cause" else v for v in values}
    return dmc.Select(
        id={"pick": name},
        data=[{"value": v, "label": labels[v]} for v in sorted(values, key=lambda v: labels[v].lower())],
        value=value,
        placeholder=name.capitalize(),
        clearable=True,
        searchable=True,
        size="xs",
        className="picker",
        **{"aria-label": f"Filter by {name}"},
    )
