"""The rows behind a number or a piece of evidence: those of one ops or ctl table that have the values in the address.

Does not belong here: SQL (row_queries), or pages of tables.
"""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import incident_grids, links
from dash_app.context import knowledge_of_this_app
from dash_app.filters import LONGEST_VALUE
from dash_app.row_queries import MOST_ROWS, READABLE, Found

PATH = links.ROWS
MOST_CONDITIONS = 12


def layout(table: str = "", **where: str) -> Component:
    """The rows as they are now."""
    asked = {name: value[:LONGEST_VALUE] for name, value in list(where.items())[:MOST_CONDITIONS]}
    title = html.H1(["Rows of ", html.Code(table or "a table")])
    conditions = html.Div([_condition(name, value) for name, value in asked.items()], className="conditions")
    shown = _rows(table, asked) if table in READABLE else [_elsewhere(table, asked)]
    return html.Div([html.Div([title, conditions], className="page-head"), *shown], className="page")


def _rows(table: str, asked: dict[str, str]) -> list[Component | None]:
    look = knowledge_of_this_app().rows.of(table, asked)
    found = look.value or Found()
    if found.unknown:
        return [html.Div(ui.empty(f"{table} has no column {', '.join(found.unknown)}."), className="card")]
    if not found.rows:
        return [ui.banner(look), html.Div(ui.empty("No row has these values now."), className="card")]
    note = f"{found.total:,} rows" if found.total <= MOST_ROWS else f"the newest {MOST_ROWS:,} of {found.total:,} rows"
    run_ids = sorted({str(row["run_id"]) for row in found.rows if row.get("run_id")})[:5]
    runs = [html.Span(["Run ", ui.run_link(run_id)]) for run_id in run_ids]
    return [
        ui.banner(look),
        html.Div(incident_grids.rows_grid(found.rows, found.columns, found.times), className="card"),
        html.Div([ui.export_button("rows-grid", table), html.Span(note), *runs], className="below"),
    ]


def _condition(name: str, value: str) -> Component:
    return html.Span([html.Code(name), " = ", html.Code(value) if value else html.Em("none")], className="condition")


def _elsewhere(table: str, asked: dict[str, str]) -> Component:
    """Rows of the lake are read by Trino; what to ask it for."""
    if not table:
        return html.Div(ui.empty("The address names no table."), className="card")
    text = " and ".join(
        f"{_identifier(name)} = {_literal(value)}" if value else f"{_identifier(name)} is null" for name, value in asked.items()
    )
    sql = f"select * from {'.'.join(_identifier(part) for part in table.split('.'))}{f' where {text}' if text else ''} limit 100"
    return html.Div(
        [
            html.P(["These rows are in the lake. Ask for them by SQL, or see ", dcc.Link(table, href=links.table(table)), "."]),
            html.Pre(sql, className="sql"),
        ],
        className="card elsewhere",
    )


def _identifier(name: str) -> str:
    plain = name.replace('"', '""')
    return name if name.isidentifier() else f'"{plain}"'


def _literal(value: str) -> str:
    return "'{}'".format(value.replace("'", "''"))
