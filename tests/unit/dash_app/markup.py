"""Fifty strings of HTML and script as somebody might put them into event fields, file names and errors, and facts that hold them.

Each that runs sets `window.ran`.

Does not belong here: tests.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from tests.unit.dash_app.facts import Facts, fact
from tests.unit.dash_app.lake_facts import file_row, quarantined
from tests.unit.dash_app.troubles import delivery, edge, event, evidence, opened, promise

RUN = "window.ran=1"
STRINGS = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg/onload={RUN}>",
    f'"><script>{RUN}</script>',
    f"'><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<ScRiPt>{RUN}</sCrIpT>",
    f"<body onload={RUN}>",
    f"<iframe src=javascript:{RUN}></iframe>",
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f"<a href=javascript:{RUN}>click</a>",
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f"java\tscript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f'" onmouseover="{RUN}',
    f"' onfocus='{RUN}' autofocus='",
    f"<input onfocus={RUN} autofocus>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<audio src=x onerror={RUN}>",
    f"<marquee onstart={RUN}>",
    f"<object data=javascript:{RUN}></object>",
    f"<embed src=javascript:{RUN}>",
    f"<form action=javascript:{RUN}><input type=submit></form>",
    f"<math><mi xlink:href=javascript:{RUN}>x</mi></math>",
    f"<style>@import 'javascript:{RUN}';</style>",
    "<style>body{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}}",
    f"<template><script>{RUN}</script></template>",
    f"<!--><script>{RUN}</script>-->",
    f"<![CDATA[<script>{RUN}</script>]]>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;script&#62;{RUN}&#60;/script&#62;",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    "//evil.example/x",
    "../../logout",
    "?state=resolved#x",
    "=HYPERLINK(\"//evil.example\",\"x\")",
    "<b>bold</b><br><sup>1</sup>",
    f"__proto__[x]=<img src=x onerror={RUN}>",
)  # fmt: skip


TABLE = "silver.auth_events"
"""The table that has a page of its own with all of them."""
USED = (
    "ops.incident_events", "ops.alert_deliveries", "ops.sla_evaluations", "ops.run_events", "ctl.files", "ops.check_results",
    "ops.anomalies",
)  # fmt: skip


def facts(now: datetime) -> Facts:
    """Each of the strings wherever text can come from: titles, errors, names of tenants, tables, files, channels, people."""
    rows: Facts = {name: [] for name in USED}
    rows["ops.lineage_edges"] = [edge(f"{text}/x.jsonl", "bronze.okta") for text in STRINGS]
    for n, text in enumerate(STRINGS):
        at = now - timedelta(minutes=n)
        incident_id = f"i-{n}" if n else text
        rows["ops.incident_events"] += [_incident(incident_id, at, text), event(incident_id, "commented", at, text, note=text)]
        rows["ops.incident_events"].append(event(incident_id, "assigned", at, text, owner=text))
        rows["ops.alert_deliveries"].append(delivery("opened", text, at, "gave_up", incident_id=incident_id, error=text))
        rows["ops.alert_deliveries"].append(delivery("drill", text, at, "failed", error=text))
        rows["ops.alert_deliveries"].append(delivery("opened", text, at, incident_id=incident_id))
        rows["ops.sla_evaluations"].append(promise(text, "fresh_within", "broken", at, expected=text, observed=text, burnt=2))
        run: dict[str, Any] = {"pipeline": text, "asset": text, "error_class": text, "error_message": text}
        rows["ops.run_events"].append(fact("end", f"r-{n}" if n else text, "FAILED", at, **run))
        rows["ctl.files"].append(file_row(f"{text}/x.jsonl", at, state="rejected", tenant_id=text, batch_id=None, reason=text))
        rows["ops.check_results"] += [_check(table, text, at) for table in (TABLE, text)]
        rows["ops.anomalies"].append(_anomaly(text, at))
        rows["ops.sla_evaluations"].append(promise(TABLE, text, "kept", at, expected=text, observed=text, burnt=0.2))
        rows["ops.lineage_edges"].append(edge(text, TABLE))
    return rows


def quarantine(now: datetime) -> list[dict[str, Any]]:
    """Each of the strings wherever a quarantined row can have text."""
    told = ("source", "tenant_id", "detail", "event_id", "_batch_id")
    return [
        quarantined(n, now - timedelta(minutes=n), **dict.fromkeys(told, text), reasons=[text], raw=text, _source_file=f"okta/{text}.jsonl")
        for n, text in enumerate(STRINGS)
    ]


def _check(table: str, text: str, at: datetime) -> dict[str, Any]:
    said = dict.fromkeys(("pipeline", "check_name", "check_type", "column_name", "expected", "batch_id", "sample_reference"), text)
    counted = {"rows_tested": 9, "rows_failed": 3, "contract_version": "a", "recorded_at": at, "recorded_date": at.date()}
    return {**said, **counted, "run_id": text, "table_name": table, "severity": "row", "outcome": "failed"}


def _anomaly(text: str, at: datetime) -> dict[str, Any]:
    about = {"pipeline": text, "table_name": TABLE, "tenant_id": text, "metric": "filled_rows", "dimension": text, "actor": text}
    return {**about, "bucket_start": at, "bucket_s": 3600, "verdict": "not_judged", "reason": text, "judged_at": at}


def _incident(incident_id: str, at: datetime, text: str) -> dict[str, Any]:
    cause = {
        "name": text,
        "title": text,
        "score": 0.5,
        "evidence": [evidence(text, text, **{text: text}), evidence(text, "ops.metrics", tenant_id=text)],
    }
    symptom = {
        "kind": text,
        "pipeline": text,
        "table": text,
        "tenant": text,
        "since": text,
        "observed": text,
        "metric": text,
        "dimension": text,
    }
    said = dict.fromkeys(("title", "cause", "pipeline", "tenant_id", "observed", "expected", "run_id", "owner"), text)
    found = {"causes": json.dumps([cause]), "symptoms": json.dumps([symptom]), "hit_tables": [text], "hit_tenants": [text]}
    return opened(incident_id, at, **said, **found)


def heartbeat(now: datetime) -> bytes:
    """A heartbeat whose channels and errors are the strings."""
    dead = {text: {"ok": False, "since": now.isoformat(), "error": text} for text in STRINGS}
    return json.dumps({"beat_at": now.isoformat(), "interval_s": 3600, "channels": dead}).encode()
