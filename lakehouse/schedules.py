"""What runs by the clock, told once: for the orchestrator that starts it, and for the watch that misses it.

Does not belong here: what a run does, or runs that something else than the clock starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Schedule:
    """Runs by the clock.

    Args:
        job: what is run.
        cron: when (UTC), as five fields.
        pipeline: under which name its steps are recorded.
        evidence: a step that every such run records; empty where a run may have nothing to record.
        grace: how long after its time a run must have recorded that.
    """

    job: str
    cron: str
    pipeline: str
    evidence: str = ""
    grace: timedelta = timedelta(minutes=30)


MAINTENANCE = Schedule("maintenance", "30 3 * * *", "maintenance", "ops.event_log", timedelta(hours=2))
FACT_MAINTENANCE = Schedule("fact_maintenance", "15 * * * *", "maintenance")
"""Runs every five minutes leave some 150 small files an hour in each table of facts, and every page of operations reads them."""
SCHEDULES = (MAINTENANCE, FACT_MAINTENANCE)
