"""What a simulation wrote, counted while it is made: the numbers to hold the lake's tables against.

Does not belong here: the attacks (attacks), or reading anything back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any


@dataclass
class Manifest:
    """Counts of one simulation.

    Attributes:
        records: lines written, duplicates included.
        events: distinct event ids.
        late: events of which the first delivery is in a file that covers only later days.
        by_utc_day, by_local_day: distinct events per tenant and day, in UTC and in the tenant's zone.
        by_action: distinct events per tenant, action and status.
    """

    seed: int
    anchor: date | None
    synthetic: bool = True
    files: int = 0
    records: int = 0
    events: int = 0
    late: int = 0
    duplicates_in_same_file: int = 0
    duplicates_in_other_file: int = 0
    first_event_ms: int | None = None
    last_event_ms: int | None = None
    by_utc_day: Counter[tuple[str, date]] = field(default_factory=Counter)
    by_local_day: Counter[tuple[str, date]] = field(default_factory=Counter)
    by_action: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def duplicates(self) -> int:
        """Lines that repeat an event."""
        return self.duplicates_in_same_file + self.duplicates_in_other_file

    def by_tenant(self) -> dict[str, int]:
        """Distinct events per tenant, the largest first."""
        counts: Counter[str] = Counter()
        for (tenant_id, _), count in self.by_utc_day.items():
            counts[tenant_id] += count
        return dict(counts.most_common())

    def saw(self, first_ms: int, last_ms: int) -> None:
        """Widen the range of event times."""
        self.first_event_ms = first_ms if self.first_event_ms is None else min(self.first_event_ms, first_ms)
        self.last_event_ms = last_ms if self.last_event_ms is None else max(self.last_event_ms, last_ms)

    def summary(self) -> dict[str, Any]:
        """The totals, ready for JSON."""
        return {
            "synthetic": self.synthetic,
            "seed": self.seed,
            "anchor": self.anchor.isoformat() if self.anchor else None,
            "files": self.files,
            "records": self.records,
            "events": self.events,
            "duplicates": self.duplicates,
            "duplicates_in_same_file": self.duplicates_in_same_file,
            "duplicates_in_other_file": self.duplicates_in_other_file,
            "late": self.late,
            "first_event": _iso(self.first_event_ms),
            "last_event": _iso(self.last_event_ms),
            "tenants": self.by_tenant(),
        }


def _iso(time_ms: int | None) -> str | None:
    return None if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
