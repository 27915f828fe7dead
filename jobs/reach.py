"""What a gold table has to take in: which periods of it the new versions of its inputs reach, and which rows those are made from.

Does not belong here: formulas (jobs.gold), or computing and writing the periods (jobs.aggregate).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.context import Context
from jobs.days import around
from jobs.gold.sign_ins import USER, with_zone
from lakehouse.delta import Changes, DeltaLog, DeltaLogs, address, on_days
from lakehouse.geoip import kind_of_database
from lakehouse.settings import Settings
from lakehouse.tables import Table, table
from lakehouse.tenants import TenantRegistry

AUTH_EVENTS = "silver.auth_events"


@dataclass(frozen=True)
class Work:
    """What a gold table has to take in: the versions of its inputs, the periods to recompute (None: all), and the logs that say so."""

    declared: Table
    versions: Mapping[str, int]
    periods: frozenset[date] | None
    transaction: str
    logs: DeltaLogs = field(compare=False, repr=False)

    @property
    def version(self) -> int:
        """The sum of the inputs' versions, which rises when one of them does."""
        return sum(self.versions.values())

    @property
    def where(self) -> str | None:
        """Predicate on the rows to replace; None for the whole table."""
        if self.periods is None:
            return None
        return on_days(self.declared.recomputed_by, sorted(self.periods))


def plan(context: Context, logs: DeltaLogs, declared: Table) -> Work | None:
    """What a gold table has to recompute, from its own log and its inputs'; None where they say nothing new."""
    versions = _versions(logs, declared)
    transaction = taken_in(context.settings, declared)
    known = _known(logs[declared], declared, transaction, versions)
    if known is None:
        return Work(declared, versions, None, transaction, logs) if versions[declared.inputs[0]] else None
    periods: set[date] = set()
    for source in map(table, declared.inputs):
        if versions[source.name] <= known[source.name]:
            continue
        changes = logs[source].changes_since(known[source.name])
        reached = _reached(context, declared, logs[source], source, known[source.name], changes) if changes else None
        if reached is None:
            return Work(declared, versions, None, transaction, logs)
        periods |= reached
    return Work(declared, versions, frozenset(periods), transaction, logs) if periods else None


def is_behind(logs: DeltaLogs, declared: Table) -> bool:
    """Whether a gold table's inputs have rows that the table has not taken in, e.g. because the run that brought them was killed."""
    versions = _versions(logs, declared)
    known = _known(logs[declared], declared, taken_in(logs.settings, declared), versions)
    if known is None:
        return versions[declared.inputs[0]] > 0
    for name in (name for name in declared.inputs if versions[name] > known[name]):
        changes = logs[table(name)].changes_since(known[name])
        if changes is None or changes.files:
            return True
    return False


def taken_in(settings: Settings, declared: Table) -> str:
    """Transaction id of a gold table's commits: its inputs and what else it is made by, so that another definition starts afresh.

    That is the definition's version and, for a table that is made from places, the kind of GeoIP database. Another edition of the same
    kind holds for what is computed from then on.
    """
    definition = declared.definition
    made_by = f"{'+'.join(declared.inputs)}#{definition.version if definition else 0}"
    database = kind_of_database(settings) if definition and definition.is_located else None
    return f"{made_by}@{database}" if database else made_by


def _versions(logs: DeltaLogs, declared: Table) -> dict[str, int]:
    return {name: max(logs[table(name)].version, 0) for name in declared.inputs}


def _known(log: DeltaLog, declared: Table, transaction: str, versions: Mapping[str, int]) -> Mapping[str, int] | None:
    """The versions of its inputs that a table has taken in, given those that they have; None where its log does not tell."""
    done = log.transaction(transaction)
    if done == sum(versions.values()):
        return versions
    if done is None or len(declared.inputs) == 1:
        return None if done is None else {declared.inputs[0]: done}
    commit = log.commit_of(transaction, done)
    return commit.facts["inputs"] if commit else None


def _reached(context: Context, declared: Table, log: DeltaLog, source: Table, since: int, changes: Changes) -> set[date] | None:
    """Periods of a gold table that changes of an input reach; None for all, e.g. where the input's rows belong to no day."""
    if not source.partition_by:
        return None if changes.files else set()
    days = {date.fromisoformat(values[source.partition_by[0]]) for values in changes.partitions}
    later = {day for day in log.days() if day > min(days)} if days and declared.reach.after is None else set()
    try:
        if declared.reach.of_users and later - days:
            days = _days_of_changed_users(context, source, changes)
        elif source.name == AUTH_EVENTS and not _is_same_day(declared, source):
            return {period_of(declared, day) for day in _days_of_moments(context, declared, since, changes)}
        else:
            days |= later
    except AnalysisException as error:
        if error.getCondition() != FILE_IS_GONE:
            raise
        days |= later
    before, after = margins(of=source, to=declared)
    return {period_of(declared, day) for day in spread(days, declared.reach.before + before, (declared.reach.after or NOTHING) + after)}


FILE_IS_GONE = "PATH_NOT_FOUND"
"""An old version's file that maintenance has removed: then all days that its partition can reach count as touched."""
NOTHING = timedelta()
DAY = timedelta(days=1)
EAST, WEST = timedelta(hours=14), timedelta(hours=12)
"""How far the clocks of zones go ahead of UTC, and behind."""


def margins(*, of: Table, to: Table) -> tuple[timedelta, timedelta]:
    """How much earlier, and later, a day of one table can begin and end by the clock of another: days are UTC's or a tenant's."""
    if _is_utc(of) == _is_utc(to):
        return NOTHING, NOTHING
    return (WEST, EAST) if _is_utc(of) else (EAST, WEST)


def _is_utc(declared: Table) -> bool:
    return _day_column(declared) == "event_date"


def _day_column(declared: Table) -> str:
    return declared.recomputed_by or declared.partition_by[0]


def _is_same_day(declared: Table, source: Table) -> bool:
    return _day_column(declared) == _day_column(source) and declared.reach.before == NOTHING == declared.reach.after


def spread(days: Iterable[date], before: timedelta, after: timedelta) -> set[date]:
    """The days that share a moment with the time from so long before one of the days to so long after it."""
    return around(days, math.ceil(before / DAY), math.ceil(after / DAY))


def period_of(declared: Table, day: date) -> date:
    """The period of a gold table that a day is in: the day, the Monday of its week, or the first of its month."""
    if declared.recomputed_by == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if declared.recomputed_by == "month" else day


def days_of(declared: Table, period: date) -> set[date]:
    """The days of a period of a gold table."""
    return {day for day in around({period}, 0, 30) if period_of(declared, day) == period}


def _days_of_moments(context: Context, declared: Table, since: int, changes: Changes) -> set[date]:
    """Days that the moments of changed events reach, by the clock that the table's days are cut by."""
    reach, days = declared.reach, set[date]()
    assert reach.after is not None
    for zone, quarter in _quarter_hours(context, since, changes):
        begin = datetime.fromtimestamp(quarter * QUARTER_HOUR.total_seconds(), UTC)
        clock = UTC if _is_utc(declared) else ZoneInfo(zone)
        first = _day_at(begin, -reach.before, clock)
        last = _day_at(begin, QUARTER_HOUR - timedelta.resolution + reach.after, clock)
        days |= around({first}, 0, (last - first).days)
    return days


def _day_at(moment: datetime, away: timedelta, clock: tzinfo) -> date:
    """The day by a clock so long after a moment; the moment's own where the calendar ends before that."""
    try:
        return (moment + away).astimezone(clock).date()
    except OverflowError:
        return moment.date()


QUARTER_HOUR = timedelta(minutes=15)
"""The days of all zones begin at one: their clocks differ from UTC by whole ones."""


def _quarter_hours(context: Context, since: int, changes: Changes) -> list[tuple[str, int]]:
    """Zones, and the quarters of an hour since the epoch in which an event of theirs has changed; the steps of a run ask Spark once."""
    key = ("quarter hours", since, changes.version)
    if key not in context.kept:
        changed = context.session.read.parquet(*changes.files).where("time_quality = 'plausible'").select("tenant_id", "event_time")
        quarter = F.expr(f"unix_seconds(event_time) div {int(QUARTER_HOUR.total_seconds())}")
        found = with_zone(changed, zones(context)).select("time_zone", quarter.alias("quarter")).distinct().collect()
        context.kept[key] = [(row["time_zone"], row["quarter"]) for row in found]
    return list(context.kept[key])


def _days_of_changed_users(context: Context, source: Table, changes: Changes) -> set[date]:
    """Days on which the rows of users differ from what they were, with the later days of these users."""
    read = context.session.read.option("basePath", address(context.settings, source))
    sides = [
        read.parquet(*files).select(*source.column_names, F.lit(sign).alias("_sign"))
        for files, sign in ((changes.added, 1), (changes.removed, -1))
        if files
    ]
    both = sides[0].unionByName(sides[-1]) if len(sides) > 1 else sides[0]
    differing = both.groupBy(*source.column_names).agg(F.sum("_sign").alias("_times")).where("_times <> 0")
    since = differing.groupBy(*USER).agg(F.min("day").alias("_since"))
    rows = context.session.table(source.name).select(*USER, "day").join(F.broadcast(since), list(USER)).where("day >= _since")
    return {row["day"] for row in rows.select("day").union(differing.select("day")).distinct().collect()}


def days_to_read(work: Work, source: Table) -> set[date] | None:
    """Partitions of an input that the periods of the work are made from; None for all, or for all up to the last of them."""
    reach, declared = work.declared.reach, work.declared
    if work.periods is None or not source.partition_by or reach.after is None:
        return None
    before, after = margins(of=declared, to=source)
    days = {day for period in work.periods for day in days_of(declared, period)}
    return spread(days, reach.after + before, reach.before + after)


def zones(context: Context) -> DataFrame:
    """tenant_id and time_zone of the declared tenants."""
    declared = TenantRegistry(context.settings).all().values()
    return context.session.createDataFrame([(t.tenant_id, t.time_zone) for t in declared], "tenant_id string, time_zone string")
