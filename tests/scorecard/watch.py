"""Letting a detector watch a simulated lake: its rounds, the channels it sends to, and the dead-man's switch outside.

Does not belong here: judging what it said (tests.scorecard.score).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import cast

from lakehouse.errors import InfrastructureError
from tests.scorecard.facts import Clock, FactStore
from tests.scorecard.faults import Fault
from tests.scorecard.pipeline import Pipeline
from tests.scorecard.protocol import ChannelRefused, Detector, Make, Send

ROUND = timedelta(minutes=1)
COARSE_ROUND = timedelta(minutes=5)
"""How often they are held shortly before a fault, and once it is old; what is found then tells when it is over."""
CLOSE_BEFORE, CLOSE_FOR = timedelta(minutes=10), timedelta(hours=2)
"""So long before and after a fault's beginning rounds are a minute apart."""
UNWATCHED_ROUND = timedelta(minutes=30)
"""How often rounds are held far from any fault."""
CHANNELS = ("chat", "mail")
SILENCE = timedelta(minutes=2)
"""The dead-man's switch raises its alarm when no heartbeat has come for longer than this."""


def is_close(now: datetime, begins: datetime) -> bool:
    """Whether rounds are a minute apart at a moment, for a fault that begins at another (both UTC)."""
    return begins - CLOSE_BEFORE <= now < begins + CLOSE_FOR


def maker(name: str) -> Make:
    """The factory of that name, `module:function`."""
    module, _, function = name.partition(":")
    return cast(Make, getattr(import_module(module), function))


@dataclass(frozen=True)
class Message:
    """A message that got through, or an alarm of the dead-man's switch."""

    at: datetime
    channel: str
    title: str
    body: str
    key: str


@dataclass
class Post:
    """All channels, and what went through them."""

    clock: Clock
    down: tuple[datetime, datetime] | None = None
    sent: list[Message] = field(default_factory=list)
    refused: list[datetime] = field(default_factory=list)

    def channels(self) -> dict[str, Send]:
        """The channels by name."""
        return {name: self._sender(name) for name in CHANNELS}

    def _sender(self, channel: str) -> Send:
        def send(title: str, body: str, key: str) -> None:
            now = self.clock.now
            if channel == CHANNELS[0] and self.down and self.down[0] <= now < self.down[1]:
                self.refused.append(now)
                raise ChannelRefused("the channel answered 404: no_service")
            self.sent.append(Message(now, channel, title, body, key))

        return send


@dataclass
class DeadMansSwitch:
    """Raises an alarm when heartbeats stop, once, until they come again; it is not armed before the first."""

    last: datetime | None = None
    alarms: list[datetime] = field(default_factory=list)
    is_raised: bool = False

    def beat(self, now: datetime) -> None:
        """Take a heartbeat."""
        self.last, self.is_raised = now, False

    def look(self, now: datetime) -> None:
        """See whether one is missing."""
        if self.last and now - self.last > SILENCE and not self.is_raised:
            self.is_raised = True
            self.alarms.append(now)


@dataclass
class Watch:
    """A detector at a lake.

    Args:
        make: makes the detector.
        pipeline: of the lake, with its faults.
        store: of its facts.
        clock: of store and channels.
        fault: what happens to the detector itself or its channels.
    """

    make: Make
    pipeline: Pipeline
    store: FactStore
    clock: Clock
    fault: Fault | None = None

    def __post_init__(self) -> None:
        self.post = Post(self.clock, self.fault.channel_down if self.fault else None)
        self.switch = DeadMansSwitch()
        self._outage = self.fault.evaluator_down if self.fault else None
        self._detector: Detector | None = None

    def hold_round(self, now: datetime) -> None:
        """Bring the lake to a moment (UTC), and let the detector look."""
        self.bring_to(now)
        if self._outage and self._outage[0] <= now < self._outage[1]:
            self._detector = None
        else:
            self._round(now)

    def bring_to(self, now: datetime) -> None:
        """Bring the lake to a moment (UTC)."""
        self.clock.now = now
        self.pipeline.advance(now, self.store)

    def _round(self, now: datetime) -> None:
        if self._detector is None:
            sources = self.pipeline.world.sources
            self._detector = self.make(self.store, self.store, sources, self.post.channels(), self.switch.beat)
        try:
            self._detector.round(now)
        except InfrastructureError:
            # The product's loop logs it and goes on to the next round.
            return

    def watch(self, begin: datetime, end: datetime) -> None:
        """Hold rounds from one moment to another (UTC): each minute while the fault is young; else the switch is not looked at."""
        begins, now = self.fault.begins if self.fault else begin, begin
        while now < end:
            self.hold_round(now)
            if is_close(now, begins):
                self.switch.look(now)
            now += ROUND if is_close(now, begins) else COARSE_ROUND
