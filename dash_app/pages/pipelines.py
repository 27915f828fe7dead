"""The Pipelines page: is everything well, what does each pipeline do, and what failed.

Does not belong here: SQL (queries), or how a piece looks (components, figures).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import figures, grids, links
from dash_app.cache import Look
from dash_app.context import facts_of_this_app, knowledge_of_this_app
from dash_app.promise_parts import promise_cell, promise_table
from dash_app.promise_queries import most_burnt, worst_promise
from dash_app.queries import FAILURE_DAYS, TREND_DAYS, Overview

PATH = links.PIPELINES
Chosen = tuple[str | None, str | None]


def layout(pipeline: str | None = None, table: str | None = None, **_: str) -> Component:
    """The page as it is now, for one pipeline and table where the address names them."""
    look, chosen = facts_of_this_app().overview(), (pipeline, table)
    overview = look.value or Overview()
    shown = overview.within(*chosen)
    return html.Div(
        [
            dcc.Location(id="view", refresh=False),
            dcc.Interval(id="every", interval=10_000),
            dcc.Store(id="seen", data=fingerprint(look)),
            dcc.Store(id="trend-data", data=trend(shown, chosen)),
            dcc.Store(id="band-data", data=band(chosen)),
            html.Div(ui.banner(look), id="banner"),
            html.Div(ui.headline(overview), id="headline", **{"aria-live": "polite"}),
            ui.section("Pipelines", _pipelines(overview), identity="pipelines", note=_note(look)),
            ui.section("Rows inserted per day", _trend(shown), identity="trend", note=trend_note(shown, chosen)),
            ui.section("Rows by hour, as expected or not", _band(chosen), identity="band", note="hours of event time, all tenants"),
            ui.section("Promises", html.Div(promises(chosen), id="promises-shown"), identity="promises", note="error budget: 30 days"),
            ui.section("Failed runs", _failures(shown, chosen), identity="failures", note=chosen_note(chosen)),
        ],
        className="page",
    )


def register(app: Dash) -> None:
    """Keep the page up to date: look at each interval, draw only what changed."""

    @app.callback(
        Output("looked", "children"),
        Output("banner", "children"),
        Output("seen", "data"),
        Input("every", "n_intervals"),
        State("seen", "data"),
        prevent_initial_call=True,
    )
    def look_again(_: int, seen: str) -> tuple[Any, ...]:
        look = facts_of_this_app().overview()
        known = fingerprint(look)
        return ui.live(look), ui.banner(look), no_update if known == seen else known

    @app.callback(
        Output("headline", "children"),
        Output("pipelines-grid", "rowData"),
        Output("pipelines-empty", "children"),
        Input("seen", "data"),
        prevent_initial_call=True,
    )
    def draw_pipelines(_: str) -> tuple[Any, ...]:
        overview = facts_of_this_app().overview().value or Overview()
        return ui.headline(overview), pipeline_rows(overview), no_pipelines(overview)

    @app.callback(
        Output("trend-data", "data"),
        Output("trend-note", "children"),
        Output("trend-empty", "children"),
        Output("failures-grid", "rowData"),
        Output("failures-empty", "children"),
        Output("failures-note", "children"),
        Output("band-data", "data"),
        Output("band-empty", "children"),
        Output("promises-shown", "children"),
        Input("seen", "data"),
        Input("view", "search"),
        prevent_initial_call=True,
    )
    def draw_chosen(_: str, search: str | None) -> tuple[Any, ...]:
        chosen = chosen_in(search)
        shown = (facts_of_this_app().overview().value or Overview()).within(*chosen)
        failures = failure_rows(shown), no_failures(shown, chosen), chosen_note(chosen)
        expected = band(chosen), no_band(chosen), promises(chosen)
        return trend(shown, chosen), trend_note(shown, chosen), no_trend(shown), *failures, *expected

    for name in ("trend", "band"):
        app.clientside_callback(
            ClientsideFunction("clearlake", "figure"),
            Output(f"{name}-figure", "figure"),
            Input(f"{name}-data", "data"),
            Input("scheme", "computedColorScheme"),
        )
    app.clientside_callback(ClientsideFunction("clearlake", "selection"), Output("pipelines-grid", "selectedRows"), Input("view", "search"))


def chosen_in(search: str | None) -> Chosen:
    """Pipeline and table that a query string names."""
    values = parse_qs((search or "").removeprefix("?"))
    return values.get("pipeline", [None])[0], values.get("table", [None])[0]


def fingerprint(look: Look[Overview]) -> str:
    """Changes when, and only when, the page must be drawn anew."""
    return f"{look.fingerprint}{knowledge_of_this_app().promises.all().fingerprint}"


def pipeline_rows(overview: Overview) -> list[dict[str, Any]]:
    """The rows of the grid: each table with what is promised of it."""
    known = knowledge_of_this_app().promises.all().value or []
    of = {row["asset"]: [p for p in known if p["table_name"] == row["asset"]] for row in overview.pipelines}
    return [
        {**row, **promise_cell(worst_promise(of[row["asset"]])), "budget_burnt": most_burnt(of[row["asset"]])} for row in overview.pipelines
    ]


def promises(chosen: Chosen) -> Component:
    """What is promised of the table that is chosen, or of all tables of the pipeline."""
    look, (pipeline, table) = knowledge_of_this_app().promises.all(), chosen
    overview = facts_of_this_app().overview().value or Overview()
    names = {row["asset"] for row in overview.pipelines if pipeline in (None, row["pipeline"]) and table in (None, row["asset"])}
    rows = [row for row in look.value or [] if row["table_name"] in names]
    return promise_table(rows) if rows else ui.empty("Nothing is promised here, or no promise has been judged yet.")


def band(chosen: Chosen) -> figures.Figure:
    """The figure of the hours of the table that is chosen; empty without one."""
    rows = _hours(chosen)
    return figures.band(rows) if rows else {}


def no_band(chosen: Chosen) -> Component | None:
    """Why there is no band, or no hour at all."""
    if not all(chosen):
        return ui.empty("Choose a table above to see its hours and the band in which they are expected.")
    rows = _hours(chosen)
    if not rows:
        return ui.empty("No hour of this table is measured: rows are measured by hour in bronze and silver.")
    reason = rows[-1]["reason"]
    return html.P(f"Not judged yet: {reason}.", className="quiet") if reason else None


def _hours(chosen: Chosen) -> list[dict[str, Any]]:
    pipeline, table = chosen
    return knowledge_of_this_app().bands.of(pipeline, table).value or [] if pipeline and table else []


def trend(shown: Overview, chosen: Chosen) -> figures.Figure:
    """The trend figure for what is chosen."""
    title = " › ".join(part for part in chosen if part)
    return figures.trend(shown.days, first_day=shown.first_day, n_days=TREND_DAYS, title=title or None)


def trend_note(shown: Overview, chosen: Chosen) -> list[Any]:
    """The legend of the trend, and a way back to all."""
    layers = [html.Span([html.I(className=f"swatch layer-{name}"), name], className="legend") for name in figures.layers_shown(shown.days)]
    cross = html.Span([html.I("✕", className="legend-cross"), "failed attempts"], className="legend")
    has_failed = any(row["failed"] for row in shown.days)
    return [*chosen_note(chosen), *layers, *([cross] if has_failed else []), html.Span(f"last {TREND_DAYS} days, UTC")]


def chosen_note(chosen: Chosen) -> list[Any]:
    """What is chosen, as a link that shows all again."""
    if not any(chosen):
        return []
    name = " › ".join(part for part in chosen if part)
    text = ["Only ", html.Strong(name), html.Span(" ✕", **{"aria-hidden": "true"})]
    return [dcc.Link(text, href=PATH, className="chip", title="Show all pipelines")]


def failure_rows(shown: Overview) -> list[dict[str, Any]]:
    """Failed attempts as rows of the grid."""
    identity = ("run_id", "pipeline", "asset", "attempt", "happened_ms")
    return [{**row, "id": "|".join(str(row[name]) for name in identity)} for row in shown.failures]


def no_pipelines(overview: Overview) -> Component | None:
    """What to do where nothing has run."""
    return None if overview.pipelines else ui.empty("No run yet.", next_step="Land a file, then start a run:", command="lakehouse run")


def no_trend(shown: Overview) -> Component | None:
    """What to say where no rows came and nothing failed."""
    has_any = any(row["rows_inserted"] or row["failed"] for row in shown.days)
    return None if has_any else ui.empty(f"No row was inserted in the last {TREND_DAYS} days.")


def no_failures(shown: Overview, chosen: Chosen) -> Component | None:
    """What to say where nothing failed."""
    whose = f" of {' › '.join(part for part in chosen if part)}" if any(chosen) else ""
    return None if shown.failures else ui.empty(f"No failed run{whose} in the last {FAILURE_DAYS} days.")


def _pipelines(overview: Overview) -> list[Any]:
    grid = grids.pipelines_grid(pipeline_rows(overview))
    return [grid, html.Div(no_pipelines(overview), id="pipelines-empty"), _export("pipelines-grid", "pipelines")]


def _failures(shown: Overview, chosen: Chosen) -> list[Any]:
    grid = grids.failures_grid(failure_rows(shown))
    return [grid, html.Div(no_failures(shown, chosen), id="failures-empty"), _export("failures-grid", "failed-runs")]


def _export(grid: str, file: str) -> Component:
    return html.Div(ui.export_button(grid, file), className="in-card")


def _note(look: Any) -> Component:
    return html.Span([html.I(className="live-dot"), html.Span(ui.live(look), id="looked")], className="live")


def _trend(shown: Overview) -> list[Any]:
    graph = dcc.Graph(id="trend-figure", figure={}, config={"displayModeBar": False, "responsive": True})
    label = "Rows inserted per day by pipeline and layer; the table above has the counts of the last run."
    return [html.Div(graph, id="trend-graph", role="img", **{"aria-label": label}), html.Div(no_trend(shown), id="trend-empty")]


def _band(chosen: Chosen) -> list[Any]:
    graph = dcc.Graph(id="band-figure", figure={}, config={"displayModeBar": False, "responsive": True})
    label = "Rows by hour of event time in the last week, and the band in which they are expected."
    return [html.Div(graph, id="band-graph", role="img", **{"aria-label": label}), html.Div(no_band(chosen), id="band-empty")]
