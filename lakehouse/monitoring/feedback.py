"""What people have marked as expected, as verdicts on the series that they meant.

Does not belong here: how a verdict changes what a series is compared with (lakehouse.monitoring.series).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lakehouse.ops.store import Reader, Row
from lakehouse.tables import table

ANY_MARK = "select 1 from ops.incident_events where event = 'marked' limit 1"
MARKED = """
select symptoms, marked_by, since from ops.incidents
where mark = 'expected' and (state != 'resolved' or resolved_at > $1::timestamptz - interval 1 hour)
"""
LAST_VERDICTS = """
select * from ops.anomalies where judged_at > $1::timestamptz - interval 14 days and judged_at <= $1
qualify row_number() over (partition by pipeline, table_name, tenant_id, metric, dimension order by judged_at desc) = 1
"""


def marked_as_expected(reader: Reader, now: datetime) -> list[Row]:
    """A verdict for each series of an incident that a person has marked as expected and that has none yet, as rows of ops.anomalies."""
    marked = reader.rows(MARKED, [now]) if reader.rows(ANY_MARK) else []
    if not marked:
        return []
    last = {_series(row): row for row in reader.rows(LAST_VERDICTS, [now])}
    found = [(incident, last[key]) for incident in marked for key in _series_of(incident) if key in last]
    return [_verdict(row, incident["marked_by"], now) for incident, row in found if row["verdict"] == "anomalous"]


def _series(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("pipeline", "table_name", "tenant_id", "metric", "dimension"))


def _series_of(incident: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for symptom in json.loads(incident["symptoms"]):
        if symptom["metric"]:
            yield tuple(symptom[name] for name in ("pipeline", "table", "tenant", "metric", "dimension"))


def _verdict(anomaly: Mapping[str, Any], actor: str, now: datetime) -> dict[str, Any]:
    kept = {name: anomaly[name] for name in table("ops.anomalies").column_names if not name.startswith("recorded_")}
    return {**kept, "verdict": "expected", "actor": actor, "judged_at": now, "reason": "marked as expected"}
