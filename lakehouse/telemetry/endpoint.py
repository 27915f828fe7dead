"""The endpoint that takes metrics over OTLP/HTTP, and what it answers. Leaves OpenTelemetry's global providers alone.

Does not belong here: which points are sent when.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Any

import requests
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import DEFAULT_METRICS_EXPORT_PATH, OTLPMetricExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.re import parse_env_headers

from lakehouse.telemetry.instruments import SERVICE, Instrument, Point

TIMEOUT_S = 3.0
"""For all tries of a request; the library's own bound, which a slow name server or a trickling answer can outlast."""
WAIT_S = 5.0
"""How long a call waits at most, whatever the endpoint does."""
NO_METER = NoOpMeterProvider()
REFUSED_FOR_GOOD = frozenset((400, 422))
"""Answers after which the protocol forbids to send the same again."""
TOO_LARGE = 413
REASON_SHOWN = 200


class Outcome(Enum):
    """What became of a request."""

    TAKEN = "taken"
    REFUSED = "refused"
    TOO_LARGE = "too large"
    FAILED = "failed"


@dataclass(frozen=True)
class Answer:
    """What the endpoint answered.

    Args:
        outcome: what became of the request.
        reason: why, in words, where not all was taken; holds no header and no address.
        rejected: points that were not taken although the request was.
    """

    outcome: Outcome
    reason: str = ""
    rejected: int = 0


class _Session(requests.Session):
    """Remembers what the last request came to: the exporter only tells whether it went well."""

    said: requests.Response | Exception | None = None

    def request(self, *args: Any, **more: Any) -> requests.Response:
        self.said = None
        try:
            response = super().request(*args, **more)
        except Exception as error:
            self.said = error
            raise
        self.said = response
        return response


class Endpoint:
    """Sends points; one request at a time.

    Args:
        address: base address of the endpoint, to which `/v1/metrics` is added where it does not end so.
        headers: sent along, as `name=value` pairs with commas between them, URL-encoded.
        resource: attributes of what the metrics are of.
        scope_version: version of the code that measured.
    """

    def __init__(self, address: str, headers: str, resource: Mapping[str, str], scope_version: str) -> None:
        self._resource = Resource(dict(resource))
        self._scope = InstrumentationScope(SERVICE, scope_version)
        self._session = _Session()
        self._headers = _parsed(headers)
        self._exporter = OTLPMetricExporter(
            _with_path(address), headers=self._headers, timeout=TIMEOUT_S, compression=Compression.Gzip, session=self._session,
            meter_provider=NO_METER,
        )  # fmt: skip
        self._sending: threading.Thread | None = None

    def send(self, points: Sequence[Point]) -> Answer:
        """Send points in one request and wait for its answer, at most WAIT_S. Raises nothing."""
        if self._sending and self._sending.is_alive():
            return Answer(Outcome.FAILED, "the request before has not ended")
        answers: list[Answer] = []
        data = as_metrics(points, self._resource, self._scope)
        self._sending = threading.Thread(target=lambda: answers.append(self._export(data)), name="otlp", daemon=True)
        self._sending.start()
        self._sending.join(WAIT_S)
        return answers[0] if answers else Answer(Outcome.FAILED, f"no answer within {WAIT_S:.0f} s")

    def _export(self, data: MetricsData) -> Answer:
        self._session.said = None
        with _unheard("opentelemetry.exporter.otlp.proto.http.metric_exporter", "urllib3"):
            result = self._exporter.export(data)
        said = self._session.said
        if not isinstance(said, requests.Response):
            return Answer(Outcome.FAILED, type(said).__name__ if said else "it could not be asked")
        if result is MetricExportResult.SUCCESS and _is_an_endpoints(said):
            partial = _parsed_answer(said).partial_success
            return Answer(Outcome.TAKEN, self._shown(partial.error_message), partial.rejected_data_points)
        return Answer(_outcome(said.status_code), self._shown(f"HTTP {said.status_code} {said.reason} {_message(said)}"))

    def _shown(self, text: str) -> str:
        """What a server says, as one line without the keys that it may quote."""
        for key in filter(None, self._headers.values()):
            text = text.replace(key, "***")
        return " ".join(text.split())[:REASON_SHOWN]


def as_metrics(points: Sequence[Point], resource: Resource, scope: InstrumentationScope) -> MetricsData:
    """Points as the data of OpenTelemetry's exporters: a gauge for each metric."""
    by_name = sorted(points, key=_name)
    metrics = [_gauge(group[0].instrument, group) for group in (list(found) for _, found in groupby(by_name, _name))]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def _name(point: Point) -> str:
    return point.instrument.name


def _gauge(instrument: Instrument, points: Sequence[Point]) -> Metric:
    sent = [NumberDataPoint(p.attributes, start_time_unix_nano=0, time_unix_nano=p.time_us * 1000, value=p.value) for p in points]
    return Metric(instrument.name, instrument.description, instrument.unit, Gauge(sent))


def _with_path(address: str) -> str:
    base = address.rstrip("/")
    return base if base.endswith(f"/{DEFAULT_METRICS_EXPORT_PATH}") else f"{base}/{DEFAULT_METRICS_EXPORT_PATH}"


def _parsed(headers: str) -> dict[str, str]:
    with _unheard("opentelemetry.util.re") as warnings:
        parsed = dict(parse_env_headers(headers, liberal=True))
    if warnings:
        logging.getLogger(__name__).error("%d of the headers for metrics are no name=value pairs and are not sent", len(warnings))
    return parsed


def _outcome(status: int) -> Outcome:
    if status in REFUSED_FOR_GOOD:
        return Outcome.REFUSED
    return Outcome.TOO_LARGE if status == TOO_LARGE else Outcome.FAILED


def _is_an_endpoints(response: requests.Response) -> bool:
    """Whether an answer that the exporter takes for a success is one, and not a redirection or a page to sign in at."""
    return response.status_code < requests.codes.multiple_choices and not response.headers.get("Content-Type", "").startswith("text/html")


def _parsed_answer(response: requests.Response) -> ExportMetricsServiceResponse:
    answer = ExportMetricsServiceResponse()
    with suppress(DecodeError):
        answer.ParseFromString(response.content)
    return answer


def _message(response: requests.Response) -> str:
    """What the protocol lets a refusal say; nothing where the body is something else, such as a proxy's page."""
    if response.headers.get("Content-Type") != "application/x-protobuf":
        return ""
    try:
        return str(Status.FromString(response.content).message)
    except DecodeError:
        return ""


@contextmanager
def _unheard(*loggers: str) -> Iterator[list[logging.LogRecord]]:
    """Keep what a library logs in this thread out of the log: it repeats itself with each try, and may show headers."""
    heard: list[logging.LogRecord] = []
    me = threading.get_ident()

    def keep_out(record: logging.LogRecord) -> bool:
        mine = record.thread == me
        if mine:
            heard.append(record)
        return not mine

    for name in loggers:
        logging.getLogger(name).addFilter(keep_out)
    try:
        yield heard
    finally:
        for name in loggers:
            logging.getLogger(name).removeFilter(keep_out)
