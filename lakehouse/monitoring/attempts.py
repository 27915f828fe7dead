"""Symptoms in the run log: what fails, died, was left out, is late or did not run.

Does not belong here: writing verdicts (lakehouse.monitoring.verdicts), or what fails for which reason (lakehouse.incidents).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lakehouse.monitoring.symptoms import Kind, Symptom
from lakehouse.ops.store import Reader

KINDS = {
    "FAILED": Kind.FAILED,
    "TERMINATED": Kind.DIED,
    "SKIPPED_UPSTREAM": Kind.SKIPPED,
    "MISSING": Kind.MISSING,
    "LATE": Kind.LATE,
}
EXPECTED = {
    Kind.FAILED: "the step succeeds",
    Kind.DIED: "the step ends by itself",
    Kind.SKIPPED: "the step runs",
    Kind.MISSING: "a run by its time",
    Kind.LATE: "the step ends in its usual time",
}

STANDING = """
with ends as (
    select
        pipeline, asset, layer, run_id, attempt, status, error_class, error_message, error_fingerprint, code_version, contract_version,
        ended_at, recorded_at, coalesce(started_at, nominal_start, ended_at) as began_at, status like 'SUCCEEDED%' as is_good,
        status in ('FAILED', 'TERMINATED', 'SKIPPED_UPSTREAM', 'MISSING', 'LATE') as is_bad,
        epoch_us(began_at) * 10 + case fact when 'end' then 2 else 1 end as place
    from ops.run_events where fact in ('end', 'verdict') and recorded_at <= $1
),
bad as (
    select pipeline, asset, max(place) as place, max(began_at) filter (is_good) as good_at, max(place) filter (is_good) as good_place
    from ends group by pipeline, asset having max_by(is_bad, place)
),
last as (select ends.* from ends join bad using (pipeline, asset, place)),
good as (
    select pipeline, asset, any_value(struct_pack(code_version, contract_version, run_id)) as told
    from ends join bad using (pipeline, asset) where ends.place = bad.good_place group by all
),
begun as (
    select pipeline, asset, max(started_at) as at
    from ops.run_events join bad using (pipeline, asset) where fact = 'start' and recorded_at <= $1 group by all
),
given_up as (select distinct run_id from ends where status = 'SKIPPED_UPSTREAM')
select
    bad.pipeline, bad.asset,
    any_value(struct_pack(last.status, last.run_id, last.attempt, last.error_class, last.error_message, last.error_fingerprint,
                          last.code_version, last.contract_version, last.layer)) as last,
    any_value(good.told) as good, any_value(bad.good_at) as good_at,
    min(coalesce(ends.ended_at, ends.recorded_at)) as since, count(distinct ends.run_id)::int as runs,
    min(ends.began_at) as first_began_at
from bad
join last using (pipeline, asset, place)
join ends on ends.pipeline = bad.pipeline and ends.asset = bad.asset and ends.is_bad
 and (bad.good_at is null or ends.began_at > bad.good_at)
left join good on good.pipeline = bad.pipeline and good.asset = bad.asset
left join begun on begun.pipeline = bad.pipeline and begun.asset = bad.asset
left join given_up on given_up.run_id = last.run_id
group by bad.pipeline, bad.asset
having any_value(last.status) != 'FAILED' or bool_or(given_up.run_id is not null) or count(distinct ends.run_id) > 1
    or min(coalesce(ends.ended_at, ends.recorded_at)) < $1::timestamptz - interval 4 minutes
    or (max(coalesce(ends.ended_at, ends.recorded_at)) < $1::timestamptz - interval 50 seconds
        and coalesce(max(begun.at) <= any_value(last.began_at), true))
"""
"""Of each pipeline and table whose last attempt is bad: that attempt, the last good one, and since when it is so.

A failure that is tried again within seconds is none yet: it counts once its run has given up or had its time, or another run fails."""


def standing(reader: Reader, now: datetime) -> list[Symptom]:
    """A symptom for each pipeline and table whose last attempt did not end well."""
    return [_symptom(row) for row in reader.rows(STANDING, [now])]


def _symptom(row: dict[str, Any]) -> Symptom:
    last, good = row["last"], row["good"] or {}
    kind = KINDS[last["status"]]
    message = f"{last['error_class']}: {last['error_message']}" if last["error_class"] else last["error_message"] or kind.replace("_", " ")
    times = f" in {row['runs']} runs" if row["runs"] > 1 else ""
    since: datetime = row["first_began_at"] if kind in (Kind.MISSING, Kind.LATE) else row["since"]
    return Symptom(
        kind,
        since,
        f"{message}{times}",
        EXPECTED[kind],
        pipeline=row["pipeline"],
        table=row["asset"],
        run_id=last["run_id"],
        facts={
            **{name: last[name] for name in ("error_class", "error_message", "error_fingerprint", "code_version", "contract_version")},
            "good_code_version": good.get("code_version"),
            "good_contract_version": good.get("contract_version"),
            "good_run_id": good.get("run_id"),
            "good_at": row["good_at"],
        },
    )
