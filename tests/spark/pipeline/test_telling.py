"""Each commit is told by one attempt in the run log, with its rows and its version, wherever the attempt that made it died or failed.

Death is a process that records no end and is no longer there. The real SIGKILL is the drills' (tests/drills).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jobs.aggregate import aggregate
from jobs.context import Context
from jobs.ingest import ingest
from jobs.refine import refine
from lakehouse import failpoints
from lakehouse.errors import InfrastructureError
from lakehouse.ops import runs
from lakehouse.ops.runs import Step
from lakehouse.tables import table
from tests.lake import SOURCE, TestLake, event
from tests.telling import untold, versions

pytestmark = pytest.mark.long

GOLD = table("gold.auth_daily")
TENANT = f"telling-{uuid.uuid4().hex[:8]}"
"""New in each session, so that an instance that is used again has not seen its records."""
STEPS = "select asset, status, rows_inserted, version_after from ops.run_log where run_id = ? order by started_at"
END = Step.__exit__


class Killed(BaseException):
    """Stands for the end of the process."""


def run(lake: TestLake, context: Context) -> Context:
    """What a run does, with one gold table."""
    source = context.sources[SOURCE]
    ingest(context, source)
    refine(context, source)
    aggregate(context, GOLD)
    return context


@contextmanager
def ending(error: BaseException, point: str, arrival: int) -> Iterator[None]:
    """The process dies, or the step fails, at the given arrival at a point."""
    left = [arrival]

    def reached(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] < 0:
                raise error

    def end(step: Step, kind: Any, raised: BaseException | None, trace: Any) -> None:
        if not isinstance(raised, Killed):
            END(step, kind, raised, trace)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "reached", reached)
        if isinstance(error, Killed):
            patch.setattr(Step, "__exit__", end)
            patch.setattr(runs, "this_process", lambda: f"{os.getpid()}@1000")
        yield


def steps(lake: TestLake, context: Context) -> list[dict[str, Any]]:
    return lake.context.reader.rows(STEPS, [context.run.run_id])


def tables(lake: TestLake) -> tuple[Any, ...]:
    return lake.context.sources[SOURCE].bronze, table("silver.auth_events"), GOLD


@pytest.fixture(scope="module")
def begun(lake: TestLake) -> TestLake:
    """The lake with a run behind it, so that only what follows is new."""
    lake.land(TENANT, "first.jsonl", [event(0, TENANT)])
    run(lake, lake.context)
    return lake


PUBLISHED = {"bronze": 0, "silver": 1, "gold": 2}
RECORDED = {"bronze": 0, "silver": 1}
KILLS = [*((failpoints.PUBLISHED, layer) for layer in PUBLISHED), *((failpoints.RECORDED, layer) for layer in RECORDED)]


@pytest.mark.parametrize(("point", "layer"), KILLS)
def test_a_commit_whose_process_died_is_told_by_the_next_run_alone(begun: TestLake, point: str, layer: str) -> None:
    before = versions(begun.settings, tables(begun))
    begun.land(TENANT, f"{point}-{layer}.jsonl", [event(100 * (1 + KILLS.index((point, layer))) + n, TENANT) for n in range(3)])
    arrival = (PUBLISHED if point == failpoints.PUBLISHED else RECORDED)[layer]
    killed, following = begun.new_run(), begun.new_run()
    with pytest.raises(Killed), ending(Killed(), point, arrival):
        run(begun, killed)
    run(begun, following)
    assert untold(begun.settings, begun.context.reader, tables(begun), before) == {}
    died = [step for step in steps(begun, killed) if step["status"] == "RUNNING"]
    assert [step["asset"].split(".")[0] for step in died] == ([layer] if point == failpoints.PUBLISHED else [])
    killed.close()
    following.close()


@pytest.mark.parametrize("layer", PUBLISHED)
def test_a_commit_whose_attempt_failed_is_told_by_its_retry_alone(begun: TestLake, layer: str) -> None:
    before = versions(begun.settings, tables(begun))
    begun.land(TENANT, f"retry-{layer}.jsonl", [event(1000 * (1 + PUBLISHED[layer]) + n, TENANT) for n in range(4)])
    context = begun.new_run()
    with pytest.raises(InfrastructureError), ending(InfrastructureError("gone"), failpoints.PUBLISHED, PUBLISHED[layer]):
        run(begun, context)
    run(begun, context)
    assert untold(begun.settings, begun.context.reader, tables(begun), before) == {}
    failed = [step for step in steps(begun, context) if step["status"] == "FAILED"]
    assert [(step["asset"].split(".")[0], step["rows_inserted"], step["version_after"]) for step in failed] == [(layer, None, None)]
    context.close()


def test_a_gold_commit_is_left_to_the_run_that_made_it_while_that_goes_on(begun: TestLake) -> None:
    before = versions(begun.settings, tables(begun))
    begun.land(TENANT, "meanwhile.jsonl", [event(900_001, TENANT)])
    slow, other = begun.new_run(), begun.new_run()
    looked: list[object] = []

    def reached(name: str) -> None:
        if name == failpoints.PUBLISHED and versions(begun.settings, [GOLD]) != {GOLD.name: before[GOLD.name]} and not looked:
            looked.append("looking")
            looked.append(aggregate(other, GOLD))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "reached", reached)
        run(begun, slow)
    assert looked == ["looking", None]
    assert untold(begun.settings, begun.context.reader, tables(begun), before) == {}
    slow.close()
    other.close()
