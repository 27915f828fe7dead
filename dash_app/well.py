"""Is everything well? The one answer that the Overview opens with, and the counts beside it.

Does not belong here: reading any fact (queries), or how the answer looks (pages.overview).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from dash_app import links
from dash_app.components import number_of
from dash_app.incident_queries import active, alarming
from dash_app.incident_words import SEVERITIES, known
from dash_app.pulse import Health
from dash_app.queries import Overview
from dash_app.statuses import SEVERITY, Tone, worst

Row = dict[str, Any]


@dataclass(frozen=True)
class Now:
    """Everything that the answer rests on."""

    NOTHING_RAN: ClassVar[Overview] = Overview()

    has_answered: bool = False
    is_down: bool = False
    health: Health = Health.UNKNOWN
    dead_channels: list[str] = field(default_factory=list)
    n_channels: int = 0
    beat_fault: str = ""
    incidents: list[Row] = field(default_factory=list)
    runs: Overview = NOTHING_RAN
    promises: list[Row] = field(default_factory=list)

    def is_watched(self) -> bool:
        """Whether somebody looks for trouble, so that none found means something."""
        return self.health is Health.ALIVE and not self.is_down

    def broken_promises(self) -> list[Row]:
        """Promises that are not kept now."""
        return [row for row in self.promises if row["state"] == "broken"]

    def failing(self) -> list[str]:
        """Pipelines whose last attempt failed."""
        return [name for name, tone in self.runs.health().items() if tone is Tone.BAD]


class Verdict(NamedTuple):
    """The answer, its tone, and what stands behind it."""

    tone: Tone
    text: str
    detail: str


def verdict(now: Now) -> Verdict:
    """The answer: the first that applies, from what makes every other answer worthless to what is worth a look."""
    answers = (_cannot_know, _incidents, _not_watched, _mute, _failing, _promises, _nothing_ran)
    return next((said for answer in answers if (said := answer(now))), None) or _well(now)


def tiles(now: Now) -> list[tuple[str, str, Tone, str]]:
    """Counts beside the answer: label, value, tone where it is not none, and the address of the rows behind it."""
    open_ones = alarming(now.incidents)
    untaken = [row for row in open_ones if row["state"] == "open"]
    failing, broken = now.failing(), now.broken_promises()
    n_ways = now.n_channels - len(now.dead_channels)
    ways = Tone.BAD if now.n_channels and not n_ways else Tone.WARN if now.dead_channels else Tone.NONE
    return [
        ("open incidents", f"{len(open_ones):,}", _severity(open_ones), links.within(links.INCIDENTS, {"state": "active"})),
        ("nobody on it", f"{len(untaken):,}", _severity(untaken), links.within(links.INCIDENTS, {"state": "open"})),
        ("pipelines failing", f"{len(failing):,}", Tone.BAD if failing else Tone.NONE, links.PIPELINES),
        ("promises broken", f"{len(broken):,}", Tone.WARN if broken else Tone.NONE, "#promises"),
        ("channels", f"{n_ways:,} of {now.n_channels:,}" if now.n_channels else "–", ways, links.ALERTS),
    ]


def worst_first(health: dict[str, Tone]) -> list[tuple[str, Tone]]:
    """Pipelines by how they are."""
    return sorted(health.items(), key=lambda item: (SEVERITY.index(item[1]), item[0]))


def _severity(rows: list[Row]) -> Tone:
    return worst([known(SEVERITIES, row["severity"]).tone for row in rows]) if rows else Tone.NONE


def _cannot_know(now: Now) -> Verdict | None:
    if now.is_down:
        return Verdict(Tone.BAD, "The store does not answer", "What is shown is what was known last.")
    return None if now.has_answered else Verdict(Tone.NONE, "Not read yet", "")


def _incidents(now: Now) -> Verdict | None:
    rows = alarming(now.incidents)
    if not rows:
        return None
    counts = {name: sum(row["severity"] == name for row in rows) for name in SEVERITIES}
    severities = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
    untaken = sum(row["state"] == "open" for row in rows)
    taken = "somebody is on each" if not untaken else "nobody is on it yet" if len(rows) == 1 else f"nobody is on {untaken:,} of them yet"
    unwatched = "; the evaluator is silent" if now.health is Health.DEAD else ""
    return Verdict(_severity(rows), f"{number_of(len(rows), 'incident')} {_is(len(rows))} open", f"{severities}; {taken}{unwatched}")


def _not_watched(now: Now) -> Verdict | None:
    if now.health is Health.DEAD:
        return Verdict(Tone.BAD, "Nobody is watching", "The evaluator is silent: that no incident is open says nothing.")
    if now.health is Health.UNKNOWN:
        return Verdict(Tone.WARN, "Whether anybody watches is not known", "The heartbeat of the evaluator cannot be read.")
    return None


def _mute(now: Now) -> Verdict | None:
    if not now.dead_channels:
        return None
    tone = Tone.BAD if len(now.dead_channels) == now.n_channels else Tone.WARN
    return Verdict(tone, "Messages do not leave as they should", f"Dead: {', '.join(now.dead_channels)}. No incident is open.")


def _failing(now: Now) -> Verdict | None:
    names = now.failing()
    return (
        Verdict(Tone.WARN, f"{number_of(len(names), 'pipeline')} failed last", f"{', '.join(names)}; no incident is open")
        if names
        else None
    )


def _promises(now: Now) -> Verdict | None:
    n = len(now.broken_promises())
    return Verdict(Tone.WARN, f"{number_of(n, 'promise')} {_is(n)} not kept", "No incident is open.") if n else None


def _nothing_ran(now: Now) -> Verdict | None:
    return None if now.runs.pipelines else Verdict(Tone.NONE, "No run yet", "Nothing has been recorded in this lake.")


def _well(now: Now) -> Verdict:
    health = now.runs.health()
    warned = sum(tone is Tone.WARN for tone in health.values())
    parts = [
        f"{number_of(len(health), 'pipeline')}{f' ({warned:,} with warnings)' if warned else ''}",
        number_of(len(now.runs.pipelines), "table"),
        *([number_of(len(now.promises), "promise")] if now.promises else []),
        "no open incident",
        *([f"{number_of(n, 'incident')} marked as expected"] if (n := len(active(now.incidents))) else []),
    ]
    return Verdict(Tone.GOOD, "Everything is well", ", ".join(parts))


def _is(n: int) -> str:
    return "is" if n == 1 else "are"
