"""The page of checks: by table, the latest outcome of each and its history, and rows that broke it, masked.

Does not belong here: SQL (quality_queries), or running checks.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from dash import Dash, dcc, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import lake_grids as grids
from dash_app import pieces
from dash_app.cache import Look
from dash_app.lake_context import sight_of_this_app
from dash_app.live import Drawn, LivePage, Query
from dash_app.masking import masked
from dash_app.pages.quarantine import PATH as QUARANTINE
from dash_app.pages.run import OUTCOMES
from dash_app.quality_queries import (
    BAD,
    MOST_HISTORY_DAYS,
    SEVERITIES,
    Asked,
    Quality,
    asked_in,
    read_failing_samples,
    read_quality,
)
from dash_app.quarantine_queries import Wanted
from dash_app.queries import Row
from dash_app.statuses import Status, Tone

PATH = "/quality"
PARTS = ("head", "days", "tables", "checks", "samples")
SPANS = (7, 14, 30, 90)
WORDS = {Tone.BAD: "failed", Tone.WARN: "warned", Tone.GOOD: "passed"}
Samples = dict[tuple[str, str], list[Row]]


def draw(query: Query) -> Drawn:
    """The page as it is now."""
    sight, asked = sight_of_this_app(), asked_in(query)
    look = sight.look(f"quality {replace(asked, outcome='')}", lambda: read_quality(sight, asked))
    quality = look.value or Quality()
    checks = quality.within(asked)
    failing = [row for row in checks if row["outcome"] in BAD]
    samples = sight.look(f"samples {asked}", lambda: read_failing_samples(sight, failing, asked.days))
    parts: dict[str, ui.Children] = {
        "head": _head(checks, asked, look),
        "days": _days(quality, asked) if quality.days else None,
        "tables": _tables(quality, asked) if quality.checks else None,
        "checks": _checks(checks, asked, look),
        "samples": _samples(failing, samples) if failing else None,
    }
    return Drawn(parts, (look, samples) if failing else (look,))


PAGE = LivePage("quality", PARTS, draw)


def layout(**query: Any) -> Component:
    """The page as it is now."""
    return PAGE.layout(**query)


def register(app: Dash) -> None:
    """Keep the page up to date."""
    PAGE.register(app)


def _head(checks: list[Row], asked: Asked, look: Look[Quality]) -> Component:
    counts = {tone: sum(tone_of(row["outcome"]) is tone for row in checks) for tone in WORDS}
    outcome = {Tone.BAD: "failed", Tone.WARN: "warned", Tone.GOOD: "passed"}
    numbers = [
        pieces.Number(
            word,
            "–" if look.value is None else f"{counts[tone]:,}",
            f"{PATH}{asked.search(outcome=outcome[tone])}",
            tone if counts[tone] else Tone.NONE,
        )
        for tone, word in WORDS.items()
    ]
    tone = next((tone for tone in (Tone.BAD, Tone.WARN, Tone.GOOD) if counts[tone]), Tone.NONE)
    bad = counts[Tone.BAD]
    titles = {
        Tone.BAD: f"{bad:,} {'check does' if bad == 1 else 'checks do'} not hold",
        Tone.WARN: "Every check holds; some warn",
        Tone.GOOD: "Every check holds",
        Tone.NONE: "No check has run" if look.value is not None else "Checks could not be read yet",
    }
    spans = html.Span([part for days in SPANS for part in (_span(asked, days), " ")], className="spans")
    return pieces.head(
        tone,
        titles[tone],
        html.Span([f"{'By its worst outcome of the day' if asked.day else 'By the last time that each ran'}. ", spans]),
        numbers,
        identity="quality",
    )


def _span(asked: Asked, days: int) -> Component:
    current = "span-on" if asked.days == days else "span"
    return dcc.Link(f"{days} days", href=f"{PATH}{asked.search(days=days)}", className=current, title=f"The last {days} days")


def tone_of(outcome: str) -> Tone:
    """How an outcome is shown; one that is not known counts as bad."""
    known = OUTCOMES.get(outcome)
    return known.tone if known else Tone.BAD


def _days(quality: Quality, asked: Asked) -> Component:
    counted: dict[int, dict[Tone, int]] = {quality.first_day + n: dict.fromkeys(WORDS, 0) for n in range(quality.n_days)}
    for row in quality.days:
        counted.setdefault(row["day"], dict.fromkeys(WORDS, 0))[tone_of(row["outcome"])] += row["n"]
    days = [(day, counts, f"{PATH}{asked.search(day=0 if day == asked.day else day)}") for day, counts in sorted(counted.items())]
    strip = pieces.day_strip(days, label="Checks that ran, by day and outcome", words=WORDS, chosen=asked.day)
    note = [*pieces.legend(WORDS), html.Span(f"last {quality.n_days} days, UTC")]
    return ui.section("Checks by day", strip, identity="quality-days-section", note=note)


def _tables(quality: Quality, asked: Asked) -> Component:
    rows = quality.within(replace(asked, table=""))
    names = sorted({row["table_name"] for row in rows})
    return html.Div([_table(name, [r for r in rows if r["table_name"] == name], asked) for name in names], className="tables-of-checks")


def _table(name: str, rows: list[Row], asked: Asked) -> Component:
    counts = {tone: sum(tone_of(row["outcome"]) is tone for row in rows) for tone in WORDS}
    worst = next((tone for tone in WORDS if counts[tone]), Tone.NONE)
    told = ", ".join(f"{n} {WORDS[tone]}" for tone, n in counts.items() if n)
    is_chosen = asked.table == name
    return dcc.Link(
        [
            html.Span(ui.SIGNS[worst], className=f"check-sign tone-{worst}", **{"aria-hidden": "true"}),
            html.Span([html.Strong(name), html.Span(told, className="muted")], className="check-table-text"),
        ],
        href=f"{PATH}{asked.search(table='' if is_chosen else name)}",
        className="check-table card chosen" if is_chosen else "check-table card",
        title=f"{name}: {told}",
    )


def check_rows(checks: list[Row]) -> list[Row]:
    """Checks as rows of the grid."""
    return [_check(row) for row in checks]


def _check(row: Row) -> Row:
    shown = OUTCOMES.get(row["outcome"], Status(str(row["outcome"]), Tone.BAD, "An outcome that these pages do not know."))
    return {
        **row,
        "outcome_text": shown.label,
        "label": shown.label,
        "tone": shown.tone,
        "meaning": shown.meaning,
        "asset": row["table_name"],
        "layer": str(row["table_name"]).split(".")[0],
        "href": _rows_of(row) if row["outcome"] in BAD and row["batch_id"] else None,
        "severity_text": SEVERITIES.get(row["severity"], row["severity"]),
    }


def _checks(checks: list[Row], asked: Asked, look: Look[Quality]) -> Component:
    names = [name for name in ("table", "check", "pipeline", "outcome") if getattr(asked, name)]
    chosen = {name: (getattr(asked, name), f"{PATH}{asked.search(**{name: ''})}") for name in names}
    if asked.day:
        chosen["day"] = (f"{date(1970, 1, 1) + timedelta(days=asked.day)}", f"{PATH}{asked.search(day=0)}")
    chips = pieces.chips(chosen, clear=f"{PATH}{Asked(days=asked.days).search()}")
    if not checks:
        nothing = "Not read yet." if look.value is None else "No check that is like this." if names else f"No check in {asked.days} days."
        return ui.section("Checks", ui.empty(nothing), identity="quality-checks-section", note=chips)
    grid = grids.data_grid("quality-grid", check_rows(checks), grids.CHECK_COLUMNS)
    note = [*chips, pieces.export_button("quality-grid", "checks")]
    return ui.section("Checks", grid, identity="quality-checks-section", note=note)


def _samples(failing: list[Row], look: Look[Samples]) -> Component:
    samples = look.value or {}
    shown = [(row, samples[key]) for row in failing if (key := (row["batch_id"], row["check_name"])) in samples]
    body: list[Component] = [_sampled(row, found) for row, found in shown]
    if not body:
        body = [
            ui.empty("Not read yet." if look.value is None else "No row of these checks waits in quarantine: they judge whole batches.")
        ]
    return ui.section("Rows that broke them", body, identity="quality-samples-section", note="Letters as x, digits as 0")


def _rows_of(check: Row) -> str:
    """Address of the rows that wait since a check failed."""
    return f"{QUARANTINE}{Wanted(reason=check['check_name'], batch=check['batch_id'], days=MOST_HISTORY_DAYS).search()}"


def _sampled(check: Row, rows: list[Row]) -> Component:
    lead = dcc.Link(f"All rows of {check['check_name']} in {check['batch_id']}", href=_rows_of(check))
    lines = [
        html.Li([html.Span([html.Code(row["_source_file"]), f" row {row['_row']:,}"], className="muted"), html.Pre(masked(row.get("raw")))])
        for row in rows
    ]
    return html.Div(
        [html.H3([check["check_name"], html.Span(check["table_name"], className="muted")]), html.Ul(lines), lead], className="sampled"
    )
