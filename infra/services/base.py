"""What a service is, and what it is given when it starts.

Does not belong here: any particular service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.instance import Instance
from infra.parts import Part
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Context:
    """The instance, its settings and its ports, as a service sees them when it starts."""

    instance: Instance
    settings: Settings
    ports: Mapping[str, int]

    def folder(self, *names: str) -> Path:
        """A private folder below the instance's home, made where needed."""
        path = self.instance.home.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


@dataclass(frozen=True)
class Launch:
    """The process that replaces the wrapper."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None


@dataclass(frozen=True)
class Service:
    """One supervised program.

    Args:
        name: what it is called in `status`, `logs` and its module's name (with `_` for `-`).
        title: what it is, for people.
        ports: the usual port for each of its listeners; the first one is where its clients go.
        addresses: settings that follow from the allotted ports.
        unless: the setting which, when the user sets it, means that a server outside is used.
        parts: what must be fetched for it.
        needs: services that must answer before its process is started.
        holds_declarations: whether runs take the tables' declarations from it; where these have changed, it is started anew.
        starts_runs: whether it has runs started; where the declarations have changed, it is started once the tables are so.
        probe: raises unless the service answers real questions.
        stop_seconds: how long it may take to stop before it is killed.
    """

    name: str
    title: str
    probe: Callable[[Settings], None]
    ports: Mapping[str, int] = field(default_factory=dict)
    addresses: Callable[[Mapping[str, int], Path], dict[str, str]] = lambda _ports, _home: {}
    unless: str | None = None
    parts: frozenset[Part] = frozenset()
    needs: tuple[str, ...] = ()
    holds_declarations: bool = False
    starts_runs: bool = False
    stop_seconds: int = 15

    @property
    def module(self) -> str:
        """The module that launches it."""
        return f"infra.services.{self.name.replace('-', '_')}"
