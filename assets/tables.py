"""The assets: one per table, and one for the landed files of each source, made from the declarations.

Does not belong here: what a step does to the data (jobs), or when it runs (assets.automation).
"""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

from assets.rendering import (
    check_results,
    check_specs,
    column_deps,
    key_of,
    landing_key,
    landing_spec,
    materialized,
    table_spec,
)
from assets.resources import Lake
from jobs.aggregate import aggregate
from jobs.ingest import ingest
from jobs.pull import pull
from jobs.refine import refine_each
from lakehouse.lineage.columns import ColumnEdge, columns_of_gold, columns_of_silver
from lakehouse.sources import Source
from lakehouse.tables import TABLES, Table, table

Results = Iterator[Any]


def landing_asset(source: Source) -> dg.AssetSpec | dg.AssetsDefinition:
    """The landed files of a source; where they are pulled, a pull makes them."""
    spec = landing_spec(source)
    if source.pull is None:
        return spec

    @dg.multi_asset(name=source.landing.replace(".", "__"), specs=[spec], pool=source.landing)
    def landed(context: dg.AssetExecutionContext, lake: Lake) -> Results:
        with lake.step(context) as work:
            pulled = pull(work, source)
            yield dg.MaterializeResult(landing_key(source), metadata={"rows": pulled.landed, "files": len(pulled.files)} if pulled else {})

    return landed


def bronze_asset(source: Source) -> dg.AssetsDefinition:
    """The bronze table of a source."""
    declared = source.bronze

    @dg.multi_asset(
        name=declared.name.replace(".", "__"),
        specs=[table_spec(declared, [landing_key(source)], {})],
        check_specs=check_specs(declared),
        can_subset=True,
        pool=declared.name,
    )
    def published(context: dg.AssetExecutionContext, lake: Lake) -> Results:
        with lake.step(context) as work:
            try:
                batches = ingest(work, source)
            finally:
                yield from check_results(work.verdicts)
            if batches:
                yield materialized(
                    declared, {"batches": ", ".join(b.batch_id for b in batches), "records": sum(b.records for b in batches)}
                )

    return published


def silver_asset(declared: Table, sources: list[Source]) -> dg.AssetsDefinition:
    """A silver table, from all sources that map to it."""

    @dg.multi_asset(
        name=declared.name.replace(".", "__"),
        specs=[table_spec(declared, [key_of(s.bronze.name) for s in sources], column_deps(_columns_of_silver(sources)))],
        check_specs=check_specs(declared),
        can_subset=True,
        pool=declared.name,
    )
    def published(context: dg.AssetExecutionContext, lake: Lake) -> Results:
        with lake.step(context) as work:
            batches, failed = refine_each(work, sources)
            yield from check_results(work.verdicts)
            if failed:
                raise failed
            if batches:
                yield materialized(declared, {"batches": ", ".join(b.batch_id for b in batches)})

    return published


def _columns_of_silver(sources: Iterable[Source]) -> Iterator[ColumnEdge]:
    """The column edges of a silver table; none in the process of a run, of whose second of start they would take a half for nothing."""
    if DefinitionsLoadContext.get().load_type is DefinitionsLoadType.INITIALIZATION:
        for source in sources:
            yield from columns_of_silver(source)


def gold_asset(declared: Table) -> dg.AssetsDefinition:
    """A gold table."""
    inputs = [table(name) for name in declared.inputs]

    @dg.multi_asset(
        name=declared.name.replace(".", "__"),
        specs=[table_spec(declared, [key_of(t.name) for t in inputs], column_deps(columns_of_gold(declared)))],
        check_specs=check_specs(declared),
        can_subset=True,
        pool=declared.name,
    )
    def published(context: dg.AssetExecutionContext, lake: Lake) -> Results:
        with lake.step(context) as work:
            try:
                done = aggregate(work, declared)
            finally:
                yield from check_results(work.verdicts)
            if done:
                yield materialized(declared, {"periods": "all" if done.periods is None else len(done.periods)})

    return published


def all_assets(sources: dict[str, Source]) -> list[dg.AssetSpec | dg.AssetsDefinition]:
    """The landed files of each source and every table that Spark writes, as assets."""
    silver = [t for t in TABLES.values() if t.layer == "silver"]
    gold = [t for t in TABLES.values() if t.layer == "gold"]
    return [
        *map(landing_asset, sources.values()),
        *(bronze_asset(source) for source in sources.values()),
        *(silver_asset(t, [s for s in sources.values() if s.silver.table == t.name]) for t in silver),
        *(gold_asset(t) for t in gold),
    ]
