"""One incident: what it is, why, what it hits, what happened since, and what a person can do about it.

Does not belong here: SQL (incident_queries), recording what people do (incident_actions), or pieces (incident_parts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import incident_actions, lineage, links
from dash_app import incident_parts as parts
from dash_app.cache import Look
from dash_app.context import knowledge_of_this_app
from dash_app.findings import causes_in, symptoms_in
from dash_app.incident_actions import LONGEST_NOTE, LONGEST_OWNER, Answer
from dash_app.incident_queries import Incident, Row

PATH_TEMPLATE = f"{links.INCIDENTS}/<incident_id>"
MARKS = {"mark-expected": "expected", "mark-not-expected": "not_expected", "mark-useful": "useful", "mark-not-useful": "not_useful"}
BUTTONS = ("acknowledge", "assign", "comment", *MARKS)
PARTS = ("incident-top", "incident-why", "incident-symptoms", "incident-hit", "incident-timeline")


def layout(incident_id: str = "", **_: str) -> Component:
    """The page of the incident as it is now; the id is as it stands in the address."""
    incident_id = unquote(incident_id)
    look = knowledge_of_this_app().incidents.one(incident_id)
    incident = look.value or Incident(incident_id)
    if incident.facts is None:
        return _unknown(look, incident_id)
    top, why, symptoms, hit, timeline = drawn(look)
    return html.Div(
        [
            dcc.Location(id="incident-go", refresh="callback-nav"),
            dcc.Interval(id="incident-every", interval=10_000),
            dcc.Store(id="incident-id", data=incident_id),
            dcc.Store(id="incident-seen", data=look.fingerprint),
            dcc.Store(id="lineage-data", data=_graph(incident.facts)),
            dcc.Link("← Incidents", href=links.INCIDENTS, id="back-to-incidents", className="back"),
            html.Div(top, id="incident-top", className="stack"),
            html.Div([_section("Cause", why, "why"), _actions()], className="columns"),
            _picture(incident.facts),
            html.Div(
                [
                    html.Div([_section("Symptoms", symptoms, "symptoms"), _section("Hit downstream", hit, "hit")], className="stack"),
                    _section("Timeline", timeline, "timeline"),
                ],
                className="columns",
            ),
            html.Div(ui.live(look), id="incident-looked", className="looked"),
        ],
        className="page",
    )


def register(app: Dash) -> None:
    """Keep the page up to date, record what people do, and follow a click into the graph."""
    outputs = [Output(name, "children") for name in PARTS]

    @app.callback(
        *outputs,
        Output("lineage-data", "data"),
        Output("incident-seen", "data"),
        Output("incident-looked", "children"),
        Input("incident-every", "n_intervals"),
        Input("action-answer", "children"),
        State("incident-id", "data"),
        State("incident-seen", "data"),
        prevent_initial_call=True,
    )
    def look_again(_: int, __: Any, incident_id: str, seen: str) -> tuple[Any, ...]:
        look = knowledge_of_this_app().incidents.one(incident_id)
        if look.fingerprint == seen or look.value is None or look.value.facts is None:
            return *(no_update,) * (len(PARTS) + 2), ui.live(look)
        return *drawn(look), _graph(look.value.facts), look.fingerprint, ui.live(look)

    @app.callback(
        Output("action-answer", "children"),
        Output("owner", "value"),
        Output("note", "value"),
        *[Input(name, "n_clicks") for name in BUTTONS],
        State("incident-id", "data"),
        State("owner", "value"),
        State("note", "value"),
        prevent_initial_call=True,
    )
    def act(*values: Any) -> tuple[Any, ...]:
        incident_id, owner, note = values[len(BUTTONS) :]
        pressed = str(ctx.triggered_id)
        answer = _do(pressed, str(incident_id), owner, note)
        return _said(answer), *(("" if answer.is_done and pressed == name else no_update) for name in ("assign", "comment"))

    app.clientside_callback(
        ClientsideFunction("clearlake", "figure"),
        Output("lineage-graph", "figure"),
        Input("lineage-data", "data"),
        Input("scheme", "computedColorScheme"),
    )
    app.clientside_callback(
        ClientsideFunction("clearlake", "tableOf"),
        Output("incident-go", "href"),
        Input("lineage-graph", "clickAnnotationData"),
        prevent_initial_call=True,
    )


def _do(pressed: str, incident_id: str, owner: str | None, note: str | None) -> Answer:
    deeds: dict[str, Callable[[], Answer]] = {
        "acknowledge": lambda: incident_actions.acknowledge(incident_id),
        "assign": lambda: incident_actions.assign(incident_id, owner),
        "comment": lambda: incident_actions.comment(incident_id, note),
        **{name: lambda verdict=verdict: incident_actions.mark(incident_id, verdict) for name, verdict in MARKS.items()},  # type: ignore[misc]
    }
    return deeds[pressed]()


def _said(answer: Answer) -> Component:
    return html.Span(answer.text, className="ink-good" if answer.is_done else "ink-bad")


def drawn(look: Look[Incident]) -> tuple[list[Component | None], Component, Component, Component, Component]:
    """The parts of the page that change: head, cause, symptoms, what is hit, timeline."""
    incident = look.value or Incident("")
    row: Row = incident.facts or {}
    is_synthetic = knowledge_of_this_app().operations.synthetic().reaches(row["pipeline"], row["table_name"])
    return (
        [ui.banner(look), parts.head(incident, is_synthetic)],
        parts.causes(causes_in(row["causes"]), row["cause"]),
        parts.symptoms(symptoms_in(row["symptoms"])),
        parts.hit(row),
        parts.timeline(incident),
    )


def _section(title: str, children: Component, name: str) -> Component:
    return ui.section(title, html.Div(children, id=f"incident-{name}"), identity=name)


def _unknown(look: Look[Incident], incident_id: str) -> Component:
    back = dcc.Link("← Incidents", href=links.INCIDENTS, className="back")
    nothing = ui.empty("No incident with this id has been recorded.") if look.value else None
    return html.Div(
        [back, ui.banner(look), html.H1(["Incident ", html.Code(incident_id)]), html.Div(nothing, className="card")], className="page"
    )


def _lineage(row: Row) -> lineage.Lineage | None:
    broken = row["table_name"] or (f"files/{row['pipeline']}" if row["pipeline"] else None)
    return lineage.Lineage.around(broken, row["hit_tables"] or (), knowledge_of_this_app().incidents.edges()) if broken else None


def _graph(row: Row) -> dict[str, Any]:
    found = _lineage(row)
    return lineage.graph(found) if found else {"data": [], "layout": {"height": 0}}


def _picture(row: Row) -> Component:
    found = _lineage(row)
    label = f"From left to right what {found.broken} is made from, and what is made from it." if found else "No lineage is known."
    legend = [
        html.Span([html.I("✕", className="legend-cross"), "the break"], className="legend"),
        html.Span([html.I("!", className="legend-hit"), "made from it"], className="legend"),
        html.Span("a click opens the table"),
    ]
    size = {"minWidth": f"{lineage.least_width_px(found)}px", "height": f"{lineage.height_px(found)}px"} if found else {"height": "0"}
    graph = dcc.Graph(id="lineage-graph", figure={}, config={"displayModeBar": False, "responsive": True}, style=size)
    holder = html.Div(graph, className="graph-scroll", role="img", style={"minHeight": size["height"]}, **{"aria-label": label})
    return ui.section("Lineage", holder, identity="lineage", note=legend)


def _actions() -> Component:
    """The buttons are not drawn anew, so that what is being written stays."""
    was = [_button("mark-expected", "Expected"), _button("mark-not-expected", "Not expected")]
    were = [_button("mark-useful", "Useful"), _button("mark-not-useful", "Not useful")]
    rows = (
        [_button("acknowledge", "I am on it", "button-main"), *_owner()],
        _note(),
        [html.Span("This was", className="action-name"), *was],
        [html.Span("Its messages were", className="action-name"), *were],
    )
    answer = html.Div(id="action-answer", className="action-answer", role="status", **{"aria-live": "polite"})
    return ui.section("What to do", [*[html.Div(row, className="action-row") for row in rows], answer], identity="actions")


def _button(identity: str, text: str, kind: str = "") -> Component:
    return html.Button(text, id=identity, type="button", className=f"button {kind}".strip())


def _owner() -> list[Component]:
    field = dcc.Input(
        id="owner", type="text", placeholder="me, a person or a team", maxLength=LONGEST_OWNER, className="field", autoComplete="off"
    )
    return [html.Label("Owner", htmlFor="owner", className="hidden"), field, _button("assign", "Assign")]


def _note() -> list[Component]:
    field = dcc.Textarea(id="note", placeholder="What is known, what was tried", maxLength=LONGEST_NOTE, rows=2, className="field")
    return [html.Label("Comment", htmlFor="note", className="hidden"), field, _button("comment", "Comment")]
