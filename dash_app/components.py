"""Pieces that the operations pages are made of: the headline, statuses, times, plain tables, empty states.

Does not belong here: the frame (frame), queries, callbacks, grids or figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from dash import dcc, html
from dash.development.base_component import Component

from dash_app import links
from dash_app.cache import Look
from dash_app.queries import Overview
from dash_app.statuses import Status, Tone

Row = dict[str, Any]
Children: TypeAlias = "Sequence[Component | str] | Component | str | None"

SIGNS = {Tone.GOOD: "✓", Tone.WARN: "!", Tone.BAD: "✕", Tone.BUSY: "↻", Tone.NONE: "–"}
VERDICT_SIGNS = {**SIGNS, Tone.NONE: "…"}


def banner(look: Look[Any]) -> Component | None:
    """What to know when the store does not answer: why, and how old the page is."""
    if look.error is None:
        return None
    shown = ["This page shows what was known ", ago(_ms(look.seen_at)), "."] if look.seen_at else ["Nothing has been read yet."]
    return html.Div(
        [
            html.Span("!", className="banner-sign", **{"aria-hidden": "true"}),
            html.Div(
                [
                    html.Strong("The store does not answer."),
                    html.Span([" ", *shown, " It is tried again by itself."]),
                    html.Div(look.error.message, className="banner-detail"),
                    html.Div(f"Next: {look.error.next_step}", className="banner-detail") if look.error.next_step else None,
                ]
            ),
        ],
        className="banner",
        role="alert",
    )


def headline(overview: Overview) -> Component:
    """Is everything well? Counts of pipelines by state, and the age of the newest fact."""
    health = list(overview.health().values())
    counts = [(tone, health.count(tone)) for tone in (Tone.GOOD, Tone.WARN, Tone.BAD)]
    words = {Tone.GOOD: "well", Tone.WARN: "warned", Tone.BAD: "failed"}
    return html.Div(
        [
            _verdict(overview),
            html.Dl(
                [_tile(words[tone], f"{n:,}", tone if n else Tone.NONE) for tone, n in counts]
                + [_tile("running now", f"{len(overview.running()):,}", Tone.BUSY if overview.running() else Tone.NONE)]
                + [_tile("newest fact", ago(overview.recorded_ms), Tone.NONE, wide=True)],
                className="tiles",
            ),
        ],
        className="headline",
    )


def _names(names: Sequence[str]) -> Children:
    return [part for name in names for part in (dcc.Link(name, href=links.pipeline(name)), ", ")][:-1]


def _verdict(overview: Overview) -> Component:
    health = overview.health()
    detail: Children
    troubled = {tone: [name for name, t in health.items() if t is tone] for tone in Tone}
    if not health:
        tone, text, detail = Tone.NONE, "No run yet", "Nothing has been recorded in this lake."
    elif names := troubled[Tone.BAD]:
        tone, text, detail = Tone.BAD, _is_are(len(names), "failing"), _names(names)
    elif names := troubled[Tone.WARN]:
        tone, text, detail = Tone.WARN, _is_are(len(names), "worth a look"), _names(names)
    elif names := troubled[Tone.NONE]:
        tone, text, detail = Tone.NONE, "Waiting for a first run to end", _names(names)
    else:
        tone, text, detail = (
            Tone.GOOD,
            "Everything is well",
            f"{number_of(len(health), 'pipeline')}, {number_of(len(overview.pipelines), 'table')}",
        )
    sign = html.Span(VERDICT_SIGNS[tone], className=f"verdict-sign tone-{tone}", **{"aria-hidden": "true"})
    return html.Div([sign, html.Div([html.H1(text), html.P(detail)])], className="verdict", id="verdict")


def _is_are(n: int, what: str) -> str:
    return f"{number_of(n, 'pipeline')} {'is' if n == 1 else 'are'} {what}"


def number_of(n: int, noun: str) -> str:
    """A count with its noun."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _tile(label: str, value: Children, tone: Tone, *, wide: bool = False) -> Component:
    key = label.replace(" ", "-")
    return html.Div(
        [html.Dt(label), html.Dd(value, id=f"tile-{key}", className=f"ink-{tone}")], className="tile tile-wide" if wide else "tile"
    )


def live(look: Look[Any]) -> Children:
    """When the facts were last looked at."""
    return ["looked ", ago(_ms(look.seen_at))] if look.seen_at else "not read yet"


def pill(shown: Status) -> Component:
    """A status as a sign, a colour and a word."""
    sign = html.Span(SIGNS[shown.tone], className="pill-sign", **{"aria-hidden": "true"})
    return html.Span([sign, shown.label], className=f"pill tone-{shown.tone}", title=shown.meaning)


def ago(ms: int | None) -> Component:
    """How long ago, kept right by the browser; UTC on hover."""
    return _time(ms, "ago")


def stamp(ms: int | None) -> Component:
    """Time to the second in the viewer's zone; UTC on hover."""
    return _time(ms, "stamp")


def clock(ms: int | None) -> Component:
    """Day and time in the viewer's zone; UTC on hover."""
    return _time(ms, "clock")


def _time(ms: int | None, kind: str) -> Component:
    if ms is None:
        return html.Span("–")
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return html.Time(
        moment.strftime("%Y-%m-%d %H:%M UTC"), dateTime=moment.isoformat(), className=kind, title=moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def section(title: str, children: Children, *, identity: str, note: Children = None) -> Component:
    """A part of a page under its heading."""
    head = html.Div(
        [html.H2(title, id=f"{identity}-title"), html.Div(note, className="note", id=f"{identity}-note")], className="section-head"
    )
    return html.Section([head, html.Div(children, className="card")], id=identity, **{"aria-labelledby": f"{identity}-title"})


def export_button(grid: str, file: str) -> Component:
    """A button that saves what a grid shows as CSV; the browser does it (static/app.js)."""
    return html.Button("Export CSV", type="button", className="button button-small", **{"data-export": grid, "data-file": f"{file}.csv"})


def empty(text: str, *, next_step: str = "", command: str = "") -> Component:
    """What to show, and what to do next, where there is nothing to show."""
    return html.Div(
        [html.P(text), html.P([next_step, " " if command else None, html.Code(command) if command else None], className="muted")],
        className="empty",
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[Children]], *, numeric: Sequence[int] = (), label: str) -> Component:
    """A plain table; columns whose index is in `numeric` are aligned on the right."""
    kinds = ["num" if i in numeric else "" for i in range(len(headings))]
    return html.Div(
        html.Table(
            [
                html.Thead(html.Tr([html.Th(h, className=k, scope="col") for h, k in zip(headings, kinds, strict=True)])),
                html.Tbody([html.Tr([html.Td(c, className=k) for c, k in zip(row, kinds, strict=True)]) for row in rows]),
            ],
            **{"aria-label": label},
        ),
        className="table-scroll",
        tabIndex="0",
        role="region",
        **{"aria-label": label},
    )


def facts(values: Mapping[str, Children]) -> Component:
    """Names with their values."""
    return html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in values.items()], className="facts")


def count(value: int | None) -> str:
    """A count with thousand separators."""
    return "–" if value is None else f"{value:,}"


def seconds(value: float | None) -> str:
    """A duration for people."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}m {rest:02}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02}m"


def run_link(run_id: str) -> Component:
    """A link to the run's page."""
    return dcc.Link(run_id, href=links.run(run_id), className="mono")


def outside_link(url: str | None) -> Children:
    """A link out, only where it is a web address; text otherwise."""
    if url and urlsplit(url).scheme in ("http", "https"):
        link: Component = html.A("open", href=url, target="_blank", rel="noopener noreferrer")
        return link
    return url
