"""gold.signin_funnel_daily: steps to requests, requests to flows, flows to days.

Does not belong here: attempts one by one (sign_ins).
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.gold.sign_ins import PROJECT
from lakehouse.tables.gold.sign_ins import FLOW_HOURS
from lakehouse.tables.silver import AUTH_METHODS

REQUEST = (*PROJECT, "time_zone", "source", "flow_id", "_alone")
MOMENTS = ("started", "delivered", "completed", "succeeded")


def signin_funnel_daily(events: DataFrame) -> DataFrame:
    """gold.signin_funnel_daily from the events of sign-ins."""
    day = F.to_date(F.from_utc_timestamp("first", F.col("time_zone")))
    took = F.when(F.col("completed") >= F.col("started"), F.unix_micros("completed") - F.unix_micros("started"))
    return (
        flows(requests(events))
        .groupBy(*PROJECT, day.alias("day"), "time_zone", "auth_method")
        .agg(
            F.count(F.lit(1)).alias("flows"),
            *(F.count(moment).alias(moment) for moment in MOMENTS),
            (F.median(took) / 1_000_000).alias("median_seconds_to_complete"),
        )
    )


def requests(events: DataFrame) -> DataFrame:
    """One row per request: the steps under one flow id, each with the earliest of them in the hours before it.

    Minima of numbers only, and no text but in the keys: an aggregate that keeps a text has to sort its input.
    """
    steps = events.withColumn("_alone", F.when(F.col("flow_id").isNull(), F.col("event_id")))
    whole = steps.groupBy(*REQUEST).agg(*_request(), F.max("event_time").alias("_last"))
    is_long = F.col("_last") > F.col("first") + _longest()
    long = F.broadcast(whole.where(is_long).select(*PROJECT, "source", "flow_id"))
    cut = _begun(steps.join(long, [*PROJECT, "source", "flow_id"], "left_semi")).groupBy(*REQUEST, "_begun").agg(*_request())
    return whole.where(~is_long).drop("_last").unionByName(cut.drop("_begun"))


def _begun(steps: DataFrame) -> DataFrame:
    """Add `_begun`, the time of the earliest step under the flow id in the hours before each step, or of the step itself.

    Each step stands in the order of time twice, in its place and so many hours earlier: the first step from there on is the one.
    """
    twice = steps.withColumn("_is_earlier", F.explode(F.array(F.lit(False), F.lit(True))))
    placed = twice.withColumn("_at", F.when(F.col("_is_earlier"), F.col("event_time") - _longest()).otherwise(F.col("event_time")))
    backwards = Window.partitionBy(*REQUEST).orderBy(F.desc("_at"), "_is_earlier").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    following = F.last(F.when(~F.col("_is_earlier"), F.col("event_time")), ignorenulls=True).over(backwards)
    return placed.withColumn("_begun", following).where("_is_earlier")


def _request() -> list[Column]:
    user, is_answer = F.xxhash64("user_key"), (F.col("phase") != "delivered") & (F.col("outcome") != "pending")
    users = (F.min(F.when(F.col("user_key").isNotNull() & is_meant, user)) for is_meant in (is_answer, F.lit(True)))
    return [
        F.min("event_time").alias("first"),
        *(F.min(F.when(is_reached, F.col("event_time"))).alias(moment) for moment, is_reached in _moments().items()),
        _first_method().alias("auth_method"),
        F.coalesce(*users).alias("_user"),
    ]


def _moments() -> dict[str, Column]:
    """The moments of a flow, each with what makes a step stand for it."""
    phase, outcome = F.col("phase"), F.col("outcome")
    completed = (phase == "completed") & outcome.isin("success", "failure")
    return {
        "started": phase == "started",
        "delivered": (phase == "delivered") & (outcome == "success"),
        "completed": completed,
        "succeeded": completed & (outcome == "success"),
    }


def _first_method() -> Column:
    """The method of the first step whose method is known; its place in the list is the end of a number that begins with the time."""
    methods = F.array(*map(F.lit, AUTH_METHODS))
    place = F.when(F.col("auth_method") != "unknown", F.array_position(methods, F.col("auth_method")))
    first = F.min(F.unix_micros("event_time") * len(AUTH_METHODS) + place - 1) % len(AUTH_METHODS)
    return F.coalesce(F.get(methods, first.cast("int")), F.lit("unknown"))


def flows(made: DataFrame) -> DataFrame:
    """One row per flow: a request that begins one, together with those that answer it."""
    by_user = (*PROJECT, "time_zone", "auth_method", "_who")
    itself = F.struct("first", "source", "flow_id", "_alone")
    so_far = Window.partitionBy(*by_user).orderBy(itself).rowsBetween(Window.unboundedPreceding, -1)
    is_open = F.col("completed").isNull() & (F.col("started").isNotNull() | F.col("delivered").isNotNull())
    asked = made.withColumn("_who", F.coalesce("_user", F.xxhash64("flow_id", "_alone")))
    asked = asked.withColumn("_asked", F.last(F.when(is_open, itself), ignorenulls=True).over(so_far))
    answers = F.col("completed").isNotNull() & F.col("_user").isNotNull() & (F.col("_asked.first") >= F.col("first") - _longest())
    return (
        asked.withColumn("_flow", F.when(answers, F.col("_asked")).otherwise(itself))
        .groupBy(*by_user, "_flow")
        .agg(F.min("first").alias("first"), *(F.min(moment).alias(moment) for moment in MOMENTS))
    )


def _longest() -> Column:
    return F.make_dt_interval(hours=F.lit(FLOW_HOURS))
