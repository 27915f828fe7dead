"""Rows of a gold table's inputs, made from their declarations and from what a test names.

Does not belong here: expected values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.gold.sign_ins import located, sign_ins
from lakehouse.tables import Table, table

Row = Mapping[str, Any]
EVENT: Row = {
    "source": "s", "project_id": "p", "environment": "live", "time_quality": "plausible", "activity": "sign_in",
    "auth_method": "password", "phase": "completed", "outcome": "success", "user_key": "U", "device": "desktop",
}  # fmt: skip
USER_DAY: Row = {
    "tenant_id": "t", "project_id": "p", "time_zone": "UTC", "user_key": "U", "auth_methods": ["password"], "attempts": 1, "successes": 1,
    "devices": ["desktop/firefox"],
}  # fmt: skip


def frame(spark: SparkSession, declared: Table, defaults: Row, rows: Iterable[Row]) -> DataFrame:
    """Rows of a table; null in the columns that neither the defaults nor the rows name."""
    names = declared.column_names
    return spark.createDataFrame([tuple({**dict.fromkeys(names), **defaults, **row}[name] for name in names) for row in rows], declared.ddl)


def events(
    spark: SparkSession, cases: Mapping[str, Iterable[Row]], zones: Mapping[str, str] | None = None, places: DataFrame | None = None
) -> DataFrame:
    """The events of sign-ins of several cases, each a tenant of its own; a row names its `time` as `MM-DD hh:mm:ss` of 2026.

    `places` are what a GeoIP database knows of addresses; None where there is none.
    """
    made = []
    for tenant, steps in cases.items():
        for number, step in enumerate(steps):
            at = datetime.fromisoformat(f"2026-{step['time']}")
            fields = {name: value for name, value in step.items() if name != "time"}
            made.append({"tenant_id": tenant, "event_id": f"e{number}", "event_time": at, "event_date": at.date(), **fields})
    declared = spark.createDataFrame([*(zones or {}).items()], "tenant_id string, time_zone string")
    return located(sign_ins(frame(spark, table("silver.auth_events"), EVENT, made), declared), places)


def user_days(spark: SparkSession, rows: Iterable[Row]) -> DataFrame:
    """Rows of gold.user_days; each names its `day`."""
    return frame(spark, table("gold.user_days"), USER_DAY, rows)


def day(text: str) -> date:
    """A day of 2026, as `MM-DD`."""
    return date.fromisoformat(f"2026-{text}")


def by_case(made: DataFrame, *columns: str) -> dict[str, list[tuple[Any, ...]]]:
    """Some columns of each tenant's rows, in the order of these columns; nulls come first."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in made.select("tenant_id", *columns).orderBy(*columns).collect():
        found.setdefault(row["tenant_id"], []).append(tuple(row)[1:])
    return found
