"""Silver: typed tables, one row per event or entity.

Does not belong here: how a source maps to these columns (assets/sources), or raw text (bronze).
"""

from __future__ import annotations

from lakehouse.tables.bronze import INGESTED_AT, PLACE, SOURCE, TENANT_ID, USER_KEY
from lakehouse.tables.model import Column, Sla, Table

LINEAGE = (*PLACE, INGESTED_AT, Column("mapping_version", "int", "Version of the source's mapping that made the row.", required=True))

ACTIVITIES = ("sign_up", "sign_in", "sign_out", "session", "challenge", "factor_change", "account_change", "admin", "authorization")
AUTH_METHODS = (
    "password", "magic_link", "otp_email", "otp_sms", "otp_whatsapp", "totp", "oauth", "passkey", "sso", "biometric",
    "session", "access_key", "public_key", "assume_role", "recovery_code", "push", "unknown",
)  # fmt: skip
PHASES = ("started", "delivered", "completed")
OUTCOMES = ("success", "failure", "pending")
DEVICES = ("desktop", "mobile", "tablet", "bot", "server", "unknown")

AUTH_EVENTS = Table(
    name="silver.auth_events",
    description="One row per authentication event of every identity source.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("event_id", "string", "Identity of the event within tenant and source.", required=True),
        Column("request_id", "string", "Request that caused the event; one request can have several events."),
        Column("flow_id", "string", "What ties the steps of one sign-in together (sent, delivered, completed)."),
        Column("project_id", "string", "Project, account or organisation of the provider in which it happened.", required=True),
        Column("environment", "string", "Live or test.", required=True, values=("live", "test")),
        Column("event_time", "timestamp", "When the event happened (UTC).", required=True),
        Column("event_date", "date", "Day of `event_time` (UTC).", required=True),
        Column("time_quality", "string", "Whether the event time is plausible; implausible rows stay out of gold.",
               required=True, values=("plausible", "too_early", "too_late")),
        Column("action", "string", "The source's own name of the event.", required=True),
        Column("activity", "string", "What was attempted.", required=True, values=ACTIVITIES),
        Column("auth_method", "string", "How the user proved who they are.", required=True, values=AUTH_METHODS),
        Column("phase", "string", "Step of the flow.", required=True, values=PHASES),
        Column("delivery_status", "string", "What became of a sent message, in the source's words."),
        Column("outcome", "string", "How it ended.", required=True, values=OUTCOMES),
        Column("failure_reason", "string", "The source's error type; null on success."),
        USER_KEY,
        Column("user_id", "string", "The source's id of the user.", pii=True),
        Column("user_email", "string", "E-mail address or sign-in name, lower case.", pii=True),
        Column("session_id", "string", "Session that the event belongs to."),
        Column("organization_id", "string", "Organisation of the user, for B2B."),
        Column("ip", "string", "Address of the client, IPv4 or IPv6.", pii=True),
        Column("country", "string", "ISO 3166-1 alpha-2 country as the source gives it."),
        Column("device", "string", "Kind of device.", required=True, values=DEVICES),
        Column("user_agent", "string", "User agent of the client.", pii=True),
        Column("http_status", "int", "HTTP status of the answer."),
        Column("latency_ms", "long", "Time until delivery or answer.", unit="ms"),
        Column("attributes", "map<string,string>", "Further facts that the source gives."),
        *LINEAGE,
    ),
    key=("tenant_id", "source", "event_id"),
    partition_by=("event_date",),
    sla=Sla(fresh_within_minutes=60),
)  # fmt: skip

WEB_REQUESTS = Table(
    name="silver.web_requests",
    description="One row per request that a web server logged.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("event_id", "string", "Identity of the request within tenant and source.", required=True),
        Column("event_time", "timestamp", "When the request came (UTC).", required=True),
        Column("event_date", "date", "Day of `event_time` (UTC).", required=True),
        Column("time_quality", "string", "Whether the event time is plausible.",
               required=True, values=("plausible", "too_early", "too_late")),
        Column("method", "string", "HTTP method; null where what came is no HTTP request."),
        Column("path", "string", "What was asked for, up to the question mark, as the server wrote it.", pii=True),
        Column("query", "string", "What follows the question mark.", pii=True),
        Column("protocol", "string", "Version of HTTP."),
        Column("status", "int", "HTTP status of the answer.", required=True),
        Column("bytes", "long", "Size of the answer's body.", unit="bytes"),
        Column("referrer", "string", "Page that the request says it comes from.", pii=True),
        Column("user_agent", "string", "User agent of the client.", pii=True),
        Column("device", "string", "Kind of device.", required=True, values=DEVICES),
        Column("ip", "string", "Address of the client, IPv4 or IPv6.", pii=True),
        USER_KEY,
        Column("user_name", "string", "Name that the client gave in HTTP authentication, right or wrong.", pii=True),
        Column("attributes", "map<string,string>", "Further facts that the source gives."),
        *LINEAGE,
    ),
    key=("tenant_id", "source", "event_id"),
    partition_by=("event_date",),
)  # fmt: skip

BILLING_CUSTOMERS = Table(
    name="silver.billing_customers",
    description="One row per customer of the billing system, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("customer_id", "string", "Id in the billing system.", required=True),
        Column("external_id", "string", "Id of the customer in the provider's own systems, from the metadata."),
        Column("name", "string", "Name as given.", pii=True),
        Column("email", "string", "E-mail address, lower case.", pii=True),
        Column("currency", "string", "ISO 4217 code, lower case."),
        Column("balance", "long", "Balance of the account.", unit="smallest unit of the currency"),
        Column("is_delinquent", "boolean", "The last charge failed."),
        Column("is_deleted", "boolean", "Deleted in the billing system."),
        Column("is_live", "boolean", "Live mode rather than test mode."),
        Column("created_at", "timestamp", "When the customer was created (UTC)."),
        Column("as_of", "timestamp", "When this state was read from the billing system (UTC).", required=True),
        *LINEAGE,
    ),
    key=("tenant_id", "source", "customer_id"),
    latest_by="as_of",
)

BILLING_SUBSCRIPTIONS = Table(
    name="silver.billing_subscriptions",
    description="One row per subscription of the billing system, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("subscription_id", "string", "Id in the billing system.", required=True),
        Column("customer_id", "string", "Customer it belongs to.", required=True),
        Column("status", "string", "State in the billing system's words.", required=True),
        Column("quantity", "long", "Units subscribed.", unit="units"),
        Column("tax_percent", "double", "Tax rate.", unit="%"),
        Column("is_live", "boolean", "Live mode rather than test mode."),
        Column("cancels_at_period_end", "boolean", "Will not renew."),
        Column("created_at", "timestamp", "When it was created (UTC)."),
        Column("started_at", "timestamp", "When it started (UTC)."),
        Column("current_period_start", "timestamp", "Start of the paid period (UTC)."),
        Column("current_period_end", "timestamp", "End of the paid period (UTC)."),
        Column("canceled_at", "timestamp", "When it was cancelled (UTC)."),
        Column("ended_at", "timestamp", "When it ended (UTC)."),
        Column("as_of", "timestamp", "When this state was read from the billing system (UTC).", required=True),
        *LINEAGE,
    ),
    key=("tenant_id", "source", "subscription_id"),
    latest_by="as_of",
)
