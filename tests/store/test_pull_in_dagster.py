"""When Dagster pulls, and what a pull that fails means for the rest of its run."""

from __future__ import annotations

import uuid

import dagster as dg
import pytest

from assets import automation, rendering, resources, tables
from assets.automation import pull_job, pull_sensor, waiting_pulls
from assets.rendering import key_of, landing_key
from assets.resources import Lake
from jobs.context import Context
from jobs.pull import pull
from lakehouse.errors import ConfigurationError
from lakehouse.ops.runs import Run
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from tests.postgres import Database
from tests.pulling import CONNECTION, NAME, example, insert, landed_ids, prepare, row

STATUSES = "select pipeline, asset, status from ops.run_log order by asset"


@pytest.fixture
def in_dagster(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    OpsWriter(settings).create_tables()
    for module in (automation, rendering, resources):
        monkeypatch.setattr(module, "settings", lambda: settings)
    monkeypatch.setattr(Context, "sources", {NAME: example()})
    return settings


def test_a_pull_makes_the_landed_files_of_its_source(in_dagster: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database, monkeypatch, row("a", "10:00"), row("b", "10:00", "globex"))
    with dg.instance_for_test() as instance:
        result = dg.materialize([tables.landing_asset(example())], instance=instance, resources={"lake": Lake()})
    (made,) = result.asset_materializations_for_node(f"landing__{NAME}")
    assert (made.asset_key, made.metadata["rows"].value, made.metadata["files"].value) == (landing_key(example()), 2, 2)
    assert landed_ids(in_dagster) == [(1, "acme", "a"), (1, "globex", "b")]


def test_a_pull_that_fails_leaves_the_tables_behind_it_untried(in_dagster: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    assets = [tables.landing_asset(example()), tables.bronze_asset(example())]
    with dg.instance_for_test() as instance:
        assert not dg.materialize(assets, instance=instance, resources={"lake": Lake()}, raise_on_error=False).success
    assert [tuple(found.values()) for found in OpsReader(in_dagster).rows(STATUSES)] == [
        (NAME, f"bronze.{NAME}", "SKIPPED_UPSTREAM"),
        (NAME, f"landing.{NAME}", "FAILED"),
    ]


def test_a_source_is_pulled_when_it_is_due_and_left_alone_while_it_fails(
    in_dagster: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"))
    context = Context(in_dagster, Run(str(uuid.uuid4())))
    sources = {NAME: example()}
    assert waiting_pulls(sources) == [example()], "before the first pull"
    pull(context, example())
    assert waiting_pulls(sources) == []
    sooner = {NAME: example(every_minutes=1, max_rows=1)}
    insert(database, row("b", "11:00"), row("c", "12:00"))
    pull(context, sooner[NAME])
    assert waiting_pulls(sooner) == [sooner[NAME]], "more is left"
    monkeypatch.delenv(CONNECTION)
    for attempt in range(3):
        assert waiting_pulls(sooner) == ([sooner[NAME]] if attempt < 2 else [])
        with pytest.raises(ConfigurationError):
            pull(Context(in_dagster, Run(str(uuid.uuid4()))), sooner[NAME])


def test_a_source_that_is_being_pulled_is_not_asked_for_again(
    in_dagster: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch)
    sources = {NAME: example()}
    job = pull_job(sources)
    definitions = dg.Definitions(
        assets=tables.all_assets(sources), jobs=[job], sensors=[pull_sensor(sources, job)], resources={"lake": Lake()},
    )  # fmt: skip
    with dg.instance_for_test() as instance:
        sensor = definitions.get_sensor_def("due_pulls")
        asked = sensor(dg.build_sensor_context(instance, definitions=definitions))
        assert isinstance(asked, dg.SensorResult)
        (request,) = asked.run_requests or []
        assert request.asset_selection == [landing_key(example())]
        instance.add_run(dg.DagsterRun(job_name="pull", run_id=str(uuid.uuid4()), tags=request.tags, status=dg.DagsterRunStatus.STARTED))
        assert isinstance(sensor(dg.build_sensor_context(instance, definitions=definitions)), dg.SkipReason)
    assert key_of(example().bronze.name) not in (request.asset_selection or [])
