"""What the endpoint answers, or that it does not, never holds up or ends a round, and is told once."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import timedelta

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry import metrics, trace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from pydantic import SecretStr

from lakehouse.settings import Settings
from lakehouse.telemetry import Telemetry, endpoint, sender
from lakehouse.telemetry.sender import CURSOR, PAUSE
from tests.otlp import Backend
from tests.unit.telemetry.memory import NOW, Facts, measured

NOBODY = "http://127.0.0.1:9"
LEVELS = 3


def batches(backend: Backend) -> list[float]:
    return [p.value for p in backend.points if p.name == "clearlake.batch.rows"]


def test_without_an_endpoint_nothing_happens(settings: Settings, facts: Facts) -> None:
    facts.append("ops.metrics", NOW, measured("rows", 1.0))
    assert Telemetry(settings.model_copy(update={"otlp_endpoint": None}), facts).send(NOW) == 0
    assert not settings.state_dir.exists()


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
def test_an_outage_is_told_once_and_its_end_once_and_nothing_is_lost(
    telemetry: Telemetry, facts: Facts, backend: Backend, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    backend.status = status
    for n in range(3):
        facts.append("ops.metrics", NOW + n * PAUSE, measured("rows", float(n)))
        assert telemetry.send(NOW + n * PAUSE) == 0
    backend.status = 200
    assert telemetry.send(NOW + 3 * PAUSE) == 3 + LEVELS
    assert batches(backend) == [0, 1, 2]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "metrics cannot be sent and wait",
        "metrics can be sent again",
    ]
    assert f"HTTP {status}" in caplog.text


def test_where_nobody_listens_the_round_goes_on_and_the_log_says_so_once(
    settings: Settings, facts: Facts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "TIMEOUT_S", 0.5)
    telemetry = Telemetry(settings.model_copy(update={"otlp_endpoint": NOBODY}), facts)
    assert [telemetry.send(NOW + n * PAUSE) for n in range(2)] == [0, 0]
    assert [record.getMessage() for record in caplog.records] == ["metrics cannot be sent and wait: ConnectionError"]


@pytest.mark.parametrize("address", ["no address", "ftp://example.invalid", "http://"])
def test_an_address_that_is_none_ends_no_round(settings: Settings, facts: Facts, address: str, caplog: pytest.LogCaptureFixture) -> None:
    assert Telemetry(settings.model_copy(update={"otlp_endpoint": address}), facts).send(NOW) == 0
    assert caplog.text.count("metrics cannot be sent and wait") == 1


def test_after_a_failure_it_is_left_alone_for_a_while(telemetry: Telemetry, backend: Backend) -> None:
    backend.status = 401
    for seconds in (0, 10, 29):
        telemetry.send(NOW + timedelta(seconds=seconds))
    assert backend.requests == 1
    telemetry.send(NOW + PAUSE)
    assert backend.requests == 2


def test_an_endpoint_that_keeps_silent_is_not_waited_for(
    settings: Settings, facts: Facts, backend: Backend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint, "TIMEOUT_S", 600.0)
    monkeypatch.setattr(endpoint, "WAIT_S", 0.1)
    telemetry = Telemetry(settings, facts)
    backend.is_open.clear()
    assert telemetry.send(NOW) == 0
    assert not backend.is_open.is_set()
    assert telemetry.send(NOW + PAUSE) == 0
    assert backend.requests <= 1, "the request before has not ended"
    assert caplog.text.count("cannot be sent") == 1


def test_a_page_to_sign_in_at_is_no_answer(telemetry: Telemetry, backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.body, backend.type = b"<html>Sign in", "text/html; charset=utf-8"
    assert telemetry.send(NOW) == 0
    assert "metrics cannot be sent and wait: HTTP 200" in caplog.text


def test_what_is_refused_for_good_is_told_and_does_not_come_again(
    telemetry: Telemetry, facts: Facts, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    facts.append("ops.metrics", NOW, measured("rows", 1.0))
    backend.status, backend.body = 400, Status(message="too old").SerializeToString()
    assert telemetry.send(NOW) == 0
    backend.status, backend.body = 200, b""
    facts.append("ops.metrics", NOW + PAUSE, measured("rows", 2.0))
    telemetry.send(NOW + PAUSE)
    assert batches(backend) == [2]
    assert f"{1 + LEVELS} of {1 + LEVELS} data points are refused for good" in caplog.text
    assert "too old" in caplog.text


def test_what_is_too_large_is_sent_in_smaller_parts(
    telemetry: Telemetry, facts: Facts, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BUDGET_S", 0.0)
    facts.append("ops.metrics", NOW, *(measured("rows", float(n), pipeline=f"p{n}") for n in range(8)))
    backend.status = 413
    telemetry.send(NOW)
    backend.status = 200
    counts = [telemetry.send(NOW) for _ in range(4)]
    assert counts[0] < 8 + LEVELS
    assert sorted(batches(backend)) == list(range(8))
    assert counts[-1] == 0


def test_points_that_are_rejected_alone_are_told_and_not_counted(
    telemetry: Telemetry, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 2
    answer.partial_success.error_message = "odd names"
    backend.body = answer.SerializeToString()
    assert telemetry.send(NOW) == LEVELS - 2
    assert "2 of 3 data points are refused for good by the endpoint for metrics: odd names" in caplog.text


def test_headers_arrive_decoded_and_are_never_logged(
    settings: Settings, facts: Facts, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    listed = SecretStr("api-key=hidden%20key,X-Tenant=7,hidden without a name")
    Telemetry(settings.model_copy(update={"otlp_headers": listed}), facts).send(NOW)
    backend.status, backend.body = 401, Status(message="no such key:\nhidden key").SerializeToString()
    Telemetry(settings.model_copy(update={"otlp_headers": listed}), facts).send(NOW + 3 * PAUSE)
    assert "HTTP 401 Unauthorized no such key: ***" in caplog.text
    assert (backend.headers["api-key"], backend.headers["x-tenant"]) == ("hidden key", "7")
    assert "hidden" not in caplog.text
    assert "1 of the headers" in caplog.text


@pytest.mark.parametrize("path", ["", "/", "/v1/metrics", "/v1/metrics/"])
def test_the_address_may_be_given_with_or_without_the_path_of_metrics(
    settings: Settings, facts: Facts, backend: Backend, path: str
) -> None:
    told = settings.model_copy(update={"otlp_endpoint": backend.address + path})
    assert Telemetry(told, facts).send(NOW) == LEVELS


def test_opentelemetrys_global_providers_are_left_alone(telemetry: Telemetry, backend: Backend) -> None:
    before = metrics.get_meter_provider(), trace.get_tracer_provider()
    assert telemetry.send(NOW) == LEVELS
    assert (metrics.get_meter_provider(), trace.get_tracer_provider()) == before
    found = subprocess.run(
        [sys.executable, "-c", "import lakehouse.telemetry\nfrom opentelemetry.metrics import _internal as i\nprint(i._METER_PROVIDER)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == "None"


def test_the_cursor_is_in_the_state_of_the_instance(telemetry: Telemetry, settings: Settings) -> None:
    telemetry.send(NOW)
    assert sorted(path.name for path in settings.state_dir.iterdir()) == [CURSOR, f"{CURSOR}.lock"]
    assert sender.MOST_POINTS > 1
