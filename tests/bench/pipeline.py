"""Clearlake itself: the product's functions as one run calls them, with its contracts and its run log, or without.

Does not belong here: any work on data.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any
from unittest.mock import patch

import dq_checks
from dq_checks import Contract, Stage, Verdict
from jobs.aggregate import aggregate
from jobs.context import Context
from jobs.ingest import ingest
from jobs.refine import refine
from jobs.simulator import LANDING_SOURCE
from lakehouse.ops.runs import Facts, Run
from lakehouse.ops.store import OpsWriter, Row
from lakehouse.settings import Settings
from lakehouse.tables import Table
from tests.lake import GOLD

Enter = Callable[[str], None]
"""Told the part that begins."""


def run(settings: Settings, made: type[Context] = Context, enter: Enter = lambda _part: None) -> dict[str, float]:
    """Take in what is pending, as one run does; returns the seconds of each part: a layer, or a gold table."""
    seconds: dict[str, float] = {}

    def timed(part: str, step: Callable[[], object]) -> None:
        enter(part)
        began = time.monotonic()
        step()
        seconds[part] = time.monotonic() - began

    context = made(settings, Run(str(uuid.uuid4())))
    source = context.sources[LANDING_SOURCE]
    try:
        timed("bronze", lambda: ingest(context, source))
        timed("silver", lambda: refine(context, source))
        for declared in GOLD:
            timed(declared.name, lambda declared=declared: aggregate(context, declared))
    finally:
        context.close()
    return seconds


def run_unchecked(settings: Settings) -> dict[str, float]:
    """The same with contracts and run log off: no rule, no check, no fact but the file ledger, which says what is pending."""
    with _without_contracts():
        return run(settings, _Unrecorded)


class _Unrecorded(Context):
    @cached_property
    def writer(self) -> OpsWriter:
        return _LedgerOnly(self.settings)

    def step(self, pipeline: str, declared: Table) -> AbstractContextManager[Facts]:  # type: ignore[override]
        return nullcontext(Facts())


class _LedgerOnly(OpsWriter):
    def append(self, name: str, rows: Sequence[Row]) -> bool:
        return True


@contextmanager
def _without_contracts() -> Iterator[None]:
    """Give every job a contract without checks in the place of each table's own."""
    replaced: list[tuple[Any, Any]] = [(dq_checks.contract_for, _no_checks), (dq_checks.verify, _nothing_found)]
    modules = [module for name, module in sys.modules.items() if name.startswith("jobs.")]
    with ExitStack() as patches:
        for module in modules:
            for name, value in list(vars(module).items()):
                for old, new in replaced:
                    if value is old:
                        patches.enter_context(patch.object(module, name, new))
        yield


def _no_checks(declared: Table) -> Contract:
    return replace(dq_checks.contract_for(declared), checks=())


def _nothing_found(_session: object, contract: Contract, _dataset: str, stage: Stage, _variables: object) -> Verdict:
    return Verdict(contract.table.name, contract.version, stage, ())
