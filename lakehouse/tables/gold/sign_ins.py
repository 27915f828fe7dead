"""Gold out of single events: attempts to sign in, by user, method, hour, reason, place and device, and the flows that they belong to.

Does not belong here: tables that are made from other gold tables (users).
"""

from __future__ import annotations

from datetime import timedelta

from lakehouse.tables.bronze import TENANT_ID
from lakehouse.tables.gold.common import (
    ATTEMPTS,
    DAY,
    FAILURES,
    FRESH,
    IS_ATTEMPT,
    LIVE,
    MEASURED,
    METHOD_DESCRIPTION,
    OWN_DAY,
    PROJECT_ID,
    SUCCESSES,
    TIME_ZONE,
    USERS,
    count,
    same,
)
from lakehouse.tables.model import Column, Definition, Reach, Reads, Table
from lakehouse.tables.silver import AUTH_METHODS, DEVICES

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
        ATTEMPTS,
        SUCCESSES,
        Column("devices", "array<string>", "Kind of device and family of browser of that day's successes, as `mobile/safari`, sorted.",
               required=True),
    ),
    key=("tenant_id", "project_id", "day", "user_key"),
    partition_by=("day",),
    recomputed_by="day",
    reads={
        "silver.auth_events": Reads(
            columns={
                **same("tenant_id", "project_id", "user_key"),
                "day": ("event_time",),
                "auth_methods": ("auth_method",),
                "successes": ("outcome",),
                "devices": ("outcome", "device", "user_agent"),
            },
            rows=(*IS_ATTEMPT, "tenant_id", "project_id", "event_time", "user_key"),
        ),
    },
    sla=FRESH,
    definition=Definition(
        formula=f"{MEASURED} `attempts = count(*)`, `successes = count_if(outcome = 'success')`, by tenant, project, day in the "
        "tenant's zone, and user key; rows without a user key are left out. The browser's family is read off the user agent, without "
        "version; of anything else it is the first word, and `unknown` where there is none.",
        late_data=OWN_DAY,
        example="Tenant in `America/New_York` (UTC-4 in July). User U signs in at 2026-07-02 03:30 UTC (fails, password) and "
        "03:31 UTC (succeeds, password): both are 2026-07-01 in New York, so one row: day 2026-07-01, attempts 2, successes 1, "
        "auth_methods [password], devices [desktop/firefox] if the second was from Firefox on a desktop.",
        version=2,
    ),
)  # fmt: skip

AUTH_DAILY = Table(
    name="gold.auth_daily",
    description="Attempts, successes, failures and users per tenant, project, day and method.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        Column("auth_method", "string", METHOD_DESCRIPTION, required=True),
        ATTEMPTS,
        SUCCESSES,
        FAILURES,
        USERS,
    ),
    key=("tenant_id", "project_id", "day", "auth_method"),
    partition_by=("day",),
    recomputed_by="day",
    reads={
        "silver.auth_events": Reads(
            columns={
                **same("tenant_id", "project_id", "auth_method"),
                "day": ("event_time",),
                "successes": ("outcome",),
                "failures": ("outcome",),
                "users": ("user_key",),
            },
            rows=(*IS_ATTEMPT, "tenant_id", "project_id", "event_time", "auth_method"),
        ),
    },
    sla=FRESH,
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
        ATTEMPTS,
        SUCCESSES,
        FAILURES,
        USERS,
    ),
    key=("tenant_id", "project_id", "hour"),
    recomputed_by="event_date",
    reads={
        "silver.auth_events": Reads(
            columns={
                **same("tenant_id", "project_id", "event_date"),
                "hour": ("event_time",),
                "successes": ("outcome",),
                "failures": ("outcome",),
                "users": ("user_key",),
            },
            rows=(*IS_ATTEMPT, "tenant_id", "project_id", "event_time", "event_date"),
        ),
    },
    sla=FRESH,
    definition=Definition(
        formula=f"{MEASURED} By tenant, project and `date_trunc('hour', event_time)` in UTC.",
        late_data="A late event recomputes the hours of its UTC day; no other day changes.",
        example="U fails at 09:59:59.999 UTC and succeeds at 10:00:00 UTC: two rows, hour 09:00 (attempts 1, successes 0, "
        "failures 1, users 1) and hour 10:00 (1, 1, 0, 1).",
    ),
)

FLOW_HOURS = 3
"""A link or a code is valid for minutes, seldom for more than an hour; three leave room for slow mail. A day is still made from the
three days of events in UTC that any day of a tenant can have events in: they leave ten hours before it."""

SIGNIN_FUNNEL_DAILY = Table(
    name="gold.signin_funnel_daily",
    description="How many sign-ins were begun, delivered, completed and successful, and how long they took, per day and method.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        Column("day", "date", "Day of the flow's first event in the tenant's zone.", required=True),
        TIME_ZONE,
        Column("auth_method", "string", "How the user was to prove who they are.", required=True, values=AUTH_METHODS),
        count("flows", "Flows, that is sign-ins that were begun.", "flows"),
        count("started", "Flows in which something was sent or begun.", "flows"),
        count("delivered", "Flows whose message is known to have arrived.", "flows"),
        count("completed", "Flows that ended in an answer, right or wrong.", "flows"),
        count("succeeded", "Flows that ended in a sign-in.", "flows"),
        Column("median_seconds_to_complete", "double",
               "Exact median of the time from a flow's first `started` event to its first `completed` one; null where no flow has both.",
               unit="s"),
    ),
    key=("tenant_id", "project_id", "day", "auth_method"),
    recomputed_by="day",
    reads={
        "silver.auth_events": Reads(
            columns={
                **same("tenant_id", "project_id"),
                "day": ("event_time",),
                "auth_method": ("event_time", "auth_method"),
                "started": ("event_time", "phase"),
                **dict.fromkeys(("delivered", "completed", "succeeded", "median_seconds_to_complete"), ("event_time", "phase", "outcome")),
            },
            rows=(*IS_ATTEMPT, "tenant_id", "source", "event_id", "flow_id", "project_id", "event_time", "auth_method", "user_key"),
        ),
    },
    reach=Reach(before=timedelta(hours=2 * FLOW_HOURS), after=timedelta(hours=3 * FLOW_HOURS)),
    sla=FRESH,
    definition=Definition(
        formula=f"{LIVE} Of these, rows with `activity` in (`sign_in`, `sign_up`) are the steps. "
        f"Steps of one source that share a `flow_id` make one *request*, each with the earliest of them in the {FLOW_HOURS} hours before "
        "it; a step without a `flow_id` is a request of its own. The request's method is that of its first step whose method is known, "
        "its user that of its first step that names one. A request that has begun or sent something and has no `completed` step is "
        f"*open*. A request with a `completed` step belongs to the flow of the last open request that the same user began by the same "
        f"method within the {FLOW_HOURS} hours before it, since many sources give the use of a link or code an id of its own; every "
        "other request begins a flow. `started`: has a `started` step; `delivered`: a `delivered` one with `outcome = 'success'`; "
        "`completed`: a `completed` one with `outcome` in (`success`, `failure`); `succeeded`: one of these with `success`. A flow "
        "whose first `completed` step is before its first `started` one has no time to complete.",
        late_data=f"A late event recomputes the days that lie within {2 * FLOW_HOURS} hours before it and {3 * FLOW_HOURS} after it: it "
        "can move the beginning of a request, and with that the flow that later requests belong to.",
        example="U is sent a link at 23:58 (flow_id A: `started` 23:58:00, `delivered` 23:58:05) and uses it at 00:01 (flow_id B: "
        "`completed`, failure, 00:01:00) and again (flow_id C: `completed`, success, 00:02:00). V is sent a link (D) at 12:00 and does "
        "not use it. All four requests make two flows of the first day: flows 2, started 2, delivered 1, completed 1, succeeded 1, "
        "median 180 s (23:58:00 to 00:01:00).",
    ),
)  # fmt: skip

FAILURE_REASONS_DAILY = Table(
    name="gold.failure_reasons_daily",
    description="Failed attempts and the users they happened to, per day, method and reason.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        Column("auth_method", "string", METHOD_DESCRIPTION, required=True),
        Column("failure_reason", "string", "The source's error type; `unknown` where it gives none.", required=True),
        FAILURES,
        count("users", "Distinct users with such a failure.", "users"),
    ),
    key=("tenant_id", "project_id", "day", "auth_method", "failure_reason"),
    recomputed_by="day",
    reads={
        "silver.auth_events": Reads(
            columns={**same("tenant_id", "project_id", "auth_method", "failure_reason"), "day": ("event_time",), "users": ("user_key",)},
            rows=(*IS_ATTEMPT, "tenant_id", "project_id", "event_time", "auth_method", "failure_reason"),
        ),
    },
    sla=FRESH,
    definition=Definition(
        formula=f"{MEASURED} `failures = count_if(outcome = 'failure')`, `users = count(distinct user_key)` of these, by "
        "`coalesce(failure_reason, 'unknown')`. The failures of a day and method add up to `failures` of `gold.auth_daily`; the users "
        "do not add up to its users.",
        late_data=OWN_DAY,
        example="On one day U mistypes a password twice and then a passcode once; somebody whom nobody knows (no user key) tries a "
        "password. Rows: password / unauthorized_credentials (failures 3, users 1) and otp_sms / otp_code_not_found (1, 1).",
    ),
)

NO_COUNTRY = ("no_address", "no_geoip_database", "not_in_database")

PLACES_AND_DEVICES_DAILY = Table(
    name="gold.places_and_devices_daily",
    description="Attempts, successes and users per day, country and kind of device.",
    columns=(
        TENANT_ID,
        PROJECT_ID,
        DAY,
        TIME_ZONE,
        Column("country", "string", "ISO 3166-1 alpha-2 country; null where it is not known."),
        Column("country_reason", "string", "Why the country is not known; null where it is.", values=NO_COUNTRY),
        Column("device", "string", "Kind of device.", required=True, values=DEVICES),
        ATTEMPTS,
        SUCCESSES,
        USERS,
    ),
    key=("tenant_id", "project_id", "day", "country", "country_reason", "device"),
    recomputed_by="day",
    reads={
        "silver.auth_events": Reads(
            columns={
                **same("tenant_id", "project_id", "device"),
                "day": ("event_time",),
                "country": ("ip", "country"),
                "country_reason": ("ip", "country"),
                "successes": ("outcome",),
                "users": ("user_key",),
            },
            rows=(*IS_ATTEMPT, "tenant_id", "project_id", "event_time", "ip", "country", "device"),
        ),
    },
    sla=FRESH,
    definition=Definition(
        formula=f"{MEASURED} By country and device. The country is the source's own, else that of the address in the operator's GeoIP "
        "database (LAKEHOUSE_GEOIP_DATABASE). Why there is none: `no_address` if the event has no address either, `no_geoip_database` "
        "without a database, `not_in_database` if it does not know the address. In the grain null "
        "counts as a value: just one of `country` and `country_reason` is null in each row, so the two tell rows apart. In SQL join "
        "and group on both, or on `coalesce(country, country_reason)`.",
        late_data=OWN_DAY,
        example="U signs in twice from Sweden on a phone (one failure), V once on a desktop with an address but no country. Rows: "
        "SE / null / mobile (attempts 2, successes 1, users 1) and null / no_geoip_database / desktop (1, 1, 1).",
        is_located=True,
    ),
)
