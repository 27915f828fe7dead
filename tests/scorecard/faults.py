"""The seventeen faults: what goes wrong, when, with whom, and what a detector should say of it.

A fault touches only what it says: everything else of its run is as in the healthy run of the same seed.

Does not belong here: the healthy world (tests.scorecard.world), or judging what a detector said (tests.scorecard.score).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lakehouse.tables.silver import AUTH_EVENTS
from tests.scorecard.steps import Failure
from tests.scorecard.world import BEGIN, DAY, HOUR, SCORED, TRAINING, LandedFile, Rates, Rng, Stream, World

MINUTE = timedelta(minutes=1)
BEFORE = HOUR
"""How long before a fault rounds begin to be held every minute."""
AFTERWARDS = 4 * HOUR
"""How long after a fault's end rounds are still held, so that its resolution is seen."""
FIRST_START, LAST_END = 2, 20
"""Hours of the day (UTC) between which faults lie, so that each is over when its day is."""


@dataclass(frozen=True)
class Truth:
    """What a detector should find.

    Args:
        causes: names of lakehouse's causes that are right.
        pipelines, tables: where the break is; an incident that names one of them is about the fault.
        tenants: exactly those that are hit; empty where it is the platform.
        by_cause: it is not about a place: only an incident with a right cause is about the fault.
    """

    causes: tuple[str, ...]
    pipelines: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    by_cause: bool = False


Window = tuple[datetime, datetime]


@dataclass
class Fault:
    """A fault, as the pipeline and the judge meet it. What is not told differently goes its healthy way.

    Args:
        name: of the seventeen.
        begins, ends: when (UTC).
        detail: what it is this time, in words.
        store_down, evaluator_down, channel_down: when these are.
        carrier: what happens besides, in the control too, without which the fault would have nothing to show itself by.
    """

    name: str
    begins: datetime
    ends: datetime
    truth: Truth
    detail: str
    store_down: Window | None = None
    evaluator_down: Window | None = None
    channel_down: Window | None = None
    carrier: Fault | None = None

    @property
    def window(self) -> Window:
        """From when until when its own run is watched (UTC)."""
        return self.begins.replace(minute=0, second=0, microsecond=0) - BEFORE, self.ends + AFTERWARDS

    def count(self, world: World, stream: Stream, hour: datetime, count: int) -> int:
        """Records of a file that ordinarily has so many."""
        return count

    def rates(self, stream: Stream, hour: datetime, rates: Rates) -> Rates:
        """Rates of a file that ordinarily has these."""
        return rates

    def land(self, file: LandedFile) -> list[LandedFile]:
        """What lands in the place of a file."""
        return [file]

    def further(self, world: World, hour: datetime) -> list[LandedFile]:
        """What lands besides, in the hour after the given one."""
        return []

    def code_version(self, at: datetime) -> str | None:
        """The code that runs, where it is not the usual one."""
        return None

    def failure(self, pipeline: str, asset: str, at: datetime) -> Failure | None:
        """How a step fails that begins at a moment."""
        return None

    def is_blind(self, at: datetime) -> bool:
        """Whether the sensor cannot see that anything is to be done."""
        return self.store_down is not None and self.store_down[0] <= at < self.store_down[1]


@dataclass
class FileFault(Fault):
    """A fault of the files of some streams and hours.

    Args:
        streams: their indexes.
        places: the same as pairs of source and tenant.
        hours: from the first of these hours on, until before the last.
        change: what their rates become.
        kept: the share of their records that is there.
        replaced: what lands in the place of a file.
        again: what lands besides, in the hour after the first one.
    """

    streams: frozenset[int] = frozenset()
    places: frozenset[tuple[str, str]] = frozenset()
    hours: Window = (BEGIN, BEGIN)
    change: Callable[[Rates], Rates] | None = None
    kept: float = 1.0
    replaced: Callable[[LandedFile], list[LandedFile]] | None = None
    again: tuple[LandedFile, ...] = field(default=(), repr=False)

    def _concerns(self, hour: datetime) -> bool:
        return self.hours[0] <= hour < self.hours[1]

    def count(self, world: World, stream: Stream, hour: datetime, count: int) -> int:
        """Of the records only some are there."""
        if self.kept == 1.0 or stream.index not in self.streams or not self._concerns(hour):
            return count
        return int(world.rng(7, stream.index, (hour - BEGIN) // HOUR).binomial(count, self.kept))

    def rates(self, stream: Stream, hour: datetime, rates: Rates) -> Rates:
        """The records are others."""
        return self.change(rates) if self.change and stream.index in self.streams and self._concerns(hour) else rates

    def land(self, file: LandedFile) -> list[LandedFile]:
        """The file is another, or comes at another time, or never."""
        is_hit = (file.source, file.tenant_id) in self.places and self._concerns(file.hour)
        return self.replaced(file) if self.replaced and is_hit else [file]

    def further(self, world: World, hour: datetime) -> list[LandedFile]:
        """Files come again."""
        return list(self.again) if hour == self.hours[0] else []


@dataclass
class StepFault(Fault):
    """Steps fail between begin and end.

    Args:
        fails: how.
        steps: pairs of pipeline and table; none for all of them.
    """

    fails: Failure | None = None
    steps: frozenset[tuple[str, str]] = frozenset()

    def failure(self, pipeline: str, asset: str, at: datetime) -> Failure | None:
        """The same failure each time."""
        is_hit = not self.steps or (pipeline, asset) in self.steps
        return self.fails if is_hit and self.begins <= at < self.ends else None


@dataclass
class DeployFault(FileFault):
    """Bad code runs between begin and end, mended code after it.

    Args:
        bad, mended: their versions.
    """

    bad: str = ""
    mended: str = ""

    def code_version(self, at: datetime) -> str | None:
        """The bad version, then the mended one."""
        return None if at < self.begins else self.bad if at < self.ends else self.mended


@dataclass(frozen=True)
class Draw:
    """The chance of one fault of one world."""

    world: World
    name: str
    rng: Rng

    def between(self, least: float, most: float) -> float:
        """A number."""
        return float(self.rng.uniform(least, most))

    def one_of(self, things: Sequence[Any]) -> Any:
        """One of some things."""
        return things[int(self.rng.integers(len(things)))]

    def minutes(self, least: int, most: int) -> timedelta:
        """A time of whole minutes."""
        return MINUTE * int(self.rng.integers(least, most + 1))

    def start(self, hours: int) -> datetime:
        """The start of an hour of the scored fortnight after which so many are left of the time for faults."""
        day = BEGIN + TRAINING + DAY * int(self.rng.integers(SCORED // DAY))
        return day + HOUR * int(self.rng.integers(FIRST_START, LAST_END - hours + 1))

    def busy(self, hours: int, least: float, streams: Sequence[Stream] | None = None) -> tuple[Stream, datetime]:
        """A stream and a start, such that each of the hours from then on has at least so many events on the average."""
        found = [
            (stream, start)
            for stream in streams or self.world.streams
            for day in range(SCORED // DAY)
            for start in [BEGIN + TRAINING + DAY * day + HOUR * h for h in range(FIRST_START, LAST_END - hours + 1)]
            if all(self.world.expected(stream, start + HOUR * n) >= least for n in range(hours))
        ]
        names = sorted({stream.index for stream, _ in found})
        chosen = self.one_of(names)
        return self.one_of([pair for pair in found if pair[0].index == chosen])


def of_stream(stream: Stream, *causes: str) -> Truth:
    """A break in the files of one customer and source."""
    return of_streams([stream], *causes)


def of_streams(streams: Sequence[Stream], *causes: str) -> Truth:
    """A break in the files of some customers and sources."""
    pipelines = frozenset(s.source for s in streams)
    tables = frozenset({AUTH_EVENTS.name, *(f"bronze.{name}" for name in pipelines), *(f"landing.{name}" for name in pipelines)})
    return Truth(causes, pipelines, tables, frozenset(s.tenant.tenant_id for s in streams))


def hit(streams: Sequence[Stream], first: datetime, hours: int) -> Mapping[str, Any]:
    """The files of some streams and hours, as arguments of a FileFault."""
    places = frozenset((s.source, s.tenant.tenant_id) for s in streams)
    return {"streams": frozenset(s.index for s in streams), "places": places, "hours": (first, first + HOUR * hours)}


def lasting(name: str, streams: Sequence[Stream], first: datetime, hours: int, truth: Truth, detail: str, **how: Any) -> FileFault:
    """A fault of the events of some hours."""
    return FileFault(name, first, first + HOUR * hours, truth, detail, **hit(streams, first, hours), **how)
