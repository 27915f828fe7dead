"""Delivery: every message that is due goes out once to each channel that takes it; each attempt is claimed, made, and recorded.

What is due is told by the tables, not by what happened in this process: an evaluator that was dead for an hour sends what it has missed.

Does not belong here: words (messages), or how a channel is spoken to (channels).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lakehouse.alerts.channels import Channel, ChannelError, Message, Sender
from lakehouse.alerts.claims import Claims
from lakehouse.alerts.messages import compose
from lakehouse.incidents.causes import DRILL
from lakehouse.monitoring.symptoms import Kind, Symptom
from lakehouse.ops.store import Reader, Row, Writer

log = logging.getLogger("lakehouse")

FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=10)
MOST_ATTEMPTS = 60
"""Some nine hours of trying."""
DEAD_AFTER = 3
"""Failed attempts in a row, after which a channel is dead until one succeeds."""
REMIND_AFTER = timedelta(days=1)
TOLD_FOR = timedelta(days=3)
"""What could not be told by then is told by its reminders."""

TOLD = """
with told as (
    select incident_id, event, happened_at, row_number() over (partition by incident_id, event order by happened_at) as nth
    from (
        select incident_id, event, happened_at,
               lag(happened_at) over (partition by incident_id, event order by happened_at) as before
        from ops.incident_events where event in ('opened', 'worsened', 'reopened', 'resolved') and happened_at <= $1
    )
    where before is null or happened_at > before + interval 30 seconds
)
select told.event, told.happened_at, told.nth, i.* from told join ops.incidents as i using (incident_id)
where told.happened_at > $1::timestamptz - interval 3 days or (i.state = 'open' and told.event = 'opened')
"""
"""What happened to incidents lately, and those that are still open; what two evaluators saw at once happened once."""
SENT = """
select alert_key, channel, max(attempt)::int as attempts, bool_or(outcome = 'delivered') as is_delivered,
       bool_or(outcome = 'gave_up') as is_given_up, max(sent_at) as last_at
from ops.alert_deliveries where sent_at > $1::timestamptz - interval 8 days group by all
"""
FAILED_IN_A_ROW = """
select channel, count(*)::int as failures, min(sent_at) as since, max_by(error, sent_at) as error
from ops.alert_deliveries as d
where outcome != 'delivered' and sent_at > $1::timestamptz - interval 8 days and sent_at <= $1
  and sent_at > coalesce((select max(sent_at) from ops.alert_deliveries as g where g.channel = d.channel and g.outcome = 'delivered'),
                         timestamptz '1970-01-01')
group by channel
"""


@dataclass(frozen=True)
class Due:
    """A message that a channel has not got yet."""

    channel: Channel
    key: str
    kind: str
    at: datetime
    incident: Mapping[str, Any]


class Delivery:
    """Sends what is due.

    Args:
        reader, writer: of the ops tables.
        channels: of the instance.
        sender: sends over a channel.
        claims: where attempts are claimed.
        host: this machine and instance.
        url: of the operations pages.
    """

    def __init__(
        self, reader: Reader, writer: Writer, channels: Sequence[Channel], sender: Sender, claims: Claims, host: str, url: str | None
    ) -> None:
        self._reader, self._writer, self._channels = reader, writer, channels
        self._sender, self._claims, self._host, self._url = sender, claims, host, url

    def round(self, now: datetime) -> list[Row]:
        """Send what is due at a time (UTC); returns and records the attempts."""
        if not self._channels:
            return []
        sent = {(row["alert_key"], row["channel"]): row for row in self._reader.rows(SENT, [now])}
        tried = (self._deliver(due, sent.get((due.key, due.channel.name)), now) for due in self._due(now))
        rows: list[Row] = [row for row in tried if row]
        self._writer.append("ops.alert_deliveries", rows)
        return rows

    def dead_channels(self, now: datetime) -> list[Symptom]:
        """A symptom for each channel that does not take messages."""
        return [
            Symptom(
                Kind.CHANNEL_DEAD,
                row["since"],
                f"{row['failures']} attempts in a row failed: {row['error']}",
                "messages are delivered",
                table=row["channel"],
                facts={"channel": row["channel"]},
            )
            for row in self._reader.rows(FAILED_IN_A_ROW, [now])
            if row["failures"] >= DEAD_AFTER and row["channel"] in {c.name for c in self._channels}
        ]

    def _due(self, now: datetime) -> Iterable[Due]:
        for row in sorted(self._reader.rows(TOLD, [now]), key=lambda row: str(row["happened_at"])):
            for kind, key, at in _messages(row, now):
                yield from (Due(channel, key, kind, at, row) for channel in self._channels if _is_told(channel, row, kind, now))

    def _deliver(self, due: Due, past: Mapping[str, Any] | None, now: datetime) -> dict[str, Any] | None:
        if past and (past["is_delivered"] or past["is_given_up"] or now < past["last_at"] + _wait_after(past["attempts"])):
            return None
        attempt, is_repeat = (past["attempts"] if past else 0) + 1, False
        while not self._claims.take(f"{due.channel.name}/{due.key}.{attempt}", self._host, now):
            claim = self._claims.of(f"{due.channel.name}/{due.key}.{attempt}")
            if claim is None or not claim.is_dead(self._host, now):
                return None
            attempt, is_repeat = attempt + 1, True
        message = compose(due.incident, due.kind, due.key, self._url, is_repeat=is_repeat)
        return self._attempt(due.channel, message, due.kind, due.incident["incident_id"], attempt, due.at, now, is_repeat=is_repeat)

    def _attempt(
        self, channel: Channel, message: Message, kind: str, incident_id: str | None, attempt: int, due_at: datetime, now: datetime,
        *, is_repeat: bool,
    ) -> dict[str, Any]:  # fmt: skip
        outcome, problem = "delivered", None
        try:
            self._sender(channel, message)
        except ChannelError as error:
            outcome, problem = "gave_up" if attempt >= MOST_ATTEMPTS else "failed", str(error)
            log.warning("%s did not take a message (attempt %d): %s", channel.name, attempt, problem)
        return {
            "alert_key": message.key, "incident_id": incident_id, "kind": kind, "channel": channel.name, "attempt": attempt,
            "outcome": outcome, "is_repeat": is_repeat, "error": problem, "due_at": due_at, "sent_at": now,
        }  # fmt: skip


def _messages(row: Mapping[str, Any], now: datetime) -> Iterable[tuple[str, str, datetime]]:
    """Kind, key and time of the messages that an event of an incident asks for; of one that is over only that it is."""
    event, happened_at = row["event"], row["happened_at"]
    key = f"{row['incident_id']}.{event}.{row['nth']}"
    is_recent = now - happened_at < TOLD_FOR
    if row["cause"] == DRILL:
        if event == "opened" and is_recent:
            yield "drill", key, happened_at
    elif event == "resolved" or row["state"] != "resolved":
        if is_recent:
            yield event, key, happened_at
        days = (now - happened_at) // REMIND_AFTER
        if event == "opened" and row["state"] == "open" and days:
            yield "reminder", f"{row['incident_id']}.reminder.{days}", happened_at + days * REMIND_AFTER


def _is_told(channel: Channel, incident: Mapping[str, Any], kind: str, now: datetime) -> bool:
    if not channel.is_open(now):
        return False
    if kind == "drill":
        return True
    if incident["cause"] == "channel_dead":
        return bool(incident["table_name"] != channel.name)
    return channel.takes(incident)


def _wait_after(attempts: int) -> timedelta:
    return min(FIRST_WAIT * int(2 ** min(attempts - 1, 16)), LONGEST_WAIT)
