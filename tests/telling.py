"""What the run log tells of commits, held against the tables.

Does not belong here: making runs, or killing them (tests.drills).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from lakehouse.delta_rs import open_table
from lakehouse.ops.store import Reader
from lakehouse.settings import Settings
from lakehouse.tables import Layer, Table
from lakehouse.tables.bronze import QUARANTINE

Commits = Counter[tuple[int | None, int]]
"""Versions of a table with the rows that came with them, and how often they are told."""
TOLD = """
select version_after, rows_inserted from ops.run_log
where asset = ? and pipeline <> 'maintenance' and (version_after > ? or (version_after is null and rows_inserted > 0))
"""


def versions(settings: Settings, tables: Iterable[Table]) -> dict[str, int]:
    """The Delta version of each table."""
    return {declared.name: open_table(settings, declared).version() for declared in tables}


def untold(settings: Settings, reader: Reader, tables: Iterable[Table], since: Mapping[str, int]) -> dict[str, tuple[Commits, Commits]]:
    """Per table: commits after a version that are not told by exactly one attempt with their rows, and what is told beside them."""
    found = {}
    for declared in (t for t in tables if t != QUARANTINE):
        made = _commits(settings, declared, since[declared.name])
        told = Commits((row["version_after"], row["rows_inserted"]) for row in reader.rows(TOLD, [declared.name, since[declared.name]]))
        if made != told:
            found[declared.name] = made - told, told - made
    return found


def _commits(settings: Settings, declared: Table, since: int) -> Commits:
    """Rows are counted in the table where they name their batch, and taken from Delta's own metrics in gold."""
    opened, found = open_table(settings, declared), Commits()
    is_gold = declared.layer is Layer.GOLD
    in_batch = Counter() if is_gold else Counter(opened.to_pyarrow_table(columns=["_batch_id"])["_batch_id"].to_pylist())
    for entry in opened.history():
        about, metrics = json.loads(entry.get("userMetadata") or "{}"), entry.get("operationMetrics") or {}
        if entry["version"] > since and "transaction" in about:
            new = int(metrics.get("numOutputRows") or 0) - int(metrics.get("numCopiedRows") or 0)
            found[entry["version"], new if is_gold else in_batch[about["transaction"]]] += 1
    return found
