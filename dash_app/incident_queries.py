"""SQL behind the incidents: all of them, one in full, and the tables that are made from one another.

Does not belong here: what people do about incidents (incident_actions), or how any of it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dash_app.cache import Cache, Look
from dash_app.incident_words import ACTIVE, SEVERITIES
from lakehouse.ops.store import Reader

Row = dict[str, Any]
Edge = tuple[str, str]

MOST_INCIDENTS = 2000
FILTERS = ("state", "severity", "scope", "cause", "table", "tenant", "owner")
"""What a list of incidents can be asked for."""

TIMES = ("since", "opened_at", "reopened_at", "changed_at", "resolved_at", "acknowledged_at")
_TIMES = ", ".join(f"epoch_ms({name}) as {name.removesuffix('_at')}_ms" for name in TIMES)

INCIDENTS = f"""
select
    incident_id, state, title, severity, cause, pipeline, table_name, tenant_id, scope, hit_tables, hit_tenants, owner,
    acknowledged_by, mark, marked_by, detected_after_s, resolved_after_s, observed, expected, {_TIMES}
from ops.incidents
order by state = 'resolved', changed_at desc, incident_id
limit {MOST_INCIDENTS}
"""

INCIDENT = f"select * exclude ({', '.join(TIMES)}), {_TIMES} from ops.incidents where incident_id = ?"

EVENTS = """
select event, epoch_ms(happened_at) as happened_ms, actor, title, severity, cause, owner, note, mark
from ops.incident_events where incident_id = ?
order by happened_at, event
"""

MESSAGES = """
select channel, kind, outcome, is_repeat, error, attempt, epoch_ms(sent_at) as happened_ms
from ops.alert_deliveries where incident_id = ?
order by sent_at, channel
"""

EDGES = """
select distinct
    case when contains(input_name, '/') then 'files/' || split_part(input_name, '/', 1) else input_name end as input,
    output_name as output
from ops.lineage_edges
where input_column is null
order by all
"""
"""Landed files count as one by the first part of their place, which is their source."""


@dataclass(frozen=True)
class Incident:
    """One incident in full; times are milliseconds since 1970, UTC."""

    incident_id: str
    facts: Row | None = None
    events: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)

    @property
    def useful(self) -> str | None:
        """The newest verdict on whether its messages were useful."""
        marks = [e["mark"] for e in self.events if e["mark"] in ("useful", "not_useful")]
        return marks[-1] if marks else None


class Incidents:
    """What the pages know of incidents, read at most once per `ttl_s` however many look."""

    def __init__(self, reader: Reader, *, ttl_s: float = 4) -> None:
        self._reader = reader
        self._looks, self._slow_looks = Cache(ttl_s), Cache(60)

    def all(self) -> Look[list[Row]]:
        """Every incident: those that are not resolved first, by severity; then the newest."""
        return self._looks.look("all", lambda: sorted(self._rows(INCIDENTS), key=_place))

    def one(self, incident_id: str) -> Look[Incident]:
        """One incident in full; an unknown one has no facts."""
        return self._looks.look(f"one {incident_id}", lambda: self._read_one(incident_id))

    def edges(self) -> list[Edge]:
        """Which table, or kind of files, is read to make which."""
        seen: Look[list[Edge]] = self._slow_looks.look("edges", lambda: [(r["input"], r["output"]) for r in self._rows(EDGES)])
        return seen.value or []

    def look_anew(self, incident_id: str) -> None:
        """Let the next look at the incident, and at all, see what was recorded just now."""
        self._looks.forget(f"one {incident_id}")
        self._looks.forget("all")

    def _rows(self, sql: str, *parameters: Any) -> list[Row]:
        return list(self._reader.query(sql, parameters).to_pylist())

    def _read_one(self, incident_id: str) -> Incident:
        found = self._rows(INCIDENT, incident_id)
        if not found:
            return Incident(incident_id)
        return Incident(incident_id, found[0], self._rows(EVENTS, incident_id), self._rows(MESSAGES, incident_id))


def active(incidents: list[Row]) -> list[Row]:
    """Those that are not resolved."""
    return [row for row in incidents if row["state"] in ACTIVE]


def alarming(incidents: list[Row]) -> list[Row]:
    """Those that are not resolved, and that nobody marked as expected."""
    return [row for row in active(incidents) if row["mark"] != "expected"]


def chosen(incidents: list[Row], asked: Mapping[str, str]) -> list[Row]:
    """The incidents that the filters leave."""
    return [row for row in incidents if all(_has(row, name, value) for name, value in asked.items())]


def _has(row: Row, name: str, value: str) -> bool:
    if name == "state":
        return row["state"] in ACTIVE if value == "active" else bool(row["state"] == value)
    if name == "table":
        return value == row["table_name"] or value in (row["hit_tables"] or ())
    if name == "tenant":
        return value == row["tenant_id"] or value in (row["hit_tenants"] or ())
    if name == "owner":
        return value == (row["owner"] or "")
    return bool(row[name] == value)


def _place(row: Row) -> tuple[Any, ...]:
    if row["state"] not in ACTIVE:
        return 2, 0, -(row["changed_ms"] or 0)
    return int(row["mark"] == "expected"), [*SEVERITIES, row["severity"]].index(row["severity"]), row["since_ms"] or row["opened_ms"] or 0
