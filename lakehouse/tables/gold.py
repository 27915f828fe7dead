"""Gold: what clients read, per tenant and day or hour.

Does not belong here: how a table is computed in Spark (jobs.gold); the definitions here say what it means.
"""

from __future__ import annotations

from lakehouse.tables.bronze import TENANT_ID
from lakehouse.tables.model import Column, Definition, Sla, Table

WEEK_DAYS = 7
MONTH_DAYS = 30

PROJECT_ID = Column("project_id", "string", "Project of the provider.", required=True)
DAY = Column("day", "date", "Day in the tenant's zone.", required=True)
TIME_ZONE = Column("time_zone", "string", "IANA zone that the day is cut in.", required=True)


def _count(name: str, description: str, unit: str) -> Column:
    return Column(name, "long", description, unit=unit, required=True)


MEASURED = (
    "Counted are rows of `silver.auth_events` with `environment = 'live'` and a plausible time. "
    "An *attempt* is a row with `activity` in (`sign_in`, `sign_up`), `phase = 'completed'` and `outcome` in (`success`, `failure`)."
)
OWN_DAY = "A late event recomputes its own day; no other day changes."

USER_DAYS = Table(
    name="gold.user_days",
    description="One row per user and day with at least one attempt: what distinct counts are made from.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        Column("user_key", "string", "HMAC of the user's identity.", required=True),
        Column("auth_methods", "array<string>", "Methods used that day, sorted.", required=True),
        _count("attempts", "Attempts.", "attempts"),
        _count("successes", "Successful attempts.", "attempts"),
    ),
    key=("tenant_id", "project_id", "day", "user_key"),
    partition_by=("day",),
    inputs=("silver.auth_events",),
    sla=Sla(fresh_within_minutes=120),
    definition=Definition(
        formula=f"{MEASURED} `attempts = count(*)`, `successes = count_if(outcome = 'success')`, by tenant, project, day in the "
        "tenant's zone, and user key; rows without a user key are left out.",
        late_data=OWN_DAY,
        example="Tenant in `America/New_York` (UTC-4 in July). User U signs in at 2026-07-02 03:30 UTC (fails, password) and "
        "03:31 UTC (succeeds, password): both are 2026-07-01 in New York, so one row: day 2026-07-01, attempts 2, successes 1, "
        "auth_methods [password].",
    ),
)

AUTH_DAILY = Table(
    name="gold.auth_daily",
    description="Attempts, successes, failures and users per tenant, project, day and method.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        Column("auth_method", "string", "How the user proved who they are.", required=True),
        _count("attempts", "Attempts.", "attempts"),
        _count("successes", "Successful attempts.", "attempts"),
        _count("failures", "Failed attempts.", "attempts"),
        _count("users", "Distinct users with an attempt.", "users"),
    ),
    key=("tenant_id", "project_id", "day", "auth_method"),
    partition_by=("day",),
    inputs=("silver.auth_events",),
    sla=Sla(fresh_within_minutes=120),
    definition=Definition(
        formula=f"{MEASURED} `attempts = successes + failures`; `users = count(distinct user_key)`.",
        late_data=OWN_DAY,
        example="On one day in project P: U fails once and succeeds once by password, V succeeds by passkey. Two rows: "
        "password (attempts 2, successes 1, failures 1, users 1) and passkey (1, 1, 0, 1).",
    ),
)

AUTH_HOURLY = Table(
    name="gold.auth_hourly",
    description="Attempts, successes, failures and users per tenant, project and hour (UTC).",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        Column("hour", "timestamp", "Start of the hour (UTC).", required=True),
        Column("event_date", "date", "Day of the hour (UTC).", required=True),
        _count("attempts", "Attempts.", "attempts"),
        _count("successes", "Successful attempts.", "attempts"),
        _count("failures", "Failed attempts.", "attempts"),
        _count("users", "Distinct users with an attempt.", "users"),
    ),
    key=("tenant_id", "project_id", "hour"),
    partition_by=("event_date",),
    inputs=("silver.auth_events",),
    sla=Sla(fresh_within_minutes=120),
    definition=Definition(
        formula=f"{MEASURED} By tenant, project and `date_trunc('hour', event_time)` in UTC.",
        late_data="A late event recomputes the hours of its UTC day; no other day changes.",
        example="U fails at 09:59:59.999 UTC and succeeds at 10:00:00 UTC: two rows, hour 09:00 (attempts 1, successes 0, "
        "failures 1, users 1) and hour 10:00 (1, 1, 0, 1).",
    ),
)

ACTIVE_USERS_DAILY = Table(
    name="gold.active_users_daily",
    description="Daily, weekly and monthly active users per tenant and project, for each day on which the tenant was active.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        _count("daily_active_users", "Distinct users with a success on the day.", "users"),
        _count("weekly_active_users", "Distinct users with a success on the day or the 6 days before.", "users"),
        _count("monthly_active_users", "Distinct users with a success on the day or the 29 days before.", "users"),
    ),
    key=("tenant_id", "project_id", "day"),
    partition_by=("day",),
    inputs=("gold.user_days",),
    reach_days=MONTH_DAYS - 1,
    sla=Sla(fresh_within_minutes=120),
    definition=Definition(
        formula="From `gold.user_days` with `successes > 0`: distinct user keys over trailing windows of 1, 7 and 30 days that end "
        "on the day. A row exists for each day on which the tenant has a user-day in any project, and each project with a user in "
        "its 30-day window.",
        late_data="A late event on day D recomputes D to D + 29.",
        example="U succeeds on 1 and 5 March, V on 8 March. Row of 8 March: daily 1 (V), weekly 2 (V; U by the 5th, since the "
        "window is 2 to 8 March), monthly 2. If the tenant is next active on 15 March without U or V: daily 0, weekly 0, monthly 2.",
    ),
)
