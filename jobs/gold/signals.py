"""gold.security_signals: what looks like an attack on one user, or from one address.

Each detector finds the events behind its signals, each with the moment at which it made the signal; the signals of a subject and day are
then gathered into a row.

Does not belong here: what a signal means, or from which number on it counts (lakehouse.tables.gold.signals).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from jobs.gold.sign_ins import PROJECT, USER, attempts
from lakehouse.spark import checkpoint
from lakehouse.tables.gold.signals import (
    BORDER_WINDOW,
    BRUTE_FORCE_FAILURES,
    BRUTE_FORCE_WINDOW,
    BURST_WINDOW,
    EARTH_RADIUS_KM,
    EVENT_IDS_KEPT,
    RULE_VERSION,
    STUFFING_USERS,
    STUFFING_WINDOW,
    TRAVEL_KM,
    TRAVEL_KMH,
)

ADDRESS = (*PROJECT, "ip")
IN_ORDER = ("event_time", "source", "event_id")
SIGNAL = (*PROJECT, "signal", "subject_kind", "subject", "event_date")


def security_signals(events: DataFrame, features: DataFrame) -> DataFrame:
    """gold.security_signals from the located events of sign-ins and gold.user_features_daily."""
    tried = checkpoint(_candidates(attempts(events), features))
    found = (
        _brute_force(tried.where("_user_is_suspect")),
        _credential_stuffing(tried.where("_address_is_suspect")),
        _impossible_travel(tried.where("_travels")),
        _new_devices(tried.where("_is_new_device")),
    )
    return _gathered(reduce(DataFrame.unionByName, found))


def _candidates(tried: DataFrame, features: DataFrame) -> DataFrame:
    """The attempts that a detector has to look at, marked for it. They are few, and found without sorting all the others."""
    suspects = checkpoint(_suspects(tried.where("is_success = 0")))
    users, addresses = (suspects.where(F.col("kind") == kind).withColumnRenamed("subject", name) for kind, name in SUBJECTS.items())
    placed = tried.where("is_success = 1 and user_key is not null").where(HAS_PLACE)
    travellers = placed.groupBy(*USER).agg(_is_about().alias("_is_about")).where("_is_about")
    devices = features.where("days_since_first_success > 0").select(*USER, "day", F.explode("new_devices").alias("client"))
    marked = _marked(tried, users, (*USER, "event_date"), "_user_is_suspect")
    marked = _marked(marked, addresses, (*ADDRESS, "event_date"), "_address_is_suspect")
    marked = _marked(marked, travellers, USER, "_travels")
    marked = _marked(marked, devices, (*USER, "day", "client"), "_is_new_device")
    return marked.where("_user_is_suspect or _address_is_suspect or _travels or _is_new_device")


HAS_PLACE = "latitude is not null or country is not null"
CLOSE_DEGREES = TRAVEL_KM / 2 / (2 * math.pi * EARTH_RADIUS_KM / 360)
"""Who never goes further than this along a meridian or a parallel makes no journey."""


def _is_about() -> Column:
    """Whether events are from more places than one, in numbers only: an aggregate that keeps a text has to sort its input."""
    ways = [F.max(name) - F.min(name) >= CLOSE_DEGREES for name in ("latitude", "longitude")]
    ways.append(F.min(F.xxhash64("country")) != F.max(F.xxhash64("country")))
    return reduce(Column.__or__, (F.coalesce(way, F.lit(False)) for way in ways))


MOST_BROADCAST = 500_000
"""Rows that are sent to every task, some 100 MB, so that the attempts need not be sorted to meet them."""


def _marked(tried: DataFrame, those: DataFrame, keys: Sequence[str], name: str) -> DataFrame:
    """The attempts with a column that tells which of them are among those."""
    marks = checkpoint(those.select(*keys, F.lit(True).alias(name)))
    joined = tried.join(F.broadcast(marks) if marks.count() <= MOST_BROADCAST else marks, list(keys), "left")
    return joined.withColumn(name, F.coalesce(name, F.lit(False)))


def _suspects(failed: DataFrame) -> DataFrame:
    """Users and addresses with enough failures within any window of a burst, and the days (UTC) on and next to which they had them.

    Whatever lies within the longest such window lies within a slot of twice its length, of those that begin at its multiples.
    """
    longest = int(BURST_WINDOW.total_seconds())
    last = F.floor(F.unix_seconds("event_time") / longest)
    subjects = F.array(*(F.struct(F.lit(kind).alias("kind"), F.col(name).alias("subject")) for kind, name in SUBJECTS.items()))
    slots = failed.select(*PROJECT, F.explode(F.array(last - 1, last)).alias("slot"), subjects.alias("subjects"))
    counted = slots.select(*PROJECT, "slot", F.inline("subjects")).where("subject is not null").groupBy(*PROJECT, "kind", "subject", "slot")
    many = counted.count().where(F.col("count") >= min(BRUTE_FORCE_FAILURES, STUFFING_USERS))
    around = (F.to_date(F.timestamp_seconds((F.col("slot") + slots_away) * longest)) for slots_away in (-1, 3))
    return many.select(*PROJECT, "kind", "subject", F.explode(F.array(*around)).alias("event_date")).distinct()


SUBJECTS = {"user": "user_key", "address": "ip"}


def _brute_force(tried: DataFrame) -> DataFrame:
    """Failures of one user that come close together."""
    failed = tried.where("is_success = 0")
    earlier = F.lag("event_time", BRUTE_FORCE_FAILURES - 1).over(Window.partitionBy(*USER).orderBy(*IN_ORDER))
    is_hot = earlier > F.col("event_time") - _interval(BRUTE_FORCE_WINDOW)
    return _bursts(tried, failed.withColumn("_is_hot", is_hot), "brute_force", "user", BRUTE_FORCE_WINDOW)


def _credential_stuffing(tried: DataFrame) -> DataFrame:
    """Failures of many users from one address.

    A failure makes its user count for the length of the window, or until the user's next failure: a running sum of these beginnings
    and ends is the number of distinct users.
    """
    failed = tried.where("is_success = 0 and user_key is not null")
    following = F.lead("event_time").over(Window.partitionBy(*ADDRESS, "user_key").orderBy(*IN_ORDER))
    end = F.least(F.col("event_time") + _interval(STUFFING_WINDOW), following)
    steps = F.array(
        F.struct(F.col("event_time").alias("_at"), F.lit(1).alias("_step")), F.struct(end.alias("_at"), F.lit(-1).alias("_step"))
    )
    moments = failed.withColumn("_steps", steps).select("*", F.inline("_steps"))
    until_now = Window.partitionBy(*ADDRESS).orderBy("_at").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    counted = moments.withColumn("_is_hot", F.sum("_step").over(until_now) >= STUFFING_USERS).where("_step = 1")
    return _bursts(tried, counted, "credential_stuffing", "address", STUFFING_WINDOW)


def _bursts(tried: DataFrame, failed: DataFrame, signal: str, kind: str, window: timedelta) -> DataFrame:
    """The failures of a subject that lie in the window before a hot one, on the day of the first such, and the success that followed.

    Args:
        tried: attempts of suspects.
        failed: the failures among them that count, with `_is_hot`.
    """
    subject, moment = (*PROJECT, SUBJECTS[kind]), F.col("event_time")
    both = failed.unionByName(tried.where("is_success = 1").withColumn("_is_hot", F.lit(False)), allowMissingColumns=True)
    hot = F.when(F.col("_is_hot"), moment)
    before = F.last(hot, ignorenulls=True).over(_running(subject, *IN_ORDER))
    after = F.last(hot, ignorenulls=True).over(_running(subject, *(F.desc(name) for name in IN_ORDER)))
    succeeded = F.col("is_success") == 1
    detected = F.when(succeeded & (before > moment - _interval(window)), before).when(
        ~succeeded & (after < moment + _interval(window)), after
    )
    return _evidence(both.withColumn("detected_at", detected), signal, kind, ~succeeded, F.when(succeeded, "high").otherwise("medium"))


def _running(keys: Sequence[str], *order: str | Column) -> WindowSpec:
    return Window.partitionBy(*keys).orderBy(*order).rowsBetween(Window.unboundedPreceding, Window.currentRow)


def _impossible_travel(tried: DataFrame) -> DataFrame:
    """Successes of one user from two places one after the other, closer together than travel allows."""
    by_user, moment = Window.partitionBy(*USER).orderBy(*IN_ORDER), F.col("event_time")
    placed = tried.where("is_success = 1").where(HAS_PLACE)
    before = {f"_{name}": F.lag(name).over(by_user) for name in ("event_time", "country", "latitude", "longitude")}
    measured = placed.withColumns(before).withColumn("_km", _kilometres())
    hours = F.greatest(F.unix_micros("event_time") - F.unix_micros("_event_time"), F.lit(1_000_000)) / 3_600_000_000
    by_distance = (F.col("_km") >= TRAVEL_KM) & (F.col("_km") > hours * TRAVEL_KMH)
    by_country = (F.col("_country") != F.col("country")) & (moment - F.col("_event_time") < _interval(BORDER_WINDOW))
    is_jump = F.when(F.col("_km").isNotNull(), by_distance).otherwise(by_country)
    speed = F.when(is_jump & F.col("_km").isNotNull(), F.struct(F.round(F.col("_km") / hours, 1), F.round("_km", 1)))
    jumps = measured.select(*tried.columns, F.when(is_jump, moment).alias("_jump"), speed.alias("_speed"))
    followed = jumps.withColumns({"_following": F.lead("_jump").over(by_user), "_its_speed": F.lead("_speed").over(by_user)})
    ends = F.array(
        F.struct(F.col("_jump").alias("detected_at"), F.col("_speed").alias("_fastest")),
        F.struct(F.col("_following").alias("detected_at"), F.col("_its_speed").alias("_fastest")),
    )
    events = followed.select(*tried.columns, F.inline(ends)).where("detected_at is not null")
    severity = F.when(F.col("_fastest").isNull(), "medium").otherwise("high")
    return _evidence(events, "impossible_travel", "user", F.lit(True), severity, F.col("_fastest"))


def _kilometres() -> Column:
    """The great circle from the place of the event before to the event's own, by the haversine formula; null where one is not known."""
    north, north_before = F.radians("latitude"), F.radians("_latitude")
    across = F.pow(F.sin((north - north_before) / 2), F.lit(2))
    along = F.pow(F.sin(F.radians(F.col("longitude") - F.col("_longitude")) / 2), F.lit(2))
    chord = across + F.cos(north) * F.cos(north_before) * along
    return 2 * EARTH_RADIUS_KM * F.asin(F.sqrt(F.when(chord > 1, 1.0).otherwise(chord)))


def _new_devices(tried: DataFrame) -> DataFrame:
    """The first success from each device that its user never had one from before."""
    first = Window.partitionBy(*USER, "day", "client").orderBy(*IN_ORDER)
    succeeded = tried.where("is_success = 1").withColumn("_nth", F.row_number().over(first)).where("_nth = 1")
    return _evidence(succeeded.withColumn("detected_at", F.col("event_time")), "new_device", "user", F.lit(True), F.lit("low"))


def _evidence(events: DataFrame, signal: str, kind: str, counts: Column, severity: Column, fastest: Column | None = None) -> DataFrame:
    """Events with the signal that they belong to; those without `detected_at` belong to none."""
    return events.where("detected_at is not null").select(
        *PROJECT,
        F.lit(signal).alias("signal"),
        F.lit(kind).alias("subject_kind"),
        F.col(SUBJECTS[kind]).alias("subject"),
        F.to_date("detected_at").alias("event_date"),
        "detected_at",
        *IN_ORDER,
        counts.alias("_counts"),
        severity.alias("severity"),
        (F.lit(None) if fastest is None else fastest).cast("struct<kmh double, km double>").alias("_fastest"),
    )


def _gathered(evidence: DataFrame) -> DataFrame:
    """One row per signal, subject and day, of whose events each counts once."""
    event = F.struct(*IN_ORDER)
    single = evidence.groupBy(*SIGNAL, *IN_ORDER).agg(
        F.min("detected_at").alias("detected_at"),
        F.max("_counts").alias("_counts"),
        F.max(F.array_position(F.array(*map(F.lit, SEVERITIES)), F.col("severity"))).alias("_severity"),
        F.max("_fastest").alias("_fastest"),
    )
    nth = F.row_number().over(Window.partitionBy(*SIGNAL).orderBy(F.desc("_counts"), *IN_ORDER))
    counted = F.when(F.col("_counts"), F.col("event_time"))
    is_shown = F.col("_counts") & (F.col("_nth") <= EVENT_IDS_KEPT)
    return (
        single.withColumn("_nth", nth)
        .groupBy(*SIGNAL)
        .agg(
            F.min("detected_at").alias("detected_at"),
            F.element_at(F.array(*map(F.lit, SEVERITIES)), F.max("_severity").cast("int")).alias("severity"),
            F.count(counted).alias("evidence"),
            F.min(counted).alias("window_start"),
            F.max(counted).alias("window_end"),
            F.array_sort(F.collect_list(F.when(is_shown, event))).alias("_first"),
            F.max("_fastest").alias("_fastest"),
        )
        .select(
            "*",
            F.expr("transform(_first, event -> event.event_id)").alias("event_ids"),
            F.col("_fastest.km").alias("distance_km"),
            F.col("_fastest.kmh").alias("speed_kmh"),
            F.when((F.col("signal") == "impossible_travel") & F.col("_fastest").isNull(), "no_coordinates").alias("speed_reason"),
            F.lit(RULE_VERSION).alias("rule_version"),
        )
        .drop("_first", "_fastest")
    )


SEVERITIES = ("low", "medium", "high")
"""In rising order."""


def _interval(length: timedelta) -> Column:
    return F.make_dt_interval(secs=F.lit(length.total_seconds()))
