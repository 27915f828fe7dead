"""The life of incidents: groups of this round are matched with the incidents that are known; what changed is an event.

An incident's id follows from its root and its beginning, so that two evaluators that see the same facts open the same incident.

Does not belong here: grouping, naming causes, or sending messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lakehouse.incidents.causes import Cause, rank
from lakehouse.incidents.graph import Graph
from lakehouse.incidents.grouping import MANY, SERIES, Group, group, hits
from lakehouse.monitoring.symptoms import CANARY, EVALUATOR, Kind, Symptom
from lakehouse.ops.store import Reader, Writer
from lakehouse.tables.ops import SEVERITIES

REOPENED_WITHIN = timedelta(hours=6)
MEASURED = (*SERIES, Kind.IMPLAUSIBLE, Kind.REJECTED, Kind.DUPLICATES)
QUIET = {
    **dict.fromkeys(MEASURED, timedelta(minutes=90)),
    **dict.fromkeys((Kind.INPUT_LATE, Kind.INPUT_MISSING), timedelta(minutes=15)),
    Kind.SERVER_DOWN: timedelta(minutes=1),
}
"""How long a trouble must be gone before its incident is resolved: what is measured is seen anew with the next hour's records only."""
KNOWN = """
select * from ops.incidents where state != 'resolved' or resolved_at > $1::timestamptz - interval 1 day
"""
LIVELY = """
select pipeline, count(distinct tenant_id)::int as tenants, list(distinct tenant_id) as names from ops.metrics
where metric = 'rows' and tenant_id is not null and recorded_at > $1::timestamptz - interval 3 days and recorded_at <= $1 group by pipeline
"""


@dataclass(frozen=True)
class Change:
    """Something that happened to an incident: the event, and the incident as it is after it."""

    event: str
    incident: Mapping[str, Any]


class Tracker:
    """Follows the incidents of an instance from round to round.

    Args:
        reader, writer: of the ops tables; what is known of incidents is read from them in each round.
        graph: what is made from what.
    """

    def __init__(self, reader: Reader, writer: Writer, graph: Graph) -> None:
        self._reader, self._writer, self._graph = reader, writer, graph
        self._gone_since: dict[str, datetime] = {}

    def round(self, symptoms: Iterable[Symptom], now: datetime, besides: Sequence[Mapping[str, Any]] = ()) -> list[Change]:
        """Bring the incidents in step with what is seen now; returns and records what changed.

        Args:
            symptoms: all that is wrong now.
            now: UTC.
            besides: incidents, as rows of ops.incidents, that the tables may not know yet.
        """
        told = self._reader.rows(KNOWN, [now])
        known = [*told, *(i for i in besides if i["incident_id"] not in {row["incident_id"] for row in told})]
        groups = group(symptoms, self._graph)
        lively = {row["pipeline"]: row for row in self._reader.rows(LIVELY, [now])} if groups else {}
        changes: list[Change] = []
        matched: set[str] = set()
        keys = {i["incident_id"]: frozenset(s["key"] for s in json.loads(i["symptoms"] or "[]")) for i in known}
        for found in groups:
            incident = _match(found, [i for i in known if i["incident_id"] not in matched], keys)
            change = self._changed(found, incident, lively)
            matched.add(change.incident["incident_id"])
            changes += [change] if change.event else []
        changes += self._ended([i for i in known if i["state"] != "resolved" and i["incident_id"] not in matched], now)
        self._gone_since = {key: at for key, at in self._gone_since.items() if key not in matched}
        about = {"actor": EVALUATOR, "happened_at": now}
        self._writer.append("ops.incident_events", [{**change.incident, **about, "event": change.event} for change in changes])
        return changes

    def _changed(self, found: Group, incident: Mapping[str, Any] | None, lively: Mapping[str, Any]) -> Change:
        causes = rank(found, self._reader)
        state = self._state(found, causes, lively)
        if incident is None:
            return Change("opened", {**state, "incident_id": _identity(found)})
        state = {**state, "incident_id": incident["incident_id"], "since": min(state["since"], incident["since"])}
        if incident["state"] == "resolved":
            return Change("reopened", state)
        if SEVERITIES.index(state["severity"]) > SEVERITIES.index(incident["severity"]):
            return Change("worsened", state)
        said = ("cause", "symptoms", "hit_tenants", "severity", "scope")
        is_new = any(_plain(state[name]) != _plain(incident[name]) for name in said)
        return Change("changed" if is_new else "", state)

    def _state(self, found: Group, causes: Sequence[Cause], lively: Mapping[str, Any]) -> dict[str, Any]:
        root, here = found.root, lively.get(found.root.pipeline or "", {"tenants": 0, "names": []})
        tenants = sorted(found.tenants)
        is_most = len(tenants) >= MANY and len(tenants) >= 0.6 * here["tenants"]
        is_platform = not tenants or is_most or causes[0].name == "code_change"
        return {
            "title": causes[0].title,
            "cause": causes[0].name,
            "severity": _severity(found, is_platform, self._graph),
            "scope": "platform" if is_platform else "tenant",
            "pipeline": root.pipeline,
            "table_name": root.table,
            "tenant_id": tenants[0] if len(tenants) == 1 else None,
            "since": found.since,
            "observed": root.observed,
            "expected": root.expected,
            "causes": json.dumps([c.as_json() for c in causes], default=str),
            "symptoms": json.dumps([_told(s) for s in found.symptoms]),
            "hit_tables": hits(found, self._graph),
            "hit_tenants": tenants or sorted(here["names"] or []),
            "run_id": root.run_id,
            "owner": self._graph.owner_of([root.table], root.pipeline),
        }

    def _ended(self, left: Sequence[Mapping[str, Any]], now: datetime) -> list[Change]:
        ended = []
        for incident in left:
            gone_since = self._gone_since.setdefault(incident["incident_id"], now)
            if now - gone_since >= _quiet(incident):
                ended.append(Change("resolved", {name: incident[name] for name in STATE}))
        return ended


STATE = (
    "incident_id", "title", "cause", "severity", "scope", "pipeline", "table_name", "tenant_id", "since", "observed", "expected", "causes",
    "symptoms", "hit_tables", "hit_tenants", "run_id", "owner",
)  # fmt: skip


def _match(found: Group, known: Sequence[Mapping[str, Any]], keys: Mapping[str, frozenset[str]]) -> Mapping[str, Any] | None:
    """The incident that a group is: the open one with which it has most symptoms in common, or one that was resolved a while ago.

    Args:
        keys: names of the symptoms of each incident.
    """
    of_group = found.keys
    common = {i["incident_id"]: len(keys[i["incident_id"]] & of_group) for i in known if i["state"] != "resolved"}
    best = max((i for i in known if common.get(i["incident_id"])), key=lambda i: common[i["incident_id"]], default=None)
    if best:
        return best
    past = [i for i in known if i["state"] == "resolved" and found.root.key in keys[i["incident_id"]]]
    recent = [i for i in past if i["resolved_at"] >= found.since - REOPENED_WITHIN]
    return max(recent, key=lambda i: i["resolved_at"], default=None)


def _identity(found: Group) -> str:
    text = f"{found.root.key}|{found.root.since:%Y-%m-%dT%H:%M}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _severity(found: Group, is_platform: bool, graph: Graph) -> str:
    """By what is hit: the platform's own troubles that stop tables are critical; those of a tenant major; what only looks odd minor."""
    kind = found.root.kind
    if found.root.pipeline == CANARY:
        return "minor"
    if kind in (Kind.VALUES, Kind.VOLUME_HIGH, Kind.LATE, Kind.SLA, Kind.DUPLICATES, Kind.SKIPPED):
        return "minor"
    if kind is Kind.MISSING and not hits(found, graph):
        return "minor"
    return "critical" if is_platform and (hits(found, graph) or kind in (Kind.SERVER_DOWN, Kind.EVALUATOR_DOWN)) else "major"


def _quiet(incident: Mapping[str, Any]) -> timedelta:
    symptoms = json.loads(incident["symptoms"] or "[]")
    kind = symptoms[0]["kind"] if symptoms else None
    return QUIET.get(Kind(kind), timedelta()) if kind else timedelta()


def _told(symptom: Symptom) -> dict[str, Any]:
    return {
        "key": symptom.key, "kind": symptom.kind.value, "pipeline": symptom.pipeline, "table": symptom.table, "tenant": symptom.tenant,
        "since": symptom.since.isoformat(), "observed": symptom.observed, "expected": symptom.expected,
        "metric": symptom.facts.get("metric"), "dimension": symptom.dimension, "run_id": symptom.run_id,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """A value without what changes in each round: of symptoms only which they are counts."""
    if isinstance(value, str) and value.startswith("[{"):
        return sorted(s["key"] for s in json.loads(value))
    return sorted(value) if isinstance(value, list) else value
