"""All services, in the order in which they are shown.

Does not belong here: how any of them is configured or started.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infra import probes
from infra.parts import Part
from infra.ports import LOOPBACK
from infra.services.base import Service
from lakehouse.settings import Settings

TRINO_CA = Path("etc") / "trino" / "tls" / "ca.pem"


def _minio(ports: Mapping[str, int], _home: Path) -> dict[str, str]:
    return {"LAKEHOUSE_S3_ENDPOINT": f"http://{LOOPBACK}:{ports['minio']}"}


def _metastore(ports: Mapping[str, int], _home: Path) -> dict[str, str]:
    return {"LAKEHOUSE_METASTORE_URI": f"thrift://{LOOPBACK}:{ports['metastore']}"}


def _spark(ports: Mapping[str, int], _home: Path) -> dict[str, str]:
    return {"LAKEHOUSE_SPARK_REMOTE": f"sc://localhost:{ports['spark']}"}


def _trino(ports: Mapping[str, int], home: Path) -> dict[str, str]:
    port = str(ports["trino"])
    return {"LAKEHOUSE_TRINO_HOST": "localhost", "LAKEHOUSE_TRINO_PORT": port, "LAKEHOUSE_TRINO_CA_FILE": str(home / TRINO_CA)}


def _dagster(ports: Mapping[str, int], _home: Path) -> dict[str, str]:
    return {"LAKEHOUSE_DAGSTER_URL": f"http://{LOOPBACK}:{ports['dagster_webserver']}"}


def _operations(ports: Mapping[str, int], _home: Path) -> dict[str, str]:
    return {"LAKEHOUSE_OPERATIONS_URL": f"http://{LOOPBACK}:{ports['dash_operations']}"}


_ALL = (
    Service("minio", "object store", probes.store, {"minio": 9000}, _minio, "s3_endpoint", frozenset({Part.MINIO})),
    Service("metastore", "catalog", probes.metastore, {"metastore": 9083}, _metastore, "metastore_uri", frozenset({Part.JARS})),
    Service(
        "spark",
        "Spark Connect",
        probes.spark,
        {"spark": 15002, "spark_ui": 4040},
        _spark,
        "spark_remote",
        frozenset({Part.JARS}),
        stop_seconds=25,
    ),
    Service("trino", "SQL endpoint", probes.trino, {"trino": 8443}, _trino, "trino_host", frozenset({Part.TRINO}), stop_seconds=25),
    Service("dagster-code", "Dagster definitions", probes.dagster_code, {"dagster_code": 4266}, holds_declarations=True),
    Service(
        "dagster-webserver",
        "Dagster",
        probes.dagster,
        {"dagster_webserver": 3000},
        _dagster,
        needs=("dagster-code",),
        starts_runs=True,
    ),
    Service("dagster-daemon", "Dagster daemon", probes.dagster_daemon, needs=("dagster-code",), starts_runs=True),
    Service("evaluator", "incidents and alerts", probes.evaluator),
    Service("dash-operations", "operations pages", probes.operations, {"dash_operations": 8050}, _operations),
)

SERVICES: dict[str, Service] = {service.name: service for service in _ALL}


def embedded(user: Settings, only: frozenset[str] | None = None) -> list[Service]:
    """The services that this instance runs itself.

    Args:
        user: what the user set, without what was allotted.
        only: restrict to these names.
    """
    return [
        service for service in _ALL
        if (only is None or service.name in only) and not (service.unless and getattr(user, service.unless))
    ]  # fmt: skip
