"""The alert that leaves while the store is down: claimed and kept on this machine, and told to the tables once they can be reached.

Does not belong here: any alert that the tables can tell of (lakehouse.alerts.delivery).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse.alerts.channels import Channel, ChannelError, Sender
from lakehouse.alerts.claims import LocalClaims
from lakehouse.alerts.messages import compose
from lakehouse.monitoring.symptoms import EVALUATOR, Kind, Symptom
from lakehouse.ops.store import Writer

log = logging.getLogger("lakehouse")

RETRIED_AFTER = timedelta(seconds=30)
AFTERMATH = timedelta(minutes=10)
"""So long after an outage what failed for want of the store is still being told, and a store that goes away again is the same outage."""
MOST_ATTEMPTS = 20
KIND = "store_down"


class StoreDown:
    """Follows an outage of the store.

    Args:
        folder: where it is remembered.
        writer: takes facts also while the store is down, into its spool.
        channels, sender: who is told, and how.
        host: this machine and instance.
        url: of the operations pages.
    """

    def __init__(self, folder: Path, writer: Writer, channels: Sequence[Channel], sender: Sender, host: str, url: str | None) -> None:
        self._file = folder / "outage.json"
        self._claims = LocalClaims(folder / "claims")
        self._writer, self._channels, self._sender, self._host, self._url = writer, channels, sender, host, url

    @property
    def is_known(self) -> bool:
        """Whether an outage is under way, or was just now."""
        return self._file.exists()

    def seen(self, problem: str, now: datetime) -> None:
        """The store did not answer at a time (UTC): from the second time on, every channel that is open is told, once."""
        outage = self._read()
        if outage is None:
            self._write({"since": now.isoformat(), "problem": problem, "is_opened": False, "attempts": {}, "told": []})
            return
        incident = self._incident(outage)
        if not outage["is_opened"]:
            outage["is_opened"] = self._record(incident, "opened", now)
        for channel in self._channels:
            if channel.name not in outage["told"] and channel.is_open(now):
                self._tell(channel, incident, outage, now)
        self._write({**outage, "over_at": None})

    def over(self, now: datetime) -> None:
        """The store answers: once its aftermath is over, the outage is forgotten here, and its incident ends as any other."""
        outage = self._read()
        if outage is None:
            return
        over_at = datetime.fromisoformat(outage.get("over_at") or now.isoformat())
        if outage["is_opened"] and now < over_at + AFTERMATH:
            self._write({**outage, "over_at": over_at.isoformat()})
        else:
            self._file.unlink()

    def symptoms(self) -> list[Symptom]:
        """The outage that is under way or was just now; what failed for want of the store follows from it."""
        outage = self._read()
        return [_symptom(outage)] if outage and outage["is_opened"] else []

    def incidents(self) -> list[dict[str, Any]]:
        """Its incident as in ops.incidents, which may still wait in the spool."""
        outage = self._read()
        return [{**self._incident(outage), "state": "open"}] if outage and outage["is_opened"] else []

    def _record(self, incident: Mapping[str, Any], event: str, now: datetime) -> bool:
        """Tell the tables; while they cannot be reached it waits in the spool."""
        return self._writer.append("ops.incident_events", [{**incident, "event": event, "happened_at": now, "actor": EVALUATOR}])

    def _tell(self, channel: Channel, incident: Mapping[str, Any], outage: dict[str, Any], now: datetime) -> None:
        tried = outage["attempts"].get(channel.name, {"n": 0, "at": "1970-01-01T00:00:00+00:00"})
        attempt = tried["n"] + 1
        key = f"{incident['incident_id']}.opened.1"
        is_due = now >= datetime.fromisoformat(tried["at"]) + RETRIED_AFTER and attempt <= MOST_ATTEMPTS
        if not is_due or not self._claims.take(f"{channel.name}/{key}.{attempt}", self._host, now):
            return
        outage["attempts"][channel.name] = {"n": attempt, "at": now.isoformat()}
        outcome, problem = "delivered", None
        try:
            self._sender(channel, compose(incident, "opened", key, self._url))
            outage["told"].append(channel.name)
        except ChannelError as error:
            outcome, problem = "failed", str(error)
            log.warning("%s did not take the message that the store is down: %s", channel.name, problem)
        self._writer.append("ops.alert_deliveries", [{
            "alert_key": key, "incident_id": incident["incident_id"], "kind": KIND, "channel": channel.name, "attempt": attempt,
            "outcome": outcome, "is_repeat": False, "error": problem, "due_at": incident["since"], "sent_at": now,
        }])  # fmt: skip

    def _incident(self, outage: Mapping[str, Any]) -> dict[str, Any]:
        symptom = _symptom(outage)
        cause = {"name": "store_unavailable", "title": "The store does not answer as it should", "score": 0.95, "evidence": []}
        told = {"key": symptom.key, "kind": symptom.kind.value, "table": symptom.table, "since": outage["since"],
                "observed": symptom.observed, "expected": symptom.expected}  # fmt: skip
        return {
            "incident_id": hashlib.sha256(f"store_down|{outage['since']}".encode()).hexdigest()[:12],
            "title": cause["title"], "cause": cause["name"], "severity": "critical", "scope": "platform", "pipeline": None,
            "table_name": symptom.table, "tenant_id": None, "since": symptom.since,
            "observed": symptom.observed, "expected": symptom.expected,
            "causes": json.dumps([cause]), "symptoms": json.dumps([told]), "hit_tables": [], "hit_tenants": [], "run_id": None,
            "owner": "data-team",
        }  # fmt: skip

    def _read(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return None

    def _write(self, outage: Mapping[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._file.with_suffix(".part")
        partial.write_text(json.dumps(outage), encoding="utf-8")
        partial.replace(self._file)


def _symptom(outage: Mapping[str, Any]) -> Symptom:
    since = datetime.fromisoformat(outage["since"])
    return Symptom(Kind.SERVER_DOWN, since, outage["problem"], "the store answers", table="store")
