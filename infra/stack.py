"""The embedded servers of an instance as a whole: bring them up, take them down, say how they are.

Does not belong here: printing, or how any one server is configured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout

from infra import aot, processes
from infra import ports as port_allotment
from infra.buckets import ensure_buckets
from infra.credentials import ensure_credentials
from infra.fetch import fetch
from infra.instance import Instance, create_or_open, open_existing
from infra.memory import proportional, resident
from infra.preparation import has_catalog, prepare
from infra.probes import NotReady
from infra.services.base import Service
from infra.services.registry import SERVICES, embedded
from infra.services.waiting import wait_until_ready
from infra.space import ADVICE, LEAST_FREE_BYTES, least_free
from infra.stack_files import read_ports, write_allotment
from infra.supervisor import ProgramState, Supervisor
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings, read_settings

READY_SECONDS = 600.0
CRASHES = 4
STOP_SECONDS = 45.0

Report = Callable[[str, str], None]
"""Told the name of a service and what has become of it."""


@dataclass(frozen=True)
class ServiceStatus:
    """One service as it is now."""

    name: str
    title: str
    state: str
    ready: bool
    pid: int | None
    seconds: float | None
    port: int | None
    resident_bytes: int
    proportional_bytes: int
    problem: str


def up(
    home: Path | None = None,
    *,
    only: Collection[str] | None = None,
    usual_ports: bool = True,
    report: Report = lambda _name, _state: None,
) -> Settings:
    """Bring the instance up and return when every one of its servers answers real questions, and its tables are as declared.

    Args:
        home: the instance's folder; default as in `read_settings`.
        only: bring up only these services.
        usual_ports: prefer the usual ports; else take any that are free.

    Raises:
        ConfigurationError: among others, a table cannot be migrated to its declaration; what starts runs is not started then.
    """
    user = read_settings(home, user_only=True)
    services = _chosen(user, only)
    _require_space(user.home)
    fetch(frozenset(part for service in services for part in service.parts))
    aot.record_missing([service.name for service in services], report)
    instance = create_or_open(user.home)
    with _exclusively(instance):
        settings = _prepare(instance, user, usual_ports)
        supervisor = _running_supervisor(instance, user)
        if user.s3_endpoint:
            ensure_buckets(settings)
        changed = not has_catalog(settings)
        for service in services:
            if changed and (service.holds_declarations or service.starts_runs):
                supervisor.halt(service.name)
        waiting = [service for service in services if changed and service.starts_runs]
        _start(supervisor, [service for service in services if service not in waiting], settings, report)
        prepare(settings)
        _start(supervisor, waiting, settings, report)
    return settings


def down(home: Path | None = None) -> list[int]:
    """Stop every process of the instance; returns the ids of those that had to be stopped apart from the supervisor's."""
    instance = open_existing(read_settings(home).home)
    with _exclusively(instance):
        return _stop(instance)


def restart(home: Path | None, name: str) -> None:
    """Stop one service and start it again."""
    supervisor = Supervisor(open_existing(read_settings(home).home))
    supervisor.halt(name)
    supervisor.run(name)


def status(home: Path | None = None) -> list[ServiceStatus]:
    """Every embedded service, with its memory."""
    settings = read_settings(home)
    instance = open_existing(settings.home)
    supervisor = Supervisor(instance)
    states = {state.name: state for state in supervisor.states()} if supervisor.process() else {}
    ports = read_ports(instance.home)
    services = embedded(read_settings(home, user_only=True))
    with ThreadPoolExecutor(max(len(services), 1)) as pool:
        return list(pool.map(lambda service: _status(service, states.get(service.name), ports, settings), services))


def memory(home: Path | None = None) -> dict[str, int]:
    """Proportional bytes of each running service with all that it started."""
    supervisor = Supervisor(open_existing(read_settings(home).home))
    states = supervisor.states() if supervisor.process() else []
    return {state.name: sum(map(proportional, processes.tree(state.pid))) for state in states if state.pid}


def _chosen(user: Settings, only: Collection[str] | None) -> list[Service]:
    if unknown := set(only or ()) - set(SERVICES):
        raise ConfigurationError(f"There is no service {', '.join(sorted(unknown))}.", next_step=f"Known are {', '.join(SERVICES)}.")
    return embedded(user, frozenset(only) if only is not None else None)


def _require_space(home: Path) -> None:
    free, folder = least_free(home)
    if free < LEAST_FREE_BYTES:
        raise InfrastructureError(
            f"Only {free / 1e9:.1f} GB are free where {folder} lies; {LEAST_FREE_BYTES / 1e9:.1f} GB are needed.", next_step=ADVICE
        )


def _exclusively(instance: Instance) -> AbstractContextManager[object]:
    try:
        return FileLock(instance.run / "up.lock").acquire(timeout=1)
    except Timeout as error:
        raise InfrastructureError(
            f"Another `lakehouse up` or `down` works on {instance.home}.", next_step="Wait until it is done."
        ) from error


def _prepare(instance: Instance, user: Settings, usual_ports: bool) -> Settings:
    ensure_credentials(
        instance.home,
        external_store=bool(user.s3_endpoint), external_spark=bool(user.spark_remote), external_trino=bool(user.trino_host),
    )  # fmt: skip
    services = embedded(user)
    if Supervisor(instance).is_outdated(services):
        _stop(instance)
    if Supervisor(instance).process() is None:
        processes.stop_all(processes.of_instance(instance.id), patience=STOP_SECONDS)
        preferred = {name: port if usual_ports else 0 for service in services for name, port in service.ports.items()}
        ports = port_allotment.allot_for(instance.home, preferred, read_ports(instance.home))
        write_allotment(instance.home, services, ports)
    return read_settings(instance.home)


class CrashWatch:
    """Raises once a service has died several times while it was waited for, or nobody waits any longer."""

    def __init__(self, supervisor: Supervisor, name: str, given_up: Event) -> None:
        self._supervisor = supervisor
        self._name = name
        self._given_up = given_up
        self._seen: set[int] = set()

    def __call__(self) -> None:
        """Look at the process."""
        if self._given_up.is_set():
            raise InfrastructureError(f"{self._name} was not waited for any longer.")
        state = self._supervisor.state(self._name)
        self._seen |= {state.pid} - {0}
        if len(self._seen) >= CRASHES or state.state == "FATAL":
            last = self._supervisor.last_words(self._name)
            raise InfrastructureError(f"{self._name} dies again and again: {last}", next_step=f"See `lakehouse logs {self._name}`.")


def _running_supervisor(instance: Instance, user: Settings) -> Supervisor:
    supervisor = Supervisor(instance)
    if supervisor.process() is None:
        supervisor.start(embedded(user))
    return supervisor


def _start(supervisor: Supervisor, services: list[Service], settings: Settings, report: Report) -> None:
    given_up = Event()
    with ThreadPoolExecutor(max(len(services), 1)) as pool:
        waits = [pool.submit(_start_one, supervisor, service, settings, report, given_up) for service in services]
        try:
            finished, _ = wait(waits, return_when=FIRST_EXCEPTION)
        finally:
            given_up.set()
    for done in finished:
        done.result()


def _start_one(supervisor: Supervisor, service: Service, settings: Settings, report: Report, given_up: Event) -> None:
    report(service.name, "starting")
    began = time.monotonic()
    supervisor.run(service.name)
    try:
        wait_until_ready(service, settings, seconds=READY_SECONDS, check=CrashWatch(supervisor, service.name, given_up))
    except NotReady as error:
        raise InfrastructureError(
            f"{service.name} was not ready after {READY_SECONDS:.0f} s: {error.message}", next_step=f"See `lakehouse logs {service.name}`."
        ) from error
    if service.name == "minio":
        ensure_buckets(settings)
    report(service.name, f"ready after {time.monotonic() - began:.1f} s")


def _stop(instance: Instance) -> list[int]:
    supervisor = Supervisor(instance)
    holder = supervisor.process()
    process = holder.process() if holder else None
    if process:
        supervisor.shut_down()
        processes.await_end([process], STOP_SECONDS)
    left = processes.of_instance(instance.id)
    if alive := processes.stop_all(left, patience=STOP_SECONDS):
        raise InfrastructureError(f"Processes {[one.pid for one in alive]} do not die.", next_step="Stop them by hand.")
    supervisor.forget_socket()
    return [one.pid for one in left]


def _status(service: Service, state: ProgramState | None, ports: dict[str, int], settings: Settings) -> ServiceStatus:
    ready, problem = _probe(service, settings) if state and state.pid else (False, state.problem if state else "")
    tree = processes.tree(state.pid) if state and state.pid else []
    return ServiceStatus(
        name=service.name,
        title=service.title,
        state=state.state if state else "STOPPED",
        ready=ready,
        pid=state.pid if state and state.pid else None,
        seconds=time.time() - state.started if state and state.pid else None,
        port=next((ports[name] for name in service.ports if name in ports), None),
        resident_bytes=sum(map(resident, tree)),
        proportional_bytes=sum(map(proportional, tree)),
        problem=problem,
    )


def _probe(service: Service, settings: Settings) -> tuple[bool, str]:
    try:
        service.probe(settings)
    except NotReady as error:
        return False, error.message
    return True, ""
