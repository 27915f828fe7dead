"""The runs of the scorecard: the healthy fortnight once, and each fault on a copy that parts from it shortly before.

Does not belong here: judging them (tests.scorecard.score).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from tests.scorecard.catalogue import faults_of
from tests.scorecard.facts import Clock, FactStore, History
from tests.scorecard.faults import Fault
from tests.scorecard.pipeline import Pipeline
from tests.scorecard.watch import COARSE_ROUND, ROUND, UNWATCHED_ROUND, Message, Watch, is_close, maker
from tests.scorecard.world import BEGIN, END, World
from tests.scorecard.zscore import look_after


@dataclass(frozen=True)
class Healthy:
    """The healthy run of a seed.

    Args:
        facts: file of its facts, those that the detector wrote among them.
        partings: by fault, the pipeline as it is when the fault's run parts from this one.
    """

    seed: int
    detector: str
    facts: Path
    partings: dict[str, bytes] = field(repr=False)
    messages: list[Message]
    alarms: list[datetime]

    def for_fault(self, name: str) -> Healthy:
        """What the run of one fault needs of it."""
        return replace(self, partings={name: self.partings[name]})


@dataclass(frozen=True)
class Episode:
    """A fault's run: its store as it is at the end, and what was sent."""

    store: FactStore
    messages: list[Message]
    refused: list[datetime]
    alarms: list[datetime]


def live_healthy(
    seed: int, detector: str, facts: Path, names: Sequence[str] | None = None, begin: datetime = BEGIN, end: datetime = END
) -> Healthy:
    """Live through the training and the scored fortnight without a fault; rounds are close where a fault will be in its own run."""
    world, clock = World(seed), Clock(begin)
    faults = faults_of(world, names)
    watch = Watch(maker(detector), Pipeline(world, begin=begin), FactStore(clock), clock)
    partings: dict[str, bytes] = {}
    for now in moments(faults, begin, end):
        watch.bring_to(now)
        partings |= {fault.name: pickle.dumps(watch.pipeline) for fault in faults if fault.window[0] == now}
        watch.hold_round(now)
    watch.store.save(facts)
    return Healthy(seed, detector, facts, partings, watch.post.sent, watch.switch.alarms)


def moments(faults: Sequence[Fault], begin: datetime, end: datetime) -> Iterator[datetime]:
    """When rounds are held (UTC): as in each fault's own run from its beginning until it is old, else every half hour."""
    now = begin
    while now <= end:
        yield now
        if any(is_close(now, fault.begins) for fault in faults):
            now += ROUND
        elif any(fault.window[0] <= now < fault.begins for fault in faults):
            now += COARSE_ROUND
        else:
            now += UNWATCHED_ROUND - timedelta(minutes=now.minute % 30)


def live_through(fault: Fault, healthy: Healthy, *, only_carrier: bool = False) -> Episode:
    """Live through a fault's window, or through that of its carrier alone, and on to when the z-score looks at its day."""
    begin, end = fault.window
    pipeline: Pipeline = pickle.loads(healthy.partings[fault.name])
    pipeline.faults = [f for f in ([fault.carrier] if only_carrier else [fault, fault.carrier]) if f]
    clock = Clock(begin)
    store = FactStore(clock, history=History(healthy.facts, begin), down=None if only_carrier else fault.store_down)
    watch = Watch(maker(healthy.detector), pipeline, store, clock, None if only_carrier else fault)
    watch.watch(begin, end)
    if look_after(fault.begins) > end:
        watch.bring_to(look_after(fault.begins))
    return Episode(store, watch.post.sent, watch.post.refused, watch.switch.alarms)
