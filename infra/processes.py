"""Processes of an instance: found by a mark in their environment, and known by id and start, so that a reused id fools nobody.

Does not belong here: starting services or deciding which should run.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.instance import INSTANCE_VARIABLE
from lakehouse.errors import InfrastructureError
from lakehouse.ops.processes import find

POLL_SECONDS = 0.05
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Identity:
    """A process, beyond reuse of its id and beyond a reboot."""

    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """The process, if it still lives."""
        return find(self.pid, self.started)


def identity(pid: int) -> Identity:
    """The identity of a living process."""
    return Identity(pid, psutil.Process(pid).create_time())


def hold_alone(run: Path, name: str, *, patience: float) -> None:
    """Become the only process of this service: the kernel's lock is handed on by exec and falls only when its holder is dead.

    An older holder is stopped first.
    """
    descriptor = os.open(run / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    if not _try_lock(descriptor):
        _stop_recorded(run / f"{name}.pid", patience)
        _wait_for_lock(descriptor, name, patience)
    own = identity(os.getpid())
    (run / f"{name}.pid").write_text(json.dumps({"pid": own.pid, "started": own.started}))


def recorded(run: Path, name: str) -> Identity | None:
    """Who last said that it is this service."""
    path = run / f"{name}.pid"
    try:
        content = json.loads(path.read_text())
        return Identity(int(content["pid"]), float(content["started"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None


def of_instance(instance_id: str) -> list[psutil.Process]:
    """Every living process of an instance, apart from this one and its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in own and _belongs(process, instance_id)]


def stop_all(processes: list[psutil.Process], *, patience: float) -> list[psutil.Process]:
    """Terminate, then kill; returns those that live all the same."""
    for process in processes:
        _signal(process, kill=False)
    alive = await_end(processes, patience)
    for process in alive:
        _signal(process, kill=True)
    return await_end(alive, KILL_SECONDS)


def await_end(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    """Wait until they are dead, if not always buried; returns those that still live."""
    deadline = time.monotonic() + patience
    while (alive := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _belongs(process: psutil.Process, instance_id: str) -> bool:
    try:
        return process.environ().get(INSTANCE_VARIABLE) == instance_id and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def _stop_recorded(record: Path, patience: float) -> None:
    old = recorded(record.parent, record.stem)
    process = old.process() if old else None
    if process:
        stop_all([process, *process.children(recursive=True)], patience=patience)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for_lock(descriptor: int, name: str, patience: float) -> None:
    deadline = time.monotonic() + patience + 15
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            raise InfrastructureError(f"An older {name} still runs and does not die.", next_step="Stop it by hand, then `lakehouse up`.")
        time.sleep(0.2)


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it started."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
