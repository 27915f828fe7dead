"""What a person can do about an incident: each is one more row of its events, and a row of what people did.

Does not belong here: the buttons (pages.incident), or what the evaluator does with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dash_app.actions import actor, record
from dash_app.context import knowledge_of_this_app
from dash_app.incident_words import MARKS

LONGEST_NOTE = 2000
LONGEST_OWNER = 80


@dataclass(frozen=True)
class Answer:
    """What became of it, in one line."""

    text: str
    is_done: bool = True


def acknowledge(incident_id: str) -> Answer:
    """Take the incident on."""
    facts = _facts(incident_id)
    if facts and facts["state"] == "acknowledged":
        return Answer(f"{facts['acknowledged_by']} is on it already.", False)
    if facts and facts["state"] == "resolved":
        return Answer("It is resolved already.", False)
    return _add(incident_id, "acknowledged", "You are on it.")


def assign(incident_id: str, owner: str | None) -> Answer:
    """Say who is to see to it: a person or a team; without a name, oneself."""
    name = " ".join((owner or "").split()) or actor()
    if len(name) > LONGEST_OWNER or not name.isprintable():
        return Answer(f"A name has at most {LONGEST_OWNER} printable characters.", False)
    return _add(incident_id, "assigned", f"Assigned to {name}.", owner=name)


def comment(incident_id: str, note: str | None) -> Answer:
    """Say something about it."""
    text = (note or "").strip()
    if not text:
        return Answer("Write something first.", False)
    if len(text) > LONGEST_NOTE:
        return Answer(f"A comment has at most {LONGEST_NOTE:,} characters; this one has {len(text):,}.", False)
    return _add(incident_id, "commented", "Comment kept.", note=text)


def mark(incident_id: str, verdict: str) -> Answer:
    """Say whether it was to be expected, or whether its messages were of use. Raises KeyError on any other verdict."""
    return _add(incident_id, "marked", f"Marked as {MARKS[verdict]}.", mark=verdict)


def _facts(incident_id: str) -> dict[str, Any] | None:
    seen = knowledge_of_this_app().incidents.one(incident_id).value
    return seen.facts if seen else None


def _add(incident_id: str, event: str, done: str, **columns: str) -> Answer:
    known = knowledge_of_this_app()
    if _facts(incident_id) is None:
        return Answer("No incident with this id is known.", False)
    row = {"incident_id": incident_id, "event": event, "happened_at": datetime.now(UTC), "actor": actor(), **columns}
    if not known.writer.append("ops.incident_events", [row]):
        return Answer("It could not be recorded: neither the store nor the disk took it.", False)
    record(event, incident_id, **columns)
    known.incidents.look_anew(incident_id)
    is_seen = known.incidents.one(incident_id).error is None
    return Answer(done if is_seen else f"{done} It is kept here and shows as soon as the store answers.")
