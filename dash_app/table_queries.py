"""Questions about tables: where each stands, and one of them in full.

Does not belong here: what a table is (lakehouse.tables), how its log is read (lakehouse.delta_reads), or how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dash_app.broken_queries import synthetic_names
from dash_app.lake_context import Sight
from dash_app.promise_queries import PROMISES, most_burnt, worst_promise
from dash_app.quality_queries import RANK
from dash_app.queries import ATTEMPTS, Row
from dash_app.statuses import status
from lakehouse.delta_reads import TableState, Version
from lakehouse.sources import LANDING_KEY, declared_tables
from lakehouse.tables import Table

VERSIONS_SHOWN = 50
RUNS_SHOWN = 50
CHECK_DAYS = 30
ANOMALIES_SHOWN = 50
LEVELS = 2
"""How many steps up and down the lineage graph goes."""
NODES_OF_A_LEVEL = 12

FRESHNESS = f"""
with attempts as ({ATTEMPTS})
select
    asset,
    epoch_ms(max(event_time_max) filter (good)) as newest_event_ms,
    epoch_ms(max(ended_at) filter (good)) as last_success_ms,
    arg_max(status, place) filter (over) as last_status
from attempts
group by asset
"""

EDGES = """
select distinct input_name, output_name from ops.lineage_edges
where input_column is null and recorded_date >= current_date - 90
"""

COLUMN_EDGES = """
select output_column, list_sort(list(distinct input_name || '.' || input_column)) as made_from
from ops.lineage_edges
where output_name = ? and output_column is not null and input_column is not null and recorded_date >= current_date - 90
group by output_column
"""

RUNS = f"""
with attempts as ({ATTEMPTS})
select
    run_id, attempt, pipeline, asset, layer, status, error_class, error_message, epoch_ms(happened_at) as happened_ms, duration_s,
    rows_read, rows_inserted, rows_updated, rows_deleted, rows_quarantined, rows_held_back, version_before, version_after
from attempts
where asset = ?
order by place desc, run_id
limit {RUNS_SHOWN}
"""

ANOMALIES = f"""
select
    tenant_id, metric, dimension, epoch_ms(bucket_start) as bucket_ms, bucket_s, verdict, direction, observed, expected, lower, upper,
    reason, actor, epoch_ms(judged_at) as judged_ms
from ops.anomalies
where table_name = ?
qualify row_number() over (partition by tenant_id, metric, dimension, bucket_start order by judged_at desc) = 1
order by bucket_start desc, judged_at desc
limit {ANOMALIES_SHOWN}
"""

TABLE_CHECKS = f"""
select
    pipeline, check_name, check_type, column_name, severity, outcome, expected, observed, rows_tested, rows_failed, run_id,
    epoch_ms(recorded_at) as at_ms
from ops.check_results
where table_name = ? and recorded_date >= current_date - {CHECK_DAYS}
qualify row_number() over (partition by pipeline, check_name order by recorded_at desc, {RANK}) = 1
order by {RANK}, pipeline, check_name
"""


@dataclass(frozen=True)
class Node:
    """A table, or a source's landed files, in the lineage graph; `level` is negative upstream."""

    name: str
    level: int


@dataclass(frozen=True)
class Lineage:
    """What a table is made from and what is made from it, some steps far; `hidden` counts what a crowded level leaves out."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    hidden: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What was recorded of one table."""

    promises: list[Row] = field(default_factory=list)
    made_from: dict[str, list[str]] = field(default_factory=dict)
    checks: list[Row] = field(default_factory=list)
    anomalies: list[Row] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    freshness: Row = field(default_factory=dict)
    lineage: Lineage = Lineage()
    synthetic: bool = False


@dataclass(frozen=True)
class Stored:
    """What the table's own log tells: its state, None where there is no table yet, and its newest commits."""

    state: TableState | None = None
    versions: list[Version] = field(default_factory=list)


def all_tables(sight: Sight) -> dict[str, Table]:
    """Every declared table of the instance by name."""
    return {declared.name: declared for declared in declared_tables(sight.sources())}


def read_table_list(sight: Sight) -> list[Row]:
    """Every table with what was recorded of it; its size comes from `read_states`."""
    fresh = {row["asset"]: row for row in sight.rows(FRESHNESS)}
    promises: dict[str, list[Row]] = {}
    for row in sight.rows(PROMISES):
        promises.setdefault(row["table_name"], []).append(row)
    synthetic = synthetic_names(sight)
    return [_listed(declared, fresh, promises, synthetic) for declared in all_tables(sight).values()]


def declared_list(sight: Sight) -> list[Row]:
    """Every table with nothing but its declaration, for when nothing else has been read."""
    return [_listed(declared, {}, {}, frozenset()) for declared in all_tables(sight).values()]


def read_states(sight: Sight) -> dict[str, TableState]:
    """The tables that exist, as their logs tell them."""
    return sight.lake.states(list(all_tables(sight).values()))


def read_facts(sight: Sight, declared: Table) -> Facts:
    """What was recorded of one table."""
    name = declared.name
    fresh = [row for row in sight.rows(FRESHNESS) if row["asset"] == name]
    runs = sight.rows(RUNS, name)
    return Facts(
        promises=[row for row in sight.rows(PROMISES) if row["table_name"] == name],
        made_from={row["output_column"]: row["made_from"] for row in sight.rows(COLUMN_EDGES, name)},
        checks=sight.rows(TABLE_CHECKS, name),
        anomalies=sight.rows(ANOMALIES, name),
        runs=[{**row, "id": f"{row['run_id']}|{row['pipeline']}|{row['attempt']}|{row['happened_ms']}", **_shown(row)} for row in runs],
        freshness=fresh[0] if fresh else {},
        lineage=lineage_of(name, known_edges(sight)),
        synthetic=name in synthetic_names(sight),
    )


def read_stored(sight: Sight, declared: Table) -> Stored:
    """What the table's own log tells."""
    state = sight.lake.states([declared]).get(declared.name)
    return Stored(state, sight.lake.versions(declared, VERSIONS_SHOWN) if state else [])


def known_edges(sight: Sight) -> set[tuple[str, str]]:
    """Table to table: as declared, and as runs recorded it; landed files stand together by source."""
    return declared_edges(sight) | {(_together(row["input_name"]), row["output_name"]) for row in sight.rows(EDGES)}


def declared_edges(sight: Sight) -> set[tuple[str, str]]:
    """Table to table, as declared; this is known also when the store does not answer."""
    declared = {(wanted, made.name) for made in all_tables(sight).values() for wanted in made.inputs}
    for source in sight.sources().values():
        declared |= {(source.landing, source.bronze.name), (source.bronze.name, source.silver.table)}
    return declared


def lineage_of(name: str, edges: Iterable[tuple[str, str]]) -> Lineage:
    """The part of the graph that lies `LEVELS` steps up and down of a table; of a crowded level the first names only."""
    known = {(start, end) for start, end in edges if start != end}
    levels, hidden = {name: 0}, {}
    for direction, (here, there) in ((-1, (1, 0)), (1, (0, 1))):
        edge_of_level = {name}
        for step in range(1, LEVELS + 1):
            found = sorted({edge[there] for edge in known if edge[here] in edge_of_level} - levels.keys())
            edge_of_level = set(found[:NODES_OF_A_LEVEL])
            levels |= dict.fromkeys(edge_of_level, direction * step)
            if len(found) > NODES_OF_A_LEVEL:
                hidden[direction * step] = len(found) - NODES_OF_A_LEVEL
    nodes = sorted((Node(n, level) for n, level in levels.items()), key=lambda node: (node.level, node.name))
    return Lineage(nodes, sorted((a, b) for a, b in known if a in levels and b in levels and levels[a] < levels[b]), hidden)


def _together(name: str) -> str:
    """Landed files by the name of their source's landing; tables as they are."""
    found = LANDING_KEY.match(name)
    return f"landing.{found['source']}" if found else name


def _listed(declared: Table, fresh: Mapping[str, Row], promises: Mapping[str, list[Row]], synthetic: frozenset[str]) -> Row:
    known = fresh.get(declared.name, {})
    shown = status(known.get("last_status"))
    return {
        "id": declared.name,
        "name": declared.name,
        "layer": declared.layer.value,
        "owner": declared.owner,
        "description": declared.description,
        "newest_event_ms": known.get("newest_event_ms"),
        "last_success_ms": known.get("last_success_ms"),
        "last_label": shown.label if known else None,
        "last_tone": shown.tone,
        "promise": worst_promise(promises.get(declared.name, [])),
        "budget_burnt": most_burnt(promises.get(declared.name, [])),
        "columns": len(declared.columns),
        "pii_columns": sum(c.pii for c in declared.columns),
        "synthetic": declared.name in synthetic,
    }


def _shown(row: Row) -> Row:
    shown = status(row["status"])
    return {"label": shown.label, "tone": shown.tone, "meaning": shown.meaning}
