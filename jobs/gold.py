"""Gold transforms: from silver rows, or from other gold rows, to the tables that clients read. Frames in, frames out.

Does not belong here: which days to compute (jobs.aggregate), reading or writing tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.tables.gold import MONTH_DAYS, WEEK_DAYS

PROJECT = ("tenant_id", "project_id")


def attempts(events: DataFrame, zones: DataFrame) -> DataFrame:
    """The sign-in attempts among auth events, with the tenant's zone and day.

    Args:
        events: rows of silver.auth_events.
        zones: tenant_id and time_zone (IANA) of the declared tenants; others are in UTC.
    """
    is_attempt = (
        F.col("activity").isin("sign_in", "sign_up")
        & (F.col("phase") == "completed")
        & F.col("outcome").isin("success", "failure")
        & (F.col("environment") == "live")
        & (F.col("time_quality") == "plausible")
    )
    return with_day(events.where(is_attempt), zones).withColumn("is_success", (F.col("outcome") == "success").cast("long"))


def with_day(events: DataFrame, zones: DataFrame) -> DataFrame:
    """Add `time_zone`, the tenant's, and `day`, the day of `event_time` in it."""
    return (
        events.join(F.broadcast(zones), "tenant_id", "left")
        .withColumn("time_zone", F.coalesce("time_zone", F.lit("UTC")))
        .withColumn("day", F.to_date(F.from_utc_timestamp("event_time", F.col("time_zone"))))
    )


def _measures() -> list[Column]:
    return [
        F.count(F.lit(1)).alias("attempts"),
        F.sum("is_success").alias("successes"),
        (F.count(F.lit(1)) - F.sum("is_success")).alias("failures"),
        F.count_distinct("user_key").alias("users"),
    ]


def user_days(tried: DataFrame) -> DataFrame:
    """gold.user_days from attempts."""
    return (
        tried.where(F.col("user_key").isNotNull())
        .groupBy(*PROJECT, "day", "time_zone", "user_key")
        .agg(
            F.array_sort(F.collect_set("auth_method")).alias("auth_methods"),
            F.count(F.lit(1)).alias("attempts"),
            F.sum("is_success").alias("successes"),
        )
    )


def auth_daily(tried: DataFrame) -> DataFrame:
    """gold.auth_daily from attempts."""
    return tried.groupBy(*PROJECT, "day", "time_zone", "auth_method").agg(*_measures())


def auth_hourly(tried: DataFrame) -> DataFrame:
    """gold.auth_hourly from attempts."""
    hours = tried.withColumn("hour", F.date_trunc("hour", "event_time"))
    return hours.groupBy(*PROJECT, "hour", "event_date").agg(*_measures())


def active_users_daily(days: DataFrame) -> DataFrame:
    """gold.active_users_daily from gold.user_days.

    Each success keeps its user active for 1, 7 and 30 days, cut short where the user's next success begins: the intervals
    of one user do not overlap, so that a running sum of their starts and ends is the number of distinct users.
    """
    by_user = Window.partitionBy(*PROJECT, "user_key").orderBy("day")
    active = days.where("successes > 0").select(*PROJECT, "day", "user_key").withColumn("_next", F.lead("day").over(by_user))
    steps = active.select(*PROJECT, F.inline(F.array(*(_step(at, counts) for at, counts in _steps()))))
    tenant_days = days.select("tenant_id", "time_zone", "day").distinct()
    projects = days.select(*PROJECT).distinct()
    asked = projects.join(tenant_days, "tenant_id").withColumn("_asked", F.lit(True))
    changes = steps.groupBy(*PROJECT, "day").agg(*(F.sum(name).alias(name) for name in ACTIVE_USERS))
    running = Window.partitionBy(*PROJECT).orderBy("day").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return (
        changes.join(asked, [*PROJECT, "day"], "full")
        .select(
            *PROJECT, "day", "time_zone", "_asked", *(F.sum(F.coalesce(name, F.lit(0))).over(running).alias(name) for name in ACTIVE_USERS)
        )
        .where(F.col("_asked") & (F.col("monthly_active_users") > 0))
        .drop("_asked")
    )


ACTIVE_USERS = ("daily_active_users", "weekly_active_users", "monthly_active_users")


def _steps() -> list[tuple[Column, tuple[int, int, int]]]:
    day, following = F.col("day"), F.col("_next")
    ends = (F.least(F.date_add(day, length), F.coalesce(following, F.date_add(day, length))) for length in (1, WEEK_DAYS, MONTH_DAYS))
    leaving = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
    return [(day, (1, 1, 1)), *zip(ends, leaving, strict=True)]


def _step(at: Column, counts: tuple[int, int, int]) -> Column:
    return F.struct(at.alias("day"), *(F.lit(n).cast("long").alias(name) for n, name in zip(counts, ACTIVE_USERS, strict=True)))


def only_days(rows: DataFrame, column: str, days: Collection[date] | None) -> DataFrame:
    """Rows of the given days; all rows for None."""
    return rows if days is None else rows.where(F.col(column).isin(sorted(days)))


TRANSFORMS: Mapping[str, Callable[[DataFrame], DataFrame]] = {
    "gold.user_days": user_days,
    "gold.auth_daily": auth_daily,
    "gold.auth_hourly": auth_hourly,
    "gold.active_users_daily": active_users_daily,
}
"""Gold table to the function that computes it from its input."""
