"""The Overview: is everything well? If not, what is it, since when, and who is on it.

Does not belong here: SQL (queries), or how an incident is shown (incident_parts).
"""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import incident_parts as parts
from dash_app import links, well
from dash_app.cache import Look
from dash_app.context import knowledge_of_this_app
from dash_app.incident_queries import active
from dash_app.promise_parts import promise_table
from dash_app.statuses import Tone
from dash_app.well import Now

PATH = links.OVERVIEW
MOST_SHOWN = 20
RECENT = 5


def layout(**_: str) -> Component:
    """The page as it is now."""
    now = look()
    return html.Div(
        [
            dcc.Interval(id="overview-every", interval=10_000),
            dcc.Store(id="overview-seen", data=now.fingerprint),
            html.Div(body(now), id="overview-body", className="stack"),
            html.Div(ui.live(now), id="overview-looked", className="looked"),
        ],
        className="page",
    )


def register(app: Dash) -> None:
    """Keep the page up to date: look at each interval, draw only what changed."""

    @app.callback(
        Output("overview-body", "children"),
        Output("overview-seen", "data"),
        Output("overview-looked", "children"),
        Input("overview-every", "n_intervals"),
        State("overview-seen", "data"),
        prevent_initial_call=True,
    )
    def look_again(_: int, seen: str) -> tuple[Any, ...]:
        now = look()
        changed = (no_update, no_update) if now.fingerprint == seen else (body(now), now.fingerprint)
        return *changed, ui.live(now)


def look() -> Look[Now]:
    """Everything that the page tells, with the age of its oldest part."""
    known = knowledge_of_this_app()
    watch = known.watch.look()
    incidents, runs, promises = known.incidents.all(), known.glance.now(), known.promises.all()
    looks: list[Look[Any]] = [incidents, runs, promises]
    now = Now(
        has_answered=all(each.value is not None for each in looks),
        is_down=any(each.error for each in looks),
        health=known.watch.health(watch),
        dead_channels=list(watch.value.dead_channels()) if watch.value else [],
        n_channels=len(watch.value.channels()) if watch.value else 0,
        beat_fault=watch.value.fault if watch.value else "",
        incidents=incidents.value or [],
        runs=runs.value or Now.NOTHING_RAN,
        promises=promises.value or [],
    )
    times = [each.seen_at for each in looks if each.seen_at]
    return Look(now, min(times, default=None), next((each.error for each in looks if each.error), None))


def body(seen: Look[Now]) -> list[Component | None]:
    """The page but for its age."""
    now = seen.value or Now()
    recent = [row for row in now.incidents if row["state"] == "resolved"][:RECENT]
    return [
        ui.banner(seen),
        _headline(now),
        _incidents(now),
        html.Div([_pipelines(now), _promises(now)], className="halves"),
        _resolved(recent) if recent else None,
    ]


def _headline(now: Now) -> Component:
    said = well.verdict(now)
    sign = html.Span(ui.VERDICT_SIGNS[said.tone], className=f"verdict-sign tone-{said.tone}", **{"aria-hidden": "true"})
    verdict = html.Div([sign, html.Div([html.H1(said.text), html.P(said.detail)])], className="verdict", id="verdict")
    tiles = [_tile(*tile) for tile in well.tiles(now)]
    return html.Div([verdict, html.Dl(tiles, className="tiles")], className=f"headline headline-{said.tone}", **{"aria-live": "polite"})


def _tile(label: str, value: str, tone: Tone, href: str) -> Component:
    link = html.A(value, href=href) if href.startswith("#") else dcc.Link(value, href=href)
    return html.Div([html.Dt(label), html.Dd(link, className=f"ink-{tone}")], className="tile")


def _incidents(now: Now) -> Component:
    rows = active(now.incidents)
    more = html.Div(_all_link("active", f"All {len(rows):,}"), className="more-link") if len(rows) > MOST_SHOWN else None
    none = html.P(_well_if(now.is_watched(), "No incident is open."), className="quiet")
    shown = [_briefs(rows[:MOST_SHOWN]), more] if rows else none
    return ui.section("Open incidents", shown, identity="incidents", note=_all_link("active") if rows else None)


def _briefs(rows: list[dict[str, Any]]) -> Component:
    synthetic = knowledge_of_this_app().operations.synthetic()
    return html.Ul([parts.brief(row, synthetic.reaches(row["pipeline"], row["table_name"])) for row in rows], className="briefs")


def _resolved(rows: list[dict[str, Any]]) -> Component:
    synthetic = knowledge_of_this_app().operations.synthetic()
    shown = [parts.resolved(row, synthetic.reaches(row["pipeline"], row["table_name"])) for row in rows]
    return ui.section("Resolved lately", html.Ul(shown, className="glance"), identity="resolved", note=_all_link("resolved"))


def _all_link(state: str, text: str = "All") -> Component:
    return dcc.Link(text, href=links.within(links.INCIDENTS, {"state": state}))


def _pipelines(now: Now) -> Component:
    names = now.runs.health()
    shown = html.Ul([_pipeline(now, name, tone) for name, tone in well.worst_first(names)], className="glance")
    nothing = ui.empty("No run yet.", next_step="Land a file, then start a run:", command="lakehouse run")
    newest = html.Span(["newest fact ", ui.ago(now.runs.recorded_ms)]) if names else None
    return ui.section("Pipelines", shown if names else nothing, identity="pipelines", note=newest)


def _pipeline(now: Now, name: str, tone: Tone) -> Component:
    rows = [row for row in now.runs.pipelines if row["pipeline"] == name]
    worst = min(rows, key=lambda row: list(Tone).index(Tone(row["health"])))
    success = max((row["last_success_ms"] for row in rows if row["last_success_ms"]), default=None)
    sign = html.Span(ui.SIGNS[tone], className=f"glance-sign tone-{tone}", **{"aria-hidden": "true"})
    words = worst["last_label"].lower() if tone is not Tone.GOOD else "well"
    return html.Li(
        [
            sign,
            dcc.Link(name, href=links.pipeline(name), className="glance-name"),
            parts.synthetic_badge(any(row["synthetic"] for row in rows)),
            html.Span([words, "" if tone is Tone.GOOD else f" at {worst['asset']}"], className=f"glance-words ink-{tone}"),
            html.Span(["succeeded ", ui.ago(success)] if success else "never succeeded", className="glance-age"),
        ]
    )


def _promises(now: Now) -> Component:
    if not now.promises:
        return ui.section("Promises", ui.empty("No promise has been judged yet."), identity="promises")
    broken = [row for row in now.promises if row["state"] == "broken"]
    kept = [row for row in now.promises if row["state"] != "broken"]
    more = html.Details([html.Summary(f"{len(kept):,} kept or not judged yet"), promise_table(kept)], className="more") if kept else None
    return ui.section(
        "Promises", [promise_table(broken) if broken else _all_kept(now), more], identity="promises", note="error budget: 30 days"
    )


def _all_kept(now: Now) -> Component:
    return html.P(_well_if(now.is_watched(), "Every promise that is judged is kept."), className="quiet")


def _well_if(is_watched: bool, text: str) -> list[Component | str]:
    """Good news, which is none where nobody watches."""
    if not is_watched:
        return [text, " That says nothing while nobody watches for sure."]
    return [html.Span("✓", className="ink-good", **{"aria-hidden": "true"}), f" {text}"]
