"""What Dagster loads. Only assembly: assets, jobs and sensors are made in their own modules.

Does not belong here: an asset, a schedule, or a line of logic.
"""

from __future__ import annotations

import dagster as dg

from assets.automation import (
    backfill,
    fact_maintenance,
    lake_job,
    landing_sensor,
    maintenance_job,
    pull_job,
    pull_sensor,
)
from assets.engine_log import engine_log_sensor
from assets.resources import Lake
from assets.tables import all_assets
from assets.waiting import waiting_jobs
from lakehouse.schedules import FACT_MAINTENANCE, MAINTENANCE
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources, spark_tables


def build(sources: dict[str, Source]) -> dg.Definitions:
    """The definitions for a set of sources."""
    maintenance = maintenance_job(spark_tables(sources))
    pull = pull_job(sources)
    return dg.Definitions(
        assets=all_assets(sources),
        jobs=[lake_job, backfill, *waiting_jobs(sources), maintenance, fact_maintenance, *([pull] if pull else [])],
        schedules=[
            dg.ScheduleDefinition(job=job, cron_schedule=schedule.cron, default_status=dg.DefaultScheduleStatus.RUNNING)
            for job, schedule in ((maintenance, MAINTENANCE), (fact_maintenance, FACT_MAINTENANCE))
        ],
        sensors=[landing_sensor(sources), engine_log_sensor(sources), *([pull_sensor(sources, pull)] if pull else [])],
        resources={"lake": Lake()},
        executor=dg.in_process_executor,
    )


defs = build(load_sources(settings()))
