"""What a detector must be to be judged by the scorecard, and what it is given.

Does not belong here: the world, the faults or the judge; a detector that is plugged in knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from lakehouse.ops.store import Reader, Writer
from lakehouse.sources import Source

Send = Callable[[str, str, str], None]
"""Takes title, body and key of a message; raises ChannelRefused where it does not get through."""
Heartbeat = Callable[[datetime], None]


class Detector(Protocol):
    """What is judged."""

    def round(self, now: datetime) -> None:
        """Look at the tables once, at a simulated moment (UTC). May raise InfrastructureError where the store does not answer."""
        ...


class Make(Protocol):
    """How a detector is made; it is made anew after it was killed, and finds all it knew in the tables."""

    def __call__(
        self, reader: Reader, writer: Writer, sources: Mapping[str, Source], channels: Mapping[str, Send], heartbeat: Heartbeat
    ) -> Detector: ...


class ChannelRefused(Exception):
    """A channel did not take a message."""
