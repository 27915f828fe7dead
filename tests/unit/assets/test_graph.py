"""The asset graph as Dagster sees it: what is made from what, in which group, under which pool."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

import assets.tables
from assets.definitions import build
from lakehouse.settings import SHIPPED_SOURCES, Settings
from lakehouse.sources import load_sources
from lakehouse.tables import TABLES
from tests.pulling import NAME, example

MAPPED = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["silver"]["table"] for path in SHIPPED_SOURCES.glob("*.yaml")}
"""Silver table of each shipped source."""
GRAPH = {
    **{f"landing.{source}": set() for source in MAPPED},
    **{f"bronze.{source}": {f"landing.{source}"} for source in MAPPED},
    **{table: {f"bronze.{source}" for source in MAPPED if MAPPED[source] == table} for table in MAPPED.values()},
    "gold.user_days": {"silver.auth_events"},
    "gold.auth_daily": {"silver.auth_events"},
    "gold.auth_hourly": {"silver.auth_events"},
    "gold.signin_funnel_daily": {"silver.auth_events"},
    "gold.failure_reasons_daily": {"silver.auth_events"},
    "gold.places_and_devices_daily": {"silver.auth_events"},
    "gold.active_users_daily": {"gold.user_days"},
    "gold.user_features_daily": {"gold.user_days"},
    "gold.retention_weekly": {"gold.user_features_daily"},
    "gold.usage_and_billing_monthly": {"gold.user_features_daily", "gold.auth_daily", "silver.billing_subscriptions"},
    "gold.security_signals": {"silver.auth_events", "gold.user_features_daily"},
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


def column_deps(made: dg.Definitions, table: str, column: str) -> set[str]:
    spec = next(spec for spec in made.resolve_all_asset_specs() if name(spec.key) == table)
    deps = spec.metadata["dagster/column_lineage"].deps_by_column.get(column, [])
    return {f"{name(dep.asset_key)}.{dep.column_name}" for dep in deps}


def test_columns_have_the_lineage_of_the_one_rule(definitions: dg.Definitions) -> None:
    assert column_deps(definitions, "gold.user_days", "devices") == {
        f"silver.auth_events.{column}" for column in ("outcome", "device", "user_agent")
    }
    of_silver = column_deps(definitions, "silver.auth_events", "event_id")
    assert {"bronze.okta_system_log.event_id", "bronze.linux_auth_log.raw"} <= of_silver
    assert column_deps(definitions, "silver.auth_events", "mapping_version") == set()


def test_the_process_of_a_run_reads_no_mapping(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets.tables, "columns_of_silver", None)
    with DefinitionsLoadContext.scoped(DefinitionsLoadContext(DefinitionsLoadType.RECONSTRUCTION)):
        made = build(load_sources(Settings(home=tmp_path)))
        assert column_deps(made, "silver.auth_events", "event_id") == set()


def test_a_source_that_is_pulled_has_its_landed_files_made_under_a_pool_by_a_job_with_a_sensor(definitions: dg.Definitions) -> None:
    pulled = build({NAME: example()})
    made = {name(key): assets.op.pool for assets in pulled.assets or [] if isinstance(assets, dg.AssetsDefinition) for key in assets.keys}
    assert made[f"landing.{NAME}"] == f"landing.{NAME}"
    assert [name(key) for key in pulled.resolve_job_def("pull").asset_layer.selected_asset_keys] == [f"landing.{NAME}"]
    assert f"landing.{NAME}" not in {name(key) for key in pulled.resolve_job_def("lake").asset_layer.selected_asset_keys}
    assert {sensor.name for sensor in pulled.sensors or []} - {sensor.name for sensor in definitions.sensors or []} == {"due_pulls"}


def test_each_table_is_written_under_a_pool_of_its_own(definitions: dg.Definitions) -> None:
    made = [assets for assets in definitions.assets or [] if isinstance(assets, dg.AssetsDefinition)]
    pools = {name(key): assets.op.pool for assets in made for key in assets.keys}
    assert pools == {table: table for table in GRAPH if not table.startswith("landing.")}
