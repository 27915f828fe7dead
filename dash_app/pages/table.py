"""The page of one table: what it is, where it comes from and goes to, how fresh and large it is, and what was done to it.

Does not belong here: SQL (table_queries), or the list of all tables (pages.tables).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dash import Dash, dcc, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import lake_grids as grids
from dash_app import pieces
from dash_app.cache import Look
from dash_app.lake_context import sight_of_this_app
from dash_app.live import Drawn, LivePage, Query
from dash_app.pages.quality import PATH as QUALITY
from dash_app.pages.run import OUTCOMES
from dash_app.pages.tables import PATH as TABLES
from dash_app.promise_parts import STATES, promise_table
from dash_app.promise_queries import worst_promise
from dash_app.queries import Row
from dash_app.statuses import Status, Tone
from dash_app.table_queries import (
    ANOMALIES_SHOWN,
    CHECK_DAYS,
    RUNS_SHOWN,
    VERSIONS_SHOWN,
    Facts,
    Lineage,
    Node,
    Stored,
    all_tables,
    declared_edges,
    lineage_of,
    read_facts,
    read_stored,
)
from lakehouse.tables import Table

PATH_TEMPLATE = "/tables/<name>"
COLUMNS_OF_A_PAGE = 15
PARTS = ("head", "lineage", "promises", "checks", "anomalies", "columns", "runs", "versions")
VERDICTS = {
    "anomalous": Status("Out of band", Tone.BAD, "The measurement is outside of its band."),
    "expected": Status("Expected", Tone.GOOD, "A person marked it as expected."),
    "not_judged": Status("Not judged", Tone.NONE, "There is a reason why it is not judged."),
    "judged": Status("Judged again", Tone.GOOD, "It has enough history now."),
}
OUTSIDE_BAND = {"low": "below", "high": "above"}


def draw(query: Query) -> Drawn:
    """The page as it is now."""
    sight, name = sight_of_this_app(), str(query.get("name", ""))
    declared = all_tables(sight).get(name)
    if declared is None:
        return Drawn({**dict.fromkeys(PARTS), "head": _unknown(name)}, ())
    known = sight.look(f"table {name}", lambda: read_facts(sight, declared))
    found = sight.look(f"stored {name}", lambda: read_stored(sight, declared))
    facts, stored = known.value or Facts(lineage=lineage_of(name, declared_edges(sight))), found.value or Stored()
    parts: dict[str, ui.Children] = {
        "head": _head(declared, facts, stored, known, found),
        "lineage": _lineage(declared, facts.lineage),
        "columns": _columns(declared, facts),
        "promises": _promises(declared, facts, known),
        "checks": _checks(declared, facts, known),
        "anomalies": _anomalies(facts) if facts.anomalies else None,
        "versions": _versions(stored, found),
        "runs": _runs(facts, known),
    }
    return Drawn(parts, (known, found))


PAGE = LivePage("table", PARTS, draw)


def layout(name: str = "", **query: Any) -> Component:
    """The page as it is now."""
    return PAGE.layout(name=name, **query)


def title(name: str = "") -> str:
    """What the browser's tab says."""
    return f"{name} · Clearlake"


def register(app: Dash) -> None:
    """Keep the page up to date."""
    PAGE.register(app)


def _unknown(name: str) -> Component:
    nothing = ui.empty("No table of this name is declared.", next_step="See all tables above.")
    return html.Div([_back(), html.H1(name, className="table-name"), html.Div(nothing, className="card")], className="table-head")


def _back() -> Component:
    return dcc.Link("← Tables", href=TABLES, className="back")


def _head(declared: Table, facts: Facts, stored: Stored, known_look: Look[Facts], look: Look[Stored]) -> Component:
    state, fresh = stored.state, facts.freshness
    unknown = "promises not read yet" if known_look.value is None else "no promise judged"
    told = STATES.get(worst_promise(facts.promises) or "", Status(unknown, Tone.NONE, ""))
    known: dict[str, ui.Children] = {
        "Rows": _number(state.rows if state else None, "#table-versions"),
        "Size": f"{pieces.size(state.bytes)} in {state.files:,} files" if state else "–",
        "Version": _number(state.version if state else None, "#table-versions"),
        "Newest event": ui.ago(fresh.get("newest_event_ms")),
        "Newest file": ui.ago(state.written_ms if state else None),
        "Last success": ui.ago(fresh.get("last_success_ms")),
        "Owner": dcc.Link(declared.owner, href=f"{TABLES}?owner={declared.owner}"),
        "Key": html.Span(", ".join(declared.key) or "append-only", className="mono"),
        "Partitioned by": html.Span(", ".join(declared.partition_by) or "–", className="mono"),
    }
    nothing = "It has not been made yet." if look.value is not None and state is None else None
    name = html.Div(
        [
            html.I(className=f"swatch layer-{declared.layer.value}"),
            html.H1(declared.name, className="table-name"),
            ui.pill(Status(told.label, told.tone, "Whether what is promised of the table is kept.")),
            pieces.synthetic_badge(facts.synthetic),
        ],
        className="run-title",
    )
    about = html.P([declared.description, html.Span(f" {nothing}", className="ink-warn") if nothing else ""])
    return html.Div([_back(), html.Div([name, about, ui.facts(known)], className="card run-head")], className="table-head")


def _number(value: int | None, href: str) -> ui.Children:
    return "–" if value is None else html.A(f"{value:,}", href=href)


def _lineage(declared: Table, lineage: Lineage) -> Component:
    levels = sorted({node.level for node in lineage.nodes})
    if len(levels) < 2:
        return ui.section(
            "Lineage", ui.empty("Nothing is made from it, and it is made from nothing else."), identity="table-lineage-section"
        )
    columns = [
        html.Ol([*[_node(node) for node in lineage.nodes if node.level == level], *_hidden(lineage, level)], className="lineage-level",
                **{"aria-label": _level_words(level)})
        for level in levels
    ]  # fmt: skip
    edges = "\n".join(f"{start}\t{end}" for start, end in lineage.edges)
    lines = html.Div(className="lineage-edges", **{"aria-hidden": "true"})
    told = f"What {declared.name} is made from, and goes into"
    graph = html.Div([lines, *columns], className="lineage", tabIndex="0", role="group", **{"data-edges": edges, "aria-label": told})
    return ui.section("Lineage", graph, identity="table-lineage-section", note="as declared, and as runs recorded it")


def _level_words(level: int) -> str:
    if level == 0:
        return "This table"
    steps = "one step" if abs(level) == 1 else f"{abs(level)} steps"
    return f"Upstream, {steps}" if level < 0 else f"Downstream, {steps}"


def _node(node: Node) -> Component:
    inside = [html.I(className=f"swatch layer-{node.name.split('.')[0]}"), html.Span(node.name)]
    if node.level == 0:
        shown: Component = html.Span(inside, className="lineage-node lineage-here", **{"aria-current": "page"})
    elif node.name.startswith("landing."):
        source = node.name.split(".", 1)[1]
        shown = dcc.Link(inside, href=f"/quarantine?source={source}", className="lineage-node", title=f"What waits of source {source}")
    else:
        shown = dcc.Link(inside, href=pieces.table_href(node.name), className="lineage-node")
    return html.Li(shown, **{"data-node": node.name})


def _hidden(lineage: Lineage, level: int) -> list[Component]:
    rest = lineage.hidden.get(level, 0)
    return [html.Li(f"and {rest:,} more", className="muted")] if rest else []


def _columns(declared: Table, facts: Facts) -> Component:
    rows = [
        {
            "id": column.name,
            "name": column.name,
            "type": column.type,
            "pii": column.pii,
            "required": column.required,
            "is_key": column.name in declared.key,
            "comment": column.comment,
            "made_from": ", ".join(facts.made_from.get(column.name, [])),
        }
        for column in declared.columns
    ]
    shown = [c for c in grids.COLUMN_COLUMNS if c["field"] != "made_from" or facts.made_from]
    grid = grids.data_grid("table-columns-grid", rows, shown, page_size=COLUMNS_OF_A_PAGE)
    note = [html.Span(f"{len(rows):,}"), pieces.export_button("table-columns-grid", f"{declared.name}-columns")]
    return ui.section("Columns", grid, identity="table-columns-section", note=note)


def _promises(declared: Table, facts: Facts, look: Look[Facts]) -> Component:
    if not facts.promises:
        wanted = declared.sla.fresh_within_minutes if declared.sla else None
        judged = "Whether that is kept could not be read yet." if look.value is None else "It has not been judged yet."
        told = f"Declared: fresh within {wanted:,} minutes. {judged}" if wanted else "No freshness is promised of this table."
        return ui.section("Promises (SLA)", ui.empty(told), identity="table-promises-section")
    shown = promise_table(facts.promises, with_table=False)
    return ui.section("Promises (SLA)", shown, identity="table-promises-section")


def _checks(declared: Table, facts: Facts, look: Look[Facts]) -> Component:
    link = dcc.Link("History and failing rows", href=f"{QUALITY}?table={declared.name}")
    if not facts.checks:
        nothing = "Not read yet." if look.value is None else f"No check of it ran in the last {CHECK_DAYS} days."
        return ui.section("Checks", ui.empty(nothing), identity="table-checks-section")
    rows = [_check(row) for row in facts.checks]
    headings = ("Check", "Outcome", "Pipeline", "Expected", "Observed", "Rows failed", "When", "Run")
    shown = ui.table(headings, rows, numeric=(4, 5), label="Latest outcome of each check")
    return ui.section("Checks", html.Div(shown, className="long"), identity="table-checks-section", note=link)


def _check(row: Row) -> list[ui.Children]:
    shown = OUTCOMES.get(row["outcome"], Status(str(row["outcome"]), Tone.BAD, ""))
    observed = row["observed"]
    return [
        html.Strong(row["check_name"]),
        ui.pill(shown),
        row["pipeline"],
        row["expected"] or "–",
        "–" if observed is None else f"{observed:,.4g}",
        ui.count(row["rows_failed"]),
        ui.ago(row["at_ms"]),
        pieces.run_link(row["run_id"]),
    ]


def _anomalies(facts: Facts) -> Component:
    rows = [_anomaly(row) for row in facts.anomalies]
    grid = grids.data_grid("table-anomalies-grid", rows, grids.ANOMALY_COLUMNS)
    note = [html.Span(f"newest {ANOMALIES_SHOWN}"), pieces.export_button("table-anomalies-grid", "anomalies")]
    return ui.section("Anomalies", grid, identity="table-anomalies-section", note=note)


def _anomaly(row: Row) -> Row:
    shown = VERDICTS.get(row["verdict"], Status(row["verdict"], Tone.NONE, ""))
    band = f"{row['lower']:,.4g} to {row['upper']:,.4g}" if row["lower"] is not None and row["upper"] is not None else "–"
    side = OUTSIDE_BAND.get(row["direction"] or "")
    return {
        **row,
        "id": "|".join(str(row[name]) for name in ("tenant_id", "metric", "dimension", "bucket_ms")),
        "verdict_text": shown.label,
        "label": f"{shown.label} ({side})" if side and row["verdict"] == "anomalous" else shown.label,
        "tone": shown.tone,
        "meaning": shown.meaning,
        "tenant": row["tenant_id"] or "all",
        "band": band,
    }


def _versions(stored: Stored, look: Look[Stored]) -> Component:
    if not stored.versions:
        nothing = "Not read yet." if look.value is None else "It has no version yet."
        return ui.section("Versions", ui.empty(nothing), identity="table-versions-section")
    rows = [{**asdict(version), "id": str(version.version)} for version in stored.versions]
    grid = grids.data_grid("table-versions-grid", rows, grids.VERSION_COLUMNS, page_size=10)
    note = [html.Span(f"newest {VERSIONS_SHOWN} in the log"), pieces.export_button("table-versions-grid", "versions")]
    return ui.section("Versions", grid, identity="table-versions-section", note=note)


def _runs(facts: Facts, look: Look[Facts]) -> Component:
    if not facts.runs:
        nothing = "Not read yet." if look.value is None else "No run of a pipeline has written it."
        return ui.section("Runs that wrote it", ui.empty(nothing), identity="table-runs-section")
    grid = grids.data_grid("table-runs-grid", facts.runs, grids.RUN_COLUMNS, page_size=10)
    note = [html.Span(f"newest {RUNS_SHOWN}"), pieces.export_button("table-runs-grid", "runs")]
    return ui.section("Runs that wrote it", grid, identity="table-runs-section", note=note)
