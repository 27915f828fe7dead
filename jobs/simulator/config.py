"""The parameters of a simulation; equal parameters give equal bytes.

Does not belong here: where the files are written, or the live stream's rate.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from jobs.simulator.randomness import number
from jobs.simulator.tenants import TENANT_BY_ID, SimTenant
from lakehouse.errors import ConfigurationError

ANCHOR = date(2026, 6, 30)
"""Last day of the default history, fixed so that the same call always gives the same bytes."""
HISTORY_DAYS = 183
MAX_DELAY_DAYS = 30
LANDING_SOURCE = "provider_events"


@dataclass(frozen=True)
class SimConfig:
    """What to simulate.

    Attributes:
        events: distinct events over all tenants and days; duplicates come on top.
        days: length of the history in UTC days; its last day is `anchor`.
        late_share: share of events that are written 1 to 30 days after they happened.
        duplicate_share: share of events that are delivered a second time, in the same file or a later one.
        files_per_tenant: files that each tenant's history is cut into; by default it follows from the volume.
    """

    events: int = 50_000
    seed: int = 7
    days: int = HISTORY_DAYS
    anchor: date = ANCHOR
    tenants: tuple[str, ...] = tuple(TENANT_BY_ID)
    late_share: float = 0.004
    duplicate_share: float = 0.003
    files_per_tenant: int | None = None
    plain: bool = False

    def __post_init__(self) -> None:
        mistakes = [text for text, wrong in self._rules().items() if wrong]
        if mistakes:
            raise ConfigurationError("the simulation cannot be made: " + "; ".join(mistakes), next_step="correct these parameters")

    def _rules(self) -> dict[str, bool]:
        return {
            "events must be at least 1": self.events < 1,
            "days must be from 1 to 3660": not 1 <= self.days <= 3660,
            "seed must not be negative": self.seed < 0,
            "at least one tenant is needed, each once": not self.tenants or len(set(self.tenants)) < len(self.tenants),
            f"tenants must be some of {', '.join(TENANT_BY_ID)}": any(t not in TENANT_BY_ID for t in self.tenants),
            "shares must be from 0 to 0.5": not (0 <= self.late_share <= 0.5 and 0 <= self.duplicate_share <= 0.5),
            "files per tenant must be at least 1": self.files_per_tenant is not None and self.files_per_tenant < 1,
        }

    @cached_property
    def sim_tenants(self) -> tuple[SimTenant, ...]:
        """The chosen tenants from the catalogue, in its order."""
        return tuple(tenant for tenant_id, tenant in TENANT_BY_ID.items() if tenant_id in self.tenants)

    @property
    def first_day(self) -> date:
        """First UTC day of the history."""
        return self.anchor - timedelta(days=self.days - 1)

    def day(self, index: int) -> date:
        """The UTC day with this number, from 0."""
        return self.first_day + timedelta(days=index)

    def day_start_ms(self, index: int) -> int:
        """Start of a UTC day in milliseconds since the epoch."""
        return int(datetime.combine(self.day(index), time(), UTC).timestamp()) * 1000

    def expected_events(self, tenant: SimTenant) -> float:
        """Events that fall to a tenant by its share."""
        return self.events * tenant.share / sum(t.share for t in self.sim_tenants)

    @cached_property
    def fingerprint(self) -> str:
        """Eight hex digits that differ when anything differs which decides an event's identity or body."""
        return self._digest("files_per_tenant", "plain", "late_share", "duplicate_share")

    @cached_property
    def layout_fingerprint(self) -> str:
        """Eight hex digits that differ when anything differs which decides the bytes of a file; part of its name."""
        return self._digest()

    def _digest(self, *without: str) -> str:
        facts = {**asdict(self), "tenants": sorted(self.tenants), "anchor": self.anchor.isoformat()}
        kept = sorted((name, value) for name, value in facts.items() if name not in without)
        return hashlib.sha256(repr(kept).encode()).hexdigest()[:8]

    @property
    def fingerprint_number(self) -> int:
        """The fingerprint as part of a generator's key: two configurations never share an event id."""
        return number(self.fingerprint)

    @property
    def days_per_file(self) -> int:
        """Days that one file of a tenant spans: about 5,000 records a file, and 60 to 200 files in all from 12,000 events on."""
        files = self.files_per_tenant or max(1, min(max(self.events // 5000, min(60, self.events // 200)), 200) // len(self.tenants))
        return -(-self.days // min(files, self.days))
