"""Why series of measurements are not judged: recorded where a reason comes, changes or goes.

Does not belong here: the reasons themselves (lakehouse.monitoring.series).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from lakehouse.monitoring.symptoms import EVALUATOR
from lakehouse.ops.store import Reader, Row

Series = tuple[str, str, str | None]

STANDING = """
select pipeline, table_name, tenant_id, max_by(reason, judged_at) as reason from ops.anomalies
where verdict in ('not_judged', 'judged') and judged_at <= $1 group by all having max_by(verdict, judged_at) = 'not_judged'
"""
HOUR_S = 3600


class Unjudged:
    """What has been told of series that are not judged; what others told before is read once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._told: dict[Series, str] | None = None

    def changes(self, found: Iterable[Mapping[str, Any]], now: datetime) -> list[Row]:
        """Rows of ops.anomalies for what is new at a time (UTC).

        Args:
            found: pipeline, table_name, tenant_id and reason of each series that is not judged.
        """
        reasons = {_series(row): row["reason"] for row in found}
        if self._told is None:
            self._told = {_series(row): row["reason"] for row in self._reader.rows(STANDING, [now])}
        told, self._told = self._told, reasons
        changed = [_row(series, "not_judged", reason, now) for series, reason in reasons.items() if told.get(series) != reason]
        return [*changed, *(_row(series, "judged", None, now) for series in told if series not in reasons)]


def _series(row: Mapping[str, Any]) -> Series:
    return row["pipeline"], row["table_name"], row["tenant_id"]


def _row(series: Series, verdict: str, reason: str | None, now: datetime) -> dict[str, Any]:
    pipeline, table_name, tenant_id = series
    return {
        "pipeline": pipeline, "table_name": table_name, "tenant_id": tenant_id, "metric": "rows", "bucket_s": HOUR_S,
        "bucket_start": now.replace(minute=0, second=0, microsecond=0), "verdict": verdict, "reason": reason, "actor": EVALUATOR,
        "judged_at": now,
    }  # fmt: skip
