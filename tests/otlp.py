"""Endpoints for metrics: one that is told what to answer, and what arrives as plain values.

Does not belong here: assertions.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

WAIT_S = 120
LONG_S = "3600"
"""Told to whoever would try again at once."""


@dataclass(frozen=True)
class Arrived:
    """A data point that arrived."""

    name: str
    unit: str
    description: str
    time_us: int
    value: float
    attributes: dict[str, str]
    resource: dict[str, str]


@dataclass
class Backend:
    """Takes OTLP in protobuf or JSON, at `address`.

    Args:
        status: what it answers.
        body: content of its answers.
        type: of that content; as of the request where it is empty.
        points: what has arrived in requests that it answered with 200.
        headers: of the last request.
        is_open: while it is not set, requests wait for an answer.
    """

    status: int = 200
    body: bytes = b""
    type: str = ""
    points: list[Arrived] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    is_open: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def take(self, headers: dict[str, str], path: str, body: bytes) -> int:
        """Take a request in; returns the status of the answer."""
        self.requests += 1
        self.headers = headers
        self.is_open.wait(WAIT_S)
        if path != "/v1/metrics":
            return 404
        if self.status == 200:
            self.points += points_of(json.loads(_as_json(headers, body)))
        return self.status


def _as_json(headers: dict[str, str], body: bytes) -> bytes | str:
    plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
    return plain if headers["content-type"] == "application/json" else MessageToJson(ExportMetricsServiceRequest.FromString(plain))


def points_of(request: dict[str, Any]) -> Iterable[Arrived]:
    """The data points of an OTLP request in JSON."""
    for of_resource in request.get("resourceMetrics", ()):
        resource = _attributes(of_resource["resource"])
        for of_scope in of_resource["scopeMetrics"]:
            for metric in of_scope["metrics"]:
                for point in metric["gauge"]["dataPoints"]:
                    value = point["asInt"] if "asInt" in point else point["asDouble"]
                    yield Arrived(
                        metric["name"], metric["unit"], metric["description"], int(point["timeUnixNano"]) // 1000, float(value),
                        _attributes(point), resource,
                    )  # fmt: skip


def _attributes(told: dict[str, Any]) -> dict[str, str]:
    return {pair["key"]: pair["value"]["stringValue"] for pair in told.get("attributes", ())}


@contextmanager
def serving(port: int = 0) -> Iterator[Backend]:
    """A backend that answers on this machine."""
    backend = Backend()
    backend.is_open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = backend.take({name.lower(): value for name, value in self.headers.items()}, self.path, body)
            self.send_response(status)
            if status != 200:
                self.send_header("Retry-After", LONG_S)
            self.send_header("Content-Type", backend.type or self.headers["Content-Type"])
            self.send_header("Content-Length", str(len(backend.body)))
            self.end_headers()
            self.wfile.write(backend.body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        backend.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield backend
        finally:
            backend.is_open.set()
            server.shutdown()
