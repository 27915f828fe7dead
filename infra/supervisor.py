"""The supervisor that keeps the servers running, and how it is spoken to.

Does not belong here: what the servers are, or whether they are ready.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from infra.env_files import write_private
from infra.instance import INSTANCE_VARIABLE, Instance
from infra.logs import tail
from infra.processes import Identity, hold_alone, recorded
from infra.services.base import Service
from lakehouse.errors import InfrastructureError
from lakehouse.settings import USER_FILE

NAME = "supervisord"
LOG_BYTES = 10 * 2**20
LOG_BACKUPS = 3
START_SECONDS = 60.0
STEADY_SECONDS = 10
"""A program that dies sooner is started again after a pause, which grows with each time."""
ALREADY_STARTED = 60
NOT_RUNNING = 70


@dataclass(frozen=True)
class ProgramState:
    """What the supervisor knows of a program."""

    name: str
    state: str
    pid: int
    started: float
    problem: str


class Supervisor:
    """The supervisor of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @property
    def _pointer(self) -> Path:
        return self._instance.run / "socket"

    def process(self) -> Identity | None:
        """The living supervisor."""
        holder = recorded(self._instance.run, NAME)
        return holder if holder and holder.process() else None

    def start(self, services: Iterable[Service]) -> None:
        """Start the supervisor with these programs, none of them running yet."""
        socket = Path(tempfile.mkdtemp(prefix="lake-")) / "s"
        self.forget_socket()
        self._pointer.write_text(str(socket))
        configuration = self._instance.etc / "supervisord.conf"
        write_private(configuration, render(self._instance, socket, services))
        subprocess.Popen(
            [sys.executable, "-m", "infra.supervisor", str(configuration)],
            cwd=self._instance.home, env=self.environment(), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self._instance.logs / "supervisord.err").open("a"),
        )  # fmt: skip
        self._await_answer()

    def is_outdated(self, services: Iterable[Service]) -> bool:
        """Whether a living supervisor was started with other programs or other settings of the user."""
        configuration = self._instance.etc / "supervisord.conf"
        if self.process() is None or not self._pointer.exists() or not configuration.exists():
            return False
        return configuration.read_text() != render(self._instance, Path(self._pointer.read_text()), services)

    def run(self, name: str) -> None:
        """Start a program, unless it runs."""
        self._call("startProcess", name, False, tolerated=ALREADY_STARTED)

    def halt(self, name: str) -> None:
        """Stop a program and wait until it is gone."""
        self._call("stopProcess", name, True, tolerated=NOT_RUNNING)

    def states(self) -> list[ProgramState]:
        """Every program."""
        return [_state(row) for row in self._call("getAllProcessInfo")]

    def state(self, name: str) -> ProgramState:
        """One program."""
        return _state(self._call("getProcessInfo", name))

    def is_stopped(self, name: str) -> bool:
        """Whether a program is one of the instance's own and was not started, or was stopped on purpose."""
        found = [state for state in self.states() if state.name == name]
        return bool(found) and found[0].state == "STOPPED"

    def last_words(self, name: str) -> str:
        """The last line of a program's log that is not part of a stack trace."""
        lines = [line for line in tail(self._instance.logs / f"{name}.log", 200) if line[:1].strip()]
        return lines[-1][:300] if lines else "it wrote nothing"

    def shut_down(self) -> None:
        """Stop all programs and the supervisor itself."""
        self._call("shutdown")

    def forget_socket(self) -> None:
        """Remove the socket and its folder."""
        if self._pointer.exists():
            shutil.rmtree(Path(self._pointer.read_text()).parent, ignore_errors=True)
            self._pointer.unlink()

    def environment(self) -> dict[str, str]:
        """What every process of the instance has in its environment."""
        return {
            **os.environ,
            INSTANCE_VARIABLE: self._instance.id,
            "LAKEHOUSE_HOME": str(self._instance.home),
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",
            "TZ": "UTC",
            "DO_NOT_TRACK": "1",
            "SODA_CORE_TELEMETRY_ENABLED": "false",
        }

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._call("getState")
            except InfrastructureError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def _call(self, method: str, *arguments: object, tolerated: int = 0) -> Any:
        if not self._pointer.exists():
            raise InfrastructureError("The stack of this instance does not run.", next_step="Start it with `lakehouse up`.")
        transport = SupervisorTransport(None, None, f"unix://{self._pointer.read_text()}")
        try:
            with ServerProxy("http://localhost", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except Fault as fault:
            if fault.faultCode == tolerated:
                return None
            message = f"The supervisor refused {method}: {fault.faultString}"
            raise InfrastructureError(message, next_step="See `lakehouse status`.") from fault
        except (OSError, HTTPException) as error:
            raise InfrastructureError(f"The supervisor does not answer: {error!r}.", next_step="See `lakehouse doctor`.") from error


def _state(row: dict[str, Any]) -> ProgramState:
    return ProgramState(str(row["name"]), str(row["statename"]), int(row["pid"]), float(row["start"]), str(row["spawnerr"]))


def render(instance: Instance, socket: Path, services: Iterable[Service]) -> str:
    """The supervisor's configuration; holds no secret."""
    head = f"""\
; started with the settings {_settings_digest(instance)}
[unix_http_server]
file = {_escaped(socket)}
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
nodaemon = true
silent = true
logfile = {_escaped(instance.logs / "supervisord.log")}
logfile_maxbytes = {LOG_BYTES}
logfile_backups = {LOG_BACKUPS}
pidfile = {_escaped(instance.run / "supervisord.number")}
umask = 077
"""
    return head + "".join(_program(instance, service) for service in services)


def _settings_digest(instance: Instance) -> str:
    path = instance.home / USER_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else "of no file"


def _program(instance: Instance, service: Service) -> str:
    return f"""
[program:{service.name}]
command = {_escaped(shlex.quote(sys.executable))} -m infra.services {service.name}
directory = {_escaped(instance.home)}
autostart = false
autorestart = true
startsecs = {STEADY_SECONDS}
startretries = 1000
stopwaitsecs = {service.stop_seconds}
stopasgroup = true
killasgroup = true
redirect_stderr = true
stdout_logfile = {_escaped(instance.logs / f"{service.name}.log")}
stdout_logfile_maxbytes = {LOG_BYTES}
stdout_logfile_backups = {LOG_BACKUPS}
"""


def _escaped(value: Path | str) -> str:
    return str(value).replace("%", "%%")


def main(configuration: str) -> None:
    """Become the supervisor of the instance whose configuration this is."""
    hold_alone(Path(configuration).parents[1] / "run", NAME, patience=60)
    os.execv(sys.executable, [sys.executable, "-m", "supervisor.supervisord", "-c", configuration])


if __name__ == "__main__":
    main(sys.argv[1])
