"""The asset graph as Dagster sees it: what is made from what, in which group, under which pool."""

from __future__ import annotations

import dagster as dg
import pytest

from assets.definitions import build
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.tables import TABLES

EVENT_SOURCES = ("aws_cloudtrail", "cowrie_sessions", "dionaea_connections", "linux_auth_log", "okta_system_log", "provider_events")
OTHER_SOURCES = {
    "silver.billing_customers": "stripe_customers",
    "silver.billing_subscriptions": "stripe_subscriptions",
    "silver.web_requests": "web_access_log",
}
GRAPH = {
    **{f"landing.{name}": set() for name in (*EVENT_SOURCES, *OTHER_SOURCES.values())},
    **{f"bronze.{name}": {f"landing.{name}"} for name in (*EVENT_SOURCES, *OTHER_SOURCES.values())},
    "silver.auth_events": {f"bronze.{name}" for name in EVENT_SOURCES},
    **{table: {f"bronze.{name}"} for table, name in OTHER_SOURCES.items()},
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
