"""Drift of a source's records: what a batch shows that was not known, and recording it.

Does not belong here: what counts as a change (lakehouse.drift), or what becomes of the records (jobs.ingest).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from dq_checks import CheckResult, Outcome, RowRule, Severity
from jobs.audit import record_checks
from jobs.context import Context
from lakehouse.delta import quoted
from lakehouse.drift import DRIFT, Change, Known, changes
from lakehouse.ledger import Batch
from lakehouse.ops.runs import Facts
from lakehouse.sources import Drift, Format, Source

log = logging.getLogger("lakehouse")

SCHEMA_DRIFT = "schema_drift"
UNDECLARED_FIELD = "undeclared_field"
MOST_TOLD = 20
"""Changes of a batch that the log tells one by one; all are in ctl.source_fields."""

KNOWN = """
select tenant_id, field, types, is_always, change from ctl.source_fields where source = ? and is_accepted
qualify row_number() over (partition by tenant_id, field order by recorded_at desc) = 1
"""
HELD = "select * exclude (recorded_at, recorded_date) from ctl.source_fields where batch_id = ? and tenant_id = ? and not is_accepted"


@dataclass(frozen=True)
class Seen:
    """What a batch shows of a tenant's records.

    Args:
        changes: of fields, those seen for the first time included.
        drift: those of them that the source's policy speaks of.
        records: how many were looked at.
    """

    changes: list[Change]
    drift: list[Change]
    records: int


def look(context: Context, source: Source, batch: Batch) -> dict[str, Seen]:
    """What a batch shows that was not known, by tenant; nothing for a release."""
    if not batch.samples:
        return {}
    known: dict[str, dict[str, Known]] = {}
    for row in context.reader.rows(KNOWN, [source.name]):
        what = Known(frozenset(row["types"]), row["is_always"], row["change"] == "dropped")
        known.setdefault(row["tenant_id"], {})[row["field"]] = what
    seen: dict[str, Seen] = {}
    for tenant, sample in batch.samples.items():
        if found := changes(sample, known.get(tenant, {}), source.fields):
            seen[tenant] = Seen(found, [c for c in found if _is_drift(c, source)], sample.records)
    return seen


def _is_drift(change: Change, source: Source) -> bool:
    return change.kind in DRIFT or (source.drift is not Drift.EVOLVE and not change.is_declared)


def tell(context: Context, source: Source, batch: Batch, seen: Mapping[str, Seen], facts: Facts) -> None:
    """Record what a batch showed; drift is a warning of the run. What a released slice was held back for is accepted."""
    rows = [_row(source, batch, tenant, found.records, change) for tenant, found in seen.items() for change in found.changes]
    if batch.release:
        held = context.reader.rows(HELD, [batch.release.batch_id, batch.release.tenant_id])
        rows = [{**row, "is_accepted": True} for row in held]
    context.writer.append("ctl.source_fields", rows)
    drifted = [(tenant, change) for tenant, found in seen.items() for change in found.drift]
    for tenant, change in drifted[:MOST_TOLD]:
        said = f"{change.path} {change.kind.replace('_', ' ')} ({', '.join(change.types)})"
        log.warning("%s, tenant %s: field %s%s", source.name, tenant, said, f", {change.detail}" if change.detail else "")
    if len(drifted) > MOST_TOLD:
        log.warning("%s: %d further changes of fields; see ctl.source_fields", source.name, len(drifted) - MOST_TOLD)
    if drifted:
        record_checks(context, source.name, source.bronze, facts, [_result(seen, len(drifted))])


def _result(seen: Mapping[str, Seen], drifted: int) -> CheckResult:
    return CheckResult(
        check_name="fields.drift",
        check_type="drift",
        column_name="raw",
        severity=Severity.WARN,
        outcome=Outcome.WARNED,
        expected="fields and types as they were",
        observed=float(drifted),
        rows_tested=sum(found.records for found in seen.values()),
    )


def _row(source: Source, batch: Batch, tenant: str, records: int, change: Change) -> dict[str, object]:
    is_held = source.drift is Drift.FREEZE and _is_drift(change, source)
    return {
        "source": source.name,
        "tenant_id": tenant,
        "batch_id": batch.batch_id,
        "field": change.path,
        "change": change.kind.value,
        "types": list(change.types),
        "is_always": change.is_always,
        "is_declared": change.is_declared,
        "is_accepted": not is_held,
        "policy": source.drift.value,
        "detail": change.detail,
        "records": records,
    }


def undeclared_fields(source: Source) -> list[RowRule]:
    """The row rule of a source that quarantines records with undeclared fields; none for others."""
    if source.drift is not Drift.QUARANTINE or source.format is Format.TEXT:
        return []
    declared = ", ".join(map(quoted, source.fields))
    return [RowRule(UNDECLARED_FIELD, f"size(array_except(json_object_keys(raw), array({declared}))) > 0")]
