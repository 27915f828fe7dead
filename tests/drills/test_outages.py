"""Servers stopped in the middle of a run and started again; two runs at once: nothing stuck, nothing lost, nothing doubled."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lakehouse import failpoints
from tests.drills.scene import Scene, wait_until

OUTAGES = {"minio": "the store did not answer", "metastore": "the metastore did not answer"}
"""Servers in the order in which they go down, the next one while the one before comes back; and what a run says that misses them."""


def test_a_run_outlives_outages_and_says_what_was_missing(scene: Scene, tmp_path: Path) -> None:
    scene.land("outages")
    worker = scene.start_worker(failpoints.STAGED, tmp_path)
    worker.await_point()
    down = None
    for server, message in OUTAGES.items():
        scene.supervisor.halt(server)
        if down:
            scene.supervisor.run(down)
        else:
            worker.go_on()
        wait_until(partial(worker.tells, message), f"an attempt that fails without {server}")
        down = server
    scene.supervisor.run(down)
    assert worker.wait() == 0
    scene.evaluate()
    failed = [a for a in scene.attempts(worker.pid) if a["status"] == "FAILED"]
    assert {a["error_class"] for a in failed} == {"InfrastructureError"}
    for message in OUTAGES.values():
        assert any(message in a["error_message"] for a in failed), failed
    assert scene.differences("outages") == {}


def test_two_runs_at_once_publish_once(scene: Scene) -> None:
    scene.land("both-a")
    scene.land("both-b")
    workers = [scene.start_worker(), scene.start_worker()]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert scene.differences("both-a") == {}
    assert scene.differences("both-b") == {}
