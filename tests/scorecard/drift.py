"""The fields of the sources' records by customer, as the pipeline tells them from samples.

Does not belong here: which files lack a field or have it with another type (tests.scorecard.faults).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehouse.drift import LEAST_RECORDS, Kind
from lakehouse.sources import Source
from tests.scorecard.facts import Bulk
from tests.scorecard.steps import CHECK_COLUMNS, known
from tests.scorecard.world import LandedFile

USUAL_TYPE = "string"


@dataclass
class Known:
    """What is known of a field of a customer's records."""

    types: set[str]
    is_dropped: bool = False


@dataclass(frozen=True)
class Seen:
    """What a batch shows: rows of ctl.source_fields, and the check that warns of drift, as rows less their run."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    check: Bulk | None = None


class Fields:
    """The fields that have been seen."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._known: dict[tuple[str, str], dict[str, Known]] = defaultdict(dict)

    def look(self, source: Source, batch_id: str, files: Sequence[LandedFile]) -> Seen:
        """Take in the samples of a batch; returns what is new."""
        rows: list[dict[str, Any]] = []
        for tenant in sorted({f.tenant_id for f in files}):
            theirs = [f for f in files if f.tenant_id == tenant and f.records]
            records = sum(f.records for f in theirs)
            found = self._changes(source, tenant, theirs, records) if theirs else []
            about = {"source": source.name, "tenant_id": tenant, "batch_id": batch_id, "policy": source.drift.value, "records": records}
            rows += [{**about, "is_always": True, "is_declared": True, "is_accepted": True, **change} for change in found]
        drifted = [row for row in rows if row["change"] != Kind.FIRST_SEEN.value]
        return Seen(rows, _check(source, batch_id, drifted) if drifted else None)

    def _changes(self, source: Source, tenant: str, files: Sequence[LandedFile], records: int) -> list[dict[str, Any]]:
        known = self._known[source.name, tenant]
        if not known:
            known |= {name: Known({USUAL_TYPE}) for name in source.fields}
            return [{"field": name, "change": Kind.FIRST_SEEN.value, "types": [USUAL_TYPE]} for name in sorted(known)]
        gone = set.intersection(*(set(f.dropped) for f in files))
        retyped = {name: kind for f in files for name, kind in f.retyped.items()}
        found = []
        for name in sorted({*gone, *retyped, *(n for n, k in known.items() if k.is_dropped)}):
            if change := _change(known.setdefault(name, Known({USUAL_TYPE})), name in gone, retyped.get(name), records):
                found.append({"field": name, "types": sorted(known[name].types), **change})
        return found


def _change(known: Known, is_gone: bool, kind: str | None, records: int) -> dict[str, Any] | None:
    """What is new of a field, which is noted."""
    if is_gone and not known.is_dropped and records >= LEAST_RECORDS:
        known.is_dropped = True
        return {"change": Kind.DROPPED.value}
    if known.is_dropped and not is_gone:
        known.is_dropped = False
        return {"change": Kind.RETURNED.value}
    if kind and kind not in known.types:
        before = ", ".join(sorted(known.types))
        known.types.add(kind)
        return {"change": Kind.TYPE_ADDED.value, "detail": f"was {before}"}
    return None


def _check(source: Source, batch_id: str, drifted: Sequence[Mapping[str, Any]]) -> Bulk:
    records = sum({row["tenant_id"]: row["records"] for row in drifted}.values())
    about = (source.name, source.bronze.name, batch_id, known(source.bronze).version)
    row = (*about, "fields.drift", "drift", "raw", "warn", "fields and types as they were", "warned", float(len(drifted)), records, None)
    return Bulk(CHECK_COLUMNS[1:], [row])
