"""Silver: typed tables, one row per event or entity.

Does not belong here: how a source maps to these columns (assets/sources), or raw text (bronze).
"""

from __future__ import annotations

from lakehouse.tables.bronze import EVENT_DATE, INGESTED_AT, PLACE, SOURCE, TENANT_ID, TIME_QUALITIES, TIME_QUALITY, USER_KEY
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
        EVENT_DATE,
        TIME_QUALITY,
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
        Column("latitude", "double", "Where the client was, as the source gives it; north is positive.", unit="degrees", pii=True),
        Column("longitude", "double", "Where the client was, as the source gives it; east is positive.", unit="degrees", pii=True),
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
        EVENT_DATE,
        Column("time_quality", "string", "Whether the event time is plausible.", required=True, values=TIME_QUALITIES),
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

CURRENCY = Column("currency", "string", "ISO 4217 code, lower case.")
IS_LIVE = Column("is_live", "boolean", "Live mode rather than test mode.")
IS_DELETED = Column("is_deleted", "boolean", "Deleted in the billing system.")
CREATED_AT = Column("created_at", "timestamp", "When it was created (UTC).")
PERIOD = (
    Column("period_start", "timestamp", "Start of the period that it is for (UTC)."),
    Column("period_end", "timestamp", "End of the period that it is for (UTC)."),
)
METADATA = Column("metadata", "string", "Names and values that the provider has attached, as a JSON object.", pii=True)
AS_OF = Column("as_of", "timestamp", "When this state was read from the billing system (UTC).", required=True)


def _amount(name: str, description: str, *, required: bool = False) -> Column:
    return Column(name, "long", description, unit="smallest unit of the currency", required=required)


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
        CURRENCY,
        _amount("balance", "Balance of the account."),
        Column("is_delinquent", "boolean", "The last charge failed."),
        IS_DELETED,
        IS_LIVE,
        Column("created_at", "timestamp", "When the customer was created (UTC)."),
        AS_OF,
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
        IS_LIVE,
        Column("cancels_at_period_end", "boolean", "Will not renew."),
        CREATED_AT,
        Column("started_at", "timestamp", "When it started (UTC)."),
        Column("current_period_start", "timestamp", "Start of the paid period (UTC)."),
        Column("current_period_end", "timestamp", "End of the paid period (UTC)."),
        Column("canceled_at", "timestamp", "When it was cancelled (UTC)."),
        Column("ended_at", "timestamp", "When it ended (UTC)."),
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "subscription_id"),
    latest_by="as_of",
)

BILLING_SUBSCRIPTION_ITEMS = Table(
    name="silver.billing_subscription_items",
    description="One row per item of a subscription (a price and how many of it), at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("subscription_item_id", "string", "Id in the billing system.", required=True),
        Column("subscription_id", "string", "Subscription it belongs to.", required=True),
        Column("price_id", "string", "Price or plan of the item."),
        Column("quantity", "long", "Units subscribed.", unit="units"),
        Column("current_period_start", "timestamp", "Start of the paid period (UTC)."),
        Column("current_period_end", "timestamp", "End of the paid period (UTC)."),
        CREATED_AT,
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "subscription_item_id"),
    latest_by="as_of",
)

BILLING_PRODUCTS = Table(
    name="silver.billing_products",
    description="One row per product of the billing system, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("product_id", "string", "Id in the billing system.", required=True),
        Column("name", "string", "Name that customers see."),
        Column("type", "string", "Good or service."),
        Column("description", "string", "Description that customers see."),
        Column("unit_label", "string", "What one unit is called on invoices."),
        Column("statement_descriptor", "string", "Text on the customer's bank statement."),
        Column("url", "string", "Page of the product."),
        Column("is_active", "boolean", "Can be bought."),
        Column("is_shippable", "boolean", "Is shipped."),
        IS_DELETED,
        IS_LIVE,
        CREATED_AT,
        Column("updated_at", "timestamp", "When it was last changed (UTC)."),
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "product_id"),
    latest_by="as_of",
)

BILLING_PRICES = Table(
    name="silver.billing_prices",
    description="One row per price or plan of the billing system, at its latest known state. An id can be both: `source` tells them apart.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("price_id", "string", "Id in the billing system.", required=True),
        Column("kind", "string", "Price, or plan (its older form).", required=True, values=("price", "plan")),
        Column("product_id", "string", "Product it is for."),
        Column("nickname", "string", "Name for the provider's own use."),
        Column("type", "string", "One-time or recurring.", required=True, values=("one_time", "recurring")),
        Column("currency", "string", "ISO 4217 code, lower case.", required=True),
        _amount("unit_amount", "Price of one unit; null where it depends on the quantity, or is not whole."),
        Column("unit_amount_decimal", "double", "Price of one unit, with fractions.", unit="smallest unit of the currency"),
        Column("billing_scheme", "string", "Per unit, or tiered."),
        Column("tiers_mode", "string", "How tiers add up."),
        Column("interval", "string", "Unit of the billing period: day, week, month or year."),
        Column("interval_count", "long", "Length of the billing period.", unit="intervals"),
        Column("usage_type", "string", "Licensed, or metered."),
        Column("aggregate_usage", "string", "How metered usage adds up."),
        Column("trial_period_days", "long", "Length of the trial.", unit="days"),
        Column("lookup_key", "string", "Name by which the provider finds the price."),
        Column("is_active", "boolean", "Can be used for new purchases."),
        IS_DELETED,
        IS_LIVE,
        CREATED_AT,
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "price_id"),
    latest_by="as_of",
)

BILLING_INVOICES = Table(
    name="silver.billing_invoices",
    description="One row per invoice, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("invoice_id", "string", "Id in the billing system.", required=True),
        Column("customer_id", "string", "Customer who is billed."),
        Column("subscription_id", "string", "Subscription that it bills."),
        Column("payment_intent_id", "string", "Payment intent by which it is paid."),
        Column("number", "string", "Number that the customer sees."),
        Column("status", "string", "State in the billing system's words.", required=True),
        Column("billing_reason", "string", "Why it was made, in the billing system's words."),
        Column("currency", "string", "ISO 4217 code, lower case.", required=True),
        _amount("subtotal", "Sum of the lines, before discounts and tax."),
        _amount("tax", "Tax on the invoice."),
        _amount("total", "Sum after discounts and tax."),
        _amount("amount_due", "To be paid."),
        _amount("amount_paid", "Paid so far."),
        _amount("amount_remaining", "Still to be paid."),
        Column("attempt_count", "long", "Attempts to collect the payment.", unit="attempts"),
        Column("is_paid", "boolean", "Paid in full."),
        IS_DELETED,
        IS_LIVE,
        CREATED_AT,
        *PERIOD,
        Column("due_at", "timestamp", "When the payment is due (UTC)."),
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "invoice_id"),
    latest_by="as_of",
)

BILLING_INVOICE_LINES = Table(
    name="silver.billing_invoice_lines",
    description="One row per line of an invoice, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("invoice_id", "string", "Invoice it belongs to.", required=True),
        Column("line_id", "string", "Id of the line, unique within its invoice.", required=True),
        Column("subscription_id", "string", "Subscription that it bills."),
        Column("subscription_item_id", "string", "Item of the subscription that it bills."),
        Column("price_id", "string", "Price or plan of the line."),
        Column("type", "string", "Subscription, or single item."),
        Column("description", "string", "Text that the customer sees."),
        Column("currency", "string", "ISO 4217 code, lower case.", required=True),
        _amount("amount", "Amount of the line.", required=True),
        Column("unit_amount_excluding_tax", "double", "Price of one unit before tax.", unit="smallest unit of the currency"),
        Column("quantity", "long", "Units billed.", unit="units"),
        Column("is_proration", "boolean", "For a part of a period, after a change of the subscription."),
        Column("is_discountable", "boolean", "Discounts apply."),
        IS_LIVE,
        *PERIOD,
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "invoice_id", "line_id"),
    latest_by="as_of",
)

BILLING_CHARGES = Table(
    name="silver.billing_charges",
    description="One row per attempt to charge a customer, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("charge_id", "string", "Id in the billing system.", required=True),
        Column("customer_id", "string", "Customer who is charged."),
        Column("invoice_id", "string", "Invoice that it is for."),
        Column("payment_intent_id", "string", "Payment intent that it belongs to."),
        Column("payment_method_id", "string", "Card or other means that is charged."),
        Column("balance_transaction_id", "string", "What it does to the balance."),
        Column("status", "string", "State in the billing system's words.", required=True),
        Column("currency", "string", "ISO 4217 code, lower case.", required=True),
        _amount("amount", "Amount of the charge.", required=True),
        _amount("amount_refunded", "Of it, given back."),
        Column("is_paid", "boolean", "Succeeded, or authorised."),
        Column("is_captured", "boolean", "Collected, not only authorised."),
        Column("is_refunded", "boolean", "Given back in full."),
        Column("failure_code", "string", "Why it failed, in the billing system's words."),
        Column("failure_message", "string", "Why it failed, as told to the customer."),
        Column("outcome_type", "string", "Who decided: the issuer, or the billing system."),
        Column("outcome_reason", "string", "Reason of that decision."),
        Column("network_status", "string", "Answer of the card network."),
        Column("risk_level", "string", "Risk that the billing system sees."),
        Column("risk_score", "long", "Risk that the billing system sees, 0 to 100."),
        Column("receipt_email", "string", "Where the receipt goes, lower case.", pii=True),
        IS_LIVE,
        CREATED_AT,
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "charge_id"),
    latest_by="as_of",
)

BILLING_REFUNDS = Table(
    name="silver.billing_refunds",
    description="One row per refund of a charge, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("refund_id", "string", "Id in the billing system.", required=True),
        Column("charge_id", "string", "Charge that is given back."),
        Column("payment_intent_id", "string", "Payment intent of that charge."),
        Column("balance_transaction_id", "string", "What it does to the balance."),
        Column("status", "string", "State in the billing system's words.", required=True),
        Column("reason", "string", "Why, in the billing system's words."),
        Column("failure_reason", "string", "Why it failed, in the billing system's words."),
        Column("receipt_number", "string", "Number of the receipt."),
        Column("currency", "string", "ISO 4217 code, lower case.", required=True),
        _amount("amount", "Amount given back.", required=True),
        CREATED_AT,
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "refund_id"),
    latest_by="as_of",
)

BILLING_DISPUTES = Table(
    name="silver.billing_disputes",
    description="One row per charge that a customer disputes with their bank, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column("dispute_id", "string", "Id in the billing system.", required=True),
        Column("charge_id", "string", "Charge that is disputed.", required=True),
        Column("balance_transaction_id", "string", "What it does to the balance."),
        Column("status", "string", "State in the billing system's words.", required=True),
        Column("reason", "string", "Why, in the billing system's words."),
        Column("currency", "string", "ISO 4217 code, lower case.", required=True),
        _amount("amount", "Amount disputed.", required=True),
        Column("is_charge_refundable", "boolean", "The charge can still be given back."),
        Column("has_evidence", "boolean", "Evidence is filed."),
        Column("is_evidence_past_due", "boolean", "The last day for evidence has passed."),
        Column("evidence_submissions", "long", "How often evidence was submitted.", unit="times"),
        Column("evidence_due_at", "timestamp", "By when evidence must be submitted (UTC)."),
        IS_LIVE,
        CREATED_AT,
        METADATA,
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "dispute_id"),
    latest_by="as_of",
)

BILLING_OBJECTS = Table(
    name="silver.billing_objects",
    description="One row per object of the billing system that has no table of its own, at its latest known state.",
    columns=(
        TENANT_ID,
        SOURCE,
        Column(
            "object", "string", "Kind of object.", required=True,
            values=(
                "account", "balance_transaction", "card", "coupon", "credit_note", "credit_note_line", "discount", "fee",
                "payment_intent", "payment_method", "payment_method_card", "payout", "payout_balance_transaction",
                "subscription_discount", "subscription_history", "transfer",
            ),
        ),
        Column("object_id", "string", "Id in the billing system; without one, the parts of its key, with `/` between.", required=True),
        Column("customer_id", "string", "Customer it belongs to."),
        Column("related_id", "string", "Object that it belongs to, or comes from; which one, depends on its kind."),
        _amount("amount", "Amount; negative where it leaves the balance."),
        CURRENCY,
        Column("status", "string", "State in the billing system's words."),
        IS_DELETED,
        IS_LIVE,
        CREATED_AT,
        Column("attributes", "map<string,string>", "Further facts that the source gives."),
        AS_OF,
        *LINEAGE,
    ),
    key=("tenant_id", "source", "object", "object_id"),
    latest_by="as_of",
)  # fmt: skip
