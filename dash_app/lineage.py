"""What an incident's break is made from and what is made from it: which tables, and how they are drawn.

Colours are names of CSS variables, as in figures.

Does not belong here: reading lineage (incident_queries), or any other figure (figures).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dash_app import links
from dash_app.figures import FONT, Figure, escaped
from dash_app.incident_queries import Edge

RANKS = ("files", "bronze", "silver", "gold")
"""From left to right; whatever else there is comes last."""
ROW_PX = 38
EDGE_PX = 26
COLUMN_PX = 190
"""A column narrower than this would cut names."""


@dataclass(frozen=True)
class Place:
    """A table in the picture: its column from the left, and its height, 0 being the middle."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Lineage:
    """The tables around a break.

    Args:
        broken: where the break is.
        hit: tables that are made from it.
        edges: which is read to make which.
    """

    broken: str
    hit: frozenset[str]
    edges: tuple[Edge, ...]

    @classmethod
    def around(cls, broken: str, hit: Collection[str], edges: Iterable[Edge]) -> Lineage:
        """What the break is made from, and what is made from it."""
        known = {(a, b) for a, b in edges if a != b}
        up = _reached({broken}, {(b, a) for a, b in known})
        down = _reached({broken, *hit}, known)
        kept = sorted((a, b) for a, b in known if {a, b} <= up or {a, b} <= down)
        return cls(broken, frozenset(hit) - {broken}, tuple(kept))

    @property
    def names(self) -> list[str]:
        """Every table in the picture."""
        return sorted({self.broken, *self.hit, *(name for edge in self.edges for name in edge)})

    def is_after_the_break(self, name: str) -> bool:
        """Whether the table is made from the break."""
        return name in self.hit or name in _reached({self.broken}, self.edges) - {self.broken}

    def places(self) -> list[Place]:
        """Where each table stands: layers from left to right, and within a layer what is read before what is made from it."""
        columns: dict[tuple[int, int], list[str]] = {}
        for name in self.names:
            columns.setdefault((_rank(name), self._depth(name)), []).append(name)
        places: dict[str, Place] = {}
        for x, key in enumerate(sorted(columns)):
            column = sorted(columns[key], key=lambda name: (self._height_of_inputs(name, places), name))
            for nth, name in enumerate(column):
                places[name] = Place(name, x, (len(column) - 1) / 2 - nth)
        return list(places.values())

    def _depth(self, name: str) -> int:
        same = {(a, b) for a, b in self.edges if _rank(a) == _rank(b)}
        reached, depth = {name}, 0
        while depth < len(same) and (before := {a for a, b in same if b in reached}):
            reached, depth = before, depth + 1
        return depth

    def _height_of_inputs(self, name: str, places: dict[str, Place]) -> float:
        heights = [places[a].y for a, b in self.edges if b == name and a in places]
        return -sum(heights) / len(heights) if heights else 0


def _reached(start: set[str], edges: Iterable[Edge]) -> set[str]:
    known, reached = list(edges), set(start)
    while more := {b for a, b in known if a in reached} - reached:
        reached |= more
    return reached


def _rank(name: str) -> int:
    kind = name.replace("/", ".").split(".")[0]
    return RANKS.index(kind) if kind in RANKS else len(RANKS)


def graph(lineage: Lineage) -> Figure:
    """Tables as boxes by layer from left to right, the break and what it hits marked by sign and colour.

    A click on a box gives the annotation whose `name` is the address of the table's page.
    """
    places = lineage.places()
    n_columns, top = int(max(p.x for p in places)) + 1, max(p.y for p in places)
    by_name = {place.name: place for place in places}
    return {
        "data": [_edge(by_name[a], by_name[b], _is_marked(lineage, a, b)) for a, b in lineage.edges] or [_nothing()],
        "layout": {
            "height": height_px(lineage),
            "margin": {"l": 8, "r": 8, "t": 6, "b": 6},
            "showlegend": False,
            "hovermode": False,
            "dragmode": False,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": {"visible": False, "fixedrange": True, "range": [-0.5, n_columns - 0.5]},
            "yaxis": {"visible": False, "fixedrange": True, "range": [-top - 0.9, top + 0.9]},
            "annotations": [_box(lineage, place) for place in places],
        },
    }


def height_px(lineage: Lineage) -> int:
    """How high the picture is."""
    return round(2 * EDGE_PX + (2 * max(p.y for p in lineage.places()) + 1) * ROW_PX)


def least_width_px(lineage: Lineage) -> int:
    """How wide the picture must be for its names not to overlap."""
    return int((max(p.x for p in lineage.places()) + 1) * COLUMN_PX)


def _is_marked(lineage: Lineage, a: str, b: str) -> bool:
    return lineage.is_after_the_break(b) and (a == lineage.broken or lineage.is_after_the_break(a))


def _edge(a: Place, b: Place, is_marked: bool) -> Figure:
    bend = 0.5 * (b.x - a.x)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _curve(a.x, a.x + bend, b.x - bend, b.x),
        "y": _curve(a.y, a.y, b.y, b.y),
        "line": {"width": 1.8 if is_marked else 1.2, "color": "var(--bad)" if is_marked else "var(--line-strong)"},
        "hoverinfo": "skip",
    }


def _curve(start: float, first: float, second: float, end: float, points: int = 16) -> Sequence[float]:
    shares = [n / (points - 1) for n in range(points)]
    return [(1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3 * end for t in shares]


def _nothing() -> Figure:
    return {"type": "scatter", "mode": "markers", "x": [], "y": []}


def _box(lineage: Lineage, place: Place) -> dict[str, Any]:
    is_broken, is_hit = place.name == lineage.broken, lineage.is_after_the_break(place.name)
    sign, ink, soft = (
        ("✕  ", "bad", "bad-soft") if is_broken else ("!  ", "warn", "warn-soft") if is_hit else ("", "ink-2", "surface-raised")
    )
    return {
        "name": links.table(place.name),
        "text": escaped(f"{sign}{_short(place.name)}"),
        "x": place.x,
        "y": place.y,
        "showarrow": False,
        "captureevents": True,
        "bgcolor": f"var(--{soft})",
        "bordercolor": "var(--line-strong)" if ink == "ink-2" else f"var(--{ink})",
        "borderwidth": 2 if is_broken else 1,
        "borderpad": 6,
        "font": {"family": FONT, "size": 12, "color": f"var(--{ink})"},
    }


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
