"""The Alerts page: by which channels messages leave, what became of each, how much of it was noise, and the last fire drill.

Does not belong here: SQL (alert_queries), or how a piece looks (components, figures).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dash_app import alert_parts as parts
from dash_app import components as ui
from dash_app import incident_grids, links
from dash_app.alert_queries import DELIVERY_DAYS, FILTERS, WEEKS, Sent
from dash_app.cache import Look
from dash_app.context import knowledge_of_this_app
from dash_app.filters import Choice, asked_of, chips
from dash_app.incident_words import OUTCOMES
from dash_app.pulse import Pulse

PATH = links.ALERTS
PARTS = ("alerts-banner", "alerts-channels", "alerts-drill", "alerts-noise", "alerts-count", "alerts-empty")


def layout(**query: str) -> Component:
    """The page as it is now, with the filters that the address names."""
    asked = asked_of(query, FILTERS)
    seen, pulse = _look()
    banner, channels, drill, noise, count, empty = _drawn(seen, pulse, asked)
    sent = seen.value or Sent()
    return html.Div(
        [
            dcc.Interval(id="alerts-every", interval=10_000),
            dcc.Store(id="alerts-seen", data=_fingerprint(seen, pulse)),
            dcc.Store(id="alerts-asked", data=asked),
            dcc.Store(id="noise-data", data=parts.noise_figure(sent)),
            html.Div(banner, id="alerts-banner"),
            html.H1("Alerts"),
            html.Div(
                [
                    ui.section("Channels", html.Div(channels, id="alerts-channels"), identity="channels", note="last 7 days"),
                    ui.section("Last fire drill", html.Div(drill, id="alerts-drill"), identity="drill"),
                ],
                className="halves halves-wide",
            ),
            ui.section("Noise", [_noise_graph(), html.Div(noise, id="alerts-noise")], identity="noise", note=f"last {WEEKS} weeks, UTC"),
            html.Section(
                [
                    html.Div(
                        [html.H2("Messages", id="sent-title"), html.Div(count, id="alerts-count", className="note")],
                        className="section-head",
                    ),
                    html.Div(chips(PATH, _choices(sent), asked), className="filters", role="search"),
                    html.Div([incident_grids.deliveries_grid(_rows(sent, asked)), html.Div(empty, id="alerts-empty")], className="card"),
                    html.Div(
                        [ui.export_button("deliveries-grid", "messages"), html.Span(ui.live(seen), id="alerts-looked", className="looked")],
                        className="below",
                    ),
                ],
                id="sent",
                **{"aria-labelledby": "sent-title"},
            ),
        ],
        className="page",
    )


def register(app: Dash) -> None:
    """Keep the page up to date: look at each interval, draw only what changed."""

    @app.callback(
        *[Output(name, "children") for name in PARTS],
        Output("noise-data", "data"),
        Output("deliveries-grid", "rowData"),
        Output("alerts-seen", "data"),
        Output("alerts-looked", "children"),
        Input("alerts-every", "n_intervals"),
        State("alerts-seen", "data"),
        State("alerts-asked", "data"),
        prevent_initial_call=True,
    )
    def look_again(_: int, before: str, asked: dict[str, str]) -> tuple[Any, ...]:
        seen, pulse = _look()
        fingerprint = _fingerprint(seen, pulse)
        if fingerprint == before:
            return *(no_update,) * (len(PARTS) + 3), ui.live(seen)
        sent = seen.value or Sent()
        return *_drawn(seen, pulse, asked), parts.noise_figure(sent), _rows(sent, asked), fingerprint, ui.live(seen)

    app.clientside_callback(
        ClientsideFunction("clearlake", "figure"),
        Output("noise-graph", "figure"),
        Input("noise-data", "data"),
        Input("scheme", "computedColorScheme"),
    )


def _look() -> tuple[Look[Sent], Pulse]:
    known = knowledge_of_this_app()
    return known.alerts.sent(), known.watch.look().value or Pulse()


def _fingerprint(seen: Look[Sent], pulse: Pulse) -> str:
    return Look((seen.fingerprint, {name: channel.model_dump_json() for name, channel in pulse.channels().items()})).fingerprint


def _drawn(seen: Look[Sent], pulse: Pulse, asked: Mapping[str, str]) -> tuple[Any, ...]:
    sent = seen.value or Sent()
    return ui.banner(seen), parts.channels(sent, pulse), parts.drills(sent), parts.noise(sent), _count(sent, asked), _nothing(sent, asked)


def _rows(sent: Sent, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    return [incident_grids.delivery_row(row) for row in sent.chosen(asked)]


def _choices(sent: Sent) -> list[Choice]:
    channels = sorted({row["channel"] for row in sent.deliveries})
    kinds = sorted({row["kind"] for row in sent.deliveries})
    return [
        Choice("channel", "Channel", {name: name for name in channels}),
        Choice("outcome", "Outcome", {name: shown.label for name, shown in OUTCOMES.items()}),
        Choice("kind", "Message", {name: name.replace("_", " ") for name in kinds}),
    ]


def _count(sent: Sent, asked: Mapping[str, str]) -> list[Any]:
    n = len(sent.chosen(asked))
    hidden = [f"{name} {asked[name]}" for name in ("incident", "week") if name in asked]
    words = f"{n:,} of {len(sent.deliveries):,} attempts" if asked else f"{n:,} attempts in {DELIVERY_DAYS} days"
    narrowed = [html.Span(f"only {' and '.join(hidden)}")] if hidden else []
    return [*narrowed, words, dcc.Link("Show all", href=PATH, className="chip") if asked else None]


def _nothing(sent: Sent, asked: Mapping[str, str]) -> Component | None:
    if sent.chosen(asked):
        return None
    return ui.empty("No message has all of this." if sent.deliveries else f"No message was sent in the last {DELIVERY_DAYS} days.")


def _noise_graph() -> Component:
    graph = dcc.Graph(id="noise-graph", figure={}, config={"displayModeBar": False, "responsive": True})
    return html.Div(graph, role="img", **{"aria-label": "Messages per week and channel; the table below has the counts."})
