"""Filters that stand in the address: each value is a link, so that every view can be shared and the browser's back works.

Does not belong here: which rows a filter leaves (queries).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dash import dcc, html
from dash.development.base_component import Component

from dash_app import links

LONGEST_VALUE = 300


class Choice(NamedTuple):
    """A filter with few values: its name in the address, its heading, and its values with their words."""

    name: str
    heading: str
    values: Mapping[str, str]


def asked_of(query: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The filters that an address names, of those that the page knows."""
    return {name: str(query[name])[:LONGEST_VALUE] for name in names if query.get(name)}


def chips(path: str, choices: Sequence[Choice], asked: Mapping[str, str]) -> list[Component]:
    """A group of links for each choice; the link of a chosen value takes it away."""
    return [_group(path, choice, asked) for choice in choices if choice.values]


def _group(path: str, choice: Choice, asked: Mapping[str, str]) -> Component:
    now = asked.get(choice.name)
    links_ = [_chip(path, choice.name, value, words, now, asked) for value, words in choice.values.items()]
    return html.Div(
        [html.Span(choice.heading, className="filter-name"), *links_], className="filter", role="group", **{"aria-label": choice.heading}
    )


def _chip(path: str, name: str, value: str, words: str, now: str | None, asked: Mapping[str, str]) -> Component:
    is_chosen = now == value
    href = links.within(path, {**asked, name: None if is_chosen else value})
    text = [words, html.Span(" ✕", **{"aria-hidden": "true"})] if is_chosen else words
    title = f"Take {words} away" if is_chosen else f"Only {words}"
    return dcc.Link(text, href=href, className=f"filter-chip{' chosen' if is_chosen else ''}", title=title)
