"""The simulated world: customers of very different size, their habits, and the file that each lands for each hour.

Everything is drawn from the seed and the file's own place, so that a file is the same whatever happens to others.

Does not belong here: what the pipeline makes of files (tests.scorecard.pipeline), or what goes wrong (tests.scorecard.faults).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from lakehouse.settings import SHIPPED_SOURCES, Settings
from lakehouse.sources import Source, load_sources
from lakehouse.tables import table
from lakehouse.tables.silver import ACTIVITIES, AUTH_EVENTS, AUTH_METHODS, OUTCOMES, PHASES

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
TRAINING = timedelta(days=14)
SCORED = timedelta(days=14)
END = BEGIN + TRAINING + SCORED
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EXPECTED_EVERY_MINUTES = 60

Rng = np.random.Generator

# Events of an hour of the customer's own day, relative to each other.
COMPANY = (1, 1, 1, 1, 1, 2, 6, 22, 62, 78, 70, 60, 50, 66, 68, 60, 48, 30, 14, 8, 5, 4, 2, 1)
CONSUMER = (14, 8, 5, 4, 4, 6, 14, 26, 32, 34, 36, 40, 44, 42, 40, 42, 48, 58, 70, 82, 88, 78, 54, 30)


@dataclass(frozen=True)
class Tenant:
    """A customer.

    Args:
        zone: IANA zone of its day.
        per_day: events of its first ordinary weekday in provider_events.
        habit: weights of the hours of its day.
        weekend: events of a Saturday or Sunday, relative to a weekday.
        growth: by which share it grows in a week.
        spread: standard deviation of an hour's rate, relative to the rate; what comes on top of Poisson's.
        further: its further sources, with their events relative to provider_events.
    """

    tenant_id: str
    zone: str
    per_day: int
    habit: tuple[int, ...]
    weekend: float
    growth: float
    spread: float
    further: Mapping[str, float] = field(default_factory=dict)


TENANTS = (
    Tenant("harbor", "Europe/Berlin", 20_000, CONSUMER, 1.15, 0.010, 0.05),
    Tenant("meadow", "America/New_York", 9_000, CONSUMER, 1.05, 0.015, 0.08),
    Tenant("summit", "America/Chicago", 6_000, COMPANY, 0.12, 0.005, 0.06, {"okta_system_log": 0.5}),
    Tenant("ferry", "Europe/London", 3_500, COMPANY, 0.15, 0.010, 0.08, {"okta_system_log": 0.4}),
    Tenant("orchid", "Asia/Tokyo", 2_200, CONSUMER, 1.20, 0.020, 0.10, {"auth0_logs": 0.8}),
    Tenant("cedar", "America/Los_Angeles", 1_500, COMPANY, 0.20, 0.0, 0.10, {"okta_system_log": 0.6, "auth0_logs": 0.5}),
    Tenant("lantern", "Europe/Paris", 900, COMPANY, 0.10, 0.015, 0.10),
    Tenant("coral", "Australia/Sydney", 500, CONSUMER, 1.0, 0.020, 0.15, {"auth0_logs": 1.0}),
    Tenant("quarry", "Europe/Zurich", 200, COMPANY, 0.05, 0.0, 0.15, {"okta_system_log": 1.0}),
    Tenant("willow", "America/Sao_Paulo", 90, CONSUMER, 1.1, 0.010, 0.20),
    Tenant("pebble", "Europe/Vienna", 20, COMPANY, 0.10, 0.0, 0.20),
)
MAIN_SOURCE = "provider_events"
SOURCES = (MAIN_SOURCE, "okta_system_log", "auth0_logs")
DAILY_SPREAD = 0.04
"""Standard deviation of a whole day's rate, relative to the rate."""

SHARES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "provider_events": {
        "activity": {"sign_in": 60, "session": 25, "sign_up": 4, "sign_out": 4, "factor_change": 4, "account_change": 3},
        "auth_method": {
            "password": 28,
            "magic_link": 18,
            "otp_email": 9,
            "otp_sms": 11,
            "oauth": 14,
            "passkey": 8,
            "sso": 7,
            "session": 25,
        },
        "phase": {"completed": 64, "started": 24, "delivered": 12},
        "outcome": {"success": 76, "failure": 9, "pending": 15},
    },
    "okta_system_log": {
        "activity": {"sign_in": 45, "session": 10, "challenge": 22, "authorization": 12, "sign_out": 5, "factor_change": 4, "admin": 2},
        "auth_method": {"password": 35, "push": 22, "totp": 8, "sso": 22, "session": 10, "unknown": 3},
        "phase": {"completed": 84, "started": 16},
        "outcome": {"success": 88, "failure": 7, "pending": 5},
    },
    "auth0_logs": {
        "activity": {"sign_in": 48, "authorization": 26, "sign_up": 6, "challenge": 8, "sign_out": 6, "account_change": 4, "session": 2},
        "auth_method": {"password": 38, "oauth": 34, "otp_email": 8, "otp_sms": 6, "passkey": 6, "session": 8},
        "phase": {"completed": 86, "started": 12, "delivered": 2},
        "outcome": {"success": 84, "failure": 11, "pending": 5},
    },
}
ENUMERATIONS = {"activity": ACTIVITIES, "auth_method": AUTH_METHODS, "phase": PHASES, "outcome": OUTCOMES}
FILLED = {
    "request_id": 0.995, "flow_id": 0.97, "user_id": 0.93, "user_email": 0.86, "session_id": 0.68, "organization_id": 0.55, "ip": 0.985,
    "country": 0.96, "latitude": 0.94, "longitude": 0.94, "user_agent": 0.975, "http_status": 0.92, "attributes": 1.0,
}  # fmt: skip
FOLLOWS = {"failure_reason": ("outcome", "failure"), "delivery_status": ("phase", "delivered"), "latency_ms": ("phase", "delivered")}
"""Columns that have a value in just the rows with one value of an enumeration."""

NOT_APPLICABLE = {"provider_events": 0.04, "okta_system_log": 0.08, "auth0_logs": 0.06}
LATE_SHARE = 0.002
MOST_HOURS_LATE = 72
VERY_LATE_FILES = 0.01


def declared_sources() -> dict[str, Source]:
    """The shipped declarations of the three sources, which here promise a file each hour."""
    shipped = load_sources(Settings(home=Path("/nonexistent"), sources_dirs=(SHIPPED_SOURCES,)))
    return {name: shipped[name].model_copy(update={"expected_every_minutes": EXPECTED_EVERY_MINUTES}) for name in SOURCES}


def nullable_columns(source: Source) -> list[str]:
    """The columns of silver that may be null and that a source's mapping fills."""
    required = {c.name for c in table(AUTH_EVENTS.name).columns if c.required}
    return [name for name in source.silver.columns if name not in required]


@dataclass(frozen=True)
class Rates:
    """What becomes of the records of a stream, as shares; and what silver's rows say."""

    not_applicable: float
    filled: Mapping[str, float]
    shares: Mapping[str, Mapping[str, float]]
    duplicate: float = 0.001
    unreadable: float = 0.0003
    rejected: float = 0.0002
    implausible: float = 0.0001


@dataclass(frozen=True)
class Part:
    """The records of a file whose events are of one hour (UTC), as counts.

    Args:
        duplicate: were in bronze before. unreadable: go to bronze's quarantine. The rest bronze publishes.
        implausible: of the published ones, have an event time that cannot be.
        not_applicable: of the published ones, are no events of silver's table. rejected: go to silver's quarantine. The rest is inserted.
        filled, values: of the inserted ones, those with a value in a column, and those with one value of an enumeration, as `column=value`.
    """

    hour: datetime
    records: int
    duplicate: int
    unreadable: int
    implausible: int
    not_applicable: int
    rejected: int
    filled: Mapping[str, int]
    values: Mapping[str, int]

    @property
    def published(self) -> int:
        """Rows that are new to bronze."""
        return self.records - self.duplicate - self.unreadable

    @property
    def inserted(self) -> int:
        """Rows that are new to silver."""
        return self.published - self.not_applicable - self.rejected

    def as_duplicates(self) -> Part:
        """The same records, landed once more."""
        nothing = {"implausible": 0, "not_applicable": 0, "rejected": 0}
        return replace(self, duplicate=self.records - self.unreadable, filled={}, values={}, **nothing)


@dataclass(frozen=True)
class LandedFile:
    """A landed file.

    Args:
        hour: that it is for (UTC); late records of hours before are among its parts.
        landed_at: when it was put (UTC).
        mark: what its name has more than the ordinary one.
        dropped: fields of the source that none of its records has.
        retyped: fields that have another JSON type than before.
    """

    source: str
    tenant_id: str
    hour: datetime
    landed_at: datetime
    parts: tuple[Part, ...]
    mark: str = ""
    dropped: tuple[str, ...] = ()
    retyped: Mapping[str, str] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Records in it."""
        return sum(part.records for part in self.parts)

    @property
    def path(self) -> str:
        """Key in the landing bucket."""
        return f"{self.source}/date={self.hour:%Y-%m-%d}/tenant={self.tenant_id}/{self.hour:%H}{self.mark}.jsonl.gz"


@dataclass(frozen=True)
class Stream:
    """The files of one customer and source."""

    index: int
    tenant: Tenant
    source: str
    share: float

    def expected(self, hour: datetime) -> float:
        """Events that an hour (UTC) has on the average; see World.expected."""
        local = hour.astimezone(ZoneInfo(self.tenant.zone))
        day = self.tenant.weekend if local.weekday() >= 5 else 1.0
        weeks = (hour - BEGIN) / (7 * DAY)
        weight = self.tenant.habit[local.hour] / sum(self.tenant.habit)
        return self.tenant.per_day * self.share * day * weight * (1 + self.tenant.growth) ** weeks


class World:
    """All customers and their files, as the seed has them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.sources = declared_sources()
        self._expected: dict[tuple[int, datetime], float] = {}

    def __reduce__(self) -> tuple[type[World], tuple[int]]:
        """A world is its seed: pickles of pipelines stay small."""
        return World, (self.seed,)

    @cached_property
    def streams(self) -> list[Stream]:
        """Each customer's sources."""
        pairs = [(t, name, share) for t in TENANTS for name, share in ({MAIN_SOURCE: 1.0} | dict(t.further)).items()]
        return [Stream(index, tenant, source, share) for index, (tenant, source, share) in enumerate(pairs)]

    def rng(self, *place: int) -> Rng:
        """The chance of one place of the world."""
        return np.random.default_rng([self.seed, *place])

    @cached_property
    def _rates(self) -> list[Rates]:
        return [self._draw_rates(stream) for stream in self.streams]

    def _draw_rates(self, stream: Stream) -> Rates:
        rng = self.rng(1, stream.index)
        shares = {}
        for column, base in SHARES[stream.source].items():
            drawn = rng.dirichlet(0.6 * np.array(list(base.values()), dtype=float))
            shares[column] = dict(zip(base, drawn.tolist(), strict=True))
        columns = [c for c in nullable_columns(self.sources[stream.source]) if c in FILLED]
        filled = {c: min(1.0, FILLED[c] * float(rng.uniform(0.94, 1.02))) for c in columns}
        return Rates(NOT_APPLICABLE[stream.source] * float(rng.uniform(0.6, 1.4)), filled, shares)

    def expected(self, stream: Stream, hour: datetime) -> float:
        """Events that an hour (UTC) of a stream has on the average."""
        key = stream.index, hour
        if key not in self._expected:
            self._expected[key] = stream.expected(hour)
        return self._expected[key]

    def rates(self, stream: Stream) -> Rates:
        """A stream's ordinary rates."""
        return self._rates[stream.index]

    def count(self, stream: Stream, hour: datetime) -> int:
        """Records of an ordinary hour's file: Poisson, with more spread by hour and by day."""
        daily = self.rng(2, stream.index, (hour - BEGIN) // DAY).normal(1.0, DAILY_SPREAD)
        rng, spread = self.rng(3, stream.index, (hour - BEGIN) // HOUR), stream.tenant.spread
        return int(rng.poisson(self.expected(stream, hour) * max(daily, 0.5) * rng.gamma(spread**-2, spread**2)))

    def lands_at(self, stream: Stream, hour: datetime) -> datetime:
        """When an hour's file is put: some minutes after the hour's end, now and then up to 20 later."""
        usual = self.rng(4, stream.index).uniform(2, 7)
        rng = self.rng(5, stream.index, (hour - BEGIN) // HOUR)
        more = rng.exponential(1.2) + (rng.uniform(8, 20) if rng.random() < VERY_LATE_FILES else 0)
        return hour + HOUR + timedelta(seconds=round((usual + min(more, 20)) * 60))

    def file(self, stream: Stream, hour: datetime, count: int | None = None, rates: Rates | None = None) -> LandedFile:
        """The file of an hour: the ordinary one, or one with another count of records or other rates."""
        rng = self.rng(6, stream.index, (hour - BEGIN) // HOUR)
        count = self.count(stream, hour) if count is None else count
        late = int(rng.binomial(count, LATE_SHARE))
        ages = np.minimum(rng.geometric(0.08, late), MOST_HOURS_LATE).tolist()
        hours = [hour - HOUR * age for age in ages if hour - HOUR * age >= BEGIN]
        counts = {hour: count - len(hours)} | {earlier: hours.count(earlier) for earlier in sorted(set(hours))}
        parts = tuple(_draw_part(rng, at, n, rates or self.rates(stream)) for at, n in counts.items() if n)
        return LandedFile(stream.source, stream.tenant.tenant_id, hour, self.lands_at(stream, hour), parts)


def _draw_part(rng: Rng, hour: datetime, records: int, rates: Rates) -> Part:
    """A part, drawn record by record: with other rates a record has the same luck, so that what is not concerned stays as it is."""
    luck = rng.random((records, 3 + len(rates.shares) + len(rates.filled)))
    duplicate = luck[:, 0] < rates.duplicate
    unreadable = ~duplicate & (luck[:, 0] < rates.duplicate + rates.unreadable)
    published = ~(duplicate | unreadable)
    not_applicable = published & (luck[:, 1] < rates.not_applicable)
    rejected = published & ~not_applicable & (luck[:, 1] > 1 - rates.rejected)
    rows = luck[published & ~not_applicable & ~rejected]
    values = {
        f"{column}={value}": count
        for place, (column, shares) in enumerate(rates.shares.items(), 3)
        for value, count in zip(shares, _counts(rows[:, place], shares), strict=True)
        if count
    }
    has_value = rows[:, 3 + len(rates.shares) :] < np.array(list(rates.filled.values()))
    filled = dict(zip(rates.filled, has_value.sum(axis=0).tolist(), strict=True))
    filled |= {column: values.get(f"{of}={value}", 0) for column, (of, value) in FOLLOWS.items()}
    implausible = int((rows[:, 2] < rates.implausible).sum())
    lost = (int(kind.sum()) for kind in (duplicate, unreadable))
    return Part(hour, records, *lost, implausible, int(not_applicable.sum()), int(rejected.sum()), filled, values)


def _counts(luck: np.ndarray[Any, Any], shares: Mapping[str, float]) -> list[int]:
    """How many of some rows have each of the values that have these shares."""
    bounds = np.cumsum(list(shares.values()))[:-1]
    counts: list[int] = np.bincount(np.searchsorted(bounds, luck, side="right"), minlength=len(shares)).tolist()
    return counts
