"""The scorecard as tables: a line per fault, the bars beside what was reached, and the z-score's figures.

Does not belong here: judging (tests.scorecard.score).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from tests.scorecard.score import Calm, Outcome

BEGIN_MARK, END_MARK = "<!-- scorecard:begin -->", "<!-- scorecard:end -->"
LEAST_DETECTED, MOST_MINUTES, LEAST_RIGHT, MOST_MESSAGES, MOST_FALSE = 16 / 17, 2.0, 0.8, 1.5, 1.0
HEADINGS = (
    "fault", "detected", "minutes", "from first fact", "cause first", "causes told", "customers", "incidents", "messages",
    "resolved messages", "ended", "z-score a table", "z-score a customer",
)  # fmt: skip
REFERENCE_FAULTS = 17


@dataclass(frozen=True)
class Card:
    """What was found with one seed."""

    seed: int
    outcomes: tuple[Outcome, ...]
    calm: Calm


def render(cards: Sequence[Card], detector: str, code: str) -> str:
    """The generated part of the page, as Markdown."""
    seeds = ", ".join(str(card.seed) for card in cards)
    outcomes = [o for card in cards for o in card.outcomes]
    by_fault: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_fault.setdefault(outcome.fault, []).append(outcome)
    parts = [
        f"Detector `{detector}`; code {code}; seeds {seeds}.",
        _table(("bar", "wanted", "reached", ""), _bars(cards)),
        _table(HEADINGS, [_line(fault, many) for fault, many in by_fault.items()]),
        "What was injected:",
        _table(("seed", "fault", "what", "told"), [_told(card.seed, o) for card in cards for o in card.outcomes]),
        "What was said of the healthy fortnight:",
        _table(("seed", "incidents", "messages", "z-score: days of a table", "z-score: days of a customer", "which"), _calm(cards)),
    ]
    return "\n\n".join(parts)


def _table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(headings)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *lines))


def _line(fault: str, many: Sequence[Outcome]) -> list[str]:
    causes = sorted({o.cause for o in many if o.cause})
    return [
        fault.replace("_", " "),
        _share(many, lambda o: o.minutes is not None),
        _median(o.minutes for o in many),
        _median(o.minutes_from_fact for o in many),
        _share(many, lambda o: o.is_right_cause),
        ", ".join(causes) or "–",
        _share(many, lambda o: bool(o.right_tenants)),
        f"{mean(o.incidents for o in many):.1f}",
        f"{mean(o.wrong for o in many):.1f}",
        f"{mean(o.resolved for o in many):.1f}",
        _share(many, lambda o: o.ended),
        _share(many, lambda o: o.daily),
        _share(many, lambda o: o.daily_by_tenant),
    ]


def _share(many: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> str:
    held = sum(holds(o) for o in many)
    return ("yes" if held else "no") if len(many) == 1 else f"{held} of {len(many)}"


def _median(numbers: object) -> str:
    known = [n for n in numbers if n is not None]  # type: ignore[attr-defined]
    return f"{median(known):.1f}" if known else "–"


def _bars(cards: Sequence[Card]) -> list[list[str]]:
    all_of = [o for card in cards for o in card.outcomes]
    seen = [o for o in all_of if o.minutes is not None]
    after = [o.minutes_from_fact for o in seen if o.minutes_from_fact is not None]
    weekly = mean(card.calm.alarms_a_week for card in cards)
    messages = mean(o.wrong for o in all_of)
    right = sum(o.is_right_cause for o in all_of) / len(all_of)
    in_time = median(after) if after else None
    return [
        ["faults detected", "16 of 17", f"{len(seen)} of {len(all_of)}", _held(len(seen) >= LEAST_DETECTED * len(all_of) - 1e-9)],
        ["median minutes from the first fact to detection", f"at most {MOST_MINUTES:g}", "–" if in_time is None else f"{in_time:.1f}",
         _held(in_time is not None and in_time <= MOST_MINUTES)],
        ["right cause first", f"at least {LEAST_RIGHT:.0%}", f"{right:.0%}", _held(right >= LEAST_RIGHT)],
        ["messages a fault that something is wrong", f"at most {MOST_MESSAGES}", f"{messages:.2f}", _held(messages <= MOST_MESSAGES)],
        ["false alarms a week", f"at most {MOST_FALSE:g}", f"{weekly:.1f}", _held(weekly <= MOST_FALSE)],
        *_of_zscore(cards, all_of),
    ]  # fmt: skip


def _of_zscore(cards: Sequence[Card], all_of: Sequence[Outcome]) -> list[list[str]]:
    variants: Mapping[str, tuple[int, float]] = {
        "a table": (sum(o.daily for o in all_of), mean(c.calm.daily for c in cards) / 2),
        "a table and customer": (sum(o.daily_by_tenant for o in all_of), mean(c.calm.daily_by_tenant for c in cards) / 2),
    }
    return [
        [f"z-score by {name}: faults seen the day after; false alarms a week", "", f"{seen} of {len(all_of)}; {weekly:.1f}", ""]
        for name, (seen, weekly) in variants.items()
    ]


def _held(holds: bool) -> str:
    return "held" if holds else "missed"


def _told(seed: int, o: Outcome) -> list[str]:
    told = f"{o.first_cause or 'no cause'}, then {o.cause}" if o.first_cause != o.cause else o.cause or "no cause"
    return [str(seed), o.fault.replace("_", " "), o.detail, told if o.minutes is not None else "nothing"]


def _calm(cards: Sequence[Card]) -> list[list[str]]:
    counts = [(str(c.seed), c.calm.incidents, c.calm.messages, c.calm.daily, c.calm.daily_by_tenant) for c in cards]
    return [[*map(str, line), "; ".join(card.calm.subjects[:10]) or "–"] for line, card in zip(counts, cards, strict=True)]


def write(page: Path, generated: str) -> None:
    """Put the generated part between the marks of the page. Raises ValueError where the page has no such marks."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN_MARK)
    _, found, tail = rest.partition(END_MARK)
    if not found:
        raise ValueError(f"{page} has no {BEGIN_MARK} … {END_MARK}")
    page.write_text(f"{head}{BEGIN_MARK}\n\n{generated}\n\n{END_MARK}{tail}", encoding="utf-8")
