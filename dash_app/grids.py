"""The grids of the operations pages: their columns and how they behave; static/grid.js draws the cells.

Does not belong here: queries, callbacks, or tables that need neither sorting nor choosing (components).
"""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
from dash.development.base_component import Component

from dash_app.queries import RATED_ATTEMPTS

Row = dict[str, Any]

OF_LAST = "of the last attempt that is over."
AFTER_NUMBERS: Row = {"cellClass": "after-num", "headerClass": "after-num"}
COUNTS = (
    ("rows_read", "Read", f"Records or rows read, {OF_LAST}", 70),
    ("rows_inserted", "Inserted", f"Rows inserted, {OF_LAST}", 70),
    ("rows_updated", "Updated", f"Rows updated, {OF_LAST}", 66),
    ("rows_deleted", "Deleted", f"Rows deleted, {OF_LAST}", 62),
    ("rows_quarantined", "Quarantined", f"Rows set aside with the reason, {OF_LAST}", 92),
    ("rows_duplicate", "Duplicate", f"Rows that were there already, {OF_LAST}", 72),
    ("rows_not_applicable", "Not applicable", f"Records that are no rows of this table, {OF_LAST}", 78),
    ("rows_held_back", "Held back", f"Rows held back with their tenant's slice, {OF_LAST}", 52),
)
BENEATH = {
    "rows_read": ("rows_expanded", "added", "Below: rows added by expanding records."),
    "rows_duplicate": (
        "rows_conflicting",
        "differ",
        "Below: rows with another body under an id that was there already; they wait in quarantine.",
    ),
}
"""Rarer counts, without which the books of a row would not balance: below which other one each stands where there are any, and its word."""


TIMES = ("Ago", "Clock", "Stamp")
"""Cells of milliseconds since 1970, UTC."""


def column(field: str, heading: str, renderer: str | None, *, least_px: int = 0, **more: Any) -> Row:
    """A column, drawn by a cell of static/grid.js or as plain text; one with `least_px` is hidden where the page is narrower."""
    drawn = {"cellRenderer": renderer} if renderer else {}
    return {"field": field, "headerName": heading, "context": {"least": least_px, "isTime": renderer in TIMES}, **drawn, **more}


def numeric(field: str, heading: str, tip: str, width_px: int, formatter: str = "count", *, least_px: int = 0, **more: Any) -> Row:
    """A column of numbers, aligned on the right."""
    return {
        "field": field,
        "headerName": heading,
        "headerTooltip": tip,
        "type": "numericColumn",
        "cellClass": "num",
        "valueFormatter": {"function": f"{formatter}(params.value)"},
        "flex": 7,
        "minWidth": width_px,
        "context": {"least": least_px, "isTime": False},
        **more,
    }


def _counted(field: str, heading: str, tip: str, width_px: int) -> Row:
    if field not in BENEATH:
        return numeric(field, heading, tip, width_px)
    beneath, word, about = BENEATH[field]
    return numeric(
        field, heading, f"{tip} {about}", width_px, cellRenderer="CountAnd", cellRendererParams={"beneath": beneath, "word": word}
    )


PIPELINE_COLUMNS = [
    column("pipeline", "Pipeline and table", "Pipeline", flex=20, minWidth=164),
    column("label", "Status", "Status", flex=11, minWidth=118, comparator={"function": "byTone"}),
    column("last_success_ms", "Last success", "Ago", flex=8, minWidth=70),
    numeric("duration_s", "Duration", f"Duration {OF_LAST}", 68, "seconds"),
    *[_counted(*counted) for counted in COUNTS],
    column(
        "promise_text",
        "Promises",
        "Promise",
        flex=9,
        minWidth=116,
        headerTooltip="Whether what is promised of the table is kept (SLA), and what is left of its error budget of 30 days.",
        least_px=1480,
        cellDataType=False,
        **AFTER_NUMBERS,
    ),
    numeric("success_rate", "Success", f"Share of the last {RATED_ATTEMPTS} attempts that succeeded.", 72, cellRenderer="SuccessRate"),
    column(
        "trend",
        "Rows inserted",
        "Sparkline",
        headerTooltip=f"By each of the last {RATED_ATTEMPTS} attempts; a cross is a failed one.",
        sortable=False,
        cellDataType=False,
        width=172,
        least_px=1180,
        **AFTER_NUMBERS,
    ),
]

FAILURE_COLUMNS = [
    column("happened_ms", "When", "Clock", width=118),
    column("pipeline", "Pipeline and table", "Place", flex=16, minWidth=190),
    column("label", "Status", "Status", width=118),
    column("error_message", "Error", "Error", wrapText=True, autoHeight=True, flex=44, minWidth=240),
    numeric("attempt", "Attempt", "Attempt of the step within its run.", 72, flex=None, width=72),
    column("recovered", "Since then", "Recovered", width=122, **AFTER_NUMBERS),
    column("run_id", "Run", "Run", width=96),
]


def pipelines_grid(rows: list[Row]) -> Component:
    """The table of pipelines: a row for each table that a pipeline writes; choosing one narrows the page to it."""
    return grid(
        "pipelines-grid",
        rows,
        PIPELINE_COLUMNS,
        {"rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": False}},
        {
            "firstDataRendered": ["fitColumns(params)", "showChosen(params)"],
            "gridSizeChanged": ["fitColumns(params)"],
            "cellClicked": ["choose(params)"],
            "cellKeyDown": ["chooseByKey(params)"],
        },
    )


def failures_grid(rows: list[Row]) -> Component:
    """The table of failed attempts."""
    pages = {"pagination": True, "paginationPageSize": 10, "paginationPageSizeSelector": False}
    return grid("failures-grid", rows, FAILURE_COLUMNS, pages, {})


def listing(identity: str, rows: list[Row], columns: list[Row], *, row_px: int = 46, page_size: int = 25) -> Component:
    """A table that sorts, filters by column, and has its rows in pages; what was filtered is kept while the browser's tab is open."""
    pages = {"pagination": True, "paginationPageSize": page_size, "paginationPageSizeSelector": False, "rowHeight": row_px}
    filtered = [{"filter": True, "suppressHeaderMenuButton": False, **c} for c in columns]
    return grid(
        identity,
        rows,
        filtered,
        pages,
        {"firstDataRendered": ["fitColumns(params)"], "gridSizeChanged": ["fitColumns(params)"]},
        persistence=identity,
        persisted_props=["filterModel"],
        persistence_type="session",
    )


def grid(identity: str, rows: list[Row], columns: list[Row], options: Row, listeners: Row, **more: Any) -> Component:
    return dag.AgGrid(
        id=identity,
        rowData=rows,
        columnDefs=columns,
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "suppressHeaderMenuButton": True,
            "wrapHeaderText": True,
            "autoHeaderHeight": True,
            "suppressMovable": True,
        },
        getRowId="params.data.id",
        eventListeners=listeners,
        style={"height": None, "width": "100%"},
        dashGridOptions={
            "theme": {"function": "clearlakeTheme(agGrid)"},
            "domLayout": "autoHeight",
            "rowHeight": 52,
            "animateRows": False,
            "tooltipShowDelay": 300,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            **options,
        },
        **more,
    )
