"""The asset graph as Dagster sees it: what is made from what, in which group, under which pool."""

from __future__ import annotations

import dagster as dg
import pytest

from assets.definitions import build
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.tables import TABLES

EVENT_SOURCES = ("aws_cloudtrail", "okta_system_log", "provider_events", "windows_security")
SOURCES_OF = {
    "silver.auth_events": EVENT_SOURCES,
    "silver.billing_charges": ("stripe_charges",),
    "silver.billing_customers": ("stripe_customers",),
    "silver.billing_disputes": ("stripe_disputes",),
    "silver.billing_invoice_lines": ("stripe_invoice_lines",),
    "silver.billing_invoices": ("stripe_invoices",),
    "silver.billing_objects": (
        "stripe_accounts", "stripe_balance_transactions", "stripe_cards", "stripe_coupons", "stripe_credit_note_lines",
        "stripe_credit_notes", "stripe_discounts", "stripe_fees", "stripe_payment_intents", "stripe_payment_method_cards",
        "stripe_payment_methods", "stripe_payout_balance_transactions", "stripe_payouts", "stripe_subscription_discounts",
        "stripe_subscription_history", "stripe_transfers",
    ),
    "silver.billing_prices": ("stripe_plans", "stripe_prices"),
    "silver.billing_products": ("stripe_products",),
    "silver.billing_refunds": ("stripe_refunds",),
    "silver.billing_subscription_items": ("stripe_subscription_items",),
    "silver.billing_subscriptions": ("stripe_subscriptions",),
}  # fmt: skip
GRAPH = {
    **{f"landing.{name}": set() for names in SOURCES_OF.values() for name in names},
    **{f"bronze.{name}": {f"landing.{name}"} for names in SOURCES_OF.values() for name in names},
    **{table: {f"bronze.{name}" for name in names} for table, names in SOURCES_OF.items()},
    "gold.user_days": {"silver.auth_events"},
    "gold.auth_daily": {"silver.auth_events"},
    "gold.auth_hourly": {"silver.auth_events"},
    "gold.active_users_daily": {"gold.user_days"},
}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build(load_sources(Settings(home=tmp_path_factory.mktemp("none"))))


def name(key: dg.AssetKey) -> str:
    return ".".join(key.path)


def test_each_table_is_an_asset_made_from_its_inputs(definitions: dg.Definitions) -> None:
    specs = {name(spec.key): {name(dep.asset_key) for dep in spec.deps} for spec in definitions.resolve_all_asset_specs()}
    assert specs == GRAPH


def test_assets_stand_in_the_group_of_their_layer_with_owner_kinds_and_columns(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        layer, _, table = name(spec.key).partition(".")
        assert spec.group_name == layer
        assert spec.owners
        assert spec.description
        assert spec.kinds == ({"s3", "file"} if layer == "landing" else {"spark", "deltalake", "s3"})
        if name(spec.key) in TABLES:
            columns = spec.metadata["dagster/column_schema"].columns
            assert [c.name for c in columns] == list(TABLES[f"{layer}.{table}"].column_names)
            assert spec.metadata["dagster/table_name"] == name(spec.key)


def test_each_table_is_written_under_a_pool_of_its_own(definitions: dg.Definitions) -> None:
    made = [assets for assets in definitions.assets or [] if isinstance(assets, dg.AssetsDefinition)]
    pools = {name(key): assets.op.pool for assets in made for key in assets.keys}
    assert pools == {table: table for table in GRAPH if not table.startswith("landing.")}
