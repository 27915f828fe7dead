"""From a row to a message: what fails is an incident within a round, is told once on each channel, and is over when it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from lakehouse.alerts.channels import FILE, VARIABLE_PREFIX
from lakehouse.alerts.heartbeat import read_heartbeat
from lakehouse.errors import InfrastructureError
from lakehouse.evaluator import Evaluator
from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import load_sources


class Receiver:
    """A webhook on this machine that keeps what it is sent; `refuses` makes it answer 500."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.refuses = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not receiver.refuses:
                    receiver.messages.append(json.loads(body))
                    receiver.keys.append(self.headers.get("Idempotency-Key"))
                self.send_response(500 if receiver.refuses else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receivers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Receiver, Receiver]]:
    pair = Receiver(), Receiver()
    lines = ["channels:"]
    for name, receiver in zip(("first", "second"), pair, strict=True):
        monkeypatch.setenv(f"{VARIABLE_PREFIX}{name.upper()}", receiver.url)
        lines.append(f"  - {{name: {name}, address: {VARIABLE_PREFIX}{name.upper()}}}")
    (settings.home / FILE).write_text("\n".join(lines))
    yield pair
    for receiver in pair:
        receiver.server.shutdown()


@pytest.fixture
def lake(settings: Settings) -> Settings:
    OpsWriter(settings).create_tables()
    return settings


NOW = datetime.now(UTC)
SOON = timedelta(hours=1)
"""How far ahead of the clock rounds are made: what a test records meanwhile lies behind them, however slow the machine is."""


def run_step(settings: Settings, run_id: str, error: ValueError | None = None) -> None:
    source = load_sources(settings)["okta_system_log"]
    with suppress(ValueError), Step(OpsWriter(settings), Run(run_id), source.name, source.bronze.name, "bronze", source.bronze):
        if error:
            raise error


def rounds(evaluator: Evaluator, first: int, end: int) -> None:
    for minute in range(first, end):
        evaluator.round(NOW + SOON + timedelta(minutes=minute))


def states(settings: Settings) -> list[tuple[str, str]]:
    rows = OpsReader(settings).rows("select cause, state from ops.incidents order by opened_at")
    return [(row["cause"], row["state"]) for row in rows]


def test_a_failure_is_told_once_on_each_channel_and_so_is_its_end(lake: Settings, receivers: tuple[Receiver, Receiver]) -> None:
    evaluator = Evaluator(lake, {}, NOW)
    run_step(lake, "bad", ValueError("no such column"))
    rounds(evaluator, 0, 2)
    rounds(Evaluator(lake, {}, NOW), 2, 3)
    assert states(lake) == [("step_failed", "open")]
    assert [len(receiver.messages) for receiver in receivers] == [1, 1]
    message = receivers[0].messages[0]
    assert "bronze.okta_system_log fails" in message["title"]
    assert "ValueError: no such column" in message["message"]
    assert "silver.auth_events" in message["message"]
    run_step(lake, "good")
    rounds(evaluator, 3, 5)
    assert states(lake) == [("step_failed", "resolved")]
    assert [len(receiver.messages) for receiver in receivers] == [2, 2]
    assert receivers[0].messages[1]["title"].startswith("[critical] resolved: ")
    assert len(set(receivers[0].keys)) == 2


def test_a_channel_that_fails_is_told_on_the_next_one_and_gets_its_message_later(
    lake: Settings, receivers: tuple[Receiver, Receiver]
) -> None:
    first, second = receivers
    first.refuses = True
    run_step(lake, "bad", ValueError("no such column"))
    evaluator = Evaluator(lake, {}, NOW)
    rounds(evaluator, 0, 6)
    assert "Messages do not get through on first" in second.messages[1]["title"]
    assert len(second.messages) == 2
    beat = read_heartbeat(lake)
    assert beat
    assert [beat.channels[name]["ok"] for name in ("first", "second")] == [False, True]
    first.refuses = False
    for minute in (10, 20, 30):
        rounds(evaluator, minute, minute + 1)
    assert sum("bronze.okta_system_log fails" in m["title"] for m in first.messages) == 1
    assert ("channel_dead", "resolved") in states(lake)


def test_while_the_store_is_down_its_alert_leaves_and_the_tables_know_of_it_afterwards(
    lake: Settings, receivers: tuple[Receiver, Receiver]
) -> None:
    Evaluator(lake, {}, NOW).round(NOW)
    down = lake.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
    for minute in range(1, 3):
        with pytest.raises(InfrastructureError):
            Evaluator(down, {}, NOW).round(NOW + timedelta(minutes=minute))
    assert [[m["title"] for m in receiver.messages] for receiver in receivers] == [
        ["[critical] The store does not answer as it should"]
    ] * 2
    evaluator = Evaluator(lake, {}, NOW)
    evaluator.upkeep()
    for minute in (5, 6):
        evaluator.round(NOW + timedelta(minutes=minute))
        evaluator.upkeep()
    assert states(lake) == [("store_unavailable", "open")], "what failed for want of it may still be told"
    for minute in range(16, 20):
        evaluator.round(NOW + timedelta(minutes=minute))
    assert states(lake) == [("store_unavailable", "resolved")]
    assert [m["title"].startswith("[critical] resolved") for m in receivers[0].messages] == [False, True]


def test_two_evaluators_at_once_open_one_incident_and_send_one_message(lake: Settings, receivers: tuple[Receiver, Receiver]) -> None:
    run_step(lake, "bad", ValueError("no such column"))
    pair = [Evaluator(lake, {}, NOW) for _ in range(2)]
    for minute in range(2):
        threads = [threading.Thread(target=one.round, args=(NOW + SOON + timedelta(minutes=minute),)) for one in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert states(lake) == [("step_failed", "open")]
    assert [len(receiver.messages) for receiver in receivers] == [1, 1]


def test_a_fire_drill_proves_the_way_to_each_channel_and_leaves_nothing_open(lake: Settings, receivers: tuple[Receiver, Receiver]) -> None:
    every_hour = lake.model_copy(update={"drill_cron": "0 * * * *"})
    hour = NOW.replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    evaluator = Evaluator(every_hour, {}, hour - timedelta(minutes=2))
    for minute in (-1, 1, 2, 3, 4, 5):
        evaluator.round(hour + timedelta(minutes=minute))
    assert [[m["title"] for m in receiver.messages] for receiver in receivers] == [
        ["[minor] fire drill: This is a drill: nothing is wrong"]
    ] * 2
    assert states(lake) == [("fire_drill", "resolved")]
