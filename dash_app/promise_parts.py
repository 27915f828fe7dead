"""How promises are shown: their state, what was observed, and what is left of their error budgets.

Does not belong here: reading them (promise_queries), or judging them (the evaluator).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import links
from dash_app.incident_words import PROMISES
from dash_app.statuses import Status, Tone

Row = dict[str, Any]

STATES = {
    "broken": Status("Broken", Tone.BAD, "What is promised does not hold now."),
    "kept": Status("Kept", Tone.GOOD, "What is promised holds now."),
    "not_judged": Status("Not judged", Tone.NONE, "There is too little to judge by; the reason is beside it."),
}
NEARLY_BURNT = 0.5


def promise_table(rows: Sequence[Row], *, with_table: bool = True) -> Component:
    """Promises in rows, each with its table unless all are of one."""
    headings = ("Promise", "State", "Observed", "Since", "Error budget")
    shown = [[*([dcc.Link(row["table_name"], href=links.table(row["table_name"]))] if with_table else []), *_promise(row)] for row in rows]
    numeric = (len(headings) - (0 if with_table else 1),)
    return ui.table((*(["Table"] if with_table else []), *headings), shown, numeric=numeric, label="Promises")


def _promise(row: Row) -> list[ui.Children]:
    return [
        html.Div([PROMISES.get(row["promise"], row["promise"]), html.Div(row["expected"], className="muted")]),
        ui.pill(STATES.get(row["state"], Status(row["state"], Tone.NONE, ""))),
        row["reason"] or row["observed"] or "–",
        ui.clock(row["since_ms"]),
        budget(row),
    ]


def promise_cell(state: str | None) -> Row:
    """What the cell of a grid shows of the worst of a table's promises; nothing where none is known."""
    shown = STATES.get(state or "")
    return {"promise_text": shown.label if shown else None, "promise_tone": (shown.tone if shown else Tone.NONE).value}


def budget(row: Row) -> ui.Children:
    """What is burnt of an error budget, and what is left, leading to the rows that say so."""
    burnt = row["burnt"]
    if burnt is None:
        return "–"
    ink = Tone.BAD if burnt > 1 else Tone.WARN if burnt > NEARLY_BURNT else Tone.NONE
    where = {"table_name": row["table_name"], "promise": row["promise"]}
    left = f"{1 - burnt:.0%} left" if burnt <= 1 else "overdrawn"
    link = dcc.Link(f"{burnt:.0%} burnt", href=links.rows("ops.sla_evaluations", where), className=f"ink-{ink}")
    return html.Div([link, html.Div(left, className="muted")], title="Of the error budget of 30 days")
