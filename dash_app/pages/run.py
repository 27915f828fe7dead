"""The page of one run: its steps with all their facts, its checks, what it read and wrote, and its log.

Does not belong here: SQL (queries), or pieces that other pages share (components).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import links
from dash_app.cache import Look
from dash_app.context import facts_of_this_app
from dash_app.queries import LOG_LINES, STEP_TIMES, Run
from dash_app.statuses import UNDER_WAY, Status, Tone, status, worst

PATH_TEMPLATE = f"{links.RUNS}/<run_id>"

OUTCOMES = {
    "passed": Status("Passed", Tone.GOOD, "What was observed keeps to what is expected."),
    "warned": Status("Warned", Tone.WARN, "What was observed is worth a look."),
    "failed": Status("Failed", Tone.BAD, "What was observed breaks what is expected."),
    "not_evaluated": Status("Not evaluated", Tone.BAD, "The check could not be run; that counts as a failure."),
}
IN_THE_SUMMARY = ("pipeline", "asset", "attempt", "status", "error_class", "error_message", "input_versions", "logs_url")
WRITERS = {"dagster.engine": "Dagster"}
"""Loggers by the names that people know them by."""
LEVEL_TONES = {"ERROR": Tone.BAD, "CRITICAL": Tone.BAD, "WARNING": Tone.WARN, "WARN": Tone.WARN}


def layout(run_id: str = "", **_: str) -> Component:
    """The page of the run as it is now; the id is as it stands in the address."""
    run_id = unquote(run_id)
    look = facts_of_this_app().run(run_id)
    return html.Div(
        [
            dcc.Interval(id="run-every", interval=10_000),
            dcc.Store(id="run-id", data=run_id),
            dcc.Store(id="run-seen", data=look.fingerprint),
            html.Div(body(look, run_id), id="run-body"),
        ],
        className="page",
    )


def register(app: Dash) -> None:
    """Keep the page up to date while the run goes on."""

    @app.callback(
        Output("run-body", "children"),
        Output("run-seen", "data"),
        Input("run-every", "n_intervals"),
        State("run-id", "data"),
        State("run-seen", "data"),
        prevent_initial_call=True,
    )
    def look_again(_: int, run_id: str, seen: str) -> tuple[Any, Any]:
        look = facts_of_this_app().run(run_id)
        return (no_update, no_update) if look.fingerprint == seen else (body(look, run_id), look.fingerprint)


def body(look: Look[Run], run_id: str) -> list[Component | None]:
    """Everything about the run."""
    run = look.value or Run(run_id)
    back = dcc.Link("← Pipelines", href=links.PIPELINES, className="back")
    if not run.steps and not run.log:
        nothing = ui.empty("No run with this id has been recorded.", next_step="See what has run:", command="lakehouse runs")
        return [back, ui.banner(look), html.H1(["Run ", html.Code(run_id)]), html.Div(nothing, className="card")]
    return [
        back,
        ui.banner(look),
        _head(run),
        ui.section(
            "Steps",
            [_step(s) for s in run.steps] or [ui.empty("No step of this run has begun; its log says why.")],
            identity="steps",
            note=f"{len(run.steps):,}",
        ),
        ui.section("Checks", _checks(run), identity="checks", note=f"{len(run.checks):,}"),
        ui.section("Read and written", _lineage(run), identity="lineage"),
        ui.section("Log", _log(run), identity="log", note=_log_note(run)),
    ]


def _head(run: Run) -> Component:
    steps = run.steps
    lines = [] if steps else [line["logged_ms"] for line in run.log]
    starts = [s["started_at"] for s in steps if s["started_at"]] or lines
    ends = [s["ended_at"] for s in steps if s["ended_at"]] or lines
    is_going = any(s["status"] in UNDER_WAY for s in steps)
    took = (max(ends) - min(starts)) / 1000 if starts and ends and not is_going else None
    parents = sorted({s[k] for s in steps for k in ("parent_run_id", "retry_of") if s[k]})
    return html.Div(
        [
            html.Div([html.H1(["Run ", html.Code(run.run_id)]), *_pills(run, is_going)], className="run-title"),
            ui.facts(
                {
                    "Started": ui.clock(min(starts, default=None)),
                    "Ended": ui.clock(None if is_going else max(ends, default=None)),
                    "Took": ui.seconds(took),
                    "Triggered by": ", ".join(sorted({s["trigger"] for s in steps if s["trigger"]})) or "–",
                    "Code": html.Span(", ".join(sorted({s["code_version"] for s in steps if s["code_version"]})) or "–", className="mono"),
                    **({"Retries or belongs to": _links(parents)} if parents else {}),
                    **({"Retried or continued by": _links(run.retries)} if run.retries else {}),
                }
            ),
        ],
        className="card run-head",
    )


def _pills(run: Run, is_going: bool) -> list[Component]:
    last = {(s["pipeline"], s["asset"]): status(s["status"]) for s in run.steps}
    over = [s for s in last.values() if s.tone is not Tone.BUSY]
    if not last and any(line["level"] == "ERROR" for line in run.log):
        return [ui.pill(status("FAILED"))]
    tone = worst([s.tone for s in over])
    ended = [s for s in over if s.tone is tone][:1]
    if not is_going:
        return [ui.pill(s) for s in ended]
    return [ui.pill(status("RUNNING")), *[ui.pill(s) for s in ended if tone is not Tone.GOOD]]


def _links(run_ids: list[str]) -> Component:
    return html.Span([part for run_id in run_ids for part in (ui.run_link(run_id), " ")])


def _step(step: dict[str, Any]) -> Component:
    place = html.Span(f"{step['pipeline']} · attempt {step['attempt']}", className="muted")
    name = html.Span([html.Strong(step["asset"]), place], className="step-name")
    numbers = [("read", step["rows_read"]), ("inserted", step["rows_inserted"]), ("quarantined", step["rows_quarantined"])]
    summary = [
        name,
        ui.pill(status(step["status"])),
        *[html.Span([html.B(ui.count(n)), f" {word}"], className="step-number") for word, n in numbers],
    ]
    error = html.Pre(f"{step['error_class']}: {step['error_message'] or ''}", className="error") if step["error_class"] else None
    return html.Details(
        [html.Summary([*summary, html.Span(ui.seconds(step["duration_s"]), className="step-number")]), error, ui.facts(_all_facts(step))],
        open=status(step["status"]).tone is Tone.BAD or None,
        className="step",
    )


LABELS = {"duration_s": "Duration", "batch_id": "Batch"}


def _all_facts(step: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in step.items():
        if value is not None and name not in (*IN_THE_SUMMARY, "run_id"):
            shown[LABELS.get(name, name.replace("_", " ").capitalize())] = _fact(name, value)
    versions = _versions(step["input_versions"])
    links = {"Full log": ui.outside_link(step["logs_url"])} if step["logs_url"] else {}
    return {**shown, **({"Input versions": versions} if versions else {}), **links}


def _fact(name: str, value: Any) -> Any:
    if name in STEP_TIMES:
        return ui.clock(value)
    if name == "duration_s":
        return ui.seconds(value)
    if name in ("parent_run_id", "retry_of"):
        return ui.run_link(value)
    return f"{value:,}" if isinstance(value, int) and not name.startswith("version_") else str(value)


def _versions(text: str | None) -> str:
    try:
        versions = json.loads(text or "{}")
    except ValueError:
        return text or ""
    return ", ".join(f"{name} v{version}" for name, version in versions.items()) if isinstance(versions, dict) else str(text)


def _checks(run: Run) -> list[Component]:
    if not run.checks:
        return [ui.empty("No check was recorded for this run.")]
    passed = [c for c in run.checks if c["outcome"] == "passed"]
    others = [c for c in run.checks if c["outcome"] != "passed"]
    shown = [_check_table(others, "Checks that did not pass")] if others else []
    summary = html.Summary(f"{len(passed):,} passed")
    return [*shown, *([html.Details([summary, _check_table(passed, "Checks that passed")], className="more")] if passed else [])]


def _check_table(checks: list[dict[str, Any]], label: str) -> Component:
    headings = ["Outcome", "Table", "Check", "A failure", "Expected", "Observed", "Rows tested", "Rows failed"]
    return ui.table(headings, [_check(c) for c in checks], numeric=(5, 6, 7), label=label)


def _check(c: dict[str, Any]) -> list[Any]:
    outcome = ui.pill(OUTCOMES.get(c["outcome"], status(c["outcome"])))
    failure = SEVERITIES.get(c["severity"], c["severity"])
    kind = " · ".join(part for part in (c["check_type"], c["column_name"]) if part)
    name = html.Div([c["check_name"], html.Div(kind, className="muted")], className="check-name")
    what = [c["table_name"], name, failure, c["expected"] or "–"]
    return [outcome, *what, _observed(c["observed"]), ui.count(c["rows_tested"]), ui.count(c["rows_failed"])]


SEVERITIES = {"row": "quarantines the row", "slice": "holds back the slice", "block": "blocks publishing", "warn": "warns"}


def _observed(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}" if value % 1 else f"{value:,.0f}"


def _lineage(run: Run) -> Component:
    if not run.lineage:
        return ui.empty("This run has recorded nothing that it read or wrote.")
    rows = [[r["input_name"], _version(r["input_version"]), r["output_name"], _version(r["output_version"])] for r in run.lineage]
    return ui.table(["Read", "Version", "Written", "Version"], rows, numeric=(1, 3), label="What this run read and wrote")


def _version(value: int | None) -> str:
    return "file" if value is None else f"v{value}"


def _log_note(run: Run) -> str:
    total = run.log[0]["lines"] if run.log else 0
    return f"last {LOG_LINES:,} of {total:,} lines" if total > LOG_LINES else f"{total:,} lines"


def _log(run: Run) -> Component:
    if not run.log:
        return ui.empty("No log line has arrived for this run.")
    return html.Ol([_line(line) for line in run.log], className="log", tabIndex="0", **{"aria-label": "Log of this run"})


def _line(line: dict[str, Any]) -> Component:
    level = str(line["level"]).upper()
    place = html.Span(line["asset"] or WRITERS.get(line["logger"], line["logger"]), className="log-place")
    return html.Li(
        [
            ui.stamp(line["logged_ms"]),
            html.Span(level, className=f"log-level ink-{LEVEL_TONES.get(level, Tone.NONE)}"),
            place,
            html.Span(line["message"], className="log-text"),
        ]
    )
