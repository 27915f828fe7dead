"""The fire drill: a canary fails on purpose, and the way from its row over an incident to a message on each channel must prove itself.

Does not belong here: sending the message; it goes the way of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cronsim import CronSim

from lakehouse.alerts.channels import Channel
from lakehouse.monitoring.symptoms import CANARY, Kind, Symptom
from lakehouse.ops.store import Reader, Writer

PROVEN_WITHIN = timedelta(minutes=10)

LAST = f"""
select run_id, max_by(status, case fact when 'end' then 1 else 0 end) as status, min(started_at) as started_at,
       bool_or(fact = 'end' and status = 'SUCCEEDED') as is_over
from ops.run_events where pipeline = '{CANARY}' and started_at <= $1 group by run_id order by started_at desc limit 1
"""
ARRIVED = """
select distinct channel from ops.alert_deliveries where kind = 'drill' and outcome = 'delivered' and due_at >= $1
"""


class FireDrill:
    """Has the canary fail when a drill is due, and sing again when every channel has told of it.

    Args:
        reader, writer: of the ops tables.
        channels: that must tell of it.
        cron: when (UTC), as five fields.
        host: this machine and instance.
    """

    def __init__(self, reader: Reader, writer: Writer, channels: Sequence[Channel], cron: str, host: str) -> None:
        self._reader, self._writer, self._channels, self._cron, self._host = reader, writer, channels, cron, host

    def round(self, now: datetime, since: datetime) -> list[Symptom]:
        """Begin or end a drill as is due at a time (UTC); returns a symptom for each channel on which one did not arrive in time.

        Args:
            since: when the evaluator began its work for the first time; what was due before is not made up for.
        """
        if not self._channels:
            return []
        due = next(CronSim(self._cron, now, reverse=True))
        last = next(iter(self._reader.rows(LAST, [now])), None)
        if due > since and (last is None or last["started_at"] < due):
            self.begin(now)
            return []
        if last is None or last["is_over"]:
            return []
        lacking = self._lacking(last["started_at"], now)
        if not lacking:
            self._record(last["run_id"], last["started_at"], "SUCCEEDED", now, attempt=2)
        overdue = now > last["started_at"] + PROVEN_WITHIN
        return [_not_arrived(channel, last["started_at"]) for channel in lacking] if overdue else []

    def begin(self, now: datetime) -> None:
        """Have the canary fail."""
        self._record(f"drill.{now:%Y%m%dT%H%M%SZ}", now, "FAILED", now, attempt=1)

    def _lacking(self, started_at: datetime, now: datetime) -> list[Channel]:
        arrived = {row["channel"] for row in self._reader.rows(ARRIVED, [started_at])}
        return [channel for channel in self._channels if channel.name not in arrived and channel.is_open(now)]

    def _record(self, run_id: str, started_at: datetime, status: str, now: datetime, *, attempt: int) -> None:
        about: dict[str, Any] = {
            "run_id": run_id, "attempt": attempt, "pipeline": CANARY, "asset": CANARY, "trigger": "schedule", "started_at": started_at,
            "host": self._host,
        }  # fmt: skip
        told = {"error_class": "FireDrill", "error_message": "this is a drill: nothing is wrong with the data"}
        error = told if status == "FAILED" else {}
        end = {**about, "fact": "end", "status": status, "ended_at": now, "duration_s": (now - started_at).total_seconds(), **error}
        self._writer.append("ops.run_events", [{**about, "fact": "start", "status": "RUNNING"}, end])


def _not_arrived(channel: Channel, started_at: datetime) -> Symptom:
    return Symptom(
        Kind.CHANNEL_DEAD, started_at, f"the fire drill of {started_at:%Y-%m-%d %H:%M} UTC did not arrive",
        f"it arrives within {PROVEN_WITHIN // timedelta(minutes=1)} minutes", table=channel.name, facts={"channel": channel.name},
    )  # fmt: skip
