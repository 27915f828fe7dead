"""Attempts as the run log has them, each with what it read and wrote, and with the checks that were made of that.

Does not belong here: how an attempt is told to other tools (lakehouse.lineage.openlineage).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lakehouse.lineage.columns import ColumnEdge
from lakehouse.lineage.recorded import TOLD_AGAIN_AFTER, Pair
from lakehouse.ops.store import Reader

Row = Mapping[str, Any]

ATTEMPTS = """
select run_id, parent_run_id, pipeline, asset, layer, attempt, status, code_version, schema_hash,
       nominal_start, expected_end, started_at, ended_at, error_class, error_message,
       rows_read, rows_inserted, rows_updated, bytes_written, files_written, input_versions, version_after
from ops.run_log
where starts_with(run_id, ?) and run_id in (select run_id from ops.run_events where recorded_at >= ?)
order by coalesce(started_at, nominal_start), run_id, asset, pipeline, attempt
"""
EDGES = """
select distinct run_id, output_name, output_version, input_name, input_version, recorded_at
from ops.lineage_edges
where run_id in (select unnest(?)) and recorded_date between ? and ? and input_column is null and output_column is null
order by input_name, recorded_at
"""
COLUMNS = """
select output_name, input_name, input_column, output_column, recorded_at
from ops.lineage_edges
where recorded_date between ? and ? and input_column is not null
order by recorded_at
"""
CHECKS = """
select run_id, pipeline, table_name, check_name, check_type, column_name, severity, outcome, expected, observed, rows_tested, rows_failed,
       recorded_at
from ops.check_results
where run_id in (select unnest(?)) and recorded_date between ? and ?
order by recorded_at, check_name
"""
AT_ONCE = 500
"""Attempts whose facts are in memory together."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Attempt:
    """One attempt of one step.

    Args:
        facts: its row of ops.run_log; times are UTC.
        inputs: tables that it read, with the Delta version, and landed files, with None.
        columns: the column edges that held for what it wrote.
        checks: rows of ops.check_results, in the order in which they were recorded.
    """

    facts: Row
    inputs: Mapping[str, int | None] = field(default_factory=dict)
    columns: frozenset[ColumnEdge] = frozenset()
    checks: Sequence[Row] = ()


def attempts(reader: Reader, *, since: datetime = EVER, run_id: str = "") -> Iterator[Attempt]:
    """The attempts of runs of which something was recorded since a time (UTC) and whose id begins so, the oldest first.

    Raises InfrastructureError when the store does not answer.
    """
    for batch in reader.query(ATTEMPTS, [run_id, since]).to_batches(AT_ONCE):
        rows = batch.to_pylist()
        if rows:
            yield from _with_their_facts(reader, rows)


def _with_their_facts(reader: Reader, rows: Sequence[Row]) -> Iterator[Attempt]:
    runs, (first, last) = sorted({row["run_id"] for row in rows}), _days(rows)
    edges = reader.rows(EDGES, [runs, first, last])
    columns = _Columns(reader.rows(COLUMNS, [first - TOLD_AGAIN_AFTER - DAY, last]) if edges else ())
    read = _by(edges, "run_id", "output_name", "output_version")
    checked = _by(reader.rows(CHECKS, [runs, first, last]), "run_id", "pipeline", "table_name")
    for row in rows:
        of_row = read.get((row["run_id"], row["asset"], row["version_after"]), [])
        yield Attempt(
            row,
            {edge["input_name"]: edge["input_version"] for edge in of_row} or json.loads(row["input_versions"] or "{}"),
            frozenset().union(*(columns.of((row["asset"], edge["input_name"]), edge["recorded_at"]) for edge in of_row)),
            [check for check in checked.get((row["run_id"], row["pipeline"], row["asset"]), []) if _is_within(check["recorded_at"], row)],
        )


def _days(rows: Sequence[Row]) -> tuple[date, date]:
    """The days (UTC) on which facts of attempts were recorded; those of one that has not ended may come until tomorrow."""
    begun = [row["started_at"] or row["nominal_start"] or EVER for row in rows]
    over = [row["ended_at"] or datetime.now(UTC) for row in rows]
    return min(begun).date(), (max(over) + DAY).date()


def _by(rows: Sequence[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def _is_within(moment: datetime, row: Row) -> bool:
    """Whether a moment is in an attempt, and not in another one of the same step in the same run."""
    return row["started_at"] is not None and row["started_at"] <= moment <= (row["ended_at"] or moment)


class _Columns:
    """Column edges, by when they were told: those that were told last before a time hold then."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._told: dict[Pair, dict[datetime, set[ColumnEdge]]] = {}
        for row in rows:
            told = self._told.setdefault((row["output_name"], row["input_name"]), {})
            told.setdefault(row["recorded_at"], set()).add(ColumnEdge(row["input_name"], row["input_column"], row["output_column"]))

    def of(self, pair: Pair, at: datetime) -> set[ColumnEdge]:
        """What held for an output and an input at a time."""
        told = self._told.get(pair, {})
        times = list(told)
        found = bisect_right(times, at)
        return told[times[found - 1]] if found else set()
