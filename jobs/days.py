"""Days around days, and predicates on days.

Does not belong here: which days a table reaches, or reading rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from lakehouse.delta import on_days

MOST_BY_NAME = 400


def at_least_on(column: str, days: Sequence[date]) -> str:
    """A predicate on a column of dates that holds on these days; where they are many, also on those between them."""
    return on_days(column, days) if len(days) <= MOST_BY_NAME else f"{column} between date'{min(days)}' and date'{max(days)}'"


def around(days: Iterable[date], before: int, after: int) -> set[date]:
    """The days with those up to so many before and after them, as far as the calendar goes (years 1 to 9999)."""
    first, last = date.min.toordinal(), date.max.toordinal()
    ordinals = {day.toordinal() + n for day in days for n in range(-before, after + 1)}
    return {date.fromordinal(n) for n in ordinals if first <= n <= last}
