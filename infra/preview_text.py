"""How a preview is shown to people.

Does not belong here: making one (jobs.preview).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import Any

from jobs.preview import Preview, Reject

VALUE_SHOWN = 80
TEXT_SHOWN = 160
NAMES_SHOWN = 10
REJECTS_SHOWN = 10
INDENT = "  "


def lines_of(seen: Preview, shown: int, width: int) -> Iterator[str]:
    """The preview as lines of at most `width` characters, with the first `shown` rows and, last, the counts."""
    same = _same_in_all(seen.rows)
    for row in seen.rows[:shown]:
        yield f"record {row['_row']}"
        yield from _wrapped((_pair(k, v) for k, v in row.items() if v is not None and k not in same and not k.startswith("_")), width)
    if len(seen.rows) > shown:
        yield f"... and {len(seen.rows) - shown} rows more"
    if same:
        yield "in every row"
        yield from _wrapped((_pair(k, v) for k, v in same.items()), width)
    if seen.empty:
        yield "null in every row"
        yield from _wrapped(seen.empty, width)
    yield from _rejected(seen)
    if seen.unnamed:
        more = f", and {len(seen.unnamed) - NAMES_SHOWN} more" if len(seen.unnamed) > NAMES_SHOWN else ""
        named = ", ".join(f"{' '.join(name.split())} ({count})" for name, count in [*seen.unnamed.items()][:NAMES_SHOWN])
        yield f"fields that the declaration does not name, and in how many records: {named}{more}"
    if seen.repeated:
        yield f"{seen.repeated} rows have the event id of an earlier one: a run would publish the first of equal ids only"
    yield f"{seen.records} records read: {len(seen.rows)} rows, {len(seen.rejects)} rejected, {seen.not_applicable} not applicable"


def _same_in_all(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What need not be repeated in each of several rows."""
    first = rows[0] if len(rows) > 1 else {}
    return {k: v for k, v in first.items() if v is not None and not k.startswith("_") and all(row[k] == v for row in rows)}


def _pair(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}: {inner}" for key, inner in value.items())
    text = " ".join(str(value).split())
    text = f"{text[:VALUE_SHOWN]}..." if len(text) > VALUE_SHOWN else text
    return f'{name}="{text}"' if " " in text or not text else f"{name}={text}"


def _wrapped(pairs: Iterable[str], width: int) -> Iterator[str]:
    """Pairs side by side, none of them cut in two unless it is longer than a line."""
    line = ""
    for pair in pairs:
        if line and len(INDENT) + len(line) + len(pair) + 2 > width:
            yield INDENT + line
            line = ""
        line = f"{line}  {pair}" if line else pair
    yield from wrap(line, max(width, 20), initial_indent=INDENT, subsequent_indent=INDENT * 2) if len(line) > width else [INDENT + line]


def _rejected(seen: Preview) -> Iterator[str]:
    alike: dict[str, list[Reject]] = {}
    for reject in seen.rejects:
        alike.setdefault(", ".join(reject.reasons), []).append(reject)
    for reasons, rejects in sorted(alike.items(), key=lambda one: -len(one[1])):
        yield f"rejected, {reasons}: {len(rejects)}"
        for reject in rejects[:REJECTS_SHOWN]:
            why = f"{reject.why}: " if reject.why else ""
            text = " ".join(reject.text.split())
            yield f"{INDENT}record {reject.record}: {why}{text[:TEXT_SHOWN]}{'...' if len(text) > TEXT_SHOWN else ''}"
