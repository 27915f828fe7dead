"""Why: the causes that a group of symptoms may have, the most likely first, each with evidence that leads to its rows.

A rule is a name, a score and a condition that can be read in a sentence; none of them looks into the data themselves.

Does not belong here: which symptoms belong together (lakehouse.incidents.grouping).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from lakehouse.incidents.grouping import Group
from lakehouse.incidents.signatures import infrastructure_of
from lakehouse.monitoring.symptoms import CANARY, Kind, Symptom
from lakehouse.ops.store import Reader

DRILL = "fire_drill"
MOST_EVIDENCE = 8
CHANGED_WITHIN = timedelta(hours=24)
"""A change of code or contract longer before a trouble has been seen to work meanwhile."""


@dataclass(frozen=True)
class Evidence:
    """A fact that speaks for a cause, and the rows that it is from: an ops table and the values of its columns."""

    text: str
    table: str
    where: Mapping[str, Any]


@dataclass(frozen=True)
class Cause:
    """A cause that a group may have; `score` is between 0 and 1."""

    name: str
    title: str
    score: float
    evidence: tuple[Evidence, ...]

    def as_json(self) -> dict[str, Any]:
        """The cause as it stands in ops.incident_events."""
        return asdict(self)


OF_KIND: dict[Kind, tuple[str, float]] = {
    Kind.INPUT_LATE: ("input_late", 0.85),
    Kind.INPUT_MISSING: ("input_missing", 0.85),
    Kind.FIELD_DROPPED: ("schema_dropped", 0.95),
    Kind.FIELD_CHANGED: ("schema_changed", 0.95),
    Kind.DUPLICATES: ("duplicate_input", 0.9),
    Kind.REJECTED: ("poison_input", 0.85),
    Kind.IMPLAUSIBLE: ("clock_skew", 0.9),
    Kind.NULLS: ("null_burst", 0.8),
    Kind.VALUES: ("values_shifted", 0.75),
    Kind.NOT_APPLICABLE: ("values_shifted", 0.5),
    Kind.VOLUME_HIGH: ("volume_surge", 0.6),
    Kind.HELD_BACK: ("poison_input", 0.5),
    Kind.DIED: ("process_died", 0.7),
    Kind.FAILED: ("step_failed", 0.55),
    Kind.MISSING: ("not_started", 0.7),
    Kind.LATE: ("step_slow", 0.6),
    Kind.SKIPPED: ("step_failed", 0.3),
    Kind.SLA: ("input_late", 0.3),
    Kind.EVALUATOR_DOWN: ("evaluator_down", 0.95),
    Kind.CHANNEL_DEAD: ("channel_dead", 0.95),
}
TITLES = {
    "input_late": "Files of {pipeline}{of_tenant} are late",
    "input_missing": "Files of {pipeline}{of_tenant} are missing",
    "schema_dropped": "A field of {pipeline}{of_tenant} is gone: {dimension}",
    "schema_changed": "A field of {pipeline}{of_tenant} has another type: {dimension}",
    "duplicate_input": "Records of {pipeline}{of_tenant} came twice",
    "poison_input": "Records of {pipeline}{of_tenant} cannot be used",
    "clock_skew": "Times of {pipeline}{of_tenant} are off",
    "null_burst": "Values are missing in {pipeline}{of_tenant}: {dimension}",
    "values_shifted": "Values of {pipeline}{of_tenant} have shifted: {dimension}",
    "volume_surge": "Far more rows of {pipeline}{of_tenant} than usual",
    "tenant_silent": "Events of {pipeline}{of_tenant} have fallen off, others are well",
    "platform_drop": "Events of all tenants have fallen off",
    "code_change": "New code changed what becomes of {pipeline}",
    "contract_change": "A new contract refuses rows of {pipeline}",
    "out_of_memory": "Memory ran out in {table}",
    "credential_expired": "A credential has expired or is refused: {table}",
    "store_unavailable": "The store does not answer as it should",
    "server_down": "A server is down: {table}",
    "process_died": "A process died during {table}",
    "step_failed": "{table} fails",
    "step_slow": "{table} takes far longer than usual",
    "not_started": "Runs of {pipeline} do not begin when they should",
    "evaluator_down": "The evaluator has not done its work",
    DRILL: "This is a drill: nothing is wrong",
    "channel_dead": "Messages do not get through on {table}",
}


def rank(of: Group, reader: Reader) -> list[Cause]:
    """The causes that a group may have, the most likely first."""
    seen = tuple(_evidence(s) for s in of.symptoms[:MOST_EVIDENCE])
    found = [Cause(name, title(name, of), score, (*more, *seen)) for name, score, more in _candidates(of, reader)]
    return sorted(found, key=lambda cause: -cause.score)


def title(name: str, of: Group) -> str:
    """A cause in one line."""
    root, tenants = of.root, sorted(of.tenants)
    whose = "" if not tenants else f" from {tenants[0]}" if len(tenants) == 1 else f" from {len(tenants)} tenants"
    dimensions = sorted({s.dimension for s in of.alike if s.dimension})
    shown = ", ".join(dimensions[:3]) + (" …" if len(dimensions) > 3 else "")
    where = root.pipeline or root.table or "the lake"
    return TITLES[name].format(pipeline=where, table=root.table or where, of_tenant=whose, dimension=shown).removesuffix(": ")


Candidate = tuple[str, float, tuple[Evidence, ...]]


def _candidates(of: Group, reader: Reader) -> Iterator[Candidate]:
    root = of.root
    if root.pipeline == CANARY:
        yield DRILL, 1.0, ()
        return
    if outside := infrastructure_of(root):
        yield outside, 0.95, tuple(_seen_before(root, reader))
        return
    yield _of_root(of)
    if root.kind in (Kind.FAILED, Kind.DIED):
        yield from _changed_since_good(root)
        yield from (("step_failed", 0.5, (before,)) for before in _seen_before(root, reader))
    elif root.kind in (Kind.NOT_APPLICABLE, Kind.NULLS, Kind.VALUES, Kind.VOLUME_LOW, Kind.REJECTED, Kind.HELD_BACK, Kind.DUPLICATES):
        yield from _changed_before(of, reader)


def _of_root(of: Group) -> Candidate:
    if of.root.kind is Kind.VOLUME_LOW:
        return ("platform_drop" if of.root.tenant is None else "tenant_silent", 0.85, ())
    name, score = OF_KIND[of.root.kind]
    return name, score, ()


def _changed_since_good(root: Symptom) -> Iterator[Candidate]:
    """A failure under another version of code or contract than the last good run's."""
    for column, cause, score in (("code_version", "code_change", 0.7), ("contract_version", "contract_change", 0.8)):
        now, good = root.facts.get(column), root.facts.get(f"good_{column}")
        if now and good and now != good:
            text = f"{column.replace('_', ' ')} {now}; the last good run had {good}"
            yield cause, score, (Evidence(text, "ops.run_log", {"run_id": root.facts.get("good_run_id"), "asset": root.table}),)


CHANGES = """
with runs as (
    select asset, pipeline, run_id, ended_at, {column} as version,
           lag({column}) over (partition by pipeline, asset order by ended_at) as before
    from ops.run_events
    where fact = 'end' and status like 'SUCCEEDED%' and {column} is not null and ended_at <= $4::timestamptz + interval 2 hours
      and pipeline = $1 and recorded_at > $2::timestamptz - interval 8 days
)
select asset, run_id, ended_at, version, before from runs
where before is not null and version != before and ended_at > $2::timestamptz - to_hours($3)
order by ended_at desc limit 1
"""
"""Events of an hour go through the code that runs when the hour is over, or later."""


def _changed_before(of: Group, reader: Reader) -> Iterator[Candidate]:
    """A change of code or contract shortly before a trouble that shows in data, of several tenants at once."""
    hours = CHANGED_WITHIN // timedelta(hours=1)
    is_wide = len(of.tenants) != 1
    for column, cause in (("code_version", "code_change"), ("contract_version", "contract_change")):
        rows = reader.rows(CHANGES.format(column=column), [of.root.pipeline, of.since, hours, of.until])
        for row in rows:
            text = f"{column.replace('_', ' ')} changed from {row['before']} to {row['version']} at {row['ended_at']:%Y-%m-%d %H:%M} UTC"
            score = (0.92 if cause == "code_change" else 0.9) if is_wide and not _is_before_code(of.root) else 0.45
            yield cause, score, (Evidence(text, "ops.run_log", {"run_id": row["run_id"], "asset": row["asset"]}),)


def _is_before_code(root: Symptom) -> bool:
    """Whether a trouble shows where no code of ours has had its hands on the rows yet."""
    return root.kind in (Kind.VOLUME_LOW, Kind.DUPLICATES) and (root.table or "").startswith("bronze.")


SEEN_BEFORE = """
select count(distinct run_id)::int as runs, max(ended_at) as last, max_by(run_id, ended_at) as run_id
from ops.run_events where fact = 'end' and error_fingerprint = $1 and ended_at < $2
"""
WHAT_HELPED = """
select run_id, attempt, code_version, ended_at from ops.run_events
where fact = 'end' and status like 'SUCCEEDED%' and pipeline = $1 and asset = $2 and ended_at > $3 order by ended_at limit 1
"""


def _seen_before(root: Symptom, reader: Reader) -> Iterator[Evidence]:
    """The same error in earlier runs, and the run that went well after it."""
    fingerprint = root.facts.get("error_fingerprint")
    good_at: datetime | None = root.facts.get("good_at")
    if not fingerprint or good_at is None:
        return
    past = reader.rows(SEEN_BEFORE, [fingerprint, good_at])[0]
    if not past["runs"]:
        return
    helped = reader.rows(WHAT_HELPED, [root.pipeline, root.table, past["last"]])
    after = f"; it went away {helped[0]['ended_at'] - past['last']} later, with code {helped[0]['code_version']}" if helped else ""
    text = f"the same error in {past['runs']} earlier runs, last at {past['last']:%Y-%m-%d %H:%M} UTC{after}"
    yield Evidence(text, "ops.run_log", {"error_fingerprint": fingerprint})


def _evidence(symptom: Symptom) -> Evidence:
    where = {"pipeline": symptom.pipeline, "asset": symptom.table, "run_id": symptom.run_id}
    table = "ops.run_log"
    if symptom.kind in (Kind.INPUT_LATE, Kind.INPUT_MISSING):
        table, where = "ctl.files", {"source": symptom.pipeline, "tenant_id": symptom.tenant}
    elif symptom.kind in (Kind.FIELD_DROPPED, Kind.FIELD_CHANGED):
        table, where = "ctl.source_fields", {"source": symptom.pipeline, "tenant_id": symptom.tenant, "field": symptom.dimension}
    elif symptom.kind is Kind.SLA:
        table, where = "ops.sla_evaluations", {"table_name": symptom.table, "promise": symptom.dimension}
    elif symptom.kind is Kind.CHANNEL_DEAD:
        table, where = "ops.alert_deliveries", {"channel": symptom.table}
    elif "metric" in symptom.facts:
        table = "ops.metrics"
        where = {"table_name": symptom.table, "tenant_id": symptom.tenant, "dimension": symptom.dimension}
        where["metric"] = symptom.facts["metric"]
    return Evidence(f"{symptom.observed}; expected: {symptom.expected}", table, {k: v for k, v in where.items() if v is not None})
