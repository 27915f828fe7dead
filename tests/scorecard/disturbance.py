"""What may go wrong, as the pipeline meets it.

Does not belong here: what does go wrong (tests.scorecard.faults, which has each of these and tells more of them).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from tests.scorecard.steps import Failure
from tests.scorecard.world import LandedFile, Rates, Stream, World


class Disturbance(Protocol):
    """Asked at each turn; times are UTC. Where nothing is wrong it gives back what it was given, or nothing."""

    def count(self, world: World, stream: Stream, hour: datetime, count: int) -> int:
        """Records of a file that ordinarily has so many."""
        ...

    def rates(self, stream: Stream, hour: datetime, rates: Rates) -> Rates:
        """Rates of a file that ordinarily has these."""
        ...

    def land(self, file: LandedFile) -> list[LandedFile]:
        """What lands in the place of a file."""
        ...

    def further(self, world: World, hour: datetime) -> list[LandedFile]:
        """What lands besides, in the hour after the given one."""
        ...

    def code_version(self, at: datetime) -> str | None:
        """The code that runs, where it is not the usual one."""
        ...

    def failure(self, pipeline: str, asset: str, at: datetime) -> Failure | None:
        """How a step fails that begins at a moment."""
        ...

    def is_blind(self, at: datetime) -> bool:
        """Whether the sensor cannot see that anything is to be done."""
        ...
