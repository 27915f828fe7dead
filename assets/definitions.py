"""What Dagster loads. Only assembly: assets, jobs and sensors are made in their own modules.

Does not belong here: an asset, a schedule, or a line of logic.
"""

from __future__ import annotations

import dagster as dg

from assets.automation import (
    FACTS_CRON,
    MAINTENANCE_CRON,
    backfill,
    fact_maintenance,
    lake_job,
    landing_sensor,
    maintenance_job,
    release,
)
from assets.rendering import landing_spec
from assets.resources import Lake
from assets.tables import table_assets
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources, spark_tables


def build(sources: dict[str, Source]) -> dg.Definitions:
    """The definitions for a set of sources."""
    maintenance = maintenance_job(spark_tables(sources))
    return dg.Definitions(
        assets=[*map(landing_spec, sources.values()), *table_assets(sources)],
        jobs=[lake_job, backfill, release, maintenance, fact_maintenance],
        schedules=[
            dg.ScheduleDefinition(job=job, cron_schedule=cron, default_status=dg.DefaultScheduleStatus.RUNNING)
            for job, cron in ((maintenance, MAINTENANCE_CRON), (fact_maintenance, FACTS_CRON))
        ],
        sensors=[landing_sensor(sources)],
        resources={"lake": Lake()},
        executor=dg.in_process_executor,
    )


defs = build(load_sources(settings()))
