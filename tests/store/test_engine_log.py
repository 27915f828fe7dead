"""What Dagster tells of a run that has ended is in ops.event_log once, whatever died on the way, and reads like a log."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import engine_log, resources
from assets.definitions import defs
from assets.engine_log import ENGINE, SETTLED, Place, engine_log_sensor, harvest
from assets.rendering import key_of
from assets.resources import Lake
from lakehouse.errors import DataError, InfrastructureError
from lakehouse.ops.runs import Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import load_sources

LINES = "select asset, level, logger, message from ops.event_log where run_id = ? order by logged_at"
NO_STORE = "http://127.0.0.1:9"


@pytest.fixture
def lake(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    OpsWriter(settings).create_tables()
    for module in (resources, engine_log):
        monkeypatch.setattr(module, "settings", lambda: settings)
    monkeypatch.setattr(resources, "RETRY_WAIT_S", 0)
    return settings


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as made:
        yield made


def run(instance: dg.DagsterInstance, *errors: Exception, name: str = "bronze__orders") -> str:
    """A run of one step whose attempts fail with these errors in turn."""
    left = list(errors)

    @dg.asset(name=name)
    def made(context: dg.AssetExecutionContext, lake: Lake) -> None:
        with lake.step(context) as work, Step(work.writer, work.run, "orders", "bronze.orders"):
            if left:
                raise left.pop(0)

    return dg.materialize([made], instance=instance, resources={"lake": Lake()}, raise_on_error=False).run_id


def later() -> datetime:
    """When every run that has ended is settled."""
    return datetime.now(UTC) + SETTLED + timedelta(seconds=1)


def take_in(lake: Settings, instance: dg.DagsterInstance, place: Place = Place()) -> tuple[Place, int]:
    return harvest(instance, OpsReader(lake), OpsWriter(lake), load_sources(lake), place, later())


def engine_lines(lake: Settings, run_id: str) -> list[dict[str, Any]]:
    return [row for row in OpsReader(lake).rows(LINES, [run_id]) if row["logger"] == ENGINE]


def test_a_run_that_failed_after_a_retry_reads_from_its_start_to_its_end(lake: Settings, instance: dg.DagsterInstance) -> None:
    run_id = run(instance, InfrastructureError("the store is away"), DataError("the books do not balance", next_step="report this"))
    take_in(lake, instance)
    found = engine_lines(lake, run_id)
    assert [(row["asset"], row["level"], row["message"].splitlines()[0]) for row in found] == [
        (None, "INFO", 'Started execution of run for "__ephemeral_asset_job__".'),
        (None, "INFO", found[1]["message"]),
        ("bronze.orders", "INFO", 'Started execution of step "bronze__orders".'),
        ("bronze.orders", "WARNING", 'Execution of step "bronze__orders" failed and has requested a retry.'),
        ("bronze.orders", "INFO", 'Started re-execution (attempt # 2) of step "bronze__orders".'),
        ("bronze.orders", "ERROR", 'Execution of step "bronze__orders" failed.'),
        (None, "INFO", found[6]["message"].splitlines()[0]),
        (None, "ERROR", "Execution of run for \"__ephemeral_asset_job__\" failed. Steps failed: ['bronze__orders']."),
    ]
    assert "caused by InfrastructureError: the store is away" in found[3]["message"]
    assert "caused by DataError: the books do not balance Next: report this\n" in found[5]["message"]
    assert f'File "{__file__}", line' in found[5]["message"]


def test_the_lines_of_our_own_loggers_are_there_once(lake: Settings, instance: dg.DagsterInstance) -> None:
    run_id = run(instance)
    take_in(lake, instance)
    texts = [row["message"] for row in OpsReader(lake).rows(LINES, [run_id])]
    assert sum(text == "orders: attempt 1 at bronze.orders begins" for text in texts) == 1
    assert len(texts) == len(set(texts))


def test_a_run_that_failed_before_any_step_says_why(lake: Settings, instance: dg.DagsterInstance) -> None:
    @dg.job
    def never() -> None:
        """No step of it begins."""

    launched = instance.create_run_for_job(never)
    instance.report_engine_event("Run execution process unexpectedly exited with exit code -9.", launched)
    instance.report_run_failed(launched)
    take_in(lake, instance)
    assert [(row["level"], row["message"]) for row in engine_lines(lake, launched.run_id)] == [
        ("WARNING", "Run execution process unexpectedly exited with exit code -9."),
        ("ERROR", "This run has been marked as failed from outside the execution context."),
    ]


def test_a_run_that_was_canceled_while_it_was_launched_says_so(lake: Settings, instance: dg.DagsterInstance) -> None:
    @dg.job
    def waiting() -> None:
        """Canceled while it is launched."""

    launched = instance.create_run_for_job(waiting)
    for kind in (dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_CANCELING):
        instance.report_dagster_event(dg.DagsterEvent(event_type_value=kind.value, job_name="waiting"), launched.run_id)
    instance.report_run_canceled(launched)
    take_in(lake, instance)
    assert [(row["level"], row["message"]) for row in engine_lines(lake, launched.run_id)] == [
        ("INFO", "The run is being launched."),
        ("WARNING", "The run was asked to stop."),
        ("WARNING", "This run has been marked as canceled from outside the execution context."),
    ]


def test_the_tables_that_a_run_did_not_come_to_are_recorded_once(lake: Settings, instance: dg.DagsterInstance) -> None:
    selected = frozenset(map(key_of, ("bronze.provider_events", "silver.auth_events", "gold.auth_daily")))
    launched = instance.create_run_for_job(defs.resolve_job_def("lake"), asset_selection=selected)
    instance.handle_new_event(started("bronze__provider_events", launched.run_id))
    instance.report_run_failed(launched)
    take_in(lake, instance)
    take_in(lake, instance)
    rows = OpsReader(lake).rows("select pipeline, asset, status, error_message from ops.run_log order by asset")
    assert [tuple(row.values()) for row in rows] == [
        ("gold", "gold.auth_daily", "SKIPPED_UPSTREAM", "not tried: the run failed"),
        ("provider_events", "silver.auth_events", "SKIPPED_UPSTREAM", "not tried: the run failed"),
    ]


def started(step: str, run_id: str) -> dg.EventLogEntry:
    """The start of a step."""
    event = dg.DagsterEvent(event_type_value=dg.DagsterEventType.STEP_START.value, job_name="lake", step_key=step)
    return dg.EventLogEntry(
        error_info=None, level=10, user_message="", run_id=run_id, timestamp=datetime.now(UTC).timestamp(), step_key=step,
        job_name="lake", dagster_event=event,
    )  # fmt: skip


def test_a_tick_that_died_after_its_append_doubles_nothing(lake: Settings, instance: dg.DagsterInstance) -> None:
    run_id = run(instance)
    take_in(lake, instance)
    once = engine_lines(lake, run_id)
    assert take_in(lake, instance)[1] == 1, "the place was lost, so the run is looked at again"
    assert engine_lines(lake, run_id) == once


def test_runs_are_read_once_and_appended_together(lake: Settings, instance: dg.DagsterInstance) -> None:
    first = [run(instance) for _ in range(3)]
    place, count = take_in(lake, instance)
    commits = OpsReader(lake).rows("select count(distinct recorded_at) as n from ops.event_log where logger = ?", [ENGINE])
    assert (count, commits) == (3, [{"n": 1}])
    assert take_in(lake, instance, Place.of(str(place))) == (place, 0)
    another = run(instance)
    assert take_in(lake, instance, Place.of(str(place)))[1] == 1
    assert engine_lines(lake, another)
    assert all(engine_lines(lake, run_id) for run_id in first)


def test_more_runs_than_a_tick_takes_follow_in_the_next(
    lake: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_log, "MOST_RUNS", 2)
    runs, place, counts = [run(instance) for _ in range(5)], Place(), []
    for _ in range(4):
        place, count = take_in(lake, instance, place)
        counts.append(count)
    assert counts == [2, 2, 1, 0]
    assert all(engine_lines(lake, run_id) for run_id in runs)


def test_a_run_that_has_just_ended_is_left_for_a_moment(lake: Settings, instance: dg.DagsterInstance) -> None:
    run(instance)
    assert harvest(instance, OpsReader(lake), OpsWriter(lake), {}, Place(), datetime.now(UTC) - SETTLED)[1] == 0


def test_without_a_store_the_sensor_waits_and_nothing_is_lost(
    lake: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = run(instance)
    monkeypatch.setattr(engine_log, "SETTLED", timedelta())
    with monkeypatch.context() as patch:
        patch.setattr(engine_log, "settings", lambda: lake.model_copy(update={"s3_endpoint": NO_STORE}))
        with dg.build_sensor_context(instance) as context:
            assert "tried again" in str(engine_log_sensor({})(context).skip_message)
            assert context.cursor is None
    with dg.build_sensor_context(instance) as context:
        engine_log_sensor({})(context)
        assert run_id in Place.of(context.cursor).read
    assert engine_lines(lake, run_id)
    assert OpsWriter(lake).waiting() == 0


def test_a_run_that_dagster_cannot_read_keeps_back_no_other(
    lake: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, well = run(instance), run(instance)
    read = dg.DagsterInstance.all_logs

    def refusing(of: dg.DagsterInstance, run_id: str, *more: Any) -> Any:
        if run_id == broken:
            raise dg.DagsterInvariantViolationError("secret value")
        return read(of, run_id, *more)

    monkeypatch.setattr(dg.DagsterInstance, "all_logs", refusing)
    take_in(lake, instance)
    assert [row["message"] for row in engine_lines(lake, broken)] == [
        "What Dagster tells of this run cannot be read: DagsterInvariantViolationError"
    ]
    assert engine_lines(lake, well)
