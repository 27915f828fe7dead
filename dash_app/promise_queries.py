"""SQL behind what is promised of tables: which promises are kept, which are not, and what is left of their budgets.

Does not belong here: how a promise is judged (the evaluator), or how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dash_app.cache import Cache, Look
from lakehouse.ops.store import Reader

Row = dict[str, Any]

PROMISES = """
with newest as (
    select
        table_name, promise,
        arg_max(
            struct_pack(state := state, observed := observed, expected := expected, reason := reason, burnt := budget_burnt), evaluated_at
        ) as told
    from ops.sla_evaluations group by table_name, promise
),
changed as (
    select table_name, promise, max(evaluated_at) filter (state <> told.state) as was_other_until
    from ops.sla_evaluations join newest using (table_name, promise) group by table_name, promise
),
since as (
    select table_name, promise, min(evaluated_at) filter (was_other_until is null or evaluated_at > was_other_until) as since
    from ops.sla_evaluations join changed using (table_name, promise) group by table_name, promise
)
select
    table_name, promise, told.state as state, told.observed as observed, told.expected as expected, told.reason as reason,
    told.burnt as burnt, epoch_ms(since) as since_ms
from newest join since using (table_name, promise)
order by case told.state when 'broken' then 0 when 'kept' then 1 else 2 end, table_name, promise
"""


class Promises:
    """What the pages know of promises, read at most once per `ttl_s`."""

    def __init__(self, reader: Reader, *, ttl_s: float = 4) -> None:
        self._reader, self._looks = reader, Cache(ttl_s)

    def all(self) -> Look[list[Row]]:
        """Each promise with its state and since when, the broken ones first; times in milliseconds since 1970, UTC."""
        return self._looks.look("promises", lambda: list(self._reader.query(PROMISES).to_pylist()))


def worst_promise(promises: Iterable[Row]) -> str | None:
    """The state of all promises together: broken, kept, or not judged; None where nothing is promised or judged yet."""
    states = {row["state"] for row in promises}
    return next((state for state in ("broken", "kept", "not_judged") if state in states), None)


def most_burnt(promises: Iterable[Row]) -> float | None:
    """Of the error budgets of some promises, the share of the one that is burnt most; None where none has one."""
    return max((row["burnt"] for row in promises if row["burnt"] is not None), default=None)
