"""Columns and words that several gold tables share.

Does not belong here: a table.
"""

from __future__ import annotations

from lakehouse.tables.model import Column, Sla

PROJECT_ID = Column("project_id", "string", "Project of the provider.", required=True)
DAY = Column("day", "date", "Day in the tenant's zone.", required=True)
TIME_ZONE = Column("time_zone", "string", "IANA zone that the day is cut in.", required=True)
METHOD_DESCRIPTION = "How the user proved who they are."

FRESH = Sla(fresh_within_minutes=120)

LIVE = "Counted are rows of `silver.auth_events` with `environment = 'live'` and a plausible time."
MEASURED = (
    f"{LIVE} An *attempt* is a row with `activity` in (`sign_in`, `sign_up`), `phase = 'completed'` and "
    "`outcome` in (`success`, `failure`)."
)
IS_ATTEMPT = ("environment", "time_quality", "activity", "phase", "outcome")
"""What is looked at of an event to tell whether it is an attempt."""
OWN_DAY = "A late event recomputes its own day; no other day changes."


def count(name: str, description: str, unit: str) -> Column:
    """A column that counts something and is never null."""
    return Column(name, "long", description, unit=unit, required=True)


def same(*names: str) -> dict[str, tuple[str, ...]]:
    """Columns that are read from columns of the same names."""
    return {name: (name,) for name in names}


ATTEMPTS = count("attempts", "Attempts.", "attempts")
SUCCESSES = count("successes", "Successful attempts.", "attempts")
FAILURES = count("failures", "Failed attempts.", "attempts")
USERS = count("users", "Distinct users with an attempt.", "users")
