"""A detector that knows one thing: it opens an incident where a step's last try failed, and resolves it when the step succeeds.

It shows that the scorecard works, and what one gets for next to nothing.

Does not belong here: rules of the product's detector.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from lakehouse.ops.store import Reader, Writer
from lakehouse.sources import Source
from tests.scorecard.protocol import ChannelRefused, Heartbeat, Send

LOOKS_BACK = timedelta(days=1)
LAST_ENDS = """
select pipeline, asset, arg_max(status, ended_at) as status, arg_max(error_message, ended_at) as message, max(ended_at) as at
from ops.run_events where fact = 'end' and recorded_date >= ? and ended_at >= ? group by pipeline, asset
"""
OPEN = "select distinct incident_id from ops.incidents where state <> 'resolved'"


class TrivialDetector:
    """Opens an incident on any FAILED end."""

    def __init__(self, reader: Reader, writer: Writer, channels: Mapping[str, Send], heartbeat: Heartbeat) -> None:
        self._reader, self._writer, self._channels, self._heartbeat = reader, writer, channels, heartbeat
        self._open: set[str] | None = None

    def round(self, now: datetime) -> None:
        """Look once."""
        self._heartbeat(now)
        if self._open is None:
            self._open = {row["incident_id"] for row in self._reader.rows(OPEN)}
        since = now - LOOKS_BACK
        for row in self._reader.rows(LAST_ENDS, [since.date(), since]):
            name = f"{row['pipeline']}/{row['asset']}"
            is_failed = row["status"] == "FAILED"
            if is_failed != (name in self._open):
                self._tell(name, row, "opened" if is_failed else "resolved", now)

    def _tell(self, name: str, row: Mapping[str, str], event: str, now: datetime) -> None:
        assert self._open is not None
        self._open ^= {name}
        told = {"incident_id": name, "event": event, "happened_at": now, "actor": "evaluator", "title": row["message"]}
        about = {"pipeline": row["pipeline"], "table_name": row["asset"], "scope": "platform", "cause": "step_failed"}
        self._writer.append("ops.incident_events", [{**told, **about, "causes": json.dumps([{"name": "step_failed", "score": 1.0}])}])
        for send in self._channels.values():
            try:
                send(f"{name} {event}", row["message"] or "", f"{name}/{event}/{now:%Y%m%dT%H%M}")
            except ChannelRefused:
                continue


def make(
    reader: Reader, writer: Writer, sources: Mapping[str, Source], channels: Mapping[str, Send], heartbeat: Heartbeat
) -> TrivialDetector:
    """A trivial detector."""
    return TrivialDetector(reader, writer, channels, heartbeat)
