"""Servers stopped in the middle of a run and started again; two runs at once: nothing stuck, nothing lost, nothing doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse import failpoints
from tests.drills.scene import Scene, wait_until

OUTAGES = {
    "minio": ("bronze.provider_events", "the store did not answer"),
    "metastore": ("bronze.provider_events", "the metastore did not answer"),
}


@pytest.mark.parametrize("server", OUTAGES)
def test_a_run_outlives_an_outage_and_says_what_was_missing(scene: Scene, tmp_path: Path, server: str) -> None:
    _, message = OUTAGES[server]
    tenant = f"outage-{server}"
    scene.land(tenant)
    worker = scene.start_worker(failpoints.STAGED, tmp_path)
    worker.await_point()
    scene.supervisor.halt(server)
    worker.go_on()
    wait_until(lambda: worker.failed_attempts() > 0, f"an attempt that fails without {server}")
    scene.supervisor.run(server)
    assert worker.wait() == 0
    scene.evaluate()
    failed = [a for a in scene.attempts(worker.pid) if a["status"] == "FAILED"]
    assert failed
    assert all(a["error_class"] == "InfrastructureError" and message in a["error_message"] for a in failed), failed
    assert scene.differences(tenant) == {}


def test_two_runs_at_once_publish_once(scene: Scene) -> None:
    scene.land("both-a")
    scene.land("both-b")
    workers = [scene.start_worker(), scene.start_worker()]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert scene.differences("both-a") == {}
    assert scene.differences("both-b") == {}
