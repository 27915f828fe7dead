"""Questions to bronze.quarantine: how many rows wait, by what, and a page of them; bounded in days and rows.

Does not belong here: how rows are shown or masked (pages.quarantine, masking), or the runs that move them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from dash_app.queries import Row
from lakehouse.delta_reads import Lake
from lakehouse.tables.bronze import QUARANTINE

MOST_ROWS = 500_000
"""Rows of the newest days that a page counts; what is older is told apart, with its number."""
PAGE_ROWS = 25
FACET_VALUES = 12
GROUPS = 500
RAW_CHARACTERS = 8000
"""Of each record, since a page must stay small; more is in the landed file."""
FACETS = ("disposition", "layer", "reason", "source", "tenant", "batch", "file")
"""What rows can be narrowed by, named as in the address."""
COLUMNS = {"source": "source", "tenant": "tenant_id", "batch": "_batch_id", "file": "_source_file", "layer": "layer",
           "disposition": "disposition"}  # fmt: skip
PLACE = ("layer", "_batch_id", "_source_file", "_row")

HELD = f"""
select
    source, tenant_id, _batch_id as batch_id, count(*) as held_rows,
    list_sort(list_distinct(list(layer))) as layers,
    list_sort(list_distinct(flatten(list(reasons)))) as reasons,
    epoch_ms(min(_ingested_at)) as since_ms,
    bool_or(contains(_source_file, 'synthetic')) as synthetic
from lake_rows
where disposition = 'held_back'
group by source, tenant_id, _batch_id
order by since_ms desc, batch_id, tenant_id
limit {GROUPS}
"""

LEFT = f"""
select
    source, tenant_id, reason, disposition, count(*) as left_rows, count(distinct _source_file) as files,
    epoch_ms(min(_ingested_at)) as first_ms, epoch_ms(max(_ingested_at)) as last_ms,
    bool_or(contains(_source_file, 'synthetic')) as synthetic
from (select * exclude (reasons), unnest(coalesce(reasons, [])) as reason from lake_rows)
where disposition <> 'held_back'
group by source, tenant_id, reason, disposition
order by left_rows desc, source, tenant_id, reason
limit {GROUPS}
"""

TOTALS = """
select
    count(*) filter (disposition = 'held_back') as held_rows, count(*) filter (disposition <> 'held_back') as left_rows,
    count(distinct (source, _batch_id, tenant_id)) filter (disposition = 'held_back') as held_slices
from lake_rows
"""

SAMPLES = """
select batch_id, check_name, layer, _batch_id, _source_file, _row
from (
    select
        wanted.batch_id, wanted.check_name, rows.layer, rows._batch_id, rows._source_file, rows._row,
        row_number() over (partition by wanted.batch_id, wanted.check_name order by rows._source_file, rows._row) as nth
    from lake_rows as rows
    join (select unnest(?) as batch_id, unnest(?) as check_name) as wanted
        on rows._batch_id = wanted.batch_id and list_contains(rows.reasons, wanted.check_name)
)
where nth <= ?
order by batch_id, check_name, nth
"""


@dataclass(frozen=True)
class Wanted:
    """What a view of the quarantine is narrowed to; "" is all. `days` reach back from today (UTC); `page` counts from 1."""

    disposition: str = ""
    layer: str = ""
    reason: str = ""
    source: str = ""
    tenant: str = ""
    batch: str = ""
    file: str = ""
    days: int = 30
    page: int = 1

    def chosen(self) -> dict[str, str]:
        """What it is narrowed by, by name."""
        return {name: value for name in FACETS if (value := getattr(self, name))}

    def search(self, **changed: str | int) -> str:
        """The query string of this view, or of one that differs from it; a page of its own only where it is not the first."""
        values = {f.name: getattr(self, f.name) for f in fields(self)} | {"page": 1} | changed
        shown = {name: value for name, value in values.items() if value and value != getattr(EVERYTHING, name)}
        return f"?{urlencode(shown)}" if shown else ""


EVERYTHING = Wanted()
MOST_DAYS = 3650
MOST_PAGES = 10_000


def wanted_from(query: Mapping[str, Any]) -> Wanted:
    """The view that the values of a query string name; what cannot be read counts as not given."""
    texts = {name: value for name in FACETS if isinstance(value := query.get(name), str)}
    days, page = (_number(query.get(name), getattr(EVERYTHING, name), most) for name, most in (("days", MOST_DAYS), ("page", MOST_PAGES)))
    return replace(EVERYTHING, **texts, days=days, page=page)


def _number(value: Any, default: int, most: int) -> int:
    return min(max(int(value), 1), most) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9 else default


@dataclass(frozen=True)
class Window:
    """Which days are read: since when, and how many older rows are not."""

    since: date
    older_rows: int = 0


@dataclass(frozen=True)
class Waiting:
    """All that waits in the quarantine: held-back slices, and rows that nobody has dealt with, by reason."""

    held: list[Row] = field(default_factory=list)
    left: list[Row] = field(default_factory=list)
    held_slices: int = 0
    held_rows: int = 0
    left_rows: int = 0
    older_rows: int = 0


@dataclass(frozen=True)
class Quarantine:
    """A view of the quarantine: how many rows, by what, and one page of them, with `raw` as it came."""

    total: int = 0
    facets: dict[str, list[Row]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    window: Window = Window(date.min)


def read_waiting(lake: Lake) -> Waiting:
    """Everything that waits, of as many of the newest days as have `MOST_ROWS`."""
    window = _window(lake, date.min)
    held, left, totals = (lake.query(QUARANTINE, sql, since=window.since).to_pylist() for sql in (HELD, LEFT, TOTALS))
    return Waiting(held, left, **totals[0], older_rows=window.older_rows)


def read_quarantine(lake: Lake, wanted: Wanted, today: date) -> Quarantine:
    """A view of the quarantine."""
    window = _window(lake, today - timedelta(days=wanted.days - 1))
    where, values = _condition(wanted)
    facets: dict[str, list[Row]] = {name: [] for name in FACETS}
    for row in lake.query(QUARANTINE, _counts(where), values, since=window.since).to_pylist():
        facets.setdefault(row["facet"], []).append(row)
    total = sum(row["n"] for row in facets.pop("all", []))
    page = f"""
        select source, tenant_id, layer, disposition, reasons, detail, event_id, epoch_ms(event_time) as event_ms,
            _source_file, _row, _batch_id, epoch_ms(_ingested_at) as ingested_ms, contains(_source_file, 'synthetic') as synthetic
        from lake_rows where {where}
        order by _ingested_at desc, _source_file, _row, layer limit {PAGE_ROWS} offset {(wanted.page - 1) * PAGE_ROWS}
    """
    rows = lake.query(QUARANTINE, page, values, since=window.since).to_pylist()
    return Quarantine(total, facets, _with_raw(lake, rows, window.since), window)


def read_samples(lake: Lake, failed: Sequence[tuple[str, str]], most: int, today: date, days: int) -> dict[tuple[str, str], list[Row]]:
    """Rows that wait since a check failed, with `raw`, by (batch, check); at most `most` of each."""
    if not failed:
        return {}
    window = _window(lake, today - timedelta(days=days - 1))
    batches, checks = [list(values) for values in zip(*failed, strict=True)]
    found = lake.query(QUARANTINE, SAMPLES, (batches, checks, most), since=window.since).to_pylist()
    samples: dict[tuple[str, str], list[Row]] = {}
    for row in _with_raw(lake, found, window.since):
        samples.setdefault((row["batch_id"], row["check_name"]), []).append(row)
    return samples


def _window(lake: Lake, earliest: date) -> Window:
    """The days since the earliest, or the newest of them that have `MOST_ROWS` together; one at least."""
    days = lake.rows_by_day(QUARANTINE)
    asked = sorted((day for day in days if day >= earliest), reverse=True)
    total, since = 0, earliest
    for n, day in enumerate(asked):
        total += days[day]
        if n and total > MOST_ROWS:
            return Window(asked[n - 1], sum(days[older] for older in asked[n:]))
        since = day
    return Window(since if asked else earliest)


def _condition(wanted: Wanted) -> tuple[str, list[str]]:
    chosen = wanted.chosen()
    parts = ["list_contains(reasons, ?)" if name == "reason" else f"{COLUMNS[name]} = ?" for name in chosen]
    return " and ".join(parts) or "true", list(chosen.values())


def _counts(where: str) -> str:
    """Rows by the values of every facet, the most frequent of each, and of all, in one look; a row with two reasons counts for both."""
    named = {name: "unnest(coalesce(reasons, []))" if name == "reason" else COLUMNS[name] for name in FACETS} | {"all": "''"}
    counted = " union all ".join(
        f"select '{name}' as facet, value, count(*) as n, count(*) over () as of_all from (select {column} as value from chosen) "
        f"group by value qualify row_number() over (order by n desc, value) <= {FACET_VALUES}"
        for name, column in named.items()
    )
    light = ", ".join(["reasons", *COLUMNS.values()])
    return f"with chosen as materialized (select {light} from lake_rows where {where}) {counted} order by facet, n desc, value"


def _with_raw(lake: Lake, rows: Sequence[Row], since: date) -> list[Row]:
    """Rows with their text, which is read of these rows only."""
    if not rows:
        return []
    among = {name: {row[name] for row in rows} for name in PLACE}
    texts = lake.pick(QUARANTINE, (*PLACE, "raw", "reasons", "detail", "tenant_id"), among, since=since).to_pylist()
    by_place = {tuple(text[name] for name in PLACE): {**text, "raw": (text["raw"] or "")[:RAW_CHARACTERS]} for text in texts}
    nothing: Row = {}
    return [{**by_place.get(tuple(row[name] for name in PLACE), nothing), **row} for row in rows]
