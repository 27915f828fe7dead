"""SQL behind pipelines at a glance: how the last attempt of each table ended, in one quick pass over the facts.

Does not belong here: what else is known of pipelines (queries), or how it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dash_app.cache import Cache, Look
from dash_app.queries import Overview, Synthetic
from dash_app.statuses import SUCCESSES, UNDER_WAY, status
from lakehouse.ops.store import Reader

Row = dict[str, Any]


def _names(statuses: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in statuses)


GLANCE = f"""
select
    pipeline, asset,
    arg_max(status, place) as status,
    arg_max(status, place) filter (status not in ({_names(UNDER_WAY)})) as last_status,
    epoch_ms(max(ended_at) filter (fact = 'end' and status in ({_names(SUCCESSES)}))) as last_success_ms,
    epoch_ms(max(recorded_at)) as recorded_ms
from (
    select
        pipeline, asset, fact, status, ended_at, recorded_at,
        (coalesce(epoch_us(coalesce(started_at, nominal_start, ended_at)), 0)::hugeint * 1000 + attempt) * 3
        + case fact when 'end' then 2 when 'verdict' then 1 else 0 end as place
    from ops.run_events
)
group by pipeline, asset
order by pipeline, asset
"""
"""The last fact of the last attempt counts as in ops.run_log: an end before a verdict, a verdict before a start."""


class Glance:
    """How each table's last attempt ended, read at most once per `ttl_s`.

    Args:
        reader: answers SQL over the ops tables.
        synthetic: tells where synthetic data went.
        ttl_s: for how long an answer is good.
    """

    def __init__(self, reader: Reader, synthetic: Callable[[], Synthetic], *, ttl_s: float = 4) -> None:
        self._reader, self._synthetic, self._looks = reader, synthetic, Cache(ttl_s)

    def now(self) -> Look[Overview]:
        """Pipelines with their health, and the time of the newest fact; without days and failures."""
        return self._looks.look("now", self._read)

    def _read(self) -> Overview:
        rows: list[Row] = self._reader.query(GLANCE).to_pylist()
        synthetic = self._synthetic() if rows else Synthetic()
        newest = max((row["recorded_ms"] for row in rows), default=None)
        return Overview(pipelines=[_judged(row, synthetic) for row in rows], recorded_ms=newest)


def _judged(row: Row, synthetic: Synthetic) -> Row:
    last = status(row["last_status"])
    return {**row, "health": last.tone, "last_label": last.label, "synthetic": synthetic.is_in(row)}
