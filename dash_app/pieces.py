"""Pieces of the pages on data: the head with numbers that lead on, chosen filters, facets, a strip of days, an asked-twice button.

Does not belong here: pieces of the frame and of every page (components), queries, callbacks or grids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote

from dash import dcc, html
from dash.development.base_component import Component

from dash_app.components import SIGNS, VERDICT_SIGNS, Children
from dash_app.statuses import Tone

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Number:
    """A number of a page's head, and the place of the rows behind it."""

    label: str
    value: Children
    href: str
    tone: Tone = Tone.NONE


def head(tone: Tone, title: str, detail: Children, numbers: Sequence[Number], *, identity: str) -> Component:
    """The head of a page: the answer in a line, and the numbers behind it as links."""
    sign = html.Span(VERDICT_SIGNS[tone], className=f"verdict-sign tone-{tone}", **{"aria-hidden": "true"})
    tiles = [
        html.Div(
            [html.Dt(number.label), html.Dd(_leading_on(number), className=f"ink-{number.tone}", id=f"{identity}-tile-{n}")],
            className="tile",
        )
        for n, number in enumerate(numbers)
    ]
    verdict = html.Div([sign, html.Div([html.H1(title), html.P(detail)])], className="verdict")
    return html.Div([verdict, html.Dl(tiles, className="tiles")], className="headline")


def _leading_on(number: Number) -> Component:
    if number.href.startswith("#"):
        link: Component = html.A(number.value, href=number.href, title=f"Show: {number.label}")
        return link
    return dcc.Link(number.value, href=number.href, title=f"Show: {number.label}")


def chips(chosen: Mapping[str, tuple[str, str]], *, clear: str) -> list[Component]:
    """What a view is narrowed by, each a link that takes it away.

    Args:
        chosen: what is chosen, by name: its value, and the address without it.
        clear: address without any.
    """
    links: list[Component] = [
        dcc.Link([f"{name}: ", html.Strong(value), html.Span(" ✕", **{"aria-hidden": "true"})], href=href, className="chip",
                 title=f"Show every {name}")
        for name, (value, href) in chosen.items()
    ]  # fmt: skip
    everything = dcc.Link("Clear all", href=clear, className="quiet")
    return [*links, everything] if len(links) > 1 else links


@dataclass(frozen=True)
class Value:
    """A value of a facet: its rows, and the address that narrows to it, or takes it away where it is chosen."""

    name: str
    rows: int
    href: str
    chosen: bool = False


def facet(title: str, values: Sequence[Value], *, more: int = 0) -> Component:
    """Rows by the values of something, each a link that narrows to it; the bar is its share of the largest."""
    top = max((value.rows for value in values), default=0) or 1
    items = [
        html.Li(
            dcc.Link(
                [
                    html.Span(className="facet-bar", style={"width": f"{100 * value.rows / top:.1f}%"}),
                    html.Span(["✓ " if value.chosen else "", value.name or "(none)"], className="facet-name"),
                    html.Span(f"{value.rows:,}", className="facet-count"),
                ],
                href=value.href,
                className="facet-value facet-chosen" if value.chosen else "facet-value",
                title=f"{value.name}: show all again" if value.chosen else f"Only {value.name}",
            )
        )
        for value in values
    ]
    rest = html.P(f"and {more:,} more", className="muted facet-more") if more > 0 else None
    return html.Div([html.H3(title), html.Ul(items), rest], className="facet")


def day_strip(days: Sequence[tuple[int, Mapping[Tone, int], str]], *, label: str, words: Mapping[Tone, str], chosen: int) -> Component:
    """A column for each day (UTC), as high as what it counts, in parts by tone.

    Args:
        days: day since 1970, counts by tone, and the address of what is behind it.
        label: what is counted.
        words: what a tone means here.
        chosen: the day that is looked at; 0 for none.
    """
    top = max((sum(counts.values()) for _, counts, _ in days), default=0) or 1
    columns = [_column(day, counts, href, top, words, day == chosen) for day, counts, href in days]
    return html.Div(columns, className="day-strip", role="group", **{"aria-label": label})


def _column(day: int, counts: Mapping[Tone, int], href: str, top: int, words: Mapping[Tone, str], is_chosen: bool) -> Component:
    told = ", ".join(f"{n:,} {words[tone]}" for tone, n in counts.items() if n) or "nothing"
    shown = EPOCH + timedelta(days=day)
    blocks = [
        html.Span(className=f"day-block fill-{tone}", style={"height": f"{max(100 * n / top, 2):.1f}%"}) for tone, n in counts.items() if n
    ]
    return dcc.Link(
        [html.Span(blocks, className="day-blocks"), html.Span(f"{shown.day}", className="day-name")],
        href=href,
        className="day day-chosen" if is_chosen else "day",
        title=f"{shown:%a} {shown.day} {shown:%b} (UTC): {told}",
    )


def legend(words: Mapping[Tone, str]) -> list[Component]:
    """What the colours of a strip mean."""
    return [
        html.Span([html.I(className=f"swatch fill-{tone}"), f"{SIGNS[tone]} {word}"], className="legend") for tone, word in words.items()
    ]


def export_button(grid: str, file: str) -> Component:
    """A button that saves a grid, as it is filtered and sorted, as CSV."""
    return html.Button("Export CSV", type="button", className="button small", **{"data-save": grid, "data-save-as": file})


def asked_twice(summary: Children, question: Children, confirm: Component, *, identity: str) -> Component:
    """A button that opens a question with the button that does it."""
    body = html.Div([html.P(question), confirm], className="ask-body")
    return html.Details([html.Summary(summary, className="button"), body], className="ask", id=identity)


def table_href(name: str) -> str:
    """Address of a table's page."""
    return f"/tables/{quote(name, safe='')}"


def table_link(name: str) -> Component:
    """A link to a table's page."""
    return dcc.Link(name, href=table_href(name))


def run_link(run_id: str) -> Component:
    """A short link to a run's page."""
    return dcc.Link(run_id[:8], href=f"/runs/{quote(run_id, safe='')}", className="mono", title=f"Run {run_id}")


def size(n_bytes: int | None) -> str:
    """A size for people, in units of 1,024."""
    if n_bytes is None:
        return "–"
    value, unit = float(n_bytes), 0
    while value >= 1024 and unit < 4:
        value, unit = value / 1024, unit + 1
    return f"{n_bytes:,} B" if unit == 0 else f"{value:,.{0 if value >= 100 else 1}f} {('KiB', 'MiB', 'GiB', 'TiB')[unit - 1]}"


def synthetic_badge(is_synthetic: bool) -> Component | None:
    """Says that there is synthetic data in it."""
    return html.Span("synthetic", className="badge", title="Includes synthetic data, made by the simulator") if is_synthetic else None
