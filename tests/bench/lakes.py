"""Empty lakes in servers that stay warm: a run gets buckets of its own, and the catalog is pointed to them.

Does not belong here: what runs in a lake.
"""

from __future__ import annotations

import hashlib
import uuid

from infra.buckets import ensure_buckets
from jobs.catalog import make_tables
from jobs.context import Context
from jobs.simulator import LANDING_SOURCE, TENANTS
from lakehouse.delta import qualified
from lakehouse.ops.runs import Run
from lakehouse.settings import Settings
from lakehouse.sources import declared_tables
from lakehouse.store import list_objects, s3_client
from lakehouse.tenants import Tenant, TenantRegistry
from tests.bench.events import Order

DELETED_AT_ONCE = 1000


def empty_lake(settings: Settings, size: int, order: Order = Order.TIME) -> Settings:
    """Settings of a new lake without data for the events of a size, its tenants declared in their zones."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    made = settings.model_copy(update={"lake_bucket": name, "landing_bucket": landing_bucket(size, order)})
    ensure_buckets(made)
    _same_keys_always(made)
    for tenant in TENANTS:
        TenantRegistry(made).declare(Tenant(tenant.tenant_id, tenant.name, tenant.zone))
    return made


def landing_bucket(size: int, order: Order) -> str:
    """Where the events of a size lie that are cut into parts in an order."""
    return f"bench-landing-{size}-{order}"


def _same_keys_always(settings: Settings) -> None:
    """Hash users alike in every instance, so that a result can be compared with one of an earlier instance."""
    folder = settings.state_dir / "tenant_keys"
    folder.mkdir(parents=True, exist_ok=True)
    for tenant in TENANTS:
        (folder / f"{tenant.tenant_id}.key").write_text(hashlib.sha256(tenant.tenant_id.encode()).hexdigest())


def enter(settings: Settings) -> None:
    """Point the catalog to a lake; its tables are made where it has none."""
    context = Context(settings, Run("bench"))
    try:
        tables = declared_tables({LANDING_SOURCE: context.sources[LANDING_SOURCE]})
        for declared in tables:
            context.session.sql(f"drop table if exists {qualified(declared)}").collect()
        make_tables(context, tables)
    finally:
        context.close()


def remove_bucket(settings: Settings, bucket: str) -> None:
    """Delete a bucket with all that is in it, where there is one."""
    client = s3_client(settings)
    if bucket not in {known["Name"] for known in client.list_buckets()["Buckets"]}:
        return
    keys = [found.key for found in list_objects(client, bucket)]
    for first in range(0, len(keys), DELETED_AT_ONCE):
        some = [{"Key": key} for key in keys[first : first + DELETED_AT_ONCE]]
        client.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
    client.delete_bucket(Bucket=bucket)
