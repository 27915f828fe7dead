"""Pieces of the Alerts page: channels, drills, and noise.

Does not belong here: SQL (alert_queries), or callbacks (pages.alerts).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import links
from dash_app.alert_queries import Row, Sent
from dash_app.figures import FONT, Figure, escaped
from dash_app.incident_words import OUTCOMES, known
from dash_app.pulse import Channel, Pulse, as_ms
from dash_app.statuses import Status, Tone

HEIGHT_PX = 170
SERIES = ("var(--series-silver)", "var(--series-gold)", "var(--series-bronze)", "var(--series-other)")
WORKS = Status("Works", Tone.GOOD, "The evaluator can send by it.")
DEAD = Status("Dead", Tone.BAD, "No message leaves by it.")
NOT_TOLD = Status("Not told", Tone.NONE, "The evaluator's heartbeat does not tell of it.")


def channels(sent: Sent, pulse: Pulse) -> Component:
    """Each channel: whether it works, its last message and what became of it, and the counts of a week."""
    by_name: dict[str, Row] = {row["channel"]: row for row in sent.channels}
    names = sorted({*by_name, *pulse.channels()})
    if not names:
        return ui.empty("No channel is set, and no message was ever sent.", next_step="Set one, then try it:", command="lakehouse doctor")
    rows = [_channel(name, by_name.get(name), pulse.channels().get(name)) for name in names]
    return ui.table(("Channel", "State", "Last message", "Outcome", "Delivered", "Failed"), rows, numeric=(4, 5), label="Channels")


def _channel(name: str, row: Row | None, told: Channel | None) -> list[Any]:
    state = NOT_TOLD if told is None else WORKS if told.ok else DEAD
    why = html.Div([ui.clock(as_ms(told.since)), f" {told.error or ''}"], className="muted") if told and not told.ok else None
    head = [html.Strong(name), html.Div([ui.pill(state), why])]
    if row is None:
        return [*head, "none yet", "–", "0", "0"]
    last = row["last"]
    outcome = html.Div([ui.pill(known(OUTCOMES, last["outcome"])), html.Div(last["error"], className="muted") if last["error"] else None])
    failed = links.within(links.ALERTS, {"channel": name, "outcome": "failed"})
    return [
        *head,
        html.Div([ui.ago(last["ms"]), html.Div(last["kind"].replace("_", " "), className="muted")]),
        outcome,
        _count(row["delivered"], links.within(links.ALERTS, {"channel": name, "outcome": "delivered"})),
        _count(row["failed"], failed, "ink-bad"),
    ]


def _count(n: int, href: str, ink: str = "") -> Component | str:
    return dcc.Link(f"{n:,}", href=href, className=ink) if n else "0"


def drills(sent: Sent) -> Component:
    """What the last rehearsal of the way from a broken row to a message came to, by channel."""
    if not sent.drills:
        return ui.empty("There was no fire drill yet.", next_step="The evaluator holds one by its schedule.")
    return html.Ul([_drill(row) for row in sent.drills], className="drills")


def _drill(row: Row) -> Component:
    shown = known(OUTCOMES, row["outcome"])
    arrived = row["outcome"] == "delivered"
    words = (
        ["arrived ", ui.ago(row["sent_ms"]), f" after {ui.seconds(row['took_s'])}"]
        if arrived
        else ["did not arrive ", ui.ago(row["sent_ms"])]
    )
    last = ["; arrived last ", ui.ago(row["delivered_ms"])] if not arrived and row["delivered_ms"] else []
    sign = html.Span(ui.SIGNS[shown.tone], className=f"glance-sign tone-{shown.tone}", **{"aria-hidden": "true"})
    link = dcc.Link(row["channel"], href=links.within(links.ALERTS, {"channel": row["channel"], "kind": "drill"}), className="glance-name")
    why = html.Div(row["error"], className="muted") if row["error"] else None
    return html.Li([sign, html.Div([link, " ", html.Span([*words, *last]), why])])


def noise(sent: Sent) -> Component:
    """Messages by channel and week, and the share that people marked as useful."""
    if not sent.noise:
        return ui.empty("No message about trouble was delivered in these weeks.")
    names = sorted({row["channel"] for row in sent.noise})
    useful = {row["channel"]: row for row in sent.useful}
    rows = [[html.Strong(name), *[_week(sent, name, week) for week in sent.weeks], _useful(useful.get(name))] for name in names]
    headings = ("Channel", *[monday(week) for week in sent.weeks], "Marked useful")
    return ui.table(headings, rows, numeric=range(1, len(headings)), label="Messages by channel and week, by the week's Monday")


def monday(week: str) -> str:
    """A week by its first day, in short."""
    day = date.fromisoformat(week)
    return f"{day.day} {day:%b}"


def _week(sent: Sent, channel: str, week: str) -> Component | str:
    return _count(sent.messages(channel, week), links.within(links.ALERTS, {"channel": channel, "week": week}))


def _useful(row: Row | None) -> Component | str:
    if not row or not row["marked"]:
        return html.Span("none rated", className="muted")
    return html.Span(
        [html.Strong(f"{row['useful'] / row['marked']:.0%}"), html.Div(f"{row['useful']:,} of {row['marked']:,} rated", className="muted")]
    )


def noise_figure(sent: Sent) -> Figure:
    """Messages per week, a bar for each channel."""
    names = sorted({row["channel"] for row in sent.noise})
    bars = [
        {
            "type": "bar",
            "name": escaped(name),
            "x": [monday(week) for week in sent.weeks],
            "y": [sent.messages(name, week) for week in sent.weeks],
            "marker": {"color": SERIES[n % len(SERIES)], "line": {"width": 0}, "cornerradius": 2},
            "hovertemplate": f"{escaped(name)}: %{{y:,}} messages<extra></extra>",
        }
        for n, name in enumerate(names)
    ]
    return {"data": bars, "layout": _layout(bool(names))}


def _layout(has_any: bool) -> Figure:
    axis = {"fixedrange": True, "tickfont": {"size": 11, "color": "var(--ink-3)"}}
    return {
        "height": HEIGHT_PX if has_any else 0,
        "margin": {"l": 40, "r": 12, "t": 30, "b": 28},
        "barmode": "group",
        "bargap": 0.4,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.25, "font": {"size": 12}, "itemclick": False, "itemdoubleclick": False},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "var(--ink-2)"},
        "dragmode": False,
        "xaxis": {**axis, "type": "category", "automargin": True, "linecolor": "var(--line-strong)"},
        "yaxis": {**axis, "gridcolor": "var(--line)", "zeroline": False, "rangemode": "tozero", "nticks": 4, "tickformat": ",d"},
    }
