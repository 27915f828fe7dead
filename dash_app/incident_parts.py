"""Pieces that tell of incidents: their head, cause and evidence, symptoms, timeline, and a list of them.

Does not belong here: SQL (incident_queries), callbacks (pages), or what names mean (incident_words).
"""

from __future__ import annotations

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from dash_app import components as ui
from dash_app import links
from dash_app.findings import Cause, Evidence, Symptom
from dash_app.incident_queries import Incident, Row
from dash_app.incident_words import ACTIVE, EVENTS, MARKS, OUTCOMES, SCOPE_MEANINGS, SCOPES, SEVERITIES, STATES, cause_title, known
from dash_app.statuses import Status, Tone


def severity(row: Row) -> Component:
    """Its severity; that of an incident which is over has no colour."""
    shown = known(SEVERITIES, row["severity"])
    return ui.pill(shown if row["state"] in ACTIVE and row["mark"] != "expected" else Status(shown.label, Tone.NONE, shown.meaning))


def state(row: Row) -> Component:
    """Its state; one that a person marked as expected is no trouble."""
    if row["mark"] == "expected" and row["state"] in ACTIVE:
        return ui.pill(Status("Expected", Tone.NONE, f"{row['marked_by']} marked it as expected."))
    return ui.pill(known(STATES, row["state"]))


def scope(row: Row) -> Component:
    """Ours or theirs."""
    word = SCOPES.get(row["scope"] or "")
    if not word:
        return html.Span("–")
    whose = row["tenant_id"] or "several tenants" if row["scope"] == "tenant" else "the platform"
    meaning = SCOPE_MEANINGS[row["scope"]]
    return html.Span([html.Strong(word.capitalize()), html.Span(f" · {whose}")], className=f"scope scope-{word}", title=meaning)


def who(row: Row) -> Component:
    """Who is on it, or was."""
    owner, taken = row["owner"], row["acknowledged_by"]
    if row["state"] == "open":
        ink = "ink-bad" if row["mark"] != "expected" else "muted"
        return html.Span([html.Span("nobody yet", className=ink), f" · {owner}" if owner else ""])
    if not taken:
        return html.Span(owner or "nobody")
    return html.Span([html.Strong(taken), "" if owner in (None, taken) else f" for {owner}"])


def brief(row: Row, is_synthetic: bool) -> Component:
    """One incident in a list of those that matter now: what, since when, who is on it."""
    title = dcc.Link(row["title"] or cause_title(row["cause"]), href=links.incident(row["incident_id"]), className="brief-title")
    return html.Li(
        [
            html.Div([severity(row), state(row)], className="brief-pills"),
            html.Div([html.Div([title, synthetic_badge(is_synthetic)], className="brief-head"), _seen(row)], className="brief-what"),
            _pair("Since", ui.ago(row["since_ms"] or row["opened_ms"])),
            _pair("On it", who(row)),
            _pair("Whose", scope(row)),
            _pair("Hit", hits(row)),
        ],
        className=f"brief brief-{known(SEVERITIES, row['severity']).tone if row['mark'] != 'expected' else Tone.NONE}",
    )


def resolved(row: Row, is_synthetic: bool) -> Component:
    """One incident that is over, in a line."""
    title = dcc.Link(row["title"] or cause_title(row["cause"]), href=links.incident(row["incident_id"]), className="glance-name")
    ages = ["resolved ", ui.ago(row["resolved_ms"]), f" after {ui.seconds(row['resolved_after_s'])}"]
    sign = html.Span(ui.SIGNS[Tone.GOOD], className=f"glance-sign tone-{Tone.GOOD}", **{"aria-hidden": "true"})
    cause = html.Span(cause_title(row["cause"]), className="glance-words muted")
    return html.Li([sign, title, synthetic_badge(is_synthetic), cause, html.Span(ages, className="glance-age")])


def _pair(name: str, value: Any) -> Component:
    return html.Div([html.Span(name, className="brief-name"), html.Span(value)], className="brief-fact")


def _seen(row: Row) -> Component:
    against = [" instead of ", row["expected"]] if row["expected"] else []
    seen = [html.Span([row["observed"], *against]), " · "] if row["observed"] else []
    return html.Div([*seen, cause_title(row["cause"]), " · ", where(row)], className="muted")


def where(row: Row) -> Component:
    """Table and pipeline of the break."""
    name = row["table_name"] or row["pipeline"] or "–"
    return dcc.Link(name, href=links.table(name)) if row["table_name"] else html.Span(name)


def hits(row: Row) -> Component:
    """How much is hit downstream."""
    n_tables, n_tenants = len(row["hit_tables"] or ()), len(row["hit_tenants"] or ())
    page = links.incident(row["incident_id"])
    return html.Span(
        [
            dcc.Link(ui.number_of(n_tables, "table"), href=f"{page}#hit"),
            ", ",
            dcc.Link(ui.number_of(n_tenants, "client"), href=f"{page}#hit"),
        ]
    )


def synthetic_badge(is_synthetic: bool) -> Component | None:
    """Where the data were made up, a badge that says so."""
    return html.Span("synthetic", className="badge", title="Includes synthetic data, made by the simulator") if is_synthetic else None


def head(incident: Incident, is_synthetic: bool) -> Component:
    """Title, state, severity, whose trouble it is, and the times."""
    row = incident.facts or {}
    title = html.H1([row["title"] or cause_title(row["cause"]), " ", synthetic_badge(is_synthetic)])
    return html.Div(
        [
            html.Div([severity(row), state(row), scope(row)], className="incident-pills"),
            title,
            html.P(SCOPE_MEANINGS.get(row["scope"] or "", ""), className="muted"),
            _against(row),
            ui.facts(_times(incident, row)),
        ],
        className="card incident-head",
    )


def _against(row: Row) -> Component | None:
    if not (row["observed"] or row["expected"]):
        return None
    pairs = (("Observed", row["observed"], "against-observed"), ("Expected", row["expected"], "against-expected"))
    return html.Dl([html.Div([html.Dt(n), html.Dd(v or "–")], className=c) for n, v, c in pairs], className="against")


def _times(incident: Incident, row: Row) -> dict[str, Any]:
    mark = f"{MARKS.get(row['mark'], row['mark'])}, says {row['marked_by']}" if row["mark"] else "not said"
    return {
        "Since": ui.clock(row["since_ms"]),
        "Found after": ui.seconds(row["detected_after_s"]),
        "Resolved after": ui.seconds(row["resolved_after_s"]) if row["state"] == "resolved" else "still open",
        "On it": who(row),
        "Where": where(row),
        "Pipeline": dcc.Link(row["pipeline"], href=links.pipeline(row["pipeline"])) if row["pipeline"] else "–",
        "Run": ui.run_link(row["run_id"]) if row["run_id"] else "–",
        "Expected or not": mark,
        "Messages": MARKS.get(incident.useful or "", "not rated"),
    }


def causes(found: list[Cause] | None, name: str | None) -> Component:
    """The causes, the most likely first, each with its evidence."""
    if found is None:
        return ui.empty("The causes that were written down cannot be read.")
    if not found:
        return ui.empty(f"{cause_title(name)}. No evidence was written down.")
    return html.Ol([_cause(cause, rank) for rank, cause in enumerate(found, 1)], className="causes")


def _cause(cause: Cause, rank: int) -> Component:
    share = max(0.0, min(1.0, cause.score or 0.0))
    score = html.Span(
        [html.Span(html.I(style={"width": f"{share:.0%}"}), className="score-bar", **{"aria-hidden": "true"}), f"{share:.0%}"],
        className="score",
        title="How well the facts agree with the signature of this cause",
    )
    named = html.Span(cause_title(cause.name), className="muted") if cause.title and cause.title != cause_title(cause.name) else None
    return html.Li(
        [
            html.Div([html.Strong(cause.title or cause_title(cause.name)), named, score], className="cause-head"),
            html.Ul([_evidence(e) for e in cause.evidence], className="evidence") if cause.evidence else None,
        ],
        className="cause cause-first" if rank == 1 else "cause",
    )


def _evidence(evidence: Evidence) -> Component:
    place = evidence.place()
    if place is None or not evidence.table:
        return html.Li(evidence.text)
    return html.Li([evidence.text, " ", dcc.Link("rows", href=links.rows(evidence.table, place), title=f"Rows of {evidence.table}")])


def symptoms(found: list[Symptom] | None) -> Component:
    """What is seen of the incident, each symptom with its place."""
    if not found:
        return ui.empty("No symptom was written down." if found is not None else "The symptoms that were written down cannot be read.")
    headings = ("Symptom", "Where", "Tenant", "Observed", "Expected", "Since")
    rows = [[_symptom(s), _place(s), _tenant(s.tenant), s.observed or "–", s.expected or "–", ui.clock(s.since_ms)] for s in found]
    return ui.table(headings, rows, label="Symptoms that folded into this incident")


def _symptom(symptom: Symptom) -> Component:
    what = " · ".join(part for part in (symptom.metric, symptom.dimension) if part)
    return html.Div([html.Div(symptom.kind.replace("_", " ")), html.Div(what, className="muted") if what else None])


def _place(symptom: Symptom) -> Any:
    return dcc.Link(symptom.table, href=links.table(symptom.table)) if symptom.table else symptom.pipeline or "–"


def _tenant(name: str | None) -> Any:
    return dcc.Link(name, href=links.within(links.INCIDENTS, {"tenant": name})) if name else "all"


def hit(row: Row) -> Component:
    """What is hit downstream, and whose data."""
    n_tables, n_tenants = len(row["hit_tables"] or ()), len(row["hit_tenants"] or ())
    tables = [dcc.Link(name, href=links.table(name), className="chip mono") for name in row["hit_tables"] or ()]
    return html.Div(
        [
            html.Div([html.H3(ui.number_of(n_tables, "table")), html.Div(tables or "None that is made from it.", className="chips")]),
            html.Div([html.H3(ui.number_of(n_tenants, "client")), html.Div(_tenants(row) or "None.", className="chips")]),
        ],
        className="hit",
    )


def _tenants(row: Row) -> list[Component]:
    return [dcc.Link(n, href=links.within(links.INCIDENTS, {"tenant": n}), className="chip") for n in row["hit_tenants"] or ()]


def timeline(incident: Incident) -> Component:
    """What happened, what people did, and who was told, the newest first."""
    entries = [(e["happened_ms"] or 0, _event(e)) for e in incident.events] + [
        (m["happened_ms"] or 0, _message(m)) for m in incident.messages
    ]
    return html.Ol([entry for _, entry in sorted(entries, key=lambda e: e[0], reverse=True)], className="timeline")


def _event(event: Row) -> Component:
    shown = known(EVENTS, event["event"])
    what = {
        "assigned": f"assigned to {event['owner']}",
        "marked": f"marked as {MARKS.get(event['mark'] or '', event['mark'])}",
        "commented": "said",
        "acknowledged": "is on it",
    }.get(event["event"], f"· {shown.label.lower()}")
    text = event["note"] or (event["title"] if event["event"] in ("opened", "changed", "worsened", "reopened") else None)
    return _entry(shown.tone, event["happened_ms"], [html.Strong(event["actor"]), f" {what}"], text)


def _message(message: Row) -> Component:
    shown = known(OUTCOMES, message["outcome"])
    repeat = " (perhaps a repeat)" if message["is_repeat"] else ""
    words = {"delivered": "took", "failed": "did not take", "gave_up": "never took"}.get(message["outcome"], message["outcome"])
    text = [html.Strong(message["channel"]), f" {words} the message “{message['kind'].replace('_', ' ')}”{repeat}"]
    return _entry(Tone.NONE if shown.tone is Tone.GOOD else shown.tone, message["happened_ms"], text, message["error"], is_message=True)


def _entry(tone: Tone, ms: int | None, words: Any, text: str | None, *, is_message: bool = False) -> Component:
    sign = html.Span("✉" if is_message else ui.SIGNS[tone], className=f"timeline-sign tone-{tone}", **{"aria-hidden": "true"})
    said = html.Div(text, className="timeline-text") if text else None
    return html.Li([sign, html.Div([html.Div(words), said]), ui.clock(ms)])
