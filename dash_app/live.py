"""Pages that keep themselves up to date: a page is some named parts; of those only what has changed is drawn anew.

Does not belong here: what a part shows (pages).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app.cache import Look

INTERVAL_MS = 10_000
Query: TypeAlias = Mapping[str, Any]
"""Values of the address: of its path and its query string."""


@dataclass(frozen=True)
class Drawn:
    """A page as it is now.

    Args:
        parts: what each part shows, by name, in the page's order.
        looks: what it was drawn from; the page is as old as the oldest of them.
    """

    parts: Mapping[str, ui.Children]
    looks: Sequence[Look[Any]]


@dataclass(frozen=True)
class LivePage:
    """A page of named parts.

    Args:
        name: begins the ids of its components.
        parts: names of the parts, in order.
        draw: the page as it is now, for the values of an address.
    """

    name: str
    parts: tuple[str, ...]
    draw: Callable[[Query], Drawn]

    def layout(self, **query: Any) -> Component:
        """The page as it is now."""
        drawn = self.draw(query)
        return html.Div(
            [
                dcc.Interval(id=self._id("every"), interval=INTERVAL_MS),
                dcc.Store(id=self._id("query"), data=query),
                dcc.Store(id=self._id("seen"), data={name: fingerprint(drawn.parts[name]) for name in self.parts}),
                html.Div(banner(drawn.looks), id=self._id("banner")),
                html.Div(html.Span(looked(drawn.looks), id=self._id("looked")), className="looked", id="looked"),
                *[html.Div(drawn.parts[name], id=self._id(name), className="part") for name in self.parts],
            ],
            className="page",
        )

    def register(self, app: Dash) -> None:
        """Look again at each interval, and draw the parts that changed."""

        @app.callback(
            Output(self._id("looked"), "children"),
            Output(self._id("banner"), "children"),
            Output(self._id("seen"), "data"),
            *[Output(self._id(name), "children") for name in self.parts],
            Input(self._id("every"), "n_intervals"),
            State(self._id("query"), "data"),
            State(self._id("seen"), "data"),
            prevent_initial_call=True,
        )
        def look_again(_: int, query: Query, seen: Mapping[str, str]) -> tuple[Any, ...]:
            drawn = self.draw(query)
            now = {name: fingerprint(drawn.parts[name]) for name in self.parts}
            changed = [drawn.parts[name] if now[name] != seen.get(name) else no_update for name in self.parts]
            return looked(drawn.looks), banner(drawn.looks), no_update if now == seen else now, *changed

    def _id(self, part: str) -> str:
        return f"{self.name}-{part}"


def fingerprint(shown: ui.Children) -> str:
    """Changes when, and only when, what is shown does."""
    content = orjson.dumps(shown, default=lambda component: component.to_plotly_json(), option=orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def banner(looks: Sequence[Look[Any]]) -> Component | None:
    """What to know when the store does not answer, of the oldest look that failed."""
    failed = [look for look in looks if look.error]
    return ui.banner(min(failed, key=_age)) if failed else None


def looked(looks: Sequence[Look[Any]]) -> ui.Children:
    """When the oldest of the looks was taken; nothing where the page looks at nothing."""
    if not looks:
        return None
    return [html.I(className="live-dot"), html.Span(ui.live(min(looks, key=_age)))]


def _age(look: Look[Any]) -> float:
    return look.seen_at.timestamp() if look.seen_at else 0.0
