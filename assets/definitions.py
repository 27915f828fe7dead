"""What Dagster loads. Only assembly: assets, jobs and sensors are made in their own modules.

Does not belong here: an asset, a schedule, or a line of logic.
"""

from __future__ import annotations

import dagster as dg

from assets.automation import MAINTENANCE_CRON, backfill, lake_job, landed_files, maintenance_job, release
from assets.rendering import landing_spec
from assets.resources import Lake
from assets.tables import table_assets
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources
from lakehouse.tables import SPARK_LAYERS, TABLES


def build(sources: dict[str, Source]) -> dg.Definitions:
    """The definitions for a set of sources."""
    tables = [*(s.bronze for s in sources.values()), *(t for t in TABLES.values() if t.layer in SPARK_LAYERS)]
    maintenance = maintenance_job(tables)
    return dg.Definitions(
        assets=[*map(landing_spec, sources.values()), *table_assets(sources)],
        jobs=[lake_job, backfill, release, maintenance],
        schedules=[dg.ScheduleDefinition(job=maintenance, cron_schedule=MAINTENANCE_CRON, default_status=dg.DefaultScheduleStatus.RUNNING)],
        sensors=[landed_files],
        resources={"lake": Lake()},
        executor=dg.in_process_executor,
    )


defs = build(load_sources(settings()))
