"""What a message says: what is wrong in one line, observed against expected, the cause with its evidence, what it hits, since when, where.

Does not belong here: whether it is sent, or to whom.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lakehouse.alerts.channels import Message

LONGEST = 2900
"""Slack takes 3,000 characters in a block of text; its escapes (`&amp;`) need some of them."""
LONGEST_TITLE = 240
MOST_NAMED = 5
HEADS = {
    "opened": "",
    "worsened": "worse: ",
    "reopened": "again: ",
    "reminder": "still: ",
    "resolved": "resolved: ",
    "drill": "fire drill: ",
}


def compose(incident: Mapping[str, Any], kind: str, key: str, url: str | None, *, is_repeat: bool = False) -> Message:
    """The message about an incident, as plain text of at most LONGEST characters.

    Args:
        incident: as a row of ops.incidents.
        kind: why it is sent, as in ops.alert_deliveries.
        key: stable key of the message.
        url: of the operations pages.
        is_repeat: it may have been delivered before.
    """
    severity = incident["severity"]
    title = f"[{severity}] {HEADS[kind]}{incident['title']}" + (" (repeat)" if is_repeat else "")
    lines = _resolved(incident) if kind == "resolved" else _broken(incident)
    link = f"{url}/incidents/{incident['incident_id']}" if url else f"incident {incident['incident_id']}"
    body = "\n".join(line for line in lines if line)
    text = f"{_cut(body, LONGEST - len(link) - 1)}\n{link}"
    return Message(key, incident["incident_id"], _cut(title, LONGEST_TITLE), text, severity, is_resolved=kind == "resolved")


def _broken(incident: Mapping[str, Any]) -> Sequence[str]:
    causes = json.loads(incident["causes"] or "[]")
    first: Mapping[str, Any] = causes[0] if causes else {"title": "unknown", "evidence": []}
    evidence = first["evidence"][0]["text"] if first["evidence"] else ""
    return [
        f"Observed: {_cut(incident['observed'] or '', 500)}",
        f"Expected: {_cut(incident['expected'] or '', 300)}",
        f"Cause: {first['title']}" + (f" ({_cut(evidence, 400)})" if evidence and evidence != incident["observed"] else ""),
        f"Hit downstream: {_some(incident['hit_tables'])}",
        f"Clients: {_some(incident['hit_tenants'])}",
        f"Since: {_time(incident['since'])}",
        f"Owner: {incident['owner']}",
    ]


def _resolved(incident: Mapping[str, Any]) -> Sequence[str]:
    lasted = incident["resolved_at"] - incident["since"] if incident.get("resolved_at") else None
    return [
        f"It was: {_cut(incident['observed'] or '', 500)}",
        f"From {_time(incident['since'])} to {_time(incident.get('resolved_at'))}" + (f", {str(lasted).split('.')[0]} h" if lasted else ""),
        f"Clients: {_some(incident['hit_tenants'])}",
    ]


def _some(names: Sequence[str] | None) -> str:
    named = list(names or ())
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return f"{', '.join(named[:MOST_NAMED])}{more}" if named else "none"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "–"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
