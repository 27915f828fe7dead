"""What a real OpenTelemetry collector receives has the numbers of the tables."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import ENV_PREFIX, Settings
from lakehouse.telemetry import Telemetry, endpoint
from lakehouse.telemetry.sender import PAUSE
from tests.collector import collecting, collector, free_port
from tests.otlp import Arrived, Backend, serving

WAIT_S = 120
HOUR = datetime(2026, 3, 2, 11, tzinfo=UTC)
ORDER = ["clearlake.pipeline", "clearlake.table", "clearlake.status", "error.type", "clearlake.tenant", "clearlake.dimension"]


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """The collector is compiled before anything waits for it."""
    collector()


@pytest.fixture
def backend() -> Iterator[Backend]:
    with serving() as found:
        yield found


def arrived(backend: Backend, count: int) -> list[Arrived]:
    """What has come through the collector, once it is as much as that."""
    deadline = time.monotonic() + WAIT_S
    while len(backend.points) < count:
        assert time.monotonic() < deadline, backend.points
        time.sleep(0.05)
    return [point for point in backend.points if point.name != "clearlake.incident.open"]


def record(settings: Settings) -> None:
    """Two attempts, one of them failed, and the measurements of a batch with two tenants."""
    writer = OpsWriter(settings)
    with Step(writer, Run("r1"), "okta", "silver.auth_events") as facts:
        facts.add(rows_read=50, rows_inserted=41, rows_quarantined=9, bytes_written=12_345, checks_passed=3, checks_failed=0)
    with pytest.raises(ZeroDivisionError), Step(writer, Run("r2"), "okta", "gold.auth_daily"):
        raise ZeroDivisionError
    about = {"run_id": "r1", "pipeline": "okta", "table_name": "silver.auth_events", "batch_id": "b"}
    parts = [("acme", 0, 20.0), ("acme", 1, 11.0), ("initech", 0, 10.0)]
    writer.append(
        "ops.metrics",
        [
            {**about, "metric": "rows", "value": 41.0},
            {**about, "metric": "filled_rows", "dimension": "country", "value": 37.0},
            {**about, "metric": "lateness_s", "value": 12.75},
            *(
                {**about, "metric": "rows", "tenant_id": t, "bucket_start": HOUR + timedelta(hours=n), "bucket_s": 3600, "value": v}
                for t, n, v in parts
            ),
        ],
    )


def series(point: Arrived) -> tuple[str, ...]:
    """Metric and attributes, without their names."""
    return (point.name, *(point.attributes[name] for name in sorted(point.attributes, key=ORDER.index)))


def in_tables(settings: Settings) -> dict[tuple[str, ...], tuple[int, float]]:
    """Time and value of some series, asked of the tables in words of their own."""
    reader = OpsReader(settings)
    found = {}
    for row in reader.rows("select *, epoch_us(ended_at) as at from ops.run_log"):
        status = (row["pipeline"], row["asset"], row["status"], *([row["error_class"]] if row["error_class"] else []))
        found["clearlake.step.attempts", *status] = (row["at"], 1.0)
        for column in ("duration_s", "rows_read", "rows_inserted", "rows_quarantined", "bytes_written", "checks_passed", "checks_failed"):
            if row[column] is not None:
                found[f"clearlake.step.{column.removesuffix('_s')}", *status] = (row["at"], float(row[column]))
    where = ("okta", "silver.auth_events")
    for row in reader.rows("select metric, dimension, value, epoch_us(recorded_at) as at from ops.metrics where tenant_id is null"):
        if row["metric"] in ("rows", "filled_rows", "lateness_s"):
            name = f"clearlake.batch.{row['metric'].removesuffix('_s')}"
            found[name, *where, *([row["dimension"]] if row["dimension"] else [])] = (row["at"], row["value"])
    (row,) = reader.rows("select distinct epoch_us(recorded_at) as at from ops.metrics where tenant_id = 'acme'")
    parts = {("clearlake.tenant.rows", *where, tenant): (row["at"], value) for tenant, value in (("acme", 31.0), ("initech", 10.0))}
    return found | parts


def test_a_collector_receives_each_number_once_also_those_that_it_was_not_there_for(
    settings: Settings, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "TIMEOUT_S", WAIT_S)
    monkeypatch.setattr(endpoint, "WAIT_S", 2 * WAIT_S)
    port, now = free_port(), datetime.now(UTC)
    sending = settings.model_copy(update={"otlp_endpoint": f"http://127.0.0.1:{port}"})
    record(settings)
    with monkeypatch.context() as hasty:
        hasty.setattr(endpoint, "TIMEOUT_S", 0.1)
        assert Telemetry(sending, OpsReader(settings)).send(now) == 0
    with collecting(port, backend.address, tmp_path / "collector.log"):
        telemetry = Telemetry(sending, OpsReader(settings))
        count = telemetry.send(now + PAUSE)
        assert telemetry.send(now + PAUSE) == 0
        points = arrived(backend, count)
    expected = in_tables(settings)
    assert {series(p): (p.time_us, p.value) for p in points} == expected
    assert len(points) == len(expected)
    assert {p.resource["service.name"] for p in points} == {"clearlake"}
    assert all(p.unit and p.description for p in points)


@contextmanager
def evaluator(settings: Settings, **more: str) -> Iterator[None]:
    """The evaluator as a process of its own."""
    keys = {"S3_ACCESS_KEY_ID": settings.s3_access_key_id, "S3_SECRET_ACCESS_KEY": settings.s3_secret_access_key}
    told = {
        "HOME": str(settings.home), "S3_ENDPOINT": str(settings.s3_endpoint), "LAKE_BUCKET": settings.lake_bucket,
        "EVALUATION_INTERVAL_S": "0.2", **{name: key.get_secret_value() for name, key in keys.items() if key}, **more,
    }  # fmt: skip
    code = "from lakehouse.evaluator import run_forever; from lakehouse.settings import settings; run_forever(settings(), {})"
    environment = {**os.environ, **{f"{ENV_PREFIX}{name}": value for name, value in told.items()}}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(WAIT_S) == 0


def test_the_evaluator_sends_in_its_rounds_what_is_recorded_meanwhile(settings: Settings, backend: Backend, tmp_path: Path) -> None:
    port = free_port()
    OpsWriter(settings).create_tables()
    with (
        collecting(port, backend.address, tmp_path / "collector.log"),
        evaluator(settings, OTLP_ENDPOINT=f"http://127.0.0.1:{port}"),
    ):
        levels = 3
        arrived(backend, levels)
        record(settings)
        points = arrived(backend, levels + len(in_tables(settings)))
    assert {p.value for p in points if p.name == "clearlake.tenant.rows"} == {10, 31}
