"""The jobs that publish what waits in quarantine: `release` a slice held back, `reprocess` rows that a mended declaration lets pass.

Each step writes under the pools of the tables that it writes, as every other run does. Pools are told when definitions are made, so each
source has steps of its own, of which a run takes one chain.

Does not belong here: what becomes of the rows (jobs.release, jobs.refine).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import dagster as dg
from pydantic import Field

from assets.rendering import key_of, materialized
from assets.resources import Lake
from jobs.aggregate import aggregate
from jobs.context import Context
from jobs.refine import refine
from jobs.release import release, reprocess
from lakehouse.dagster_api import CHOICES, RELEASE, REPROCESS
from lakehouse.errors import ConfigurationError
from lakehouse.ledger import Batch, Release, Reprocess
from lakehouse.sources import Source
from lakehouse.tables import TABLES, Table, table


class HeldBack(dg.Config):
    """Which slice to publish after all."""

    source: str = Field(description="name of the source")
    batch_id: str = Field(description="batch that was held back")
    tenant_id: str = Field(description="tenant whose slice it is")


class Rejected(dg.Config):
    """Which rejected rows to judge again under the declaration as it is now; all of the source where nothing else is told."""

    source: str = Field(description="name of the source")
    batch_id: str | None = Field(default=None, description="only rows of this batch")
    tenant_id: str | None = Field(default=None, description="only rows of this tenant")
    reason: str | None = Field(default=None, description="only rows with this reason among theirs")
    layer: str | None = Field(default=None, description="only rows that this layer kept out: bronze or silver")


CONFIGS: Mapping[str, type[dg.Config]] = {RELEASE: HeldBack, REPROCESS: Rejected}


def waiting_jobs(sources: Mapping[str, Source]) -> list[dg.JobDefinition]:
    """The two jobs."""
    return [
        _job(RELEASE, sources, _release, "Publish the slice of a tenant that a threshold had held back."),
        _job(REPROCESS, sources, _reprocess, "Judge rejected rows again under the declarations of now, and publish those that pass."),
    ]


TakeUp = Callable[[Context, Source, Mapping[str, Any]], list[Batch]]


def _job(name: str, sources: Mapping[str, Source], take_up: TakeUp, description: str) -> dg.JobDefinition:
    choose = _choice(name, sources)
    steps = {s.name: (_bronze_step(name, s, take_up), _further_step(name, s)) for s in sources.values()}

    @dg.job(name=name, description=description)
    def job() -> None:
        chosen = choose()
        for source, (bronze, further) in steps.items():
            further(start=bronze(start=chosen if len(steps) == 1 else getattr(chosen, source)))

    return job


def _choice(job: str, sources: Mapping[str, Source]) -> dg.OpDefinition:
    outs = {source: dg.Out(dg.Nothing, is_required=False) for source in sources}

    @dg.op(name=CHOICES[job], out=outs, config_schema=CONFIGS[job].to_config_schema().as_field())
    def choose(context: dg.OpExecutionContext, lake: Lake) -> Iterator[dg.Output[None]]:
        with lake.step(context):
            source = context.op_config["source"]
            if source not in sources:
                raise ConfigurationError(f"there is no source {source!r}", next_step=f"use one of {', '.join(sources)}")
            yield dg.Output(None, source)

    return choose


def _bronze_step(job: str, source: Source, take_up: TakeUp) -> dg.OpDefinition:
    @dg.op(name=f"{job}__{source.bronze.short_name}", pool=source.bronze.name, ins={"start": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
    def bronze(context: dg.OpExecutionContext, lake: Lake) -> None:
        with lake.step(context) as work:
            asked = cast(Any, context.run.run_config)["ops"][CHOICES[job]]["config"]
            batches = take_up(work, work.sources[source.name], asked)
            if not batches and job == RELEASE and not context.retry_number:
                raise ConfigurationError(
                    f"nothing of tenant {asked['tenant_id']} is held back in batch {asked['batch_id']}",
                    next_step="see bronze.quarantine for what is",
                )
            context.log.info("batches: %s", ", ".join(batch.batch_id for batch in batches) or "none")
            _tell(context, source.bronze)

    return bronze


def _further_step(job: str, source: Source) -> dg.OpDefinition:
    declared = table(source.silver.table)

    @dg.op(name=f"{job}__{source.name}_onwards", pool=declared.name, ins={"start": dg.In(dg.Nothing)})
    def onwards(context: dg.OpExecutionContext, lake: Lake) -> None:
        with lake.step(context) as work:
            refine(work, work.sources[source.name])
            _tell(context, declared)
            for gold in (t for t in TABLES.values() if t.layer == "gold"):
                if aggregate(work, gold):
                    _tell(context, gold)

    return onwards


def _release(work: Context, source: Source, asked: Mapping[str, Any]) -> list[Batch]:
    return release(work, source, Release(asked["batch_id"], asked["tenant_id"]))


def _reprocess(work: Context, source: Source, asked: Mapping[str, Any]) -> list[Batch]:
    batches = (asked["batch_id"],) if asked.get("batch_id") else ()
    return reprocess(work, source, Reprocess(batches, asked.get("tenant_id"), asked.get("reason"), asked.get("layer")))


def _tell(context: dg.OpExecutionContext, declared: Table) -> None:
    context.log_event(dg.AssetMaterialization(key_of(declared.name), metadata=materialized(declared, {}).metadata))
