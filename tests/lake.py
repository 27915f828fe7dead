"""A lake for tests: land events, run the pipeline as a run would, ask what is in the tables.

Does not belong here: assertions, or anything that the product does not do in a run.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from jobs.aggregate import aggregate
from jobs.catalog import ensure_catalog
from jobs.context import Context
from jobs.ingest import ingest
from jobs.refine import refine
from jobs.release import release, reprocess
from lakehouse.delta import DeltaLog
from lakehouse.ledger import Batch, Release, Reprocess
from lakehouse.ops.runs import Run
from lakehouse.settings import Settings
from lakehouse.sources import Source, spark_tables
from lakehouse.store import s3_client
from lakehouse.tables import TABLES

SOURCE = "provider_events"
GOLD = tuple(t for t in TABLES.values() if t.layer == "gold")
Event = dict[str, Any]


def event(
    number: int, tenant: str, day: str = "2026-03-02", *, time: str = "10:00:00", ok: bool = True, user: int = 1, **fields: Any
) -> Event:
    """A sign-in by password as the provider logs it."""
    stamp = f"{day}T{time}.000Z"
    made = {
        "event_id": f"event-live-{tenant}-{number:06d}",
        "request_id": f"request-id-live-{tenant}-{number:06d}",
        "project_id": f"project-live-{tenant}",
        "action": "PasswordsAuthenticate",
        "status": "Success" if ok else "Error",
        "time": stamp,
        "http_status_code": 200 if ok else 401,
        "user_id": f"user-live-{tenant}-{user}",
        "email_address": f"u{user}@example.com",
        "user_agent": ["tests"],
    }
    if not ok:
        made["stytch_api_error"] = {"status_code": 401, "error_type": "unauthorized_credentials", "request_id": made["request_id"]}
    return {**made, **fields}


class TestLake:
    """An instance under test."""

    __test__ = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = s3_client(settings)
        self.context = self.new_run()

    def new_run(self) -> Context:
        """A context as a new process would have it."""
        return Context(self.settings, Run(str(uuid.uuid4())))

    def prepare(self) -> None:
        """Make the catalog."""
        ensure_catalog(self.context)

    def close(self) -> None:
        """Give the session back."""
        self.context.close()

    def land(self, tenant: str, name: str, records: Iterable[Event | str], *, source: str = SOURCE, day: str = "2026-06-01") -> str:
        """Land records as JSON lines; text is landed as it is. Returns the key."""
        key = f"{source}/date={day}/tenant={tenant}/{name}"
        lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
        self.store.put_object(Bucket=self.settings.landing_bucket, Key=key, Body="\n".join(lines).encode())
        return key

    def run(self, context: Context | None = None, source: str = SOURCE, *, gold: bool = True) -> Context:
        """Take in what is pending, as one run does."""
        context = context or self.context
        declared = context.sources[source]
        ingest(context, declared)
        refine(context, declared)
        if gold:
            for gold_table in GOLD:
                aggregate(context, gold_table)
        return context

    def release(self, batch_id: str, tenant: str, source: str = SOURCE) -> None:
        """Release a held-back slice, as the release job does."""
        declared = self.context.sources[source]
        release(self.context, declared, Release(batch_id, tenant))
        refine(self.context, declared)

    def reprocess(self, mended: Source, asked: Reprocess, context: Context | None = None) -> list[Batch]:
        """Take up rejected rows under a mended declaration, as the job does."""
        context = context or self.new_run()
        batches = reprocess(context, mended, asked)
        refine(context, mended)
        return batches

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a Spark SQL query."""
        return [row.asDict(recursive=True) for row in self.context.session.sql(sql).collect()]

    def count(self, name: str, where: str = "true") -> int:
        """Rows of a table."""
        return int(self.rows(f"select count(*) as n from {name} where {where}")[0]["n"])

    def ids(self, name: str, tenant: str) -> list[str]:
        """Event ids of a tenant in a table, with repetitions, sorted."""
        return sorted(row["event_id"] for row in self.rows(f"select event_id from {name} where tenant_id = '{tenant}'"))

    def ledger(self, tenant: str, source: str = SOURCE) -> list[Mapping[str, Any]]:
        """Ledger rows of a tenant's files, in the order they were recorded."""
        return self.context.reader.rows("select * from ctl.files where tenant_id = ? and source = ? order by recorded_at", [tenant, source])

    def versions(self) -> dict[str, int]:
        """Delta version of every table that Spark writes."""
        return {t.name: DeltaLog(self.settings, t).version for t in spark_tables(self.context.sources)}
