"""Gold out of single events: attempts by user, method, hour, reason, place and device.

Does not belong here: which rows to read, or which days to write (jobs.aggregate).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

PROJECT = ("tenant_id", "project_id")
USER = (*PROJECT, "user_key")


def sign_ins(events: DataFrame, zones: DataFrame) -> DataFrame:
    """The events of sign-ins that gold counts, of all phases, with the tenant's zone and day, and `client`: device and browser family.

    Args:
        events: rows of silver.auth_events.
        zones: tenant_id and time_zone (IANA) of the declared tenants; others are in UTC.
    """
    is_counted = F.col("activity").isin("sign_in", "sign_up") & (F.col("environment") == "live") & (F.col("time_quality") == "plausible")
    client = F.concat_ws("/", "device", _family(F.lower("user_agent"))).alias("client")
    counted = with_zone(events.where(is_counted).select(*EVENT_COLUMNS, client), zones)
    return counted.withColumn("day", F.to_date(F.from_utc_timestamp("event_time", F.col("time_zone"))))


EVENT_COLUMNS = (
    *PROJECT, "source", "event_id", "flow_id", "event_time", "event_date", "auth_method", "phase", "outcome", "failure_reason",
    "user_key", "ip", "country", "latitude", "longitude", "device",
)  # fmt: skip
"""What the tables of gold need of an event."""


def located(events: DataFrame, places: DataFrame | None) -> DataFrame:
    """Events of sign-ins with what their source does not tell of their place, and `country_reason`, why there is still no country.

    Args:
        events: as `sign_ins` gives them.
        places: ip, country, latitude and longitude of addresses that a GeoIP database knows; None where there is no database.
    """
    if places is None:
        return events.withColumn("country_reason", _why_no_country("no_geoip_database"))
    known = places.select("ip", *(F.col(name).alias(f"_{name}") for name in PLACE))
    is_placed = F.col("latitude").isNotNull()
    return (
        events.join(known, "ip", "left")
        .withColumns(
            {
                "country": F.coalesce("country", "_country"),
                "latitude": F.when(is_placed, F.col("latitude")).otherwise(F.col("_latitude")),
                "longitude": F.when(is_placed, F.col("longitude")).otherwise(F.col("_longitude")),
            }
        )
        .drop(*(f"_{name}" for name in PLACE))
        .withColumn("country_reason", _why_no_country("not_in_database"))
    )


PLACE = ("country", "latitude", "longitude")


def _why_no_country(of_address: str) -> Column:
    """Why an event has no country; null where it has one."""
    return F.when(F.col("country").isNull(), F.when(F.col("ip").isNull(), "no_address").otherwise(of_address))


FAMILIES: Mapping[str, tuple[str, ...]] = {
    "edge": ("edg/", "edge/", "edga/", "edgios/"),
    "opera": ("opr/", "opera"),
    "samsung": ("samsungbrowser/",),
    "firefox": ("firefox/", "fxios/"),
    "chrome": ("chrome/", "crios/"),
    "safari": ("safari/",),
}
"""Browser families and what names them in a user agent, in lower case. The order counts: most browsers also call themselves Chrome, and
all of those also Safari."""


def _family(agent: Column) -> Column:
    """The browser family of a user agent in lower case, without its version; else the first word, as of `okhttp/4.12`."""
    family = F.when(agent.isNull(), "unknown")
    for name, marks in FAMILIES.items():
        family = family.when(reduce(Column.__or__, (agent.contains(mark) for mark in marks)), name)
    word = F.regexp_extract(agent, "^[a-z]+", 0)
    return family.otherwise(F.when(word == "", "unknown").otherwise(word))


def with_zone(events: DataFrame, zones: DataFrame) -> DataFrame:
    """Add `time_zone`, the tenant's."""
    joined = events.join(F.broadcast(zones), "tenant_id", "left")
    return joined.withColumn("time_zone", F.coalesce("time_zone", F.lit("UTC")))


def attempts(events: DataFrame) -> DataFrame:
    """The attempts among the events of sign-ins, with `is_success` as 0 or 1."""
    tried = events.where((F.col("phase") == "completed") & F.col("outcome").isin("success", "failure"))
    return tried.withColumn("is_success", (F.col("outcome") == "success").cast("long"))


def _measures() -> list[Column]:
    return [
        F.count(F.lit(1)).alias("attempts"),
        F.sum("is_success").alias("successes"),
        (F.count(F.lit(1)) - F.sum("is_success")).alias("failures"),
        F.count_distinct("user_key").alias("users"),
    ]


def user_days(events: DataFrame) -> DataFrame:
    """gold.user_days from the events of sign-ins."""
    return (
        attempts(events)
        .where(F.col("user_key").isNotNull())
        .groupBy(*PROJECT, "day", "time_zone", "user_key")
        .agg(
            F.array_sort(F.collect_set("auth_method")).alias("auth_methods"),
            F.count(F.lit(1)).alias("attempts"),
            F.sum("is_success").alias("successes"),
            F.array_sort(F.collect_set(F.when(F.col("is_success") == 1, F.col("client")))).alias("devices"),
        )
    )


def auth_daily(events: DataFrame) -> DataFrame:
    """gold.auth_daily from the events of sign-ins."""
    return attempts(events).groupBy(*PROJECT, "day", "time_zone", "auth_method").agg(*_measures())


def auth_hourly(events: DataFrame) -> DataFrame:
    """gold.auth_hourly from the events of sign-ins."""
    hours = attempts(events).withColumn("hour", F.date_trunc("hour", "event_time"))
    return hours.groupBy(*PROJECT, "hour", "event_date").agg(*_measures())


def failure_reasons_daily(events: DataFrame) -> DataFrame:
    """gold.failure_reasons_daily from the events of sign-ins."""
    failed = attempts(events).where("is_success = 0").withColumn("failure_reason", F.coalesce("failure_reason", F.lit("unknown")))
    return failed.groupBy(*PROJECT, "day", "time_zone", "auth_method", "failure_reason").agg(
        F.count(F.lit(1)).alias("failures"), F.count_distinct("user_key").alias("users")
    )


def places_and_devices_daily(events: DataFrame) -> DataFrame:
    """gold.places_and_devices_daily from the located events of sign-ins."""
    return attempts(events).groupBy(*PROJECT, "day", "time_zone", "country", "country_reason", "device").agg(*_measures()).drop("failures")
