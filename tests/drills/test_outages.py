"""Servers stopped in the middle of a run and started again; two runs at once: nothing stuck, nothing lost, nothing doubled."""

from __future__ import annotations

from pathlib import Path

from lakehouse import failpoints
from tests.drills.scene import Scene, wait_until

WITHOUT_STORE = "the store did not answer"
WITHOUT_METASTORE = "the metastore did not answer"


def test_a_run_outlives_outages_and_says_what_was_missing(scene: Scene, tmp_path: Path) -> None:
    scene.land("outages")
    worker = scene.start_worker(failpoints.STAGED, tmp_path)
    worker.await_point()
    scene.supervisor.halt("minio")
    worker.go_on()
    wait_until(lambda: worker.tells(WITHOUT_STORE), "an attempt that fails without the store")
    scene.supervisor.halt("metastore")
    scene.supervisor.run("minio")
    wait_until(lambda: worker.tells(WITHOUT_METASTORE), "an attempt that fails without the metastore")
    scene.supervisor.run("metastore")
    assert worker.wait() == 0
    scene.evaluate()
    failed = [a for a in scene.attempts(worker.pid) if a["status"] == "FAILED"]
    assert {a["error_class"] for a in failed} == {"InfrastructureError"}
    told = [{message for message in (WITHOUT_STORE, WITHOUT_METASTORE) if message in a["error_message"]} for a in failed]
    assert all(told), failed
    assert set().union(*told) == {WITHOUT_STORE, WITHOUT_METASTORE}
    assert scene.differences("outages") == {}


def test_two_runs_at_once_publish_once(scene: Scene) -> None:
    scene.land("both-a")
    scene.land("both-b")
    workers = [scene.start_worker(), scene.start_worker()]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert scene.differences("both-a") == {}
    assert scene.differences("both-b") == {}
