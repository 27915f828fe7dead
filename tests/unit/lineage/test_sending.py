"""Events that are posted to a real server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from openlineage.client.event_v2 import RunEvent
from openlineage.client.transport import http_common
from pydantic import SecretStr

from lakehouse.errors import ConfigurationError, InfrastructureError, LakehouseError
from lakehouse.lineage.attempts import attempts
from lakehouse.lineage.datasets import DataSets
from lakehouse.lineage.openlineage import run_events
from lakehouse.lineage.sending import send
from lakehouse.settings import Settings
from lakehouse.tables import TABLES
from tests.unit.lineage.facts import SECOND, reader
from tests.unit.lineage.schemas import broken

KEY = "k-9f2c"


class Endpoint(ThreadingHTTPServer):
    """Takes events, and answers with a status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.status = 201
        self.taken: list[tuple[str, str | None, dict[str, Any]]] = []

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Taking(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setitem(http_common.DEFAULT_RETRY_CONFIG, "backoff_factor", 0)
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def events() -> Iterator[RunEvent]:
    datasets = DataSets(Settings(), TABLES.values())
    for attempt in attempts(reader(), run_id=SECOND):
        yield from run_events(attempt, "here", datasets)


@pytest.mark.parametrize(("path", "asked"), [("", "/api/v1/lineage"), ("/", "/api/v1/lineage"), ("/openapi/lineage", "/openapi/lineage")])
def test_each_event_is_posted_in_order_with_the_key(endpoint: Endpoint, path: str, asked: str) -> None:
    assert send(events(), endpoint.url(path), SecretStr(KEY)) == 7
    assert {(where, key) for where, key, _ in endpoint.taken} == {(asked, f"Bearer {KEY}")}
    assert [e["eventType"] for _, _, e in endpoint.taken] == ["START", "COMPLETE", "START", "START", "FAIL", "FAIL", "ABORT"]
    assert [problem for _, _, event in endpoint.taken for problem in broken(event)] == []


def test_without_a_key_none_is_sent(endpoint: Endpoint) -> None:
    send(events(), endpoint.url(), None)
    assert {key for _, key, _ in endpoint.taken} == {None}


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (403, ConfigurationError, "refused the key (403)"),
        (422, ConfigurationError, "refused an event (422)"),
        (503, InfrastructureError, "answered that it cannot"),
    ],
)
def test_a_refusal_says_what_to_do_and_tells_no_secret(endpoint: Endpoint, status: int, kind: type[LakehouseError], told: str) -> None:
    endpoint.status = status
    with pytest.raises(kind) as failed:
        send(events(), endpoint.url().replace("//", "//me:pass-word@"), SecretStr(KEY))
    assert told in failed.value.message
    assert failed.value.next_step
    assert not any(secret in str(failed.value) for secret in (KEY, "pass-word"))
    assert {e["eventType"] for _, _, e in endpoint.taken} == {"START"}


def test_an_endpoint_that_is_not_there_is_a_matter_of_trying_again(endpoint: Endpoint) -> None:
    gone = endpoint.url()
    endpoint.shutdown()
    endpoint.server_close()
    with pytest.raises(InfrastructureError, match="did not answer"):
        send(events(), gone, None)


@pytest.mark.parametrize("url", ["", "marquez:5000", "ftp://x/y", "/api"])
def test_an_address_that_is_none_is_a_mistake(url: str) -> None:
    with pytest.raises(ConfigurationError):
        send(events(), url, None)
