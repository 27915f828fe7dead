"""Made-up incidents, messages, promises and heartbeats, by the names that the evaluator uses.

Does not belong here: runs (facts), or anything that the product uses.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from lakehouse.errors import InfrastructureError

Row = dict[str, Any]

GOLD = ["gold.user_days", "gold.auth_daily", "gold.auth_hourly", "gold.active_users_daily"]
LAKE = {
    "okta": "silver.auth_events",
    "cloudtrail": "silver.auth_events",
    "provider_events": "silver.auth_events",
    "stripe_customers": "silver.billing_customers",
    "stripe_subscriptions": "silver.billing_subscriptions",
}


class Heart:
    """A heartbeat that is set by hand; `down` makes reading it fail as a stopped store does."""

    def __init__(self, body: bytes | None = None) -> None:
        self.body, self.down = body, False

    def read(self) -> bytes | None:
        """The object."""
        if self.down:
            raise InfrastructureError("the store did not answer: refused", next_step="run `lakehouse doctor`")
        return self.body


def heartbeat(
    at: datetime, *, interval_s: float = 60, dead: dict[str, str] | None = None, alive: tuple[str, ...] = ("slack", "email")
) -> bytes:
    """A heartbeat at a moment, with channels that work and channels that are dead, with their errors."""
    since = (at - timedelta(hours=5)).isoformat()
    channels = {name: {"ok": True, "since": since, "error": None} for name in alive}
    channels |= {name: {"ok": False, "since": since, "error": error} for name, error in (dead or {}).items()}
    return json.dumps({"beat_at": at.isoformat(), "interval_s": interval_s, "channels": channels}).encode()


def event(incident_id: str, name: str, at: datetime, actor: str = "evaluator", **more: Any) -> Row:
    """One event of an incident."""
    return {"incident_id": incident_id, "event": name, "happened_at": at, "actor": actor, **more}


def opened(incident_id: str, at: datetime, **more: Any) -> Row:
    """The event that opens an incident, of a tenant's whose okta events fell away."""
    since = more.pop("since", at - timedelta(minutes=4))
    seen: Row = {
        "title": "Tenant acme: events of okta fell by 94 %",
        "severity": "critical",
        "cause": "tenant_silent",
        "pipeline": "okta",
        "table_name": "bronze.okta",
        "tenant_id": "acme",
        "scope": "tenant",
        "observed": "131 events between 9:00 and 10:00",
        "expected": "1,980 to 2,640 events",
        "causes": json.dumps(CAUSES),
        "symptoms": json.dumps(symptoms(since)),
        "hit_tables": ["silver.auth_events", *GOLD],
        "hit_tenants": ["acme"],
        "owner": "identity",
    }
    return event(incident_id, "opened", at, since=since, **{**seen, **more})


def evidence(text: str, table: str, **where: Any) -> Row:
    """One piece of evidence, with where its rows are."""
    return {"text": text, "table": table, "where": where}


LATE = "Twice in 30 days its files came more than an hour late."
CAUSES: list[Row] = [
    {
        "name": "tenant_silent",
        "title": "Tenant acme fell silent while the 41 others are well",
        "score": 0.93,
        "evidence": [
            evidence("131 rows of acme from 9:00; the median of 28 such hours is 2,310.", "ops.metrics", tenant_id="acme", metric="rows"),
            evidence("The other tenants together are at 101 % of their median.", "ops.metrics", tenant_id=None, metric="rows"),
            evidence("One file of acme came where six were expected.", "ctl.files", source="okta", tenant_id="acme"),
        ],
    },
    {"name": "input_late", "title": "Files of acme are late", "score": 0.41, "evidence": [evidence(LATE, "ctl.files", tenant_id="acme")]},
    {"name": "code_change", "score": 0.04, "evidence": [evidence("The code has not changed.", "ops.run_log", code_version="4f1c2ab")]},
]
TYPE_CHANGED: list[Row] = [
    {
        "name": "schema_changed",
        "title": "Field balance changed from integer to string",
        "score": 0.88,
        "evidence": [evidence("First seen in batch 7f21 at 09:14.", "ctl.source_fields", source="stripe_customers")],
    }
]


def symptoms(since: datetime) -> list[Row]:
    """What is seen of the silence of a tenant, in the tables from bronze to gold."""
    base = {"pipeline": "okta", "tenant": "acme", "since": since.isoformat(), "expected": "1,980 to 2,640 rows"}
    return [
        {**base, "kind": "anomaly", "table": "bronze.okta", "observed": "131 rows", "metric": "rows", "dimension": None},
        {
            **base,
            "kind": "anomaly",
            "table": "silver.auth_events",
            "observed": "128 rows",
            "metric": "value_rows",
            "dimension": "activity=login",
        },
        {**base, "kind": "sla", "table": "gold.auth_hourly", "observed": "87 min old", "expected": "fresh within 60 min", "tenant": None},
    ]


PLATFORM: Row = {"scope": "platform", "tenant_id": None, "hit_tenants": ["acme", "globex", "initech", "umbrella"], "symptoms": "[]"}
BILLING: Row = {
    **PLATFORM,
    "title": "silver.billing_customers: a field changed its type",
    "severity": "major",
    "cause": "schema_changed",
    "pipeline": "stripe_customers",
    "table_name": "silver.billing_customers",
    "observed": "balance is text in 1,204 records",
    "expected": "balance is a whole number",
    "hit_tables": [],
    "hit_tenants": ["acme", "globex"],
    "owner": "billing",
    "causes": json.dumps(TYPE_CHANGED),
}
LATE_FILES: Row = {
    **PLATFORM,
    "title": "cloudtrail: files of 08:00 are late",
    "severity": "minor",
    "cause": "input_late",
    "pipeline": "cloudtrail",
    "table_name": "bronze.cloudtrail",
    "observed": "no file since 07:58",
    "expected": "a file every 15 min",
    "hit_tables": [],
    "owner": None,
    "causes": "[]",
}
HOLIDAY: Row = {
    **PLATFORM,
    "title": "Volume of all tenants fell by 40 %",
    "severity": "major",
    "cause": "platform_drop",
    "observed": "5,412 rows",
    "expected": "8,800 to 9,400 rows",
}


def incidents(now: datetime) -> list[Row]:
    """Incidents of a bad day: two open, one acknowledged, one marked as expected; and several that are resolved."""

    def back(hours: float) -> datetime:
        return now - timedelta(hours=hours)

    rows = [
        opened("inc-0412", back(1.2)),
        {**opened("inc-0412", back(0.8), since=back(1.2) - timedelta(minutes=4)), "event": "worsened"},
        opened("inc-0411", back(2.6), **BILLING),
        event("inc-0411", "acknowledged", back(2.4), "mara"),
        event("inc-0411", "assigned", back(2.4), "mara", owner="mara"),
        event("inc-0411", "commented", back(2.1), "mara", note="Stripe announced this for the 15th; asked whether it can be taken back."),
        opened("inc-0410", back(5), **LATE_FILES),
        opened("inc-0409", back(9), **HOLIDAY),
        event("inc-0409", "marked", back(8.5), "jo", mark="expected", note="A public holiday."),
    ]
    for n, past in enumerate(PAST):
        rows += _resolved(n, past, back(30 + 31 * n))
    return rows


def _resolved(n: int, past: tuple[str, str], at: datetime) -> list[Row]:
    incident_id, (cause, title) = f"inc-{400 - n:04}", past
    seen = {
        "cause": cause,
        "title": title,
        "severity": ("minor", "major", "critical")[n % 3],
        "causes": "[]",
        **(PLATFORM if n % 2 else {}),
    }
    first = opened(incident_id, at, **seen)
    return [
        first,
        event(incident_id, "acknowledged", at + timedelta(minutes=6), "jo"),
        {**first, "event": "resolved", "happened_at": at + timedelta(minutes=25 + 40 * n)},
        event(incident_id, "marked", at + timedelta(hours=3), "jo", mark="useful" if n % 4 else "not_useful"),
    ]


PAST = (
    ("out_of_memory", "gold.user_days ran out of memory"),
    ("credential_expired", "The key for the landing bucket expired"),
    ("null_burst", "okta: user_email is empty in 38 % of rows"),
    ("duplicate_input", "cloudtrail: a batch of 12,400 records came twice"),
    ("store_unavailable", "The store answered 503 for 14 minutes"),
    ("poison_input", "provider_events: 211 records cannot be read"),
    ("values_shifted", "The share of passkey logins moved from 21 % to 64 %"),
)


def deliveries(now: datetime) -> list[Row]:
    """Messages of eight weeks by slack and e-mail, and a webhook that died."""
    rows = [delivery("drill", channel, now - timedelta(hours=7), outcome) for channel, outcome in DRILLS.items()]
    for row in incidents(now):
        if row["event"] in ("opened", "worsened", "resolved"):
            rows += [delivery(row["event"], channel, row["happened_at"], incident_id=row["incident_id"]) for channel in ("slack", "email")]
    for week in range(8):
        at = now - timedelta(weeks=week, hours=3)
        rows += [delivery("opened", "slack", at - timedelta(hours=n), incident_id=f"inc-{n:02}{week:02}") for n in range(2 + week % 3)]
    rows.append(delivery("opened", "webhook", now - timedelta(hours=1.1), "failed", incident_id="inc-0412", error="connection refused"))
    rows.append(
        delivery("opened", "webhook", now - timedelta(hours=1), "gave_up", incident_id="inc-0412", attempt=2, error="connection refused")
    )
    rows.append(delivery("channel_failed", "slack", now - timedelta(hours=0.9)))
    return rows


DRILLS = {"slack": "delivered", "email": "delivered", "webhook": "gave_up"}


def delivery(kind: str, channel: str, sent: datetime, outcome: str = "delivered", **more: Any) -> Row:
    """One attempt at a message."""
    key = f"{kind}-{more.get('incident_id', 'none')}-{sent.isoformat()}"
    base = {"alert_key": key, "kind": kind, "channel": channel, "attempt": 1, "outcome": outcome, "is_repeat": False}
    return {**base, "due_at": sent - timedelta(seconds=2.4), "sent_at": sent, **more}


def measured_hours(now: datetime, pipeline: str, table: str, *, days: int = 29, lost_hours: int = 0) -> list[Row]:
    """Rows by hour of three tenants over some days, a day like the other; in the last hours that are lost there are few."""
    until = now.replace(minute=0, second=0, microsecond=0)
    hours = [until - timedelta(hours=back) for back in range(days * 24, 0, -1)]
    about = {"run_id": "r", "pipeline": pipeline, "table_name": table, "metric": "rows", "bucket_s": 3600}
    return [
        {
            **about, "batch_id": f"b-{at:%d%H}", "tenant_id": tenant, "bucket_start": at, "recorded_at": at + timedelta(minutes=65),
            "value": float(size * (1 + 5 * (7 < at.hour < 19)) + at.day % 7) * (0.1 if at >= until - timedelta(hours=lost_hours) else 1),
        }
        for at in hours for tenant, size in (("acme", 40), ("globex", 25), ("initech", 9))
    ]  # fmt: skip


def promises(now: datetime, *, broken: bool) -> list[Row]:
    """What is promised of tables; where broken, the freshness of one since 40 minutes."""
    rows = [promise(table, "fresh_within", "kept", now - timedelta(days=3), expected="60 min", burnt=0.12) for table in GOLD]
    rows.append(
        promise("silver.auth_events", "success_rate", "kept", now - timedelta(days=9), expected="99 %", observed="99.6 %", burnt=0.4)
    )
    rows.append(
        promise("gold.user_days", "complete_by", "not_judged", now - timedelta(days=1), expected="06:00", reason="7 of 14 days of history")
    )
    if broken:
        rows.append(
            promise(
                "gold.auth_hourly",
                "fresh_within",
                "broken",
                now - timedelta(minutes=40),
                expected="60 min",
                observed="87 min old",
                burnt=1.3,
            )
        )
    return rows


def promise(table: str, name: str, state: str, at: datetime, *, expected: str, burnt: float | None = None, **more: Any) -> Row:
    """One change of a promise's state."""
    return {"table_name": table, "promise": name, "state": state, "evaluated_at": at, "expected": expected, "budget_burnt": burnt, **more}


def edges() -> list[Row]:
    """How the tables of the made-up lake are made from one another."""
    rows = []
    for source, silver in LAKE.items():
        rows.append(edge(f"{source}/date=2026-11-12/tenant=acme/part-0.jsonl", f"bronze.{source}"))
        rows.append(edge(f"bronze.{source}", silver))
    rows += [edge("silver.auth_events", "gold.user_days"), edge("silver.auth_events", "gold.auth_hourly")]
    return rows + [edge("gold.user_days", name) for name in ("gold.auth_daily", "gold.active_users_daily")]


def edge(read: str, written: str) -> Row:
    """One table, or file, that is read to make another."""
    return {"run_id": "r", "input_name": read, "output_name": written, "output_version": 3}
