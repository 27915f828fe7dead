"""SIGKILL of the worker and of Spark at each named point: the half-done state is as promised, and the retry makes it whole.

Also servers stopped in the middle of a run and started again, and two runs at once: nothing stuck, nothing lost, nothing doubled.
All in one file, since what a file needs is made in each process that runs tests of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse import failpoints
from lakehouse.delta import DeltaLog
from tests.drills.scene import CUSTOMERS, SOURCE, Scene, Worker, wait_until
from tests.lake import GOLD

pytestmark = pytest.mark.long

ARRIVALS = {
    failpoints.LISTING: 2,
    failpoints.READING: 2,
    failpoints.STAGED: 4 + len(GOLD),
    failpoints.PUBLISHED: 4 + len(GOLD),
    failpoints.RECORDED: 4,
}
"""How often a run that takes in the drill's records comes to a point: in bronze of two sources, two silver and all gold tables."""
CHAIN = (
    ("worker", failpoints.LISTING, 0),
    ("both", failpoints.READING, 1),
    ("worker", failpoints.STAGED, 1),
    ("worker", failpoints.RECORDED, 0),
    ("worker", failpoints.PUBLISHED, 1),
    ("spark", failpoints.PUBLISHED, 1),
)
"""The short form: kills on the way of the same files, each run taking them on from where the one before was killed."""
MAINTAINED = (
    "maintain__silver__auth_events",
    "maintain__bronze__provider_events",
    "maintain__gold__auth_daily",
    "maintain__bronze__quarantine",
    "maintain__silver__billing_customers",
)

WITHOUT_STORE = "the store did not answer"
WITHOUT_METASTORE = "the metastore did not answer"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The short form goes through the chain; the full one kills every victim as often as asked, at different arrivals, and each alone."""
    times = metafunc.config.getoption("--times")
    if "kills" in metafunc.fixturenames:
        alone = [((v, p, n % ARRIVALS[p]),) for v in ("worker", "spark") for p in ARRIVALS for n in range(times)]
        cases = list(enumerate(alone or [CHAIN]))
        metafunc.parametrize(("number", "kills"), cases, ids=["-".join(map(str, (*kills[0], n))) for n, kills in cases])
    elif "operation" in metafunc.fixturenames:
        full_maintenance = [(v, MAINTAINED[n % len(MAINTAINED)]) for v in ("worker", "spark") for n in range(times)]
        metafunc.parametrize(("victim", "operation"), full_maintenance or [("spark", MAINTAINED[0])])


def test_kills_during_ingestion_lose_and_double_nothing(
    scene: Scene, tmp_path: Path, number: int, kills: tuple[tuple[str, str, int], ...]
) -> None:
    tenant, before = f"kill{number}", scene.versions()
    scene.land(tenant)
    killed = []
    for victim, point, arrival in kills:
        folder = tmp_path / f"{len(killed)}"
        folder.mkdir()
        worker = scene.start_worker(point, folder)
        worker.await_point(passing=arrival)
        asset = scene.attempts(worker.pid)[-1]["asset"]
        kill(scene, worker, victim)
        assert_half_done(scene, tenant, point, asset)
        killed.append((worker, victim, asset, point))
    finish(scene, worker, victim)
    assert scene.differences(tenant) == {}
    for worker, victim, asset, point in killed:
        assert_recorded(scene, worker.pid, victim, asset, point)
    assert scene.untold(before) == {}


def kill(scene: Scene, worker: Worker, victim: str) -> None:
    """SIGKILL the worker, Spark or both while the worker stands at its point."""
    if victim in ("worker", "both"):
        worker.kill()
    if victim in ("spark", "both"):
        scene.kill_server("spark")


def finish(scene: Scene, worker: Worker, victim: str) -> None:
    """A killed worker's work is done by the next run; a worker that lost Spark tries again by itself."""
    if victim == "spark":
        worker.go_on()
        assert worker.wait() == 0
    else:
        assert scene.start_worker().wait() == 0


def assert_half_done(scene: Scene, tenant: str, point: str, asset: str) -> None:
    """What is committed and what the ledger says, as of the point, for the table that was being made."""
    source = CUSTOMERS if asset in (scene.lake.context.sources[CUSTOMERS].bronze.name, "silver.billing_customers") else SOURCE
    declared = next(t for t in scene.tables if t.name == asset)
    is_committed = point in (failpoints.PUBLISHED, failpoints.RECORDED)
    assert bool(scene.rows(declared, tenant)) == is_committed
    if asset.startswith("bronze."):
        assert scene.state_of(tenant, source) == {failpoints.LISTING: None, failpoints.RECORDED: "bronze"}.get(point, "claimed")
    elif asset.startswith("silver."):
        assert scene.state_of(tenant, source) == ("published" if point == failpoints.RECORDED else "bronze")
    else:
        assert scene.state_of(tenant, source) == "published"


def assert_recorded(scene: Scene, pid: int, victim: str, asset: str, point: str) -> None:
    """The kill stands in the run log: a worker's attempt as TERMINATED, an attempt that lost Spark as FAILED with its cause.

    Neither tells of rows, which the attempt does that makes them whole. At RECORDED the attempt has just told its end.
    """
    wait_until(lambda: scene.evaluate() >= 0 and not any(a["status"] == "RUNNING" for a in scene.attempts(pid)), "the verdict", 60)
    attempts = scene.attempts(pid)
    ended = [a for a in attempts if a["status"] in ("FAILED", "TERMINATED")]
    assert [a for a in ended if a["rows_inserted"] is not None or a["version_after"] is not None] == []
    if victim in ("worker", "both"):
        assert attempts[-1]["asset"] == asset
        killed = [a["asset"] for a in ended if a["status"] == "TERMINATED"]
        assert killed == ([] if point == failpoints.RECORDED else [asset])
        return
    assert {(a["status"], a["error_class"]) for a in ended} == {("FAILED", "InfrastructureError")}
    assert all("Spark" in a["error_message"] for a in ended), ended


def test_a_kill_during_maintenance_leaves_every_row(scene: Scene, tmp_path: Path, victim: str, operation: str) -> None:
    _, layer, name = operation.split("__")
    asset = f"{layer}.{name}"
    declared = next(t for t in scene.tables if t.name == asset)
    before = scene.rows(declared, "reference")
    worker = scene.start_worker(failpoints.MAINTENANCE, tmp_path, ("maintenance", operation))
    worker.await_point()
    kill(scene, worker, victim)
    assert scene.rows(declared, "reference") == before
    if victim == "spark":
        worker.go_on()
        assert worker.wait() == 0
    else:
        assert scene.start_worker(job=("maintenance", operation)).wait() == 0
    assert scene.rows(declared, "reference") == before
    assert_recorded(scene, worker.pid, victim, asset, failpoints.MAINTENANCE)
    told = scene.lake.context.reader.rows(
        "select rows_inserted, rows_updated, version_after from ops.run_log where pipeline = 'maintenance' and asset = ? "
        "and status like 'SUCCEEDED%' order by started_at desc limit 1",
        [asset],
    )
    assert told == [{"rows_inserted": 0, "rows_updated": 0, "version_after": DeltaLog(scene.settings, declared).version}]


def test_a_run_outlives_outages_and_says_what_was_missing(scene: Scene, tmp_path: Path) -> None:
    before = scene.versions()
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
    assert scene.untold(before) == {}


def test_two_runs_at_once_publish_once(scene: Scene) -> None:
    before = scene.versions()
    scene.land("both-a")
    scene.land("both-b")
    workers = [scene.start_worker(), scene.start_worker()]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert scene.differences("both-a") == {}
    assert scene.differences("both-b") == {}
    assert scene.untold(before) == {}
