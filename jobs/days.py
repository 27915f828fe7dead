"""Days around days.

Does not belong here: which days a table reaches, or reading rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date


def around(days: Iterable[date], before: int, after: int) -> set[date]:
    """The days with those up to so many before and after them, as far as the calendar goes (years 1 to 9999)."""
    first, last = date.min.toordinal(), date.max.toordinal()
    ordinals = {day.toordinal() + n for day in days for n in range(-before, after + 1)}
    return {date.fromordinal(n) for n in ordinals if first <= n <= last}
