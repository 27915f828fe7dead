"""`tenants`: who the provider's customers are, and the zone that their days are cut in.

Does not belong here: their accounts or rights.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from infra.printing import AsJson, answers, print_json
from lakehouse.settings import settings
from lakehouse.tenants import DEFAULT_ZONE, Tenant, TenantRegistry

group = typer.Typer(no_args_is_help=True, help="Tenants and their time zones.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="tenants")


@group.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show the declared tenants; data of others is taken in with days in UTC."""
    tenants = TenantRegistry(settings()).all().values()
    if as_json:
        print_json([asdict(t) for t in tenants])
        return
    shown = Table("tenant", "name", "time zone")
    for tenant in tenants:
        shown.add_row(tenant.tenant_id, tenant.name, tenant.time_zone)
    answers().print(shown)


@group.command()
def add(
    tenant_id: str,
    name: Annotated[str, typer.Option(help="Name to show.")],
    zone: Annotated[str, typer.Option(help="IANA time zone that its days are cut in; cannot be changed later.")] = DEFAULT_ZONE,
    as_json: AsJson = False,
) -> None:
    """Declare a tenant, or change its name."""
    tenant = Tenant(tenant_id, name, zone)
    changed = TenantRegistry(settings()).declare(tenant)
    if as_json:
        print_json({**asdict(tenant), "changed": changed})
        return
    answers().print(f"{tenant_id} is declared." if changed else f"{tenant_id} was declared so already.")
