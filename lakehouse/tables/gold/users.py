"""Gold out of gold: what the days of users add up to over weeks, months and their whole history.

Does not belong here: tables that are made from single events (sign_ins).
"""

from __future__ import annotations

from datetime import timedelta

from lakehouse.tables.bronze import TENANT_ID
from lakehouse.tables.gold.common import DAY, FRESH, PROJECT_ID, SUCCESSES, TIME_ZONE, count, same
from lakehouse.tables.model import Column, Definition, Reach, Reads, Table

WEEK_DAYS = 7
MONTH_DAYS = 30

ACTIVE_USERS_DAILY = Table(
    name="gold.active_users_daily",
    description="Daily, weekly and monthly active users per tenant and project, for each day on which the tenant was active.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        count("daily_active_users", "Distinct users with a success on the day.", "users"),
        count("weekly_active_users", "Distinct users with a success on the day or the 6 days before.", "users"),
        count("monthly_active_users", "Distinct users with a success on the day or the 29 days before.", "users"),
    ),
    key=("tenant_id", "project_id", "day"),
    recomputed_by="day",
    reads={
        "gold.user_days": Reads(
            columns={
                **same("tenant_id", "project_id", "day", "time_zone"),
                "daily_active_users": ("day",),
                "weekly_active_users": ("day",),
                "monthly_active_users": ("day",),
            },
            rows=("tenant_id", "project_id", "day", "time_zone", "user_key", "successes"),
        ),
    },
    reach=Reach(after=timedelta(days=MONTH_DAYS - 1)),
    sla=FRESH,
    definition=Definition(
        formula="From `gold.user_days` with `successes > 0`: distinct user keys over trailing windows of 1, 7 and 30 days that end "
        "on the day. A row exists for each day on which the tenant has a user-day in any project, and each project with a user in "
        "its 30-day window.",
        late_data="A late event on day D recomputes D to D + 29.",
        example="U succeeds on 1 and 5 March, V on 8 March. Row of 8 March: daily 1 (V), weekly 2 (V; U by the 5th, since the "
        "window is 2 to 8 March), monthly 2. If the tenant is next active on 15 March without U or V: daily 0, weekly 0, monthly 2.",
    ),
)

USER_FEATURES_DAILY = Table(
    name="gold.user_features_daily",
    description="One row per user and day with at least one attempt: what is known of the user at the end of that day, for models.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        Column("user_key", "string", "HMAC of the user's identity.", required=True),
        count("attempts_1d", "Attempts on the day.", "attempts"),
        count("successes_1d", "Successful attempts on the day.", "attempts"),
        count("failures_1d", "Failed attempts on the day.", "attempts"),
        count("attempts_7d", "Attempts on the day and the 6 days before.", "attempts"),
        count("successes_7d", "Successful attempts on the day and the 6 days before.", "attempts"),
        count("failures_7d", "Failed attempts on the day and the 6 days before.", "attempts"),
        count("attempts_30d", "Attempts on the day and the 29 days before.", "attempts"),
        count("successes_30d", "Successful attempts on the day and the 29 days before.", "attempts"),
        count("failures_30d", "Failed attempts on the day and the 29 days before.", "attempts"),
        Column("failure_ratio_30d", "double", "Failed attempts per attempt on the day and the 29 days before.", required=True),
        count("active_days_30d", "Days with a success among the day and the 29 days before.", "days"),
        Column("auth_methods_30d", "int", "Distinct methods used on the day and the 29 days before.", unit="methods", required=True),
        Column("days_since_first_success", "int", "Days since the user's first day with a success, 0 on that day; null before it.",
               unit="days"),
        Column("days_since_previous_success", "int", "Days since the user's last day with a success before the day; null where there is "
               "none.", unit="days"),
        Column("new_devices", "array<string>", "Devices, as in `gold.user_days`, from which the user had a success on the day and never "
               "before, sorted.", required=True),
    ),
    key=("tenant_id", "project_id", "day", "user_key"),
    partition_by=("day",),
    recomputed_by="day",
    reads={
        "gold.user_days": Reads(
            columns={
                **same("tenant_id", "project_id", "day", "time_zone", "user_key"),
                **dict.fromkeys(("attempts_1d", "attempts_7d", "attempts_30d"), ("attempts",)),
                **dict.fromkeys(("successes_1d", "successes_7d", "successes_30d"), ("successes",)),
                **dict.fromkeys(("failures_1d", "failures_7d", "failures_30d", "failure_ratio_30d"), ("attempts", "successes")),
                **dict.fromkeys(("active_days_30d", "days_since_first_success", "days_since_previous_success"), ("day", "successes")),
                "auth_methods_30d": ("auth_methods",),
                "new_devices": ("devices",),
            },
            rows=("tenant_id", "project_id", "day", "user_key"),
        ),
    },
    reach=Reach(after=None, of_users=True),
    sla=FRESH,
    definition=Definition(
        formula="From the rows of `gold.user_days` of the same tenant, project and user: sums over trailing windows of 1, 7 and 30 days "
        "that end on the day, with `failures = attempts - successes`; the others as each column says. A day without an attempt has no "
        "row.",
        late_data="A late event on day D recomputes D and all later days on which its user has attempts; days on which only others have "
        "attempts do not change.",
        example="U fails twice and then succeeds by password on 1 March from a desktop with Firefox, fails once by passkey on 8 March, and "
        "succeeds by passkey on 31 March from a phone with Safari. Row of 8 March: attempts 1 / 1 / 4 in 1 / 7 / 30 days (2 to 8 March "
        "leave out the 1st), successes 0 / 0 / 1, failure_ratio_30d 0.75 (3 of 4), active_days_30d 1, auth_methods_30d 2, 7 days since "
        "the first and the previous success, no new device. Row of 31 March (window from the 2nd): attempts 1 / 1 / 2, "
        "failure_ratio_30d 0.5, active_days_30d 1, auth_methods_30d 1, 30 days since the first and the previous success, "
        "new_devices [mobile/safari].",
    ),
)  # fmt: skip

RETENTION_WEEKLY = Table(
    name="gold.retention_weekly",
    description="Of the users who first signed in in a week, how many did so in each later week.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        Column("cohort_week", "date", "Monday of the ISO week of the users' first success.", required=True),
        Column("week", "date", "Monday of the ISO week in which they are counted.", required=True),
        TIME_ZONE,
        Column("weeks_since", "int", "Weeks from the cohort's week to this one, 0 for its own.", unit="weeks", required=True),
        count("cohort_users", "Users of the cohort.", "users"),
        count("active_users", "Users of the cohort with a success in the week.", "users"),
    ),
    key=("tenant_id", "project_id", "cohort_week", "week"),
    recomputed_by="week",
    reads={
        "gold.user_features_daily": Reads(
            columns={
                **same("tenant_id", "project_id", "time_zone"),
                "cohort_week": ("day", "days_since_first_success"),
                "week": ("day",),
                "weeks_since": ("day", "days_since_first_success"),
            },
            rows=("tenant_id", "project_id", "day", "time_zone", "successes_1d", "days_since_first_success", "days_since_previous_success"),
        ),
    },
    reach=Reach(after=None),
    sla=FRESH,
    definition=Definition(
        formula="From `gold.user_features_daily`. A user's cohort is the ISO week (Monday to Sunday, in the tenant's zone) of their first "
        "success in the project. `active_users` counts the users of the cohort with `successes_1d > 0` on a day of the week, "
        "`cohort_users` all of the cohort. A row exists for each cohort and each week from its own on in which anybody in the project "
        "has a success, so that a week without any of the cohort shows as 0.",
        late_data="Any event can be the user's first and move them to another cohort, whose size stands in the rows of all later weeks: "
        "a late event recomputes its week and all after it.",
        example="U first succeeds on Wednesday 4 March 2026 and again on Monday 9 March, V first on Tuesday 10 March, W first on Monday "
        "16 March. Cohort of Monday 2 March: cohort_users 1 (U), active_users 1 in its own week, 1 in the week of 9 March, 0 in that of "
        "16 March. Cohort of 9 March: cohort_users 1 (V), active_users 1 and then 0. Cohort of 16 March: 1, 1.",
    ),
)

NEVER_ACTIVE = ("incomplete", "incomplete_expired")
"""States of a subscription whose first payment was never made."""

LIFE_OF_A_SUBSCRIPTION = ("status", "created_at", "started_at", "canceled_at", "ended_at")
"""What tells whether it was active at a time."""

USAGE_AND_BILLING_MONTHLY = Table(
    name="gold.usage_and_billing_monthly",
    description="What each project used in a calendar month, and what its tenant had subscribed to at the end of it.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        Column("month", "date", "First day of the month, in the tenant's zone.", required=True),
        TIME_ZONE,
        count("monthly_active_users", "Distinct users with a success in the month.", "users"),
        count("attempts", "Attempts, also of users that nobody knows.", "attempts"),
        SUCCESSES,
        Column("tenant_subscriptions", "long", "Subscriptions of the tenant, of all its projects together, that were active when the month "
               "ended; null where the billing system knows none of the tenant's.", unit="subscriptions"),
        Column("tenant_quantity", "long", "Units of these subscriptions.", unit="units"),
    ),
    key=("tenant_id", "project_id", "month"),
    recomputed_by="month",
    reads={
        "gold.user_features_daily": Reads(
            columns={}, rows=("tenant_id", "project_id", "day", "successes_1d", "days_since_previous_success")
        ),
        "gold.auth_daily": Reads(
            columns={
                **same("tenant_id", "project_id", "time_zone", "attempts", "successes"),
                "month": ("day",),
                **dict.fromkeys(("tenant_subscriptions", "tenant_quantity"), ("day", "time_zone")),
            },
            rows=("tenant_id", "project_id", "day", "time_zone"),
        ),
        "silver.billing_subscriptions": Reads(
            columns={"tenant_subscriptions": LIFE_OF_A_SUBSCRIPTION, "tenant_quantity": ("quantity", *LIFE_OF_A_SUBSCRIPTION)},
            rows=("tenant_id", "is_live"),
        ),
    },
    sla=FRESH,
    definition=Definition(
        formula="Usage: `attempts` and `successes` are sums of `gold.auth_daily` over the days of the month; `monthly_active_users` are "
        "the users of `gold.user_features_daily` with a success on one of them. Billing: of `silver.billing_subscriptions` of the "
        "tenant, test mode left out, those that had started before the month ended in the tenant's zone (`started_at`, else "
        "`created_at`), had not ended by then (`ended_at`, else `canceled_at` of a cancelled one), and were not left unpaid from the "
        f"start (`status` in {', '.join(f'`{s}`' for s in NEVER_ACTIVE)}); a quantity that is not given counts as 1. The billing system "
        "knows tenants, not projects: the two columns are the same in the rows of all projects of a tenant and month, and must not be "
        "summed over them. Only the latest state of a subscription is known, so a past quantity is today's. A month without attempts has "
        "no row.",
        late_data="A late event recomputes its month. A new state of a subscription recomputes all months.",
        example="Tenant in `America/New_York`. U succeeds on 31 January at 23:30 in New York (1 February 04:30 UTC) and on 2 February, V "
        "fails on 3 February. A subscription of 10 units started on 15 January and ended on 1 February 03:00 UTC, one of 5 started on "
        "20 January and goes on. January: monthly_active_users 1, attempts 1, successes 1, tenant_subscriptions 1, tenant_quantity 5, "
        "since in New York January ended on 1 February 05:00 UTC. February: 1 (U), attempts 2, successes 1, subscriptions 1, quantity 5.",
    ),
)  # fmt: skip
