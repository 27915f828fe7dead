"""What may be wrong with this machine or this instance, and how to mend it.

Does not belong here: printing the findings, or mending anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from infra import probes
from infra.cache import cache_dir
from infra.instance import open_existing
from infra.jvm import java
from infra.parts import missing
from infra.ports import is_free
from infra.processes import of_instance
from infra.services.base import Service
from infra.services.registry import SERVICES, embedded
from infra.space import ADVICE, LEAST_FREE_BYTES, least_free
from infra.stack_files import read_ports
from infra.supervisor import Supervisor
from lakehouse.alerts.channels import FILE as CHANNELS_FILE
from lakehouse.alerts.channels import address_of, load_channels
from lakehouse.alerts.heartbeat import read_heartbeat
from lakehouse.errors import LakehouseError
from lakehouse.settings import CREDENTIALS_FILE, ENV_PREFIX, STAMP, USER_FILE, Settings, read_settings
from lakehouse.store import put_if_absent, s3_client

LEAST_JAVA = 25
LEAST_MEMORY_BYTES = 6 * 1024**3
RACERS = 8
ROUNDS = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    ok: bool
    observed: str
    fix: str = ""


class Bad(Exception):
    """A check found something wrong.

    Args:
        observed: what was found.
        fix: what to do about it.
    """

    def __init__(self, observed: str, fix: str) -> None:
        super().__init__(observed)
        self.observed = observed
        self.fix = fix


Check = Callable[[Settings], str]


def examine(home: Path | None = None) -> list[Finding]:
    """Look at everything; nothing is left out because something before it failed."""
    settings = read_settings(home)
    return [_finding(subject, check, settings) for subject, check in CHECKS.items()]


def _finding(subject: str, check: Check, settings: Settings) -> Finding:
    try:
        return Finding(subject, True, check(settings))
    except Bad as bad:
        return Finding(subject, False, bad.observed, bad.fix)
    except LakehouseError as error:
        return Finding(subject, False, error.message, error.next_step)


def _python(_settings: Settings) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise Bad(f"Python {version}", "Use Python 3.11 to 3.13.")
    return f"Python {version}"


def _java(_settings: Settings) -> str:
    try:
        answer = subprocess.run([str(java()), "-version"], capture_output=True, text=True, check=True, timeout=30).stderr
    except (OSError, subprocess.SubprocessError, ModuleNotFoundError) as error:
        raise Bad(f"Java does not start: {error}", "Make the environment anew: `make clean`, `make demo`.") from error
    found = re.search(r'version "(\d+)[^"]*"', answer)
    if not found or int(found.group(1)) < LEAST_JAVA:
        raise Bad(f"Java is too old: {answer.splitlines()[0]}", "Make the environment anew: `make clean`, `make demo`.")
    return answer.splitlines()[0]


def _parts(settings: Settings) -> str:
    wanted = frozenset(part for service in embedded(read_settings(settings.home, user_only=True)) for part in service.parts)
    if lacking := missing(wanted):
        raise Bad(f"not fetched yet: {', '.join(sorted(lacking))}", "`lakehouse up` fetches them.")
    return f"all in {cache_dir()}" if wanted else "none are needed"


def _disk(settings: Settings) -> str:
    free, folder = least_free(settings.home)
    if free < LEAST_FREE_BYTES:
        raise Bad(f"{free / 1e9:.1f} GB free for {folder}; {LEAST_FREE_BYTES / 1e9:.1f} GB are needed", ADVICE)
    return f"{free / 1e9:.1f} GB free"


def _memory(settings: Settings) -> str:
    memory = psutil.virtual_memory()
    if memory.total < LEAST_MEMORY_BYTES:
        raise Bad(f"{memory.total / 1e9:.1f} GB in all", "The stack needs 6 GiB at its peak: use servers outside, or another machine.")
    if memory.available < LEAST_MEMORY_BYTES // 4 and Supervisor(open_existing(settings.home)).process() is None:
        raise Bad(f"{memory.available / 1e9:.1f} GB available", "Close something, or `lakehouse down` another instance.")
    return f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB available"


def _folder(settings: Settings) -> str:
    instance = open_existing(settings.home)
    for name in (CREDENTIALS_FILE, USER_FILE):
        path = instance.home / name
        if path.exists() and path.stat().st_mode & 0o077:
            raise Bad(f"others can read {path}", f"`chmod 600 {path}`")
    return f"{instance.home / STAMP}, id {instance.id}"


def _sign_in(settings: Settings) -> str:
    from flask import Flask

    from dash_app.oidc import provider_of

    provider = provider_of(Flask("doctor"), settings)
    if provider is None:
        return "accounts of the operations pages"
    provider.ask()
    return f"at {provider.host}, which answers"


def _ports(settings: Settings) -> str:
    instance = open_existing(settings.home)
    ports = read_ports(instance.home)
    if Supervisor(instance).process() is None:
        if taken := [f"{name} {port}" for name, port in ports.items() if not is_free(port)]:
            raise Bad(f"taken by somebody else: {', '.join(taken)}", "`lakehouse up` takes others; update what points to the old ones.")
        return "free"
    exposed = sorted({f"{address.ip}:{address.port}" for address in _listeners(instance.id) if not _is_loopback(address.ip)})
    if exposed:
        raise Bad(f"reachable from outside: {', '.join(exposed)}", "Report this; until then `lakehouse down`.")
    return f"{len(ports)} in use, on the loopback address only"


def _listeners(instance_id: str) -> list[psutil._ntuples.addr]:
    found = []
    for process in of_instance(instance_id):
        try:
            found += [link.laddr for link in process.net_connections(kind="inet") if link.status == psutil.CONN_LISTEN]
        except psutil.Error:
            continue
    return found


def _is_loopback(ip: str) -> bool:
    return ip.removeprefix("::ffff:").startswith("127.") or ip == "::1"


def _store(settings: Settings) -> str:
    _ask("minio", settings)
    client = s3_client(settings)
    keys = [f"_doctor/{uuid.uuid4()}" for _ in range(ROUNDS)]
    try:
        wins = [_race(client, settings.lake_bucket, key) for key in keys]
    except (ClientError, BotoCoreError) as error:
        raise Bad(f"the store refused a write: {error}", f"Check the keys and the bucket {settings.lake_bucket}.") from error
    finally:
        _remove(client, settings.lake_bucket, keys)
    if set(wins) != {1}:
        raise Bad(f"put-if-absent let {max(wins)} of {RACERS} writers win", "Use a store with conditional writes (If-None-Match).")
    return f"{settings.s3_endpoint}, put-if-absent had one winner in {ROUNDS} of {ROUNDS} races of {RACERS}"


def _race(client: object, bucket: str, key: str) -> int:
    start = Barrier(RACERS)

    def put(number: int) -> bool:
        start.wait()
        return put_if_absent(client, bucket, key, str(number).encode())

    with ThreadPoolExecutor(RACERS) as pool:
        return sum(pool.map(put, range(RACERS)))


def _remove(client: object, bucket: str, keys: list[str]) -> None:
    for key in keys:
        try:
            client.delete_object(Bucket=bucket, Key=key)  # type: ignore[attr-defined]
        except (ClientError, BotoCoreError):
            return


def _answers(name: str, what: str) -> Check:
    def check(settings: Settings) -> str:
        _ask(name, settings)
        return what

    return check


def _ask(name: str, settings: Settings) -> None:
    service = SERVICES[name]
    try:
        service.probe(settings)
    except probes.NotReady as error:
        raise Bad(error.message, _how_to_mend(service, settings)) from error


def _how_to_mend(service: Service, settings: Settings) -> str:
    outside = getattr(read_settings(settings.home, user_only=True), service.unless) if service.unless else None
    if not service.unless or outside is None:
        return f"`lakehouse up`; if it stays so, `lakehouse logs {service.name}`."
    setting = f"{ENV_PREFIX}{service.unless.upper()}"
    others = f"{ENV_PREFIX}{service.unless.split('_')[0].upper()}_*"
    return (
        f"{setting} names a server outside, {outside}: see that it runs and can be reached from here, "
        f"and that {others} in {settings.home / USER_FILE} is right."
    )


def _processes(settings: Settings) -> str:
    instance = open_existing(settings.home)
    living = of_instance(instance.id)
    if living and Supervisor(instance).process() is None:
        raise Bad(f"{len(living)} processes live without their supervisor", "`lakehouse down`, then `lakehouse up`.")
    return f"{len(living)} of this instance"


def _evaluator(settings: Settings) -> str:
    beat = read_heartbeat(settings)
    if beat is None:
        raise Bad("has made no round yet", "`lakehouse up`; if it stays so, `lakehouse logs evaluator`.")
    if not beat.is_fresh(datetime.now(UTC)):
        raise Bad(
            f"its last round was at {beat.beat_at:%Y-%m-%d %H:%M:%S} UTC", "`lakehouse logs evaluator`, `lakehouse restart evaluator`."
        )
    return f"last round at {beat.beat_at:%H:%M:%S} UTC"


def _channels(settings: Settings) -> str:
    declared = load_channels(settings)
    if not declared:
        return f"none is declared: nobody is told of incidents ({settings.home / CHANNELS_FILE})"
    unset = [channel.name for channel in declared if not address_of(settings, channel)]
    beat = read_heartbeat(settings)
    dead = [f"{name} ({state['error']})" for name, state in (beat.channels if beat else {}).items() if not state["ok"]]
    if unset or dead:
        told = [f"no address: {', '.join(unset)}"] * bool(unset) + [f"dead: {'; '.join(dead)}"] * bool(dead)
        raise Bad("; ".join(told), "Set the variable that `channels.yaml` names; try `lakehouse alerts test NAME`.")
    return f"{len(declared)}: {', '.join(channel.name for channel in declared)}"


CHECKS: dict[str, Check] = {
    "python": _python,
    "java": _java,
    "parts": _parts,
    "disk": _disk,
    "memory": _memory,
    "instance": _folder,
    "processes": _processes,
    "ports": _ports,
    "sign-in": _sign_in,
    "store": _store,
    "metastore": _answers("metastore", "names its schemas"),
    "spark": _answers("spark", "answers a query"),
    "trino": _answers("trino", "answers a query"),
    "dagster": _answers("dagster-webserver", "has loaded its definitions"),
    "evaluator": _evaluator,
    "channels": _channels,
}
