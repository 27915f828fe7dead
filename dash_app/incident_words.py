"""What the names in facts about incidents and messages mean to a reader.

Does not belong here: how a tone looks (static), or how an incident comes about (the evaluator).
"""

from __future__ import annotations

from dash_app.statuses import Status, Tone

ACTIVE = ("open", "acknowledged")

STATES = {
    "open": Status("Open", Tone.BAD, "Nobody has taken it on yet."),
    "acknowledged": Status("Acknowledged", Tone.BUSY, "Somebody is on it."),
    "resolved": Status("Resolved", Tone.GOOD, "The cause is gone."),
}
SEVERITIES = {
    "critical": Status("Critical", Tone.BAD, "Clients' tables are hit."),
    "major": Status("Major", Tone.BAD, "Several tables are hit."),
    "minor": Status("Minor", Tone.WARN, "Little or nothing downstream is hit."),
}
"""Worst first."""
CAUSES = {
    "input_late": "Input is late",
    "input_missing": "Input is missing",
    "duplicate_input": "Input came twice",
    "schema_dropped": "A field vanished",
    "schema_changed": "A field changed its type",
    "null_burst": "A column lost its values",
    "tenant_silent": "One tenant fell silent",
    "platform_drop": "Volume fell for all tenants",
    "clock_skew": "A clock is wrong",
    "poison_input": "Records cannot be read",
    "code_change": "The code changed",
    "contract_change": "The contract changed",
    "out_of_memory": "Memory ran out",
    "credential_expired": "A credential expired",
    "store_unavailable": "The store did not answer",
    "server_down": "A server is down",
    "evaluator_down": "The evaluator was down",
    "channel_dead": "A message channel is dead",
    "values_shifted": "The shares of values moved",
    "step_failed": "A step failed",
    "step_slow": "A step takes too long",
    "not_started": "A run did not start",
    "volume_surge": "Volume rose far above the usual",
    "process_died": "A process died",
    "fire_drill": "A drill: nothing is wrong",
}
SCOPES = {"tenant": "theirs", "platform": "ours"}
"""Whose trouble it is."""
SCOPE_MEANINGS = {
    "tenant": "One tenant's data are concerned while the others are well: look at what that tenant sends.",
    "platform": "Tenants are concerned together: look at the platform.",
}
EVENTS = {
    "opened": Status("opened", Tone.BAD, "The evaluator found it."),
    "changed": Status("changed", Tone.NONE, "What is known of it changed."),
    "worsened": Status("worsened", Tone.BAD, "More is hit than before."),
    "resolved": Status("resolved", Tone.GOOD, "The cause is gone."),
    "reopened": Status("reopened", Tone.BAD, "The cause is back."),
    "acknowledged": Status("acknowledged", Tone.BUSY, "Somebody took it on."),
    "assigned": Status("assigned", Tone.BUSY, "It has an owner."),
    "commented": Status("comment", Tone.NONE, "Somebody said something."),
    "marked": Status("marked", Tone.NONE, "Somebody gave a verdict."),
}
MARKS = {
    "expected": "expected",
    "not_expected": "not expected",
    "useful": "useful",
    "not_useful": "not useful",
}
OUTCOMES = {
    "delivered": Status("Delivered", Tone.GOOD, "The channel took the message."),
    "failed": Status("Failed", Tone.WARN, "The attempt failed; it is tried again."),
    "gave_up": Status("Gave up", Tone.BAD, "The message did not leave by this channel; the next one was told."),
}
PROMISES = {
    "fresh_within": "Fresh within",
    "complete_by": "Complete by",
    "success_rate": "Success rate",
    "check_pass_rate": "Check pass rate",
}


def known(words: dict[str, Status], name: str | None) -> Status:
    """The words for a name; an unknown one keeps its name."""
    return words.get(name or "", Status((name or "unknown").replace("_", " ").capitalize(), Tone.NONE, ""))


def cause_title(name: str | None) -> str:
    """A cause in words."""
    return CAUSES.get(name or "", (name or "Cause not known").replace("_", " ").capitalize())
