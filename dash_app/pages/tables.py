"""The page of all tables: layer, rows, size, freshness and owner of each.

Does not belong here: SQL (table_queries), or one table in full (pages.table).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from dash import Dash
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import lake_grids as grids
from dash_app import pieces
from dash_app.cache import Look
from dash_app.lake_context import sight_of_this_app
from dash_app.live import Drawn, LivePage, Query
from dash_app.promise_parts import promise_cell
from dash_app.queries import Row
from dash_app.statuses import Tone
from dash_app.table_queries import declared_list, read_states, read_table_list
from lakehouse.delta_reads import TableState
from lakehouse.tables import Layer

PATH = "/tables"
PARTS = ("head", "tables")
FILTERS = ("layer", "owner", "promise")


def draw(query: Query) -> Drawn:
    """The page as it is now."""
    sight = sight_of_this_app()
    known = sight.look("tables", lambda: read_table_list(sight))
    stored = sight.look_slowly("states", lambda: read_states(sight))
    chosen = {name: value for name in FILTERS if isinstance(value := query.get(name), str) and value}
    every = table_rows(known.value if known.value is not None else declared_list(sight), stored.value or {})
    shown = [row for row in every if all(row[name] == value for name, value in chosen.items())]
    return Drawn({"head": _head(every, chosen, known), "tables": _tables(shown, chosen)}, (known, stored))


PAGE = LivePage("tables", PARTS, draw)


def layout(**query: Any) -> Component:
    """The page as it is now."""
    return PAGE.layout(**query)


def register(app: Dash) -> None:
    """Keep the page up to date."""
    PAGE.register(app)


def table_rows(known: list[Row], states: Mapping[str, TableState]) -> list[Row]:
    """Tables as rows of the grid."""
    return [_row(row, states.get(row["name"])) for row in known]


def _row(row: Row, state: TableState | None) -> Row:
    stored = asdict(state) if state else dict.fromkeys(("version", "rows", "bytes", "files", "written_ms"))
    return {**row, **stored, **promise_cell(row["promise"]), "href": pieces.table_href(row["name"])}


def _head(every: list[Row], chosen: Mapping[str, str], look: Look[Any]) -> Component:
    broken = sum(row["promise"] == "broken" for row in every)
    numbers = [
        pieces.Number(layer.value, f"{sum(r['layer'] == layer.value for r in every):,}", _search(chosen, "layer", layer.value))
        for layer in Layer
    ]
    numbers.append(pieces.Number("promises broken", f"{broken:,}", _search(chosen, "promise", "broken"), Tone.BAD if broken else Tone.NONE))
    if look.value is None:
        told = "What was recorded of them could not be read yet."
        return pieces.head(Tone.NONE, f"{len(every):,} tables", told, numbers[:-1], identity="tables")
    rows = sum(row["rows"] or 0 for row in every)
    title, size = f"{len(every):,} tables", pieces.size(sum(row["bytes"] or 0 for row in every))
    return pieces.head(Tone.BAD if broken else Tone.GOOD, title, f"{rows:,} rows in {size}.", numbers, identity="tables")


def _search(chosen: Mapping[str, str], name: str, value: str) -> str:
    """Address of the view with one more filter; without it where it is chosen already."""
    others = {**chosen, name: "" if chosen.get(name) == value else value}
    query = urlencode({n: v for n, v in others.items() if v})
    return f"{PATH}?{query}" if query else PATH


def _tables(rows: list[Row], chosen: Mapping[str, str]) -> Component:
    chips = pieces.chips({n: (v, _search(chosen, n, v)) for n, v in chosen.items()}, clear=PATH)
    if not rows:
        return ui.section("Tables", ui.empty("No table is like this."), identity="tables-section", note=chips)
    grid = grids.data_grid("tables-grid", rows, grids.TABLE_COLUMNS, page_size=None)
    return ui.section("Tables", grid, identity="tables-section", note=[*chips, pieces.export_button("tables-grid", "tables")])
