"""Pulling sources from the command line.

Does not belong here: what a pull does (jobs.pull), or when Dagster pulls (assets.automation).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from infra.progress import stderr_console
from jobs.context import Context
from jobs.pull import pull_all
from lakehouse.errors import LakehouseError
from lakehouse.ops.runs import Run
from lakehouse.pulls import Pulled
from lakehouse.settings import Settings
from lakehouse.sources import Source


def pull_sources(settings: Settings, sources: Iterable[Source], since: str | None = None, *, whole: bool = False) -> list[Pulled]:
    """Pull sources, one after the other, to the end of what is there. Returns the pulls.

    Raises the first error once all have had their turn.
    """
    context = Context(settings, Run(str(uuid.uuid4()), trigger="cli"))
    pulled: list[Pulled] = []
    failed: LakehouseError | None = None
    for source in sources:
        try:
            with stderr_console().status(f"pulling {source.name}"):
                pulled += pull_all(context, source, since, whole=whole)
        except LakehouseError as error:
            failed = failed or error
    if failed:
        raise failed
    return pulled


def told(pulled: Pulled) -> str:
    """A pull in words."""
    return f"{pulled.landed:,} rows landed in {len(pulled.files)} files, {pulled.rows - pulled.landed:,} known already; up to {pulled.upto}"
