"""Questions about what is broken now: what fails and since when, and which files were left out.

Does not belong here: what waits in the quarantine (quarantine_queries), or how anything is shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from dash_app.lake_context import Sight
from dash_app.queries import ATTEMPTS, SYNTHETIC_SOURCES, SYNTHETIC_TABLES, Row
from dash_app.statuses import status

MOST = 500

FAILING = f"""
with attempts as ({ATTEMPTS}),
since_success as (
    select *, max(place) filter (good) over (partition by pipeline, asset) as last_good
    from attempts
)
select
    pipeline, asset, max(layer) as layer,
    epoch_ms(min(happened_at)) as since_ms,
    count(*) as attempts,
    count(distinct run_id) as runs,
    epoch_ms(max(happened_at)) as happened_ms,
    arg_max({{
        'status': status, 'run_id': run_id, 'error_class': error_class, 'error_message': error_message, 'partition': partition,
        'batch_id': batch_id
    }}, place) as newest
from since_success
where over and place > coalesce(last_good, -1)
group by pipeline, asset
order by since_ms, pipeline, asset
limit {MOST}
"""

FILES = f"""
with newest as (
    select path, sha256, source, tenant_id, size, state, reason, batch_id, records, quarantined, epoch_ms(first_seen) as first_seen_ms,
        epoch_ms(recorded_at) as recorded_ms,
        row_number() over (partition by path order by first_seen desc, recorded_at desc) as nth
    from ctl.files
)
select * exclude (nth), contains(path, 'synthetic') as synthetic, count(*) over () as of_all
from newest
where nth = 1 and (state = 'rejected' or (reason is not null and state <> 'expired'))
order by recorded_ms desc, path
limit {MOST}
"""

LAST_ACTIONS = """
select action, target, actor, detail, epoch_ms(acted_at) as acted_ms
from ops.actions
where action in ('reprocessed', 'released')
qualify row_number() over (partition by action, target, detail order by acted_at desc) = 1
order by acted_at desc
limit 500
"""

NEXT_STEPS = {
    "MISSING": "It should have run and did not: see that Dagster's daemon runs (`lakehouse status`), then `lakehouse run`.",
    "TERMINATED": "The process died. It is tried again by itself; look for a lack of memory in the log.",
    "SKIPPED_UPSTREAM": "It waits for a table before it. Mend that one first.",
    "LATE": "It is still under way, or has not begun. Look at the run.",
}
BY_ERROR = {
    "DataError": "Look at the checks of the run. Mend the data or the declaration, then re-process.",
    "ConfigurationError": "Mend the setting or the declaration that the message names.",
    "InfrastructureError": "A server did not answer. It is tried again by itself; `lakehouse doctor` tells what is down.",
}
ELSE = "Read the log of the run. It is tried again by itself, with growing pauses."


@dataclass(frozen=True)
class Broken:
    """What fails now and which files are left out; times are milliseconds since 1970, UTC."""

    failing: list[Row] = field(default_factory=list)
    files: list[Row] = field(default_factory=list)
    files_in_all: int = 0
    actions: list[Row] = field(default_factory=list)


def read_broken(sight: Sight) -> Broken:
    """What fails now, the worst first and then the longest; and the files that were rejected or not read as a whole."""
    synthetic = synthetic_names(sight)
    failing = [_told(row, synthetic) for row in sight.rows(FAILING)]
    files = sight.rows(FILES)
    actions = [{**row, "detail": _object(row["detail"])} for row in sight.rows(LAST_ACTIONS)]
    return Broken(sorted(failing, key=lambda r: r["tone"] != "bad"), files, files[0]["of_all"] if files else 0, actions)


def synthetic_names(sight: Sight) -> frozenset[str]:
    """Sources and tables with synthetic data in them, told at most once a minute."""
    return sight.look_slowly("synthetic", lambda: _read_synthetic(sight)).value or frozenset()


def _read_synthetic(sight: Sight) -> frozenset[str]:
    sources = {row["source"] for row in sight.rows(SYNTHETIC_SOURCES) if row["synthetic"]}
    return frozenset(sources | {row["name"] for row in sight.rows(SYNTHETIC_TABLES)})


NARROWING = ("source", "batch", "tenant", "reason", "layer")
"""Names, in the detail of an action, of what it was narrowed to."""


def last_action(actions: list[Row], action: str, since_ms: int, **of: str) -> Row | None:
    """The newest action of a kind, since a time, that was done to rows like these; to more than them counts, to a part does not."""
    for row in actions:
        narrowed = {name: value for name, value in row["detail"].items() if name in NARROWING}
        if row["action"] == action and row["acted_ms"] >= since_ms and all(of.get(name) == value for name, value in narrowed.items()):
            return row
    return None


def _told(row: Row, synthetic: frozenset[str]) -> Row:
    newest = row.pop("newest")
    shown = status(newest["status"])
    return {
        **row,
        **newest,
        "id": f"{row['pipeline']}|{row['asset']}",
        "label": shown.label,
        "tone": shown.tone,
        "meaning": shown.meaning,
        "next_step": NEXT_STEPS.get(newest["status"]) or BY_ERROR.get(newest["error_class"] or "", ELSE),
        "synthetic": row["pipeline"] in synthetic or row["asset"] in synthetic,
    }


def _object(text: str | None) -> Row:
    try:
        read = json.loads(text or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
