"""Clearlake itself: the product's functions as one run calls them, with its contracts and its run log, or without.

Does not belong here: any work on data.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any
from unittest.mock import patch

from pyspark.sql import Column
from pyspark.sql import functions as F

import dq_checks
from dq_checks import Contract, Stage, Verdict
from jobs.aggregate import aggregate
from jobs.context import Context
from jobs.ingest import ingest
from jobs.measure import BUCKET, DAY_S, Measurements, in_buckets, value_counts
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
    with _in_place_of({dq_checks.contract_for: _no_checks, dq_checks.verify: _nothing_found}):
        return run(settings, _Unrecorded)


def run_unrecorded(settings: Settings) -> dict[str, float]:
    """The same with all contracts and nothing recorded but the file ledger: no run log, no check result, no measurement, no lineage."""
    with _in_place_of({in_buckets: _one_bucket, value_counts: _no_values}), patch.object(Measurements, "record", lambda *_: None):
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

    def append_meanwhile(self, name: str, rows: Sequence[Row]) -> None:
        pass


@contextmanager
def _in_place_of(replaced: Mapping[Callable[..., Any], Callable[..., Any]]) -> Iterator[None]:
    """Give every job some functions in the place of others."""
    modules = [module for name, module in sys.modules.items() if name.startswith("jobs.")]
    with ExitStack() as patches:
        for module in modules:
            for name, value in list(vars(module).items()):
                for old, new in replaced.items():
                    if value is old:
                        patches.enter_context(patch.object(module, name, new))
        yield


def _one_bucket(_rows: object) -> Column:
    return F.struct(F.lit(0).alias("start"), F.lit(DAY_S).alias("seconds")).alias(BUCKET)


def _no_values(_declared: Table, _among: Column) -> list[Column]:
    return []


def _no_checks(declared: Table) -> Contract:
    return replace(dq_checks.contract_for(declared), checks=())


def _nothing_found(_session: object, contract: Contract, _dataset: str, stage: Stage, _variables: object) -> Verdict:
    return Verdict(contract.table.name, contract.version, stage, ())
