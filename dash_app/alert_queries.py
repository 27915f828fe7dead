"""SQL behind the Alerts page: what was sent on which channel, how it went, and how much of it was noise.

Does not belong here: sending (the evaluator), or how it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dash_app.cache import Cache, Look
from lakehouse.ops.store import Reader

Row = dict[str, Any]

DELIVERY_DAYS = 90
MOST_DELIVERIES = 2000
WEEKS = 8
REHEARSALS = ("drill", "test")
"""Kinds of messages that tell of no trouble."""
_REHEARSALS = ", ".join(f"'{kind}'" for kind in REHEARSALS)
FILTERS = ("channel", "outcome", "kind", "incident", "week")

DELIVERIES = f"""
select
    alert_key, incident_id, kind, channel, attempt, outcome, is_repeat, error,
    epoch_ms(due_at) as due_ms, epoch_ms(sent_at) as sent_ms, (epoch_ms(sent_at) - epoch_ms(due_at)) / 1000 as took_s,
    strftime(date_trunc('week', sent_at), '%Y-%m-%d') as week
from ops.alert_deliveries
where sent_at > ?
order by sent_at desc, alert_key, attempt desc
limit {MOST_DELIVERIES}
"""

CHANNELS = """
select
    channel,
    arg_max(struct_pack(outcome := outcome, error := error, kind := kind, ms := epoch_ms(sent_at)), sent_at) as last,
    epoch_ms(max(sent_at) filter (outcome = 'delivered')) as delivered_ms,
    count(*) filter (outcome = 'delivered' and sent_at > ?) as delivered,
    count(*) filter (outcome <> 'delivered' and sent_at > ?) as failed
from ops.alert_deliveries group by channel order by channel
"""

DRILLS = """
select
    channel, arg_max(outcome, sent_at) as outcome, epoch_ms(max(sent_at)) as sent_ms, arg_max(error, sent_at) as error,
    epoch_ms(max(sent_at) filter (outcome = 'delivered')) as delivered_ms,
    arg_max((epoch_ms(sent_at) - epoch_ms(due_at)) / 1000, sent_at) as took_s
from ops.alert_deliveries where kind = 'drill' group by channel order by channel
"""

NOISE = f"""
select channel, strftime(date_trunc('week', sent_at), '%Y-%m-%d') as week, count(distinct alert_key) as messages
from ops.alert_deliveries
where outcome = 'delivered' and kind not in ({_REHEARSALS}) and sent_at >= ?
group by all order by all
"""

USEFUL = f"""
with marks as (
    select incident_id, arg_max(mark, happened_at) as mark
    from ops.incident_events where mark in ('useful', 'not_useful') group by incident_id
)
select
    channel,
    count(distinct alert_key) as messages,
    count(distinct alert_key) filter (mark is not null) as marked,
    count(distinct alert_key) filter (mark = 'useful') as useful
from ops.alert_deliveries left join marks using (incident_id)
where outcome = 'delivered' and kind not in ({_REHEARSALS}) and sent_at >= ?
group by channel order by channel
"""


@dataclass(frozen=True)
class Sent:
    """What the Alerts page shows; times in milliseconds since 1970, UTC; weeks by their Monday (UTC)."""

    channels: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    drills: list[Row] = field(default_factory=list)
    noise: list[Row] = field(default_factory=list)
    useful: list[Row] = field(default_factory=list)
    weeks: list[str] = field(default_factory=list)

    def chosen(self, asked: Mapping[str, str]) -> list[Row]:
        """The deliveries that the filters leave."""
        columns = {"incident": "incident_id"}
        return [row for row in self.deliveries if all(row[columns.get(name, name)] == value for name, value in asked.items())]

    def messages(self, channel: str, week: str) -> int:
        """How many messages left by a channel in a week."""
        return sum(row["messages"] for row in self.noise if (row["channel"], row["week"]) == (channel, week))


class Alerts:
    """What the pages know of messages, read at most once per `ttl_s`."""

    def __init__(self, reader: Reader, *, ttl_s: float = 4, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._reader, self._now, self._looks = reader, now, Cache(ttl_s)

    def sent(self) -> Look[Sent]:
        """Everything about messages."""
        return self._looks.look("sent", self._read)

    def _rows(self, sql: str, parameters: Any = ()) -> list[Row]:
        return list(self._reader.query(sql, parameters).to_pylist())

    def _read(self) -> Sent:
        now = self._now()
        this_week = datetime.combine((now - timedelta(days=now.weekday())).date(), datetime.min.time(), UTC)
        weeks = [this_week - timedelta(weeks=n) for n in range(WEEKS)][::-1]
        week_ago = now - timedelta(days=7)
        return Sent(
            channels=self._rows(CHANNELS, [week_ago, week_ago]),
            deliveries=self._rows(DELIVERIES, [now - timedelta(days=DELIVERY_DAYS)]),
            drills=self._rows(DRILLS),
            noise=self._rows(NOISE, [weeks[0]]),
            useful=self._rows(USEFUL, [weeks[0]]),
            weeks=[week.strftime("%Y-%m-%d") for week in weeks],
        )
