"""The grids of the pages on data: their columns; static/lake_grid.js draws their cells.

Does not belong here: how every grid behaves (grids), queries, or callbacks.
"""

from __future__ import annotations

from typing import Any

from dash.development.base_component import Component

from dash_app.grids import AFTER_NUMBERS, column, grid, numeric
from dash_app.queries import Row

TEXT_FILTER: Row = {
    "filter": "agTextColumnFilter",
    "floatingFilter": True,
    "suppressFloatingFilterButton": True,
    "suppressHeaderFilterButton": True,
}
WRAPPED: Row = {"wrapText": True, "autoHeight": True}
WIDE: Row = {"context": {"least": 720}}
"""Columns that a page less wide than that, in pixels, does without; the file that it exports has them."""
ROWS_OF_A_PAGE = 20
FITTED = {"firstDataRendered": ["fitColumns(params)"], "gridSizeChanged": ["fitColumns(params)"]}


def _text(field: str, heading: str, **more: Any) -> Row:
    return column(field, heading, "Plain", **TEXT_FILTER, **more)


def _count(field: str, heading: str, tip: str, width: int, **more: Any) -> Row:
    return numeric(field, heading, tip, width, **{"flex": None, "width": width, **more})


FAILING_COLUMNS = [
    column("label", "State", "Status", width=124, comparator={"function": "byTone"}, **WIDE),
    column("asset", "Table and pipeline", "TableOf", flex=18, minWidth=130, **TEXT_FILTER),
    column("since_ms", "Failing since", "Ago", width=104, sort="asc", **WIDE),
    _count(
        "attempts", "Attempts", "Attempts without a success since then; click for the table's runs.", 84, cellRenderer="CountLink", **WIDE
    ),
    column("error_message", "Error of the last attempt", "Error", flex=34, minWidth=190, **WRAPPED, **TEXT_FILTER, **AFTER_NUMBERS),
    column("next_step", "What to do", "Prose", flex=24, minWidth=200, **WRAPPED, **WIDE),
    column("run_id", "Run", "RunLink", width=96, **WIDE),
]
HELD_COLUMNS = [
    column("tenant_id", "Tenant and batch", "SliceOf", flex=16, minWidth=130, **TEXT_FILTER),
    _count("held_rows", "Rows", "Rows held back; click for the rows.", 74, cellRenderer="CountLink"),
    column("reason_text", "Rule", "Prose", flex=20, minWidth=160, **WRAPPED, **TEXT_FILTER, **AFTER_NUMBERS, **WIDE),
    column("since_ms", "Held since", "Ago", width=104, **WIDE),
    column("next_step", "What to do", "Prose", flex=28, minWidth=210, **WRAPPED, **WIDE),
    column("href", "", "Lead", width=118, cellRendererParams={"text": "Look, release"}, sortable=False),
]
LEFT_COLUMNS = [
    column("reason", "Reason", "Prose", flex=18, minWidth=146, **WRAPPED, **TEXT_FILTER),
    column("source", "Source and tenant", "SourceOf", flex=16, minWidth=170, **TEXT_FILTER, **WIDE),
    _count("left_rows", "Rows", "Rows that wait; click for the rows.", 76, cellRenderer="CountLink"),
    _count("files", "Files", "Landed files that they came from; click for the rows.", 74, cellRenderer="CountLink", **WIDE),
    column("first_ms", "First", "Ago", width=116, **AFTER_NUMBERS, **WIDE),
    column("last_ms", "Latest", "Ago", width=104, **WIDE),
    column("next_step", "What to do", "Prose", flex=26, minWidth=200, **WRAPPED, **WIDE),
    column("href", "", "Lead", width=110, cellRendererParams={"text": "Re-process"}, sortable=False),
]
FILE_COLUMNS = [
    column("state_text", "State", "Status", width=142, **WIDE),
    column("path", "File", "Path", flex=28, minWidth=150, **WRAPPED, **TEXT_FILTER),
    column("source", "Source and tenant", "SourceOf", flex=14, minWidth=150, **TEXT_FILTER, **WIDE),
    numeric("size", "Size", "Size as landed.", 84, "bytes", flex=None, width=84, **WIDE),
    column("first_seen_ms", "Seen", "Clock", width=136, **AFTER_NUMBERS, **WIDE),
    column("reason", "Why", "Prose", flex=22, minWidth=170, **WRAPPED, **TEXT_FILTER),
    column("next_step", "What to do", "Prose", flex=22, minWidth=190, **WRAPPED, **WIDE),
]
CHECK_COLUMNS = [
    column("outcome_text", "Latest", "Status", width=136, comparator={"function": "byTone"}),
    column("check_name", "Check", "CheckOf", flex=22, minWidth=200, **TEXT_FILTER),
    column("table_name", "Table and pipeline", "TableOf", flex=18, minWidth=180, **TEXT_FILTER, **WIDE),
    column("expected", "Expected", "ExpectedOf", flex=20, minWidth=170, **WRAPPED, **WIDE),
    numeric("observed", "Observed", "The measured value.", 88, "measure", flex=None, width=88, **WIDE),
    _count("rows_failed", "Rows failed", "Rows that broke it, of those looked at.", 92, cellRenderer="FailedOf", **WIDE),
    column("history", "History", "History", width=168, sortable=False, cellDataType=False, **AFTER_NUMBERS, **WIDE),
    column("at_ms", "Looked at", "Ago", width=96, **WIDE),
    column("run_id", "Run", "RunLink", width=96, **WIDE),
]
QUARANTINE_COLUMNS = [
    column("_ingested_ms", "Came in", "Clock", width=122, **WIDE),
    column("reason_text", "Reason", "ReasonOf", flex=16, minWidth=136, **WRAPPED, **TEXT_FILTER),
    column("source", "Source and tenant", "SourceOf", flex=12, minWidth=150, **TEXT_FILTER, **WIDE),
    column("file", "File and place", "PlaceOf", flex=14, minWidth=170, **WRAPPED, **TEXT_FILTER, **WIDE),
    column("event_id", "Event", "EventOf", flex=12, minWidth=140, **WRAPPED, **TEXT_FILTER, **WIDE),
    column("text", "Record", "Raw", flex=40, minWidth=190, **WRAPPED),
]
TABLE_COLUMNS = [
    column("name", "Table", "NameOf", flex=22, minWidth=210, **TEXT_FILTER),
    _count("rows", "Rows", "Rows of the present version, out of the table's log; click for its versions.", 104, cellRenderer="CountLink"),
    numeric("bytes", "Size", "Bytes of the present version's files.", 92, "bytes", flex=None, width=92, **WIDE),
    _count("files", "Files", "Data files of the present version.", 76, **WIDE),
    column("newest_event_ms", "Newest event", "AgoOrNothing", width=112, **AFTER_NUMBERS, **WIDE),
    column("written_ms", "Newest file", "AgoOrNothing", width=104, headerTooltip="When the newest data file was written.", **WIDE),
    column("last_label", "Last run", "LastRun", width=124, **WIDE),
    column("promise_text", "Promise", "Promise", width=132, headerTooltip="Whether what is promised of the table is kept (SLA).", **WIDE),
    numeric("pii_columns", "PII", "Columns that hold personal data, of all.", 64, flex=None, width=64, cellRenderer="PiiOf", **WIDE),
    _text("owner", "Owner", width=116, **AFTER_NUMBERS, **WIDE),
]
VERSION_COLUMNS = [
    _count("version", "Version", "Version of the table.", 84),
    column("at_ms", "When", "Clock", width=126, **AFTER_NUMBERS),
    _text("operation", "Operation", flex=14, minWidth=120),
    _count("rows_written", "Rows written", "By Delta's own metrics.", 84),
    _count("rows_deleted", "Rows deleted", "By Delta's own metrics.", 104, **WIDE),
    column("run_id", "Run", "RunLink", width=106, **AFTER_NUMBERS, **WIDE),
]
RUN_COLUMNS = [
    column("happened_ms", "When", "Clock", width=118),
    column("label", "Status", "Status", width=118, comparator={"function": "byTone"}),
    _text("pipeline", "Pipeline", flex=12, minWidth=116, **WIDE),
    numeric("duration_s", "Duration", "Duration of the attempt.", 76, "seconds", flex=None, width=76, **WIDE),
    *[
        _count(
            f"rows_{name}", name.capitalize(), f"Rows {name}.", 84 if name != "quarantined" else 94, **({} if name == "inserted" else WIDE)
        )
        for name in ("read", "inserted", "updated", "deleted", "quarantined")
    ],
    _count("version_after", "Version", "Version that it left.", 70, **WIDE),
    column("error_message", "Error", "Problem", flex=22, minWidth=130, **WRAPPED, **AFTER_NUMBERS, **WIDE),
    column("run_id", "Run", "RunLink", width=90, **WIDE),
]
COLUMN_COLUMNS = [
    column("name", "Column", "ColumnOf", flex=14, minWidth=130, **TEXT_FILTER),
    _text("type", "Type", width=150, **WIDE),
    column("pii", "PII", "Pii", width=62),
    column("required", "Required", "YesNo", width=90, **WIDE),
    column("comment", "Meaning", "Prose", flex=34, minWidth=140, **WRAPPED, **TEXT_FILTER),
    column("made_from", "Made from", "Prose", flex=18, minWidth=150, **WRAPPED, **WIDE),
]
ANOMALY_COLUMNS = [
    column("bucket_ms", "Bucket", "Clock", width=118),
    column("verdict_text", "Verdict", "Status", width=178),
    _text("metric", "Metric", flex=14, minWidth=120),
    _text("dimension", "Of", flex=12, minWidth=100, **WIDE),
    _text("tenant", "Tenant", flex=10, minWidth=100, **WIDE),
    numeric("observed", "Observed", "The measurement.", 90, "measure", flex=None, width=90),
    numeric("expected", "Expected", "Median of what it was compared with.", 90, "measure", flex=None, width=90, **WIDE),
    column("band", "Band", "Plain", width=130, **AFTER_NUMBERS, **WIDE),
    column("reason", "Reason", "Prose", flex=18, minWidth=140, **WRAPPED, **WIDE),
]


def data_grid(identity: str, rows: list[Row], columns: list[Row], *, page_size: int | None = ROWS_OF_A_PAGE) -> Component:
    """A grid that sorts and filters, with pages where it has more rows than fit."""
    paged = page_size is not None and len(rows) > page_size
    pages = {"pagination": True, "paginationPageSize": page_size, "paginationPageSizeSelector": False} if paged else {}
    return grid(identity, rows, columns, {"rowHeight": 48, "suppressScrollOnNewData": True, **pages}, FITTED)
