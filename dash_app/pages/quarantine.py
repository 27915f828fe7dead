"""The page of the quarantine: rows by reason, source, file and tenant, a page of them, and having them processed again.

Does not belong here: SQL (quarantine_queries), or what a run does with the rows (jobs).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import lake_grids as grids
from dash_app import pieces
from dash_app.actions import record
from dash_app.broken_queries import NARROWING
from dash_app.cache import Look
from dash_app.lake_context import Sight, sight_of_this_app
from dash_app.live import Drawn, LivePage, Query, slot
from dash_app.masking import masked
from dash_app.quarantine_queries import (
    FACET_VALUES,
    PAGE_ROWS,
    Quarantine,
    Wanted,
    read_quarantine,
    wanted_from,
)
from dash_app.queries import Row
from dash_app.statuses import Tone
from lakehouse.dagster_api import RELEASE, REPROCESS, config_of, launch_job
from lakehouse.errors import LakehouseError

PATH = "/quarantine"
PARTS = ("head", "facets", "act", "rows")
SPANS = (1, 7, 30, 365)
TITLES = {"disposition": "Why they wait", "layer": "Layer", "reason": "Reason", "source": "Source", "tenant": "Tenant",
          "batch": "Batch", "file": "File"}  # fmt: skip
SHOWN_FACETS = ("reason", "source", "tenant", "batch", "file")
DISPOSITIONS = {"quarantined": "set aside", "held_back": "held back with their slice", "conflicting": "in conflict with a published row"}


def wanted_in(query: Query) -> Wanted:
    """The view that an address names."""
    return wanted_from(query)


def draw(query: Query) -> Drawn:
    """The page as it is now."""
    sight, wanted = sight_of_this_app(), wanted_in(query)
    look = _look(sight, wanted)
    seen = look.value or Quarantine()
    parts: dict[str, ui.Children] = {
        "head": _head(seen, wanted, look),
        "facets": _facets(seen, wanted) if seen.total else None,
        "act": act(wanted, seen.total, sight.can_launch()) if seen.total else None,
        "rows": _rows(seen, wanted, look),
    }
    return Drawn(parts, (look,))


PAGE = LivePage("quarantine", PARTS, draw)


def layout(**query: Any) -> Component:
    """The page as it is now."""
    page = PAGE.layout(**query)
    page.children.insert(-1, html.Div(id="quarantine-answer", role="status", className="answer", **{"aria-live": "polite"}))
    return page


def register(app: Dash) -> None:
    """Keep the page up to date until somebody asks for raw text, show it to them, and start what its buttons promise."""
    PAGE.register(app)

    @app.callback(
        Output("quarantine-grid", "rowData"),
        Output("quarantine-raw", "children"),
        Output("quarantine-raw", "disabled"),
        Output("quarantine-every", "disabled"),
        Input("quarantine-raw", "n_clicks"),
        State("quarantine-query", "data"),
        prevent_initial_call=True,
    )
    def show_raw(_: int, query: Query) -> tuple[Any, ...]:
        wanted = wanted_in(query)
        seen = _look(sight_of_this_app(), wanted).value or Quarantine()
        if not record("showed_raw", f"{PATH}{wanted.search(page=wanted.page)}", rows=len(seen.rows), **wanted.chosen()):
            return grid_rows(seen, is_raw=False), "Not shown: it could not be recorded", False, False
        return grid_rows(seen, is_raw=True), "Raw text is shown (recorded); the page stands still", True, True

    @app.callback(
        Output("quarantine-answer", "children"),
        Input("quarantine-do", "n_clicks"),
        State("quarantine-query", "data"),
        prevent_initial_call=True,
        running=[(Output("quarantine-do", "disabled"), True, False)],
    )
    def do(clicks: int | None, query: Query) -> Any:
        return start(sight_of_this_app(), wanted_in(query)) if clicks else None


def start(sight: Sight, wanted: Wanted) -> Component:
    """Have Dagster re-process, or release, what a view is narrowed to, and record it. Returns what to say."""
    is_release = can_release(wanted)
    if not (is_release or wanted.source):
        return _answer(Tone.WARN, ["Choose a source first."])
    job, config = release_run(wanted) if is_release else reprocess_run(wanted)
    try:
        run_id = launch_job(sight.settings, job, config)
    except LakehouseError as error:
        return _answer(Tone.BAD, [html.Strong("Nothing was started. "), error.message, html.Br(), f"Next: {error.next_step}"])
    target = f"{wanted.batch}/{wanted.tenant}" if is_release else wanted.source
    detail = {"run_id": run_id, **{n: v for n, v in wanted.chosen().items() if n in NARROWING}}
    kept = record("released" if is_release else "reprocessed", target, **detail)
    told = ["Started as run ", ui.run_link(run_id), ". Rows that pass leave this page when it has ended."]
    return _answer(Tone.GOOD, told if kept else [*told, " That you started it could not be recorded."])


def can_release(wanted: Wanted) -> bool:
    """Whether a view is of exactly one held-back slice."""
    return wanted.disposition == "held_back" and bool(wanted.batch and wanted.tenant and wanted.source)


def release_run(wanted: Wanted) -> tuple[str, Row]:
    """Job and configuration that publish the slice after all."""
    asked = {"source": wanted.source, "batch_id": wanted.batch, "tenant_id": wanted.tenant}
    return RELEASE, config_of(RELEASE, asked)


def reprocess_run(wanted: Wanted) -> tuple[str, Row]:
    """Job and configuration that process a source's waiting rows again, of those that the view is narrowed to."""
    asked = {
        "source": wanted.source,
        "batch_id": wanted.batch,
        "tenant_id": wanted.tenant,
        "reason": wanted.reason,
        "layer": wanted.layer,
    }
    return REPROCESS, config_of(REPROCESS, asked)


def act(wanted: Wanted, total: int, can_launch: bool) -> Component:
    """What can be done with the rows of a view: one thing, asked twice; or why nothing can be."""
    if not can_launch:
        why = "Dagster does not answer: nothing can be started. Next: run `lakehouse up`, which starts it."
        return html.Div(
            [html.Button(_words(wanted), className="button", disabled=True), html.Span(why, className="ink-bad")], className="act"
        )
    if not (can_release(wanted) or wanted.source):
        return html.Div(
            [html.Button("Re-process…", className="button", disabled=True), html.Span("Choose a source below, or one held-back slice.")],
            className="act",
        )
    confirm = html.Button(_words(wanted).rstrip("…"), id="quarantine-do", type="button", className="button primary")
    return html.Div([pieces.asked_twice(_words(wanted), _question(wanted, total), confirm, identity="quarantine-ask")], className="act")


def _words(wanted: Wanted) -> str:
    return "Release this slice…" if can_release(wanted) else "Re-process…"


def _question(wanted: Wanted, total: int) -> ui.Children:
    if can_release(wanted):
        slice_ = [html.B(wanted.tenant), " in batch ", html.B(wanted.batch)]
        return [f"Publish the {total:,} rows of tenant ", *slice_, ", although they broke a rule?"]
    of = [part for name in NARROWING[1:] if (v := getattr(wanted, name)) for part in (f" of {name} ", html.B(v))]
    ignored = [name for name in wanted.chosen() if name not in NARROWING]
    wider = f" That is wider than this view: {', '.join(ignored)} cannot be chosen for it." if ignored else ""
    return ["Process all waiting rows of source ", html.B(wanted.source), *of, f" again, by the declaration as it is now?{wider}"]


def _answer(tone: Tone, told: Sequence[Any]) -> Component:
    sign = html.Span(ui.SIGNS[tone], className="pill-sign", **{"aria-hidden": "true"})
    return html.Div([sign, html.Span(list(told))], className=f"told tone-{tone}")


def _look(sight: Sight, wanted: Wanted) -> Look[Quarantine]:
    return sight.look(f"quarantine {wanted}", lambda: read_quarantine(sight.lake, wanted, sight.today))


def _head(seen: Quarantine, wanted: Wanted, look: Look[Quarantine]) -> Component:
    counts = {row["value"]: row["n"] for row in seen.facets.get("disposition", [])}
    numbers = [
        pieces.Number(words, f"{counts.get(name, 0):,}", f"{PATH}{wanted.search(disposition=name)}", _tone(name, counts.get(name, 0)))
        for name, words in (("quarantined", "set aside"), ("held_back", "held back"), ("conflicting", "in conflict"))
    ]
    spans = html.Span([part for days in SPANS for part in (_span(wanted, days), " ")], className="spans")
    since = f"since {seen.window.since:%Y-%m-%d} (UTC)" if look.value else ""
    older = f"; {seen.window.older_rows:,} older rows are left out" if seen.window.older_rows else ""
    if look.value is None:
        return pieces.head(Tone.NONE, "The quarantine", "It could not be read yet.", [], identity="quarantine")
    title = f"{seen.total:,} {'row waits' if seen.total == 1 else 'rows wait'}" if seen.total else "Nothing waits in quarantine"
    detail = html.Span([f"Rows that came {since}{older}. ", spans])
    return pieces.head(Tone.WARN if seen.total else Tone.GOOD, title, detail, numbers, identity="quarantine")


def _tone(name: str, rows: int) -> Tone:
    return Tone.NONE if not rows else Tone.BAD if name == "held_back" else Tone.WARN


def _span(wanted: Wanted, days: int) -> Component:
    words = "1 day" if days == 1 else "1 year" if days == 365 else f"{days} days"
    current = {"aria-current": "true"} if wanted.days == days else {}
    return dcc.Link(words, href=f"{PATH}{wanted.search(days=days)}", className="span-on" if current else "span", title=f"The last {words}")


def _facets(seen: Quarantine, wanted: Wanted) -> Component:
    return html.Div([_facet(name, seen.facets.get(name, []), wanted) for name in SHOWN_FACETS], className="facets card")


def _facet(name: str, found: list[Row], wanted: Wanted) -> Component:
    chosen = wanted.chosen()
    values = [
        pieces.Value(
            _value_words(name, row["value"]),
            row["n"],
            f"{PATH}{wanted.search(**{name: '' if chosen.get(name) == row['value'] else row['value'] or ''})}",
            chosen.get(name) == row["value"],
        )
        for row in found
    ]
    return pieces.facet(TITLES[name], values, more=max((row["of_all"] for row in found), default=0) - FACET_VALUES)


def _value_words(name: str, value: str | None) -> str:
    return DISPOSITIONS.get(value or "", value or "") if name == "disposition" else value or ""


def rule_words(reasons: Sequence[str]) -> str:
    """The rules that were broken, as text."""
    return ", ".join(reasons or ())


def _rows(seen: Quarantine, wanted: Wanted, look: Look[Quarantine]) -> Component:
    chosen = {name: (value, f"{PATH}{wanted.search(**{name: ''})}") for name, value in wanted.chosen().items()}
    chips = pieces.chips(chosen, clear=f"{PATH}{Wanted(days=wanted.days).search()}")
    if not seen.rows:
        return ui.section("Rows", _nothing(wanted, look), identity="quarantine-section", note=chips)
    raw = html.Button("Show raw text (recorded)", id="quarantine-raw", type="button", className="button small")
    tools = [*chips, raw, pieces.export_button("quarantine-grid", "quarantine")]
    body = [
        grids.data_grid("quarantine-grid", grid_rows(seen, is_raw=False), grids.QUARANTINE_COLUMNS, page_size=None),
        slot("quarantine-pager", _pager(seen, wanted)),
    ]
    return ui.section("Rows", body, identity="quarantine-section", note=tools)


def _nothing(wanted: Wanted, look: Look[Quarantine]) -> Component:
    if look.value is None:
        return ui.empty("Not read yet.")
    if wanted.chosen():
        return ui.empty("No row waits that is like this.", next_step="Take a filter away, or look further back.")
    return ui.empty(f"No row has been set aside in the last {wanted.days} days.", next_step="Look further back.")


def grid_rows(seen: Quarantine, *, is_raw: bool) -> list[Row]:
    """Rows of the grid; their text is masked unless somebody asked for it."""
    return [_grid_row(row, is_raw) for row in seen.rows]


def _grid_row(row: Row, is_raw: bool) -> Row:
    raw = row.get("raw")
    return {
        "id": "|".join(str(row[name]) for name in ("layer", "_batch_id", "_source_file", "_row")),
        "_ingested_ms": row["ingested_ms"],
        "reason_text": rule_words(row["reasons"]),
        "detail": row["detail"],
        "disposition": row["disposition"],
        "layer": row["layer"],
        "source": row["source"],
        "tenant_id": row["tenant_id"],
        "file": row["_source_file"],
        "row": row["_row"],
        "batch_id": row["_batch_id"],
        "event_id": row["event_id"],
        "event_ms": row["event_ms"],
        "synthetic": row["synthetic"],
        "text": raw if is_raw else masked(raw),
        "is_raw": is_raw,
    }


def _pager(seen: Quarantine, wanted: Wanted) -> Component | None:
    pages = -(-seen.total // PAGE_ROWS)
    if pages <= 1:
        return None
    before, after = wanted.page > 1, wanted.page < pages
    first = (wanted.page - 1) * PAGE_ROWS + 1
    return html.Nav(
        [
            _step("← Newer", wanted, wanted.page - 1) if before else html.Span(),
            html.Span(f"{first:,} to {min(first + PAGE_ROWS - 1, seen.total):,} of {seen.total:,}", className="muted"),
            _step("Older →", wanted, wanted.page + 1) if after else html.Span(),
        ],
        className="pager",
        **{"aria-label": "Pages of rows"},
    )


def _step(words: str, wanted: Wanted, page: int) -> Component:
    return dcc.Link(words, href=f"{PATH}{wanted.search(page=page)}", className="button small")
