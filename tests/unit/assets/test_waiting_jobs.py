"""The jobs that publish what waits: one chain of steps is taken, each under the pool of its table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from assets import waiting
from assets.definitions import build
from assets.resources import Lake
from assets.waiting import waiting_jobs
from lakehouse.dagster_api import RELEASE, REPROCESS, config_of
from lakehouse.ledger import Release, Reprocess
from lakehouse.settings import Settings
from lakehouse.sources import Source, load_sources

SOURCE = "provider_events"
JOBS = [RELEASE, REPROCESS]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    return load_sources(Settings(home=tmp_path_factory.mktemp("none")))


Ran = tuple[list[str], list[Any], dg.ExecuteInProcessResult]


@pytest.fixture
def run(sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ran]:
    """Runs a job whose steps do nothing; returns those that were done, what was asked of them, and the result."""

    def ran(job: str, found: bool = True, **asked: str | None) -> Ran:
        took: list[Any] = []

        def take(_work: object, source: Source, wanted: object) -> list[Any]:
            took.append((source.name, wanted))
            return [SimpleNamespace(batch_id="b-1")] if found else []

        monkeypatch.setattr("assets.resources.settings", lambda: Settings(home=tmp_path))
        monkeypatch.setattr("jobs.context.load_sources", lambda _: sources)
        monkeypatch.setattr(waiting, "release", take)
        monkeypatch.setattr(waiting, "reprocess", take)
        monkeypatch.setattr(waiting, "refine", lambda *_: took.append("refined"))
        monkeypatch.setattr(waiting, "aggregate", lambda *_: None)
        monkeypatch.setattr(waiting, "_tell", lambda *_: None)
        (made,) = [one for one in waiting_jobs(sources) if one.name == job]
        result = made.execute_in_process(run_config=config_of(job, asked), resources={"lake": Lake()}, raise_on_error=False)
        return [e.step_key for e in result.all_events if e.event_type_value == "STEP_SUCCESS" and e.step_key], took, result

    return ran


def test_only_the_steps_of_the_source_asked_for_are_done(run: Callable[..., Ran]) -> None:
    done, took, _ = run(REPROCESS, source=SOURCE, batch_id=None, tenant_id="acme", reason="unparseable", layer="bronze")
    assert done == ["rejected", f"reprocess__{SOURCE}", f"reprocess__{SOURCE}_onwards"]
    assert took == [(SOURCE, Reprocess((), "acme", "unparseable", "bronze")), "refined"]


def test_a_release_is_asked_for_with_its_batch_and_tenant(run: Callable[..., Ran]) -> None:
    done, took, _ = run(RELEASE, source=SOURCE, batch_id="b-1", tenant_id="acme")
    assert done == ["held_back", f"release__{SOURCE}", f"release__{SOURCE}_onwards"]
    assert took == [(SOURCE, Release("b-1", "acme")), "refined"]


@pytest.mark.parametrize("job", JOBS)
def test_a_source_that_is_none_fails_the_run_and_touches_nothing(run: Callable[..., Ran], job: str) -> None:
    done, took, result = run(job, source="no_such", batch_id="b-1", tenant_id="acme")
    assert (done, took, result.success) == ([], [], False)


def test_a_release_of_nothing_is_a_mistake_and_a_reprocess_of_nothing_is_none(run: Callable[..., Ran]) -> None:
    assert not run(RELEASE, found=False, source=SOURCE, batch_id="b-1", tenant_id="acme")[2].success
    assert run(REPROCESS, found=False, source=SOURCE)[2].success


@pytest.mark.parametrize("job", JOBS)
def test_each_step_writes_under_the_pool_of_its_table(sources: dict[str, Source], job: str) -> None:
    pools = {node.name: node.definition.pool for node in build(sources).resolve_job_def(job).nodes}  # type: ignore[attr-defined]
    for source in sources.values():
        assert pools[f"{job}__{source.name}"] == source.bronze.name
        assert pools[f"{job}__{source.name}_onwards"] == source.silver.table


@pytest.mark.parametrize("count", [0, 1])
def test_an_instance_with_few_sources_has_the_jobs_too(sources: dict[str, Source], count: int) -> None:
    assert [job.name for job in waiting_jobs(dict(list(sources.items())[:count]))] == JOBS
