"""What a contract found is shown in Dagster, also where it stops the step."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from assets import resources, tables
from assets.rendering import check_id, key_of
from assets.resources import Lake
from dq_checks import CheckResult, Outcome, Severity, Stage, Verdict, contract_for
from jobs.context import Context
from lakehouse.errors import DataError
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.tables import TABLES, Table

DAILY = TABLES["gold.auth_daily"]


def refusing(declared: Table) -> Any:
    """A step whose first check fails and blocks."""
    check = contract_for(declared).checks[0]
    result = CheckResult(check.name, "metric", None, Severity.BLOCK, Outcome.FAILED, "0", 1.0)

    def work(context: Context, _what: object) -> None:
        context.verdicts.append((declared, Verdict(declared.name, "v", Stage.BATCH, (result,))))
        raise DataError("a check that blocks has failed")

    return work


@pytest.mark.parametrize("layer", ["bronze", "gold"])
def test_a_failed_check_that_blocks_is_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch, layer: str) -> None:
    source = load_sources(settings)["provider_events"]
    declared = source.bronze if layer == "bronze" else DAILY
    monkeypatch.setattr(resources, "settings", lambda: settings)
    monkeypatch.setattr(tables, "ingest" if layer == "bronze" else "aggregate", refusing(declared))
    asset = tables.bronze_asset(source) if layer == "bronze" else tables.gold_asset(declared)
    with dg.instance_for_test() as instance:
        result = dg.materialize([asset], instance=instance, resources={"lake": Lake()}, raise_on_error=False)
    (shown,) = result.get_asset_check_evaluations()
    assert not result.success
    assert (shown.asset_key, shown.check_name) == (key_of(declared.name), check_id(contract_for(declared).checks[0].name))
    assert (shown.passed, shown.severity) == (False, dg.AssetCheckSeverity.ERROR)
