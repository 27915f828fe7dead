"""Whether a server answers a real question, not merely whether its port is open.

Does not belong here: waiting, restarting or reporting.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lakehouse.errors import InfrastructureError, LakehouseError
from lakehouse.settings import Settings

TIMEOUT_SECONDS = 5.0
LOADED_DEFINITIONS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"


class NotReady(InfrastructureError):
    """The server does not answer yet."""


def store(settings: Settings) -> None:
    """The object store lists its buckets."""
    from botocore.exceptions import BotoCoreError, ClientError

    from lakehouse.store import s3_client

    _listening(settings.s3_endpoint or "", "object store")
    try:
        s3_client(settings).list_buckets()
    except (BotoCoreError, ClientError) as error:
        raise NotReady(f"The object store does not list its buckets: {error}") from error


def metastore(settings: Settings) -> None:
    """The catalog names its schemas."""
    from lakehouse.metastore import HiveError, Metastore

    _listening(settings.metastore_uri or "", "metastore")
    try:
        with Metastore(settings.metastore_uri or "", timeout=TIMEOUT_SECONDS) as catalog:
            catalog.schemas()
    except HiveError as error:
        raise NotReady(f"The metastore does not name its schemas: {error}") from error


def spark(settings: Settings) -> None:
    """A Connect session answers `select 1`."""
    from grpc import RpcError
    from pyspark.errors import PySparkException

    from lakehouse.spark import connect

    _listening(settings.spark_remote or "", "Spark Connect")
    try:
        connect(settings).stop()
    except (LakehouseError, PySparkException, RpcError, OSError) as error:
        raise NotReady(f"Spark does not answer a query: {type(error).__name__}: {str(error).splitlines()[0]}") from error


def trino(settings: Settings) -> None:
    """`SELECT 1` comes back, which is later than "SERVER STARTED"."""
    from infra.trino_client import TrinoProblem, query

    _listening(f"https://{settings.trino_host}:{settings.trino_port}", "Trino")
    try:
        query(settings, "SELECT 1")
    except TrinoProblem as error:
        raise NotReady(f"Trino does not answer a query: {error.message}") from error


def dagster_code(settings: Settings) -> None:
    """The code server says that it serves."""
    import grpc
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    address = f"127.0.0.1:{_port(settings, 'dagster_code')}"
    _listening(f"grpc://{address}", "Dagster's code server")
    try:
        with grpc.insecure_channel(address) as channel:
            answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        raise NotReady(f"Dagster's code server does not answer: {error}") from error
    if answer.status != HealthCheckResponse.SERVING:
        raise NotReady("Dagster's code server is not serving yet.")


def dagster(settings: Settings) -> None:
    """The webserver answers over GraphQL and has loaded the definitions."""
    answer = _graphql(settings, LOADED_DEFINITIONS)
    repositories = answer["repositoriesOrError"].get("nodes", [])
    if not repositories:
        raise NotReady("Dagster has not loaded its definitions yet.")


def dagster_daemon(settings: Settings) -> None:
    """All of the daemon's threads have a fresh heartbeat."""
    answer = _graphql(settings, "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }")
    statuses = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    if lacking := [status["daemonType"] for status in statuses if status["required"] and not status["healthy"]]:
        raise NotReady(f"Dagster's daemon has no fresh heartbeat of {', '.join(lacking)}.")


def evaluator(settings: Settings) -> None:
    """Its process lives."""
    from infra.processes import recorded

    holder = recorded(settings.home / "run", "evaluator")
    if holder is None or holder.process() is None or time.time() - holder.started < 1.0:
        raise NotReady("The evaluator does not run.")


def operations(settings: Settings) -> None:
    """The operations pages are served."""
    _http_ok(f"{settings.operations_url}/healthz", "The operations pages")


def spark_listens(settings: Settings) -> None:
    """The Connect server takes connections; asking it a question each minute would cost it a session each time."""
    _listening(settings.spark_remote or "", "Spark Connect server")


def metastore_listens(settings: Settings) -> None:
    """The metastore takes connections."""
    _listening(settings.metastore_uri or "", "metastore")


def trino_listens(settings: Settings) -> None:
    """Trino takes connections."""
    _listening(f"https://{settings.trino_host}:{settings.trino_port}", "Trino")


WATCHED: dict[str, tuple[str, Callable[[Settings], None]]] = {
    "spark": ("spark", spark_listens),
    "metastore": ("metastore", metastore_listens),
    "trino": ("trino", trino_listens),
    "dagster": ("dagster-webserver", dagster),
    "dagster daemon": ("dagster-daemon", dagster_daemon),
}
"""What the evaluator asks in each round: by title, the service and the question. The store it asks anyway."""


def _port(settings: Settings, name: str) -> int:
    from infra.stack_files import read_ports

    return read_ports(Path(settings.home)).get(name, 0)


def _listening(url: str, title: str) -> None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=TIMEOUT_SECONDS).close()
    except OSError as error:
        raise NotReady(f"The {title} does not listen on {parts.hostname}:{port}.") from error


def _graphql(settings: Settings, text: str) -> dict[str, Any]:
    import requests

    try:
        response = requests.post(f"{settings.dagster_url}/graphql", json={"query": text}, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        data = response.json().get("data")
    except (requests.RequestException, ValueError) as error:
        raise NotReady(f"Dagster does not answer: {type(error).__name__}.") from error
    if not data:
        raise NotReady("Dagster answered without data.")
    return dict(data)


def _http_ok(url: str, title: str) -> None:
    import requests

    try:
        requests.get(url, timeout=TIMEOUT_SECONDS).raise_for_status()
    except requests.RequestException as error:
        raise NotReady(f"{title} do not answer: {type(error).__name__}.") from error
