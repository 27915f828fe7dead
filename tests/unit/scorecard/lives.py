"""Short lives of simulated pipelines, for tests.

Does not belong here: tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tests.scorecard.disturbance import Disturbance
from tests.scorecard.facts import Clock, FactStore
from tests.scorecard.pipeline import Pipeline
from tests.scorecard.world import World


def live(world: World, begin: datetime, end: datetime, faults: Sequence[Disturbance] = ()) -> FactStore:
    """The facts that a pipeline leaves from one moment to another (UTC)."""
    store = FactStore(Clock(end))
    Pipeline(world, faults, begin).advance(end, store)
    return store
