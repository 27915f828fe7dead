"""Trino or Dagster's daemon stopped and started again, runs launched at once: a clear message, nothing stuck, nothing doubled."""

from __future__ import annotations

import time

import dagster as dg
import pytest

from infra.instance import open_existing
from infra.orchestrator import launch
from infra.services.registry import SERVICES
from infra.services.waiting import wait_until_ready
from infra.supervisor import Supervisor
from infra.trino_client import TrinoProblem, query
from lakehouse.settings import Settings
from tests.lake import TestLake, event

pytestmark = pytest.mark.long

PATIENCE_S = 240
DONE = dg.DagsterRunStatus.SUCCESS
WAY = ("bronze.provider_events", "silver.auth_events", "gold.user_days", "gold.auth_daily")
"""The tables on the events' way; a run of all takes several times as long."""


def wait_for_rows(lake: TestLake, tenant: str, rows: int) -> None:
    """Wait until gold tells of a tenant's events. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while query(lake.settings, f"select coalesce(sum(attempts), 0) from gold.auth_daily where tenant_id = '{tenant}'").rows != [[rows]]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{tenant} has not arrived in gold after {PATIENCE_S} s")
        time.sleep(1)


def restart(settings: Settings, name: str) -> None:
    Supervisor(open_existing(settings.home)).run(name)
    wait_until_ready(SERVICES[name], settings, seconds=120)


def test_what_lands_while_trino_and_the_daemon_are_down_arrives_and_a_query_says_what_is_down(lake: TestLake) -> None:
    supervisor = Supervisor(open_existing(lake.settings.home))
    supervisor.halt("dagster-daemon")
    supervisor.halt("trino")
    try:
        with pytest.raises(TrinoProblem, match="does not answer"):
            query(lake.settings, "select 1")
        lake.land("undaunted", "a.jsonl", [event(n, "undaunted") for n in range(7)])
        queued = launch(lake.settings, "lake", selection=WAY)
        assert next(queued.states()) in (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
        restart(lake.settings, "dagster-daemon")
        assert list(queued.states())[-1] == DONE
    finally:
        restart(lake.settings, "dagster-daemon")
        restart(lake.settings, "trino")
    wait_for_rows(lake, "undaunted", 7)


def test_runs_launched_at_once_publish_once(lake: TestLake) -> None:
    lake.land("atonce", "a.jsonl", [event(n, "atonce") for n in range(9)])
    launched = [launch(lake.settings, "lake", selection=WAY) for _ in range(2)]
    assert [list(run.states())[-1] for run in launched] == [DONE, DONE]
    wait_for_rows(lake, "atonce", 9)
    doubled = "select event_id from silver.auth_events where tenant_id = 'atonce' group by event_id having count(*) > 1"
    assert query(lake.settings, doubled).rows == []
