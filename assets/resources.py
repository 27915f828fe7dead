"""What assets work with: the lake's context for one attempt of one step of a run.

Does not belong here: what a step does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import dagster as dg
from pydantic import PrivateAttr

from assets.rendering import key_of, name_of
from jobs.aggregate import PIPELINE as GOLD_PIPELINE
from jobs.context import Context
from lakehouse.dagster_api import TRIGGER_TAG
from lakehouse.errors import LakehouseError
from lakehouse.ops.runs import Run, Trigger, record_skipped
from lakehouse.settings import settings
from lakehouse.sources import Source, declared_tables
from lakehouse.store import store_errors
from lakehouse.tables import Layer, Table

MAX_RETRIES = 3
RETRY_WAIT_S = 10
"""Before the first retry; doubled before each further one, so that a server has more than a minute to come back."""


class Lake(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Hands out one context per run: its Spark session and staged records are shared by the steps of an in-process run."""

    _context: Context | None = PrivateAttr(default=None)
    _skipped: set[dg.AssetKey] = PrivateAttr(default_factory=set)

    @contextmanager
    def step(self, context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[Context]:
        """The context for a step; a LakehouseError becomes a retry where one can help, else a failure with its next step."""
        run = run_of(context.run, context.retry_number + 1)
        if self._context is None:
            self._context = Context(settings(), run)
        self._context.run = run
        self._context.verdicts.clear()
        try:
            with store_errors():
                yield self._context
        except LakehouseError as error:
            if error.retryable and context.retry_number < MAX_RETRIES:
                raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=RETRY_WAIT_S * 2**context.retry_number) from error
            self._record_skipped(context, self._context)
            raise dg.Failure(description=str(error), allow_retries=False) from error
        except Exception:
            self._record_skipped(context, self._context)
            raise

    def _record_skipped(self, context: dg.AssetExecutionContext | dg.OpExecutionContext, work: Context) -> None:
        """Record the tables of the run that Dagster will not try, since the step's own tables have failed for good."""
        if not isinstance(context, dg.AssetExecutionContext):
            return
        layer, failed = context.job_def.asset_layer, context.selected_asset_keys
        planned = layer.selected_asset_keys
        behind = dg.AssetSelection.keys(*failed).downstream(include_self=False).resolve(layer.asset_graph) & planned - self._skipped
        self._skipped |= behind
        declared_by_name = {declared.name: declared for declared in declared_tables(work.sources)}
        tables = [declared_by_name[name_of(key)] for key in sorted(behind)]
        steps = [(pipeline, declared) for declared in tables for pipeline in pipelines_of(work.sources, declared, planned)]
        record_skipped(work.writer, work.run, steps, ", ".join(map(name_of, sorted(failed))))

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """End the Spark session of the run."""
        if self._context is not None:
            self._context.close()


def run_of(dagster_run: dg.DagsterRun, attempt: int = 1) -> Run:
    """What the run log knows a run of Dagster by."""
    address = settings().dagster_url
    return Run(
        run_id=dagster_run.run_id,
        trigger=_trigger(dagster_run),
        parent_run_id=dagster_run.root_run_id,
        retry_of=dagster_run.parent_run_id,
        attempt=attempt,
        logs_url=f"{address}/runs/{dagster_run.run_id}" if address else None,
    )


def pipelines_of(sources: Mapping[str, Source], declared: Table, planned: Collection[dg.AssetKey]) -> list[str]:
    """The pipelines under which a table's steps are recorded: gold, or the sources that a run takes into a bronze or silver table.

    Args:
        planned: the tables of the run.
    """
    if declared.layer is Layer.GOLD:
        return [GOLD_PIPELINE]
    if declared.layer is Layer.BRONZE:
        return [s.name for s in sources.values() if s.bronze.name == declared.name]
    return [s.name for s in sources.values() if s.silver.table == declared.name and key_of(s.bronze.name) in planned]


def _trigger(run: dg.DagsterRun) -> Trigger:
    tags = run.tags
    if TRIGGER_TAG in tags:
        return cast(Trigger, tags[TRIGGER_TAG])
    if run.parent_run_id:
        return "retry"
    if "dagster/sensor_name" in tags:
        return "sensor"
    return "schedule" if "dagster/schedule_name" in tags else "manual"
