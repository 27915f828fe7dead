"""The page of what is broken now: what fails, which slices are held back, what waits in quarantine, which files were left out.

Does not belong here: SQL (broken_queries, quarantine_queries), or doing anything about it (pages.quarantine).
"""

from __future__ import annotations

from typing import Any

from dash import Dash, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import lake_grids as grids
from dash_app import pieces
from dash_app.broken_queries import Broken, last_action, read_broken
from dash_app.cache import Look
from dash_app.lake_context import sight_of_this_app
from dash_app.live import Drawn, LivePage, Query
from dash_app.pages.quarantine import PATH as QUARANTINE
from dash_app.pages.quarantine import rule_words
from dash_app.quarantine_queries import MOST_DAYS, Waiting, Wanted, read_waiting
from dash_app.queries import Row
from dash_app.statuses import Tone

PATH = "/broken"
PARTS = ("head", "failing", "held", "left", "files")
EVER = MOST_DAYS

FILE_STATES = {"rejected": ("Rejected", Tone.BAD, "Nothing of the file was read.")}
PARTLY = ("Read in part", Tone.WARN, "What could be read was taken in.")
REJECTED_NEXT = {
    True: "Land it again under <source>/date=YYYY-MM-DD/tenant=<id>/<name>.",
    False: "Mend the file and land it again: what was taken in already counts as duplicate.",
}
MEND = "Mend the declaration or the data, then re-process: what passes now moves on."
CONFLICT = "Another body was published under the same id. Compare the two; the published one stays."


def draw(_: Query) -> Drawn:
    """The page as it is now."""
    sight = sight_of_this_app()
    known = sight.look("broken", lambda: read_broken(sight))
    waits = sight.look("waiting", lambda: read_waiting(sight.lake))
    broken, waiting = known.value or Broken(), waits.value or Waiting()
    parts: dict[str, ui.Children] = {
        "head": _head(broken, waiting, known, waits),
        "failing": _section("Failing", failing_rows(broken), grids.FAILING_COLUMNS, "failing", "Nothing fails.", known),
        "held": _section("Held back", held_rows(waiting, broken), grids.HELD_COLUMNS, "held", "No slice is held back.", waits),
        "left": _section(
            "In quarantine", left_rows(waiting, broken), grids.LEFT_COLUMNS, "left", "No row waits in quarantine.", waits, _older(waiting)
        ),
        "files": _section(
            "Files left out", file_rows(broken), grids.FILE_COLUMNS, "files", "Every landed file was read as a whole.", known, _more(broken)
        ),
    }
    return Drawn(parts, (known, waits))


PAGE = LivePage("broken", PARTS, draw)


def layout(**query: Any) -> Component:
    """The page as it is now."""
    return PAGE.layout(**query)


def register(app: Dash) -> None:
    """Keep the page up to date."""
    PAGE.register(app)


def _head(broken: Broken, waiting: Waiting, known: Look[Any], waits: Look[Any]) -> Component:
    failing = sum(row["tone"] == Tone.BAD for row in broken.failing)
    slices = "held-back slice" if waiting.held_slices == 1 else "held-back slices"
    numbers = [
        _number("failing", failing, "failing", Tone.BAD, known),
        _number(slices, waiting.held_slices, "held", Tone.BAD, waits),
        _number("rows in quarantine", waiting.left_rows, "left", Tone.WARN, waits),
        _number("files left out", broken.files_in_all, "files", Tone.WARN, known),
    ]
    if known.value is None or waits.value is None:
        return pieces.head(Tone.NONE, "Not all can be told", "Some of this could not be read yet.", numbers, identity="broken")
    tone = next((n.tone for tone in (Tone.BAD, Tone.WARN) for n in numbers if n.tone is tone), Tone.GOOD)
    titles = {
        Tone.GOOD: ("Nothing is broken", "Nothing fails, nothing is held back, and nothing waits."),
        Tone.WARN: ("Some rows or files wait", "Nothing fails; what was set aside waits for somebody."),
        Tone.BAD: ("Some of it is still broken", "Each line says since when, why, and what to do next."),
    }
    return pieces.head(tone, *titles[tone], numbers, identity="broken")


def _number(label: str, count: int, part: str, tone: Tone, look: Look[Any]) -> pieces.Number:
    """A number of the head; a dash where nothing has been read, which is not the same as none."""
    return pieces.Number(label, "–" if look.value is None else f"{count:,}", f"#broken-{part}", tone if count else Tone.NONE)


def _section(
    title: str, rows: list[Row], columns: list[Row], name: str, nothing: str, look: Look[Any], note: ui.Children = None
) -> Component:
    shown: Component = (
        grids.data_grid(f"{name}-rows", rows, columns) if rows else ui.empty(nothing if look.value is not None else "Not read yet.")
    )
    export = pieces.export_button(f"{name}-rows", f"broken-{name}") if rows else None
    return ui.section(title, shown, identity=f"broken-{name}-section", note=[html.Span(note) if note else "", export])


def failing_rows(broken: Broken) -> list[Row]:
    """What fails, as rows of the grid."""
    return [{**row, "href": pieces.table_href(row["asset"])} for row in broken.failing]


def held_rows(waiting: Waiting, broken: Broken) -> list[Row]:
    """Slices that are held back, as rows of the grid; the link leads to their rows, where they can be released."""
    return [
        {
            **row,
            "id": f"{row['batch_id']}|{row['tenant_id']}",
            "reason_text": rule_words(row["reasons"]),
            "href": _lead(Wanted(disposition="held_back", source=row["source"], tenant=row["tenant_id"], batch=row["batch_id"], days=EVER)),
            "next_step": _done(last_action(broken.actions, "released", row["since_ms"], **_slice(row)), "Released")
            or "Look at what broke the rule. If the rows are right, release the slice; else mend the source and re-process.",
        }
        for row in waiting.held
    ]


def left_rows(waiting: Waiting, broken: Broken) -> list[Row]:
    """Rows that nobody has dealt with, by reason, as rows of the grid; the link leads to them."""
    return [
        {
            **row,
            "id": f"{row['source']}|{row['tenant_id']}|{row['reason']}|{row['disposition']}",
            "href": _lead(
                Wanted(disposition=row["disposition"], source=row["source"], tenant=row["tenant_id"], reason=row["reason"] or "", days=EVER)
            ),
            "next_step": _done(last_action(broken.actions, "reprocessed", row["last_ms"], **_reason(row)), "Re-processed")
            or (CONFLICT if row["disposition"] == "conflicting" else MEND),
        }
        for row in waiting.left
    ]


def file_rows(broken: Broken) -> list[Row]:
    """Files that were left out, as rows of the grid."""
    rows = []
    for row in broken.files:
        label, tone, meaning = FILE_STATES.get(row["state"], PARTLY)
        outside = row["state"] == "rejected" and row["batch_id"] is None
        words = {"state_text": label, "label": label, "tone": tone, "meaning": meaning, "next_step": REJECTED_NEXT[outside]}
        rows.append({**row, **words, "id": row["path"]})
    return rows


def _slice(row: Row) -> dict[str, str]:
    return {"source": row["source"], "batch": row["batch_id"], "tenant": row["tenant_id"]}


def _reason(row: Row) -> dict[str, str]:
    return {"source": row["source"], "tenant": row["tenant_id"], "reason": row["reason"] or ""}


def _done(action: Row | None, word: str) -> str:
    return f"{word} by {action['actor']}; what is still here did not pass." if action else ""


def _lead(wanted: Wanted) -> str:
    return f"{QUARANTINE}{wanted.search()}"


def _older(waiting: Waiting) -> ui.Children:
    return f"{waiting.older_rows:,} older rows are not counted here" if waiting.older_rows else None


def _more(broken: Broken) -> ui.Children:
    rest = broken.files_in_all - len(broken.files)
    return f"{rest:,} more are not shown" if rest > 0 else None
