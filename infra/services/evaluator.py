"""The evaluator as a process of its own: it needs neither Spark nor Trino nor Dagster.

Does not belong here: what it evaluates (lakehouse.ops).
"""

from __future__ import annotations

from collections.abc import Callable

from infra.probes import WATCHED
from infra.services.base import Context
from infra.supervisor import Supervisor
from lakehouse.settings import Settings


def serve(context: Context) -> None:
    """Evaluate until told to stop."""
    from lakehouse.evaluator import run_forever

    supervisor = Supervisor(context.instance)
    run_forever(context.settings, {title: _unless_stopped(supervisor, name, probe) for title, (name, probe) in WATCHED.items()})


def _unless_stopped(supervisor: Supervisor, name: str, probe: Callable[[Settings], None]) -> Callable[[Settings], None]:
    """A probe of a server that counts only where the server is meant to run."""

    def asked(settings: Settings) -> None:
        if not supervisor.is_stopped(name):
            probe(settings)

    return asked
