"""What came of a run: waiting for it, its steps, and the error that its failure is.

Does not belong here: launching a run (orchestrator), or how its steps are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg
import typer
from rich.console import Console

from infra.commands import INTERRUPTED
from infra.commands.runs import SHORT_ID
from infra.orchestrator import Launched
from infra.progress import stderr_console
from lakehouse.errors import ConfigurationError, DataError, InfrastructureError, LakehouseError
from lakehouse.settings import Settings

CAUSES: tuple[type[LakehouseError], ...] = (InfrastructureError, ConfigurationError, DataError)
"""Of several causes the first counts: while a server is away, little can be told about the rest."""
FAILED = ("FAILED", "TERMINATED")


def wait(settings: Settings, launched: Launched, console: Console, *, shown_as: str) -> bool:
    """Wait for a run. Returns whether it succeeded; an interruption ends the waiting, not the run."""
    state = dg.DagsterRunStatus.NOT_STARTED
    try:
        with console.status(shown_as) as status:
            for state in launched.states():
                status.update(f"{shown_as}: {state.value.lower()}")
    except KeyboardInterrupt:
        stderr_console().print(
            f"Run {launched.run_id} goes on in Dagster. See `lakehouse runs {launched.run_id[:SHORT_ID]}`, "
            f"or cancel it on {settings.dagster_url}/runs/{launched.run_id}.",
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    return state == dg.DagsterRunStatus.SUCCESS


def failure(settings: Settings, launched: Launched, steps: Iterable[dict[str, Any]]) -> LakehouseError:
    """The error that a failed run is, by what its steps failed with; of what left no step in the run log, Dagster tells."""
    classes = failed_with(steps) or launched.error_classes()
    return cause(classes)(f"run {launched.run_id} failed", next_step=f"see {settings.dagster_url}/runs/{launched.run_id}")


def failed_with(steps: Iterable[dict[str, Any]]) -> set[str]:
    """Classes of the errors of those steps whose last attempt failed; a process that died counts as a server that did."""
    last = {(step["pipeline"], step["asset"]): step for step in steps if step["status"] != "SKIPPED_UPSTREAM"}
    return {step["error_class"] or InfrastructureError.__name__ for step in last.values() if step["status"] in FAILED}


def cause(classes: Iterable[str]) -> type[LakehouseError]:
    """The kind of error that stands for several; an error that is none of the lake's own counts as one of data."""
    named = set(classes)
    return next((kind for kind in CAUSES if kind.__name__ in named), DataError)
