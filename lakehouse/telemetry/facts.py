"""Reading the facts that are to be sent, as points of metrics.

Does not belong here: how far they were sent (cursor), or the sending (endpoint).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from lakehouse.ops.store import Reader
from lakehouse.tables import table
from lakehouse.telemetry.cursor import Position, micros, moment
from lakehouse.telemetry.instruments import (
    ATTEMPTS,
    BATCH,
    DIMENSION,
    INCIDENTS_OPEN,
    MEASURED,
    NOT_ADDED_UP,
    PIPELINE,
    SEVERITY,
    STATUS,
    STEP,
    TABLE,
    TENANT,
    TENANT_PART,
    Point,
)

UNFINISHED = ("PENDING", "RUNNING", "LATE")
"""Statuses after which something is still to come."""

APPENDS = """
select epoch_us(recorded_at) as append, count(*) as facts from {table}
where recorded_date >= ? and recorded_at > ? and {which}
group by 1 order by 1
"""
FACTS = """
select epoch_us(recorded_at) as append, {columns} from {table}
where recorded_date between ? and ? and recorded_at between ? and ? and {which}
{grouping} order by {order}
"""
OPEN_INCIDENTS = "select severity, count(*) as n from ops.incidents where state <> 'resolved' group by 1"


@dataclass(frozen=True)
class Feed:
    """Facts of one table.

    Args:
        table: where they are recorded.
        which: condition, as SQL, that tells them from others of the table.
        columns: what is read of them, as SQL.
        grouping: how rows are taken together, as SQL; may be empty.
        order: names of columns by which the facts of an append are always in the same order, as SQL.
        points: the points of a fact; never none.
    """

    table: str
    which: str
    columns: str
    grouping: str
    order: str
    points: Callable[[Mapping[str, Any]], list[Point]]

    def unsent(self, reader: Reader, position: Position, room: int) -> list[Portion]:
        """The oldest points that were not sent, at most `room`. Raises InfrastructureError when the store does not answer."""
        chosen = self._next_appends(reader, position, room)
        portions = []
        for append, points in self._read(reader, chosen).items():
            before = position.begun.get(append, 0)
            taken = points[before : before + room]
            room -= len(taken)
            if taken:
                portions.append(Portion(self.table, append, taken, before + len(taken), before + len(taken) == len(points)))
        return portions

    def _next_appends(self, reader: Reader, position: Position, room: int) -> list[int]:
        """The oldest appends, as many as may have `room` points (more facts than points make none), and at least one."""
        since = moment(position.since)
        rows = reader.rows(APPENDS.format(table=self.table, which=self.which), [since.date(), since])
        chosen: list[int] = []
        facts = 0
        for append, count in ((row["append"], row["facts"]) for row in rows if row["append"] not in position.sent):
            if chosen and facts >= room:
                break
            chosen.append(append)
            facts += count
        return chosen

    def _read(self, reader: Reader, appends: Sequence[int]) -> dict[int, list[Point]]:
        if not appends:
            return {}
        first, last = moment(appends[0]), moment(appends[-1])
        sql = FACTS.format(table=self.table, which=self.which, columns=self.columns, grouping=self.grouping, order=self.order)
        found: dict[int, list[Point]] = {append: [] for append in appends}
        for fact in reader.rows(sql, [first.date(), last.date(), first, last]):
            if fact["append"] in found:
                found[fact["append"]] += self.points(fact)
        return found


@dataclass(frozen=True)
class Portion:
    """Points of one append that leave together.

    Args:
        table: where the facts are recorded.
        append: `recorded_at` of the append, in microseconds since 1970.
        points: the points.
        sent_then: how many points of the append have been sent with these.
        is_whole: whether these are all of it.
    """

    table: str
    append: int
    points: Sequence[Point]
    sent_then: int
    is_whole: bool


def _of_measurement(fact: Mapping[str, Any]) -> list[Point]:
    """A measurement: of a batch, or of a tenant's part of it, whose buckets of event time are taken together."""
    known = TENANT_PART if fact["tenant_id"] else BATCH
    about = {PIPELINE: fact["pipeline"], TABLE: fact["table_name"], TENANT: fact["tenant_id"], DIMENSION: fact["dimension"]}
    return [Point(known[fact["metric"]], _applying(about), fact["append"], fact["value"])]


def _of_attempt(fact: Mapping[str, Any]) -> list[Point]:
    """An attempt that ended."""
    about = {PIPELINE: fact["pipeline"], TABLE: fact["asset"], STATUS: fact["status"], ERROR_TYPE: fact["error_class"]}
    values = [(ATTEMPTS, 1), *((instrument, fact[column]) for column, instrument in STEP.items())]
    return [Point(instrument, _applying(about), fact["time_us"], value) for instrument, value in values if value is not None]


def _applying(attributes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if value is not None}


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


MEASUREMENTS = Feed(
    table="ops.metrics",
    which=f"metric in ({_listed(MEASURED)}) and (tenant_id is not null or bucket_start is null)",
    columns="pipeline, table_name, metric, dimension, tenant_id, "
    f"case when metric in ({_listed(NOT_ADDED_UP)}) then max(value) else sum(value) end as value",
    grouping="group by recorded_at, pipeline, table_name, metric, dimension, tenant_id",
    order="append, pipeline, table_name, metric, dimension nulls first, tenant_id nulls first",
    points=_of_measurement,
)
ENDED_ATTEMPTS = Feed(
    table="ops.run_events",
    which=f"fact in ('end', 'verdict') and status not in ({_listed(UNFINISHED)})",
    columns="pipeline, asset, status, error_class, "
    "epoch_us(case status when 'MISSING' then coalesce(expected_end, nominal_start, recorded_at) else coalesce(ended_at, recorded_at) end) "
    f"as time_us, {', '.join(STEP)}",
    grouping="",
    order="append, pipeline, asset, run_id, attempt, time_us",
    points=_of_attempt,
)
FEEDS = (MEASUREMENTS, ENDED_ATTEMPTS)


def open_incidents(reader: Reader, now: datetime) -> Iterator[Point]:
    """How many incidents of each severity are open now. Raises InfrastructureError when the store does not answer."""
    found = {row["severity"]: row["n"] for row in reader.rows(OPEN_INCIDENTS)}
    severities = next(c.values for c in table("ops.incident_events").columns if c.name == "severity")
    for severity in severities:
        yield Point(INCIDENTS_OPEN, {SEVERITY: severity}, micros(now), found.get(severity, 0))
