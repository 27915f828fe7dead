"""Pages that keep themselves up to date: a page is some named parts; of those only what has changed is drawn anew.

Rows of a grid, and what stands in a slot, change in place: a grid that is drawn anew would forget how it is sorted and filtered.

Does not belong here: what a part shows (pages).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import dash_ag_grid as dag
import orjson
from dash import Dash, Input, Output, State, dcc, html, no_update, set_props
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
                dcc.Store(id=self._id("seen"), data=self._fingerprints(drawn)),
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
            now = self._fingerprints(drawn)
            changed = {name for name in self.parts if now[name] != seen.get(name)}
            for name in self.parts:
                for inner in inside(drawn.parts[name]) if name not in changed else ():
                    if now[inner.identity] != seen.get(inner.identity):
                        set_props(inner.identity, {inner.prop: inner.value})
            redrawn = [drawn.parts[name] if name in changed else no_update for name in self.parts]
            return looked(drawn.looks), banner(drawn.looks), no_update if now == seen else now, *redrawn

    def _fingerprints(self, drawn: Drawn) -> dict[str, str]:
        """Of each part without what changes in place, by name; and of that, by id."""
        parts = {name: fingerprint(drawn.parts[name]) for name in self.parts}
        return parts | {inner.identity: fingerprint(inner.value) for name in self.parts for inner in inside(drawn.parts[name])}

    def _id(self, part: str) -> str:
        return f"{self.name}-{part}"


SLOT = "data-slot"


def slot(identity: str, children: ui.Children) -> Component:
    """A place within a part whose content changes in place; it holds no grid."""
    return html.Div(children, id=identity, **{SLOT: ""})


@dataclass(frozen=True)
class Inside:
    """What changes in place: a property of a component, by the component's id."""

    identity: str
    prop: str
    value: Any


def inside(part: ui.Children) -> list[Inside]:
    """The rows of grids, and the contents of slots, of a part."""
    found: list[Inside] = []
    _rendered(part, found)
    return found


def fingerprint(shown: Any) -> str:
    """Changes when, and only when, what is shown does, apart from what changes in place."""
    return hashlib.blake2b(_rendered(shown, []), digest_size=12).hexdigest()


def _rendered(shown: Any, found: list[Inside]) -> bytes:
    """What is shown as JSON, without what changes in place, which is put into `found`."""

    def told(component: Any) -> Any:
        plain = component.to_plotly_json()
        prop = "rowData" if isinstance(component, dag.AgGrid) else "children" if SLOT in plain["props"] else None
        if prop is None:
            return plain
        found.append(Inside(component.id, prop, plain["props"].get(prop)))
        return {**plain, "props": {name: value for name, value in plain["props"].items() if name != prop}}

    return orjson.dumps(shown, default=told, option=orjson.OPT_NON_STR_KEYS)


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
