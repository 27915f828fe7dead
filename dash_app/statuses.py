"""What a run's status means to a reader: its words, its tone, and whether it counts for or against a pipeline.

Does not belong here: how a tone looks (static/app.css), or where statuses come from.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Tone(StrEnum):
    """How a status is shown; each has a sign and a colour of its own."""

    BAD = "bad"
    WARN = "warn"
    GOOD = "good"
    BUSY = "busy"
    NONE = "none"


class Status(NamedTuple):
    """A status in words, its tone, and one sentence on what it means."""

    label: str
    tone: Tone
    meaning: str


STATUSES = {
    "PENDING": Status("Waiting", Tone.BUSY, "The attempt is planned and has not started."),
    "RUNNING": Status("Running", Tone.BUSY, "The attempt has started and has not ended."),
    "SUCCEEDED": Status("Succeeded", Tone.GOOD, "The attempt ended well."),
    "SUCCEEDED_WITH_WARNINGS": Status("Warnings", Tone.WARN, "The attempt published its rows; some checks warned."),
    "FAILED": Status("Failed", Tone.BAD, "The attempt ended with an error."),
    "SKIPPED_UPSTREAM": Status("Skipped", Tone.WARN, "The attempt was left out because a step before it failed."),
    "MISSING": Status("Missing", Tone.BAD, "It should have run and did not."),
    "LATE": Status("Late", Tone.WARN, "It has not ended by the time it was expected to."),
    "TERMINATED": Status("Terminated", Tone.BAD, "The process died: the attempt started and never ended."),
}
UNKNOWN = Status("Unknown", Tone.NONE, "No attempt has ended yet.")

SUCCESSES = ("SUCCEEDED", "SUCCEEDED_WITH_WARNINGS")
FAILURES = tuple(name for name, status in STATUSES.items() if status.tone is Tone.BAD)
UNDER_WAY = tuple(name for name, status in STATUSES.items() if status.tone is Tone.BUSY)

SEVERITY = (Tone.BAD, Tone.WARN, Tone.GOOD, Tone.NONE)
"""Worst first."""


def status(name: str | None) -> Status:
    """The status of that name; an unknown one keeps its name."""
    if name is None:
        return UNKNOWN
    return STATUSES.get(name, Status(name.capitalize(), Tone.NONE, "A status that these pages do not know."))


def worst(tones: list[Tone]) -> Tone:
    """The worst of the tones."""
    return min(tones, key=SEVERITY.index, default=Tone.NONE)
