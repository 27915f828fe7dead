"""The embedded Trino: one node, TLS and passwords, read-only.

Does not belong here: who may see what (trino_access), or queries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from infra import aot
from infra.credentials import ANALYST_PASSWORD
from infra.env_files import write_private
from infra.jvm import COMMON_OPTIONS, java, trino_class_path
from infra.parts import parts
from infra.ports import LOOPBACK
from infra.services import s3a
from infra.services.base import Context, Launch
from infra.stack_files import read_credentials
from infra.tls import Certificates, ensure_certificates
from infra.trino_access import ANALYST, DDL_CATALOG, REFRESH, access_rules, password_lines
from lakehouse.settings import Settings

JVM_OPTIONS = (
    *COMMON_OPTIONS,
    "-Xms128m",
    "-Xmx1024m",
    "-XX:+UseG1GC",
    "-XX:G1HeapRegionSize=4M",
    "-XX:G1PeriodicGCInterval=30000",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=30",
    "-XX:ReservedCodeCacheSize=160m",
    "-XX:-OmitStackTraceInFastThrow",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djdk.nio.maxCachedBufferSize=2000000",
    "-Dfile.encoding=UTF-8",
)
SHARED_SECRET = "TRINO_SHARED_SECRET"


def launch(context: Context) -> Launch:
    """The server in its own folder, below which Trino looks for `etc/`."""
    folder = context.folder("etc", "trino")
    server = parts().trino.home
    secrets = read_credentials(context.instance.home)
    certificates = ensure_certificates(folder / "tls")
    for name, text in files(context, server, certificates).items():
        write_private(folder / name, text)
    _write_passwords(folder / "etc" / "password.db", context.settings, secrets)
    options = [*JVM_OPTIONS, *aot.options("trino"), *s3a.trust_options(context, "trino"), f"-Dconfig={folder}/etc/config.properties"]
    logging = [f"-Dlog.levels-file={folder}/etc/log.properties", "-Dlog.enable-console=true"]
    node = [f"-Dnode.data-dir={context.folder('tmp', 'trino')}", f"-Dnode.id=lake-{context.instance.id}", "-Dnode.environment=lake"]
    argv = [str(java()), *options, *logging, *node, "-cp", *trino_class_path(), "io.trino.server.TrinoServer"]
    env = s3a.key_environment(context.settings) | {SHARED_SECRET: secrets["LAKEHOUSE_TRINO_SHARED_SECRET"]}
    return Launch(argv, env, folder)


def files(context: Context, server: Path, certificates: Certificates) -> dict[str, str]:
    """Every configuration file, by its place below Trino's folder."""
    settings = context.settings
    catalogs = {settings.trino_catalog: "READ_ONLY", DDL_CATALOG: "ALLOW_ALL"}
    return {
        "etc/config.properties": _properties(_config(context, server, certificates)),
        "etc/log.properties": "io.trino=WARN\nio.airlift=WARN\nio.trino.server.Server=INFO\n",
        "etc/password-authenticator.properties": _properties(
            {"password-authenticator.name": "file", "file.password-file": "etc/password.db", "file.refresh-period": REFRESH}
        ),
        "etc/access-control.properties": _properties(
            {"access-control.name": "file", "security.config-file": "etc/rules.json", "security.refresh-period": REFRESH}
        ),
        "etc/rules.json": json.dumps(access_rules(settings.trino_catalog, settings.trino_service_user), indent=2),
        "etc/resource-groups.properties": _properties(
            {"resource-groups.configuration-manager": "file", "resource-groups.config-file": "etc/resource-groups.json"}
        ),
        "etc/resource-groups.json": json.dumps(_resource_groups(settings.trino_service_user), indent=2),
        **{f"etc/catalog/{name}.properties": _properties(_catalog(settings, security)) for name, security in catalogs.items()},
    }


def _config(context: Context, server: Path, certificates: Certificates) -> dict[str, str]:
    port = str(context.ports["trino"])
    return {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "node.bind-ip": LOOPBACK,
        "node.internal-address": LOOPBACK,
        "plugin.dir": str(server / "plugin"),
        "catalog.config-dir": "etc/catalog",
        "http-server.http.enabled": "false",
        "http-server.https.enabled": "true",
        "http-server.https.port": port,
        "http-server.https.keystore.path": str(certificates.server),
        "http-server.authentication.type": "PASSWORD",
        "http-server.log.enabled": "false",
        "internal-communication.https.required": "true",
        "internal-communication.shared-secret": f"${{ENV:{SHARED_SECRET}}}",
        "internal-communication.https.keystore.path": str(certificates.server),
        "internal-communication.https.truststore.path": str(certificates.authority),
        "discovery.uri": f"https://{LOOPBACK}:{port}",
        "web-ui.enabled": "false",
        "query.max-memory": "400MB",
        "query.max-memory-per-node": "400MB",
        "memory.heap-headroom-per-node": "256MB",
        "query.max-history": "200",
        "query.min-expire-age": "5m",
        "task.concurrency": "4",
        "exchange.max-buffer-size": "16MB",
        "sink.max-buffer-size": "16MB",
    }


def _catalog(settings: Settings, security: str) -> dict[str, str]:
    role = {"s3.iam-role": settings.s3_role_arn} if settings.s3_role_arn else {}
    return {
        "connector.name": "delta_lake",
        "hive.metastore": "thrift",
        "hive.metastore.uri": settings.metastore_uri or "",
        "delta.security": security,
        "delta.register-table-procedure.enabled": "false",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": settings.s3_endpoint or "",
        "s3.region": settings.s3_region,
        "s3.path-style-access": str(settings.s3_path_style).lower(),
    } | role


def _resource_groups(service_user: str) -> dict[str, object]:
    group: dict[str, object] = {"softMemoryLimit": "80%", "schedulingPolicy": "fair"}
    return {
        "rootGroups": [
            {"name": "service", **group, "hardConcurrencyLimit": 20, "maxQueued": 200},
            {"name": "people", **group, "hardConcurrencyLimit": 8, "maxQueued": 100},
        ],
        "selectors": [{"user": service_user, "group": "service"}, {"group": "people"}],
    }


def _write_passwords(path: Path, settings: Settings, secrets: Mapping[str, str]) -> None:
    users = {settings.trino_service_user: secrets["LAKEHOUSE_TRINO_SERVICE_PASSWORD"], ANALYST: secrets[ANALYST_PASSWORD]}
    known = path.read_text().splitlines() if path.exists() else []
    write_private(path, os.linesep.join(password_lines(known, users)) + os.linesep)


def _properties(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
