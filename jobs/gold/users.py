"""Gold out of gold: what the days of users add up to.

Does not belong here: which rows to read, or which days to write (jobs.aggregate).
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.gold.sign_ins import PROJECT, USER
from lakehouse.spark import checkpoint
from lakehouse.tables.gold.users import MONTH_DAYS, NEVER_ACTIVE, WEEK_DAYS
from lakehouse.tables.silver import AUTH_METHODS


def active_users_daily(days: DataFrame) -> DataFrame:
    """gold.active_users_daily from gold.user_days.

    Each success keeps its user active for 1, 7 and 30 days, cut short where the user's next success begins: the intervals
    of one user do not overlap, so that a running sum of their starts and ends is the number of distinct users.
    """
    by_user = Window.partitionBy(*PROJECT, "user_key").orderBy("day")
    active = days.where("successes > 0").select(*PROJECT, "day", "user_key").withColumn("_next", F.lead("day").over(by_user))
    steps = active.select(*PROJECT, F.inline(F.array(*(_step(at, counts) for at, counts in _steps()))))
    project_days = checkpoint(days.select(*PROJECT, "time_zone", "day").distinct())
    tenant_days = project_days.select("tenant_id", "time_zone", "day").distinct()
    projects = project_days.select(*PROJECT).distinct()
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


def user_features_daily(days: DataFrame) -> DataFrame:
    """gold.user_features_daily from gold.user_days; a row is made from all days of its user up to its own."""
    known = days.withColumns({"failures": F.col("attempts") - F.col("successes"), "_number": F.unix_date("day")})
    history = Window.partitionBy(*USER).orderBy("_number")
    until_now = history.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    until_before = history.rowsBetween(Window.unboundedPreceding, -1)
    last_week, last_month = (history.rangeBetween(1 - length, Window.currentRow) for length in (WEEK_DAYS, MONTH_DAYS))
    succeeded = F.when(F.col("successes") > 0, F.col("day"))
    measured = known.select(
        "*",
        *(F.sum(name).over(last_week).alias(f"{name}_7d") for name in MEASURES),
        *(F.sum(name).over(last_month).alias(f"{name}_30d") for name in MEASURES),
        F.count(succeeded).over(last_month).alias("active_days_30d"),
        F.bit_count(F.bit_or(_method_bits()).over(last_month)).alias("auth_methods_30d"),
        F.datediff("day", F.min(succeeded).over(until_now)).alias("days_since_first_success"),
        F.datediff("day", F.last(succeeded, ignorenulls=True).over(until_before)).alias("days_since_previous_success"),
        F.flatten(F.collect_list("devices").over(until_before)).alias("_known_devices"),
    )
    return (
        measured.withColumn("new_devices", F.array_sort(F.array_except("devices", "_known_devices")))
        .withColumn("failure_ratio_30d", F.col("failures_30d") / F.col("attempts_30d"))
        .withColumnsRenamed({name: f"{name}_1d" for name in MEASURES})
    )


MEASURES = ("attempts", "successes", "failures")


def _method_bits() -> Column:
    """A number with a bit for each method of the day: a window can join numbers, but not sets, without keeping every row of it."""
    bits = (F.when(F.array_contains("auth_methods", name), 1 << place).otherwise(0) for place, name in enumerate(AUTH_METHODS))
    return reduce(Column.bitwiseOR, bits)


def retention_weekly(features: DataFrame) -> DataFrame:
    """gold.retention_weekly from gold.user_features_daily: a user counts in a week by the row of their first success in it."""
    week, cohort = F.date_trunc("week", "day").cast("date"), F.date_trunc("week", _first_success()).cast("date")
    active = checkpoint(
        features.where(_is_first_success_within(F.weekday("day")))
        .groupBy(*PROJECT, "time_zone", cohort.alias("cohort_week"), week.alias("week"))
        .agg(F.count(F.lit(1)).alias("active_users"))
    )
    cohorts = active.where("week = cohort_week").select(*PROJECT, "time_zone", "cohort_week", F.col("active_users").alias("cohort_users"))
    weeks = active.select(*PROJECT, "week").distinct()
    return (
        cohorts.join(weeks, list(PROJECT))
        .where("week >= cohort_week")
        .join(active, [*PROJECT, "time_zone", "cohort_week", "week"], "left")
        .withColumn("active_users", F.coalesce("active_users", F.lit(0)))
        .withColumn("weeks_since", (F.datediff("week", "cohort_week") / WEEK_DAYS).cast("int"))
    )


def _first_success() -> Column:
    return F.date_sub("day", F.col("days_since_first_success"))


def _is_first_success_within(days_before: Column) -> Column:
    """Whether a row has a success, and its user had none on so many days before it."""
    previous = F.col("days_since_previous_success")
    return (F.col("successes_1d") > 0) & (previous.isNull() | (previous > days_before))


def usage_and_billing_monthly(features: DataFrame, daily: DataFrame, subscriptions: DataFrame) -> DataFrame:
    """gold.usage_and_billing_monthly from gold.user_features_daily, gold.auth_daily and silver.billing_subscriptions."""
    month = F.trunc("day", "month").alias("month")
    active = (
        features.where(_is_first_success_within(F.dayofmonth("day") - 1))
        .groupBy(*PROJECT, month)
        .agg(F.count(F.lit(1)).alias("monthly_active_users"))
    )
    usage = checkpoint(
        daily.groupBy(*PROJECT, "time_zone", month)
        .agg(F.sum("attempts").alias("attempts"), F.sum("successes").alias("successes"))
        .join(active, [*PROJECT, "month"], "left")
        .withColumn("monthly_active_users", F.coalesce("monthly_active_users", F.lit(0)))
    )
    tenant_months = usage.select("tenant_id", "time_zone", "month").distinct()
    return usage.join(_paid(tenant_months, subscriptions), ["tenant_id", "month"], "left")


def _paid(months: DataFrame, subscriptions: DataFrame) -> DataFrame:
    """What each tenant paid for at the end of each of its months; no row for a tenant without subscriptions."""
    end = F.to_utc_timestamp(F.add_months("month", 1).cast("timestamp"), F.col("time_zone"))
    started = F.coalesce("started_at", "created_at")
    ended = F.coalesce("ended_at", F.when(F.col("status") == "canceled", F.col("canceled_at")))
    was_active = ~F.col("status").isin(*NEVER_ACTIVE) & (started < end) & (ended.isNull() | (ended >= end))
    live = subscriptions.where(F.coalesce("is_live", F.lit(True)))
    return (
        months.join(live, "tenant_id")
        .groupBy("tenant_id", "month")
        .agg(
            F.count_if(was_active).alias("tenant_subscriptions"),
            F.sum(F.when(was_active, F.coalesce("quantity", F.lit(1))).otherwise(0)).alias("tenant_quantity"),
        )
    )
