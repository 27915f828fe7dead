"""Judging a detector: what it found of each fault, how soon, with which cause, for whom, and with how many messages.

Does not belong here: the table that is printed (tests.scorecard.report).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.scorecard import zscore
from tests.scorecard.catalogue import faults_of
from tests.scorecard.facts import FactStore
from tests.scorecard.faults import Fault, Truth
from tests.scorecard.runs import Episode, Healthy, live_through
from tests.scorecard.watch import CHANNELS, Message
from tests.scorecard.world import BEGIN, END, SCORED, TENANTS, TRAINING, World

FACTS = ("ctl.files", "ctl.source_fields", "ops.run_events", "ops.check_results", "ops.metrics")
EVENTS = """
select incident_id, event, happened_at, cause, causes, pipeline, table_name, tenant_id, scope, hit_tenants
from {incident_events} where actor not like 'person:%' order by happened_at, event = 'resolved'
"""
BEGINNINGS = ("opened", "reopened")
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Incident:
    """An incident as it is at the end of a run; times are UTC."""

    incident_id: str
    opened_at: datetime
    first_cause: str | None
    cause: str | None
    pipeline: str | None
    table: str | None
    tenants: frozenset[str]
    is_of_platform: bool
    is_resolved: bool

    @property
    def subject(self) -> tuple[Any, ...]:
        """What it is about, whatever its id."""
        return self.cause, self.pipeline, self.table, self.tenants


@dataclass(frozen=True)
class Outcome:
    """What became of a fault; minutes are None where it was not detected.

    Args:
        minutes: from the fault's beginning to its detection.
        minutes_from_fact: from the first fact of it in the tables.
        first_cause, cause: as told first, and in the end.
        right_tenants: exactly those that are hit were named; None where it was not detected.
        wrong, resolved: messages that something is wrong, and that it is over.
        ended: the incidents were resolved within the hours after the fault's end.
        daily, daily_by_tenant: whether the z-score saw it.
    """

    fault: str
    detail: str
    minutes: float | None
    minutes_from_fact: float | None
    first_cause: str | None
    cause: str | None
    is_right_cause: bool
    right_tenants: bool | None
    incidents: int
    wrong: int
    resolved: int
    ended: bool
    daily: bool
    daily_by_tenant: bool


@dataclass(frozen=True)
class Calm:
    """What was said of the healthy fortnight: incidents and messages of the detector, anomalous days of the z-score."""

    incidents: int
    messages: int
    subjects: tuple[str, ...]
    daily: int
    daily_by_tenant: int

    @property
    def alarms_a_week(self) -> float:
        """False alarms a week: incidents, or messages where they are more."""
        return max(self.incidents, self.messages) / (SCORED / WEEK)


def judge(healthy: Healthy, name: str) -> Outcome:
    """Live through a fault and judge what the detector made of it."""
    fault = faults_of(World(healthy.seed), [name])[0]
    episode = live_through(fault, healthy)
    known, told = _control(fault, healthy, episode)
    found = [i for i in incidents(episode.store, fault.begins) if i.subject not in known and is_about(i, fault.truth)]
    told_here = [m for m in episode.messages if m.at >= fault.begins]
    messages = [m for m in told_here if (m.channel, m.key) not in told and (m.channel, m.title) not in told]
    alarms = [at for at in episode.alarms if at >= fault.begins] if fault.evaluator_down else []
    wrong, resolved = _count(messages, episode.store)
    detected = min([*alarms, *(i.opened_at for i in found)], default=None)
    first = found[0] if found else None
    causes = (None, None) if not first else (first.first_cause, first.cause)
    if alarms and not first:
        causes = (fault.truth.causes[0],) * 2
    return Outcome(
        fault.name,
        fault.detail,
        _minutes(detected, fault.begins),
        _minutes(detected, _first_fact(fault, episode)),
        *causes,
        causes[1] in fault.truth.causes,
        _names_rightly(found, fault.truth) if detected else None,
        len(found),
        wrong + len(alarms),
        resolved,
        all(i.is_resolved for i in found) if found else bool(alarms),
        _is_flagged(fault, episode.store, by_tenant=False),
        _is_flagged(fault, episode.store, by_tenant=True),
    )


def _control(fault: Fault, healthy: Healthy, episode: Episode) -> tuple[set[tuple[Any, ...]], set[tuple[str, str]]]:
    """What the control opened and sent meanwhile: subjects of incidents, keys and titles of messages by channel."""
    if fault.carrier:
        control = live_through(fault, healthy, only_carrier=True)
        found, sent = incidents(control.store, fault.begins), control.messages
    else:
        found, sent = incidents(episode.store, fault.begins, "history.facts.ops__incident_events"), healthy.messages
    meanwhile = [m for m in sent if fault.begins <= m.at < fault.window[1]]
    subjects = {i.subject for i in found if i.opened_at < fault.window[1]}
    return subjects, {(m.channel, name) for m in meanwhile for name in (m.key, m.title)}


def incidents(store: FactStore, since: datetime, table: str = "ops.incident_events") -> list[Incident]:
    """The incidents that were opened or reopened since a moment (UTC), in the order of that."""
    events: dict[str, list[dict[str, Any]]] = {}
    for row in store.ask(EVENTS.format(incident_events=table), {}):
        events.setdefault(row["incident_id"], []).append(row)
    begun = [(name, rows, _begin(rows, since)) for name, rows in events.items()]
    found = [_incident(name, rows, at) for name, rows, at in begun if at]
    return sorted(found, key=lambda i: (i.opened_at, i.incident_id))


def _begin(rows: Sequence[Mapping[str, Any]], since: datetime) -> datetime | None:
    return min((row["happened_at"] for row in rows if row["event"] in BEGINNINGS and row["happened_at"] >= since), default=None)


def _incident(name: str, rows: Sequence[Mapping[str, Any]], opened_at: datetime) -> Incident:
    after = [row for row in rows if row["happened_at"] >= opened_at]
    told = [row for row in after if row["event"] in (*BEGINNINGS, "changed", "worsened", "resolved")]
    causes = [cause for row in told if (cause := _cause(row))]
    last = [row for row in told if row["event"] != "resolved"][-1]
    tenants = {*(last["hit_tenants"] or ()), *([last["tenant_id"]] if last["tenant_id"] else ())}
    return Incident(
        name, opened_at, causes[0] if causes else None, causes[-1] if causes else None, last["pipeline"], last["table_name"],
        frozenset(tenants), last["scope"] == "platform", told[-1]["event"] == "resolved",
    )  # fmt: skip


def _cause(row: Mapping[str, Any]) -> str | None:
    ranked = json.loads(row["causes"]) if row["causes"] else []
    return ranked[0]["name"] if ranked else row["cause"]


def is_about(incident: Incident, truth: Truth) -> bool:
    """Whether an incident concerns the place and the customers of a fault."""
    has_cause = incident.cause in truth.causes
    if truth.by_cause or (has_cause and not truth.tenants):
        return has_cause
    is_here = not (truth.pipelines or truth.tables) or incident.pipeline in truth.pipelines or incident.table in truth.tables
    is_theirs = not truth.tenants or not incident.tenants or bool(incident.tenants & truth.tenants)
    return is_here and is_theirs


def _names_rightly(found: Sequence[Incident], truth: Truth) -> bool:
    named = frozenset().union(*(i.tenants for i in found))
    if truth.tenants:
        return named == truth.tenants
    return not named or len(named) == len(TENANTS) or all(i.is_of_platform for i in found)


def _count(messages: Sequence[Message], store: FactStore) -> tuple[int, int]:
    """How many messages said that something is wrong, and how many that it is over, on the channel that had most of them."""
    kinds = {row["alert_key"]: row["kind"] for row in store.ask("select distinct alert_key, kind from ops.alert_deliveries", {})}
    wrong = {c: {m.key for m in messages if m.channel == c and not _says_resolved(m, kinds)} for c in CHANNELS}
    resolved = {c: {m.key for m in messages if m.channel == c and _says_resolved(m, kinds)} for c in CHANNELS}
    return max(map(len, wrong.values())), max(map(len, resolved.values()))


def _says_resolved(message: Message, kinds: Mapping[str, str]) -> bool:
    kind = kinds.get(message.key)
    return kind == "resolved" if kind else bool(re.search(r"\bresolved\b", message.title, re.IGNORECASE))


def _minutes(detected: datetime | None, since: datetime) -> float | None:
    return None if detected is None else (detected - since) / timedelta(minutes=1)


def _first_fact(fault: Fault, episode: Episode) -> datetime:
    """When the tables first differ from the control's, or the fault first shows itself to the detector in another way."""
    begin, end = fault.window
    differences = [_first_difference(episode.store, name, begin, end) for name in FACTS] if not fault.carrier else []
    shown = [fault.begins] if fault.store_down or fault.evaluator_down else episode.refused[:1]
    return min([at for at in (*differences, *shown) if at], default=fault.begins)


def _first_difference(store: FactStore, name: str, begin: datetime, end: datetime) -> datetime | None:
    here, there = f"facts.{name.replace('.', '__')}", f"history.facts.{name.replace('.', '__')}"
    within = "where recorded_at >= $begin and recorded_at < $end"
    one, other = (f"(select * from {a} {within} except all select * from {b} {within})" for a, b in ((here, there), (there, here)))
    found = store.ask(f"select min(recorded_at) as at from ({one} union all {other})", {"begin": begin, "end": end})
    at: datetime | None = found[0]["at"]
    return at


def _is_flagged(fault: Fault, store: FactStore, *, by_tenant: bool) -> bool:
    """Whether the z-score finds the fault's day anomalous, where it is, and the control's not."""
    day, truth = fault.begins.date(), fault.truth
    here = zscore.flags(store, day, by_tenant=by_tenant) - zscore.flags(store, day, by_tenant=by_tenant, healthy=True)
    return any(
        (not truth.tables or f.table in truth.tables) and (not by_tenant or not truth.tenants or f.tenant in truth.tenants) for f in here
    )


def judge_calm(healthy: Healthy, store: FactStore) -> Calm:
    """What was said of the healthy fortnight; the store stands on it."""
    begin = BEGIN + TRAINING
    found = [i for i in incidents(store, begin) if i.opened_at < END]
    wrong, _ = _count([m for m in healthy.messages if m.at >= begin], store)
    days = [(begin + timedelta(days=n)).date() for n in range(SCORED.days)]
    flagged = [sum(len(zscore.flags(store, day, by_tenant=by)) for day in days) for by in (False, True)]
    subjects = Counter(f"{i.cause} at {i.table or i.pipeline}, {', '.join(sorted(i.tenants)) or 'all'}" for i in found)
    return Calm(len(found), wrong + len(healthy.alarms), tuple(f"{n} x {what}" for what, n in subjects.most_common()), *flagged)
