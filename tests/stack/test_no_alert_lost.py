"""The evaluator, Dagster's daemon, Trino, Spark and the store are killed in turn while a trouble is under way: each is told, and its end.

Each server is killed as it runs and stays away for some rounds; the trouble begins shortly before, so that its message is on its way.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.instance import open_existing
from infra.services.registry import SERVICES
from infra.services.waiting import wait_until_ready
from infra.supervisor import Supervisor
from lakehouse.alerts.channels import FILE
from lakehouse.incidents.causes import TITLES
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import USER_FILE, Settings
from tests.lake import TestLake

pytestmark = pytest.mark.long

KILLED = ("evaluator", "dagster-daemon", "trino", "spark", "minio")
AWAY_S = 12
ROUND_S = 2
PATIENCE_S = 240
CHANNEL = """
channels:
  - name: told
    address: LAKEHOUSE_CHANNEL_TOLD
"""


class Told:
    """What arrived at a webhook."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.messages.append((self.headers["Idempotency-Key"], f"{body['title']}\n{body['message']}"))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, text: str) -> list[str]:
        """The keys of the messages that say something."""
        return [key for key, said in list(self.messages) if text in said]


@pytest.fixture(scope="module")
def told(full_stack: Settings) -> Iterator[Told]:
    """A webhook that the evaluator tells everything, with a round every other second."""
    received, supervisor, home = Told(), Supervisor(open_existing(full_stack.home)), full_stack.home
    settings_before = (home / USER_FILE).read_text() if (home / USER_FILE).exists() else ""
    (home / FILE).write_text(CHANNEL)
    address = f"LAKEHOUSE_CHANNEL_TOLD=json://127.0.0.1:{received.server.server_port}/\nLAKEHOUSE_EVALUATION_INTERVAL_S={ROUND_S}\n"
    (home / USER_FILE).write_text(settings_before + address)
    _start_anew(supervisor, full_stack, "evaluator")
    yield received
    (home / FILE).unlink()
    (home / USER_FILE).write_text(settings_before)
    _start_anew(supervisor, full_stack, "evaluator")
    received.server.shutdown()


def _start_anew(supervisor: Supervisor, settings: Settings, name: str) -> None:
    supervisor.halt(name)
    supervisor.run(name)
    wait_until_ready(SERVICES[name], settings, seconds=120)


@contextmanager
def killed(settings: Settings, name: str) -> Iterator[None]:
    """A server is killed, and kept away for a while."""
    supervisor = Supervisor(open_existing(settings.home))
    os.kill(supervisor.state(name).pid, signal.SIGKILL)
    supervisor.halt(name)
    try:
        yield
    finally:
        supervisor.run(name)
        wait_until_ready(SERVICES[name], settings, seconds=180)


def attempt(writer: OpsWriter, pipeline: str, status: str, at: datetime, run_id: str) -> None:
    """Record an attempt that began some minutes before."""
    about = {
        "run_id": run_id, "attempt": 1, "pipeline": pipeline, "asset": f"bronze.{pipeline}", "layer": "bronze",
        "started_at": at - timedelta(minutes=6),
    }  # fmt: skip
    error = {"error_class": "AnalysisException", "error_message": f"{pipeline} has no such column"} if status == "FAILED" else {}
    end = {**about, **error, "fact": "end", "status": status, "ended_at": at - timedelta(minutes=5), "duration_s": 60.0}
    writer.append("ops.run_events", [{**about, "fact": "start", "status": "RUNNING"}, end])


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {PATIENCE_S} s: {what}")
        time.sleep(0.5)


@pytest.mark.parametrize("name", KILLED)
def test_a_trouble_and_its_end_are_told_whichever_server_is_killed_meanwhile(told: Told, lake: TestLake, name: str) -> None:
    writer, pipeline = OpsWriter(lake.settings), f"kept_{name.replace('-', '_')}_{uuid.uuid4().hex[:6]}"
    attempt(writer, pipeline, "FAILED", datetime.now(UTC), f"{pipeline}-1")
    with killed(lake.settings, name):
        time.sleep(AWAY_S)
        if name == "minio":
            until(lambda: bool(told.of(TITLES["store_unavailable"])), "the store's outage is told while it lasts")
    until(lambda: bool(told.of(f"bronze.{pipeline} fails")), f"the failure while {name} was killed is told: {told.messages}")
    attempt(writer, pipeline, "SUCCEEDED", datetime.now(UTC), f"{pipeline}-2")
    ended = "select incident_id from ops.incidents where pipeline = ? and state = 'resolved'"
    until(lambda: bool(OpsReader(lake.settings).rows(ended, [pipeline])), "the incident is resolved")
    (incident,) = OpsReader(lake.settings).rows(ended, [pipeline])
    until(lambda: f"{incident['incident_id']}.resolved.1" in told.of("resolved"), "its end is told")
    keys = [key for key, _ in told.messages if key.startswith(incident["incident_id"])]
    assert sorted(set(keys)) == sorted(keys), "no message is told twice"
    assert {key.split(".")[1] for key in keys} == {"opened", "resolved"}
