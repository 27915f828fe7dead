"""What Dagster loads. Only assembly: assets, jobs and sensors are made in their own modules.

Does not belong here: an asset, a schedule, or a line of logic.
"""

from __future__ import annotations

import dagster as dg

from assets.automation import backfill, lake_job, landed_files, release
from assets.rendering import landing_spec
from assets.resources import Lake
from assets.tables import table_assets
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources


def build(sources: dict[str, Source]) -> dg.Definitions:
    """The definitions for a set of sources."""
    return dg.Definitions(
        assets=[*map(landing_spec, sources.values()), *table_assets(sources)],
        jobs=[lake_job, backfill, release],
        sensors=[landed_files],
        resources={"lake": Lake()},
        executor=dg.in_process_executor,
    )


defs = build(load_sources(settings()))
