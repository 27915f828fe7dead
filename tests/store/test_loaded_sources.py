"""What Dagster works with changes when declarations are applied, and a mistake in one stops no other."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from assets import automation
from assets.definitions import build
from infra.loaded_sources import take, with_loaded_sources
from lakehouse.ops.store import OpsWriter
from lakehouse.settings import SHIPPED_SOURCES, Settings
from lakehouse.sources import load_sources
from lakehouse.store import s3_client

SHIPPED = frozenset(path.stem for path in SHIPPED_SOURCES.glob("*.yaml"))


def declare(settings: Settings, name: str, *, broken: bool = False) -> Path:
    text = (SHIPPED_SOURCES / "provider_events.yaml").read_text().replace("name: provider_events", f"name: {name}", 1)
    path = settings.home / "sources" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + ("\nno_such_key: 1\n" if broken else ""))
    return path


def loaded(settings: Settings) -> frozenset[str]:
    return frozenset(load_sources(with_loaded_sources(settings)))


def test_what_is_declared_later_is_worked_with_once_it_is_taken(settings: Settings) -> None:
    take(settings)
    declare(settings, "mine")
    assert loaded(settings) == SHIPPED
    assert take(settings) == []
    assert loaded(settings) == SHIPPED | {"mine"}


def test_a_declaration_with_a_mistake_stays_out_and_the_others_are_taken(settings: Settings) -> None:
    declare(settings, "mine")
    declare(settings, "wrong", broken=True)
    (mistake,) = take(settings)
    assert (mistake.path.stem, mistake.where) == ("wrong", "no_such_key")
    assert loaded(settings) == SHIPPED | {"mine"}


def test_a_declaration_that_is_spoilt_stays_as_it_was(settings: Settings) -> None:
    declare(settings, "mine")
    take(settings)
    declare(settings, "mine", broken=True)
    assert len(take(settings)) == 1
    assert loaded(settings) == SHIPPED | {"mine"}


def test_a_declaration_that_is_gone_is_dropped_and_one_declared_twice_is_told(settings: Settings) -> None:
    path = declare(settings, "mine")
    take(settings)
    path.unlink()
    declare(settings, "provider_events")
    assert [m.problem for m in take(settings)] == ["'provider_events' is declared twice"]
    assert loaded(settings) == SHIPPED


def test_the_sensor_asks_for_tables_of_loaded_sources_only(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "settings", lambda: settings)
    OpsWriter(settings).create_tables()
    definitions = build(load_sources(settings))
    declare(settings, "mine")
    declare(settings, "wrong", broken=True)
    for source in ("mine", "provider_events"):
        s3_client(settings).put_object(
            Bucket=settings.landing_bucket, Key=f"{source}/date=2026-06-01/tenant=acme/a.jsonl", Body=b'{"event_id": "1"}'
        )
    sensor = definitions.resolve_sensor_def("landed_files")
    with dg.instance_for_test() as instance:
        asked = sensor.evaluate_tick(dg.build_sensor_context(instance, definitions=definitions)).run_requests
    (request,) = asked or []
    keys = set(request.asset_selection or [])
    assert dg.AssetKey(["bronze", "provider_events"]) in keys
    assert keys <= {spec.key for asset in definitions.assets or [] if isinstance(asset, dg.AssetsDefinition) for spec in asset.specs}
