"""What runs record of where data came from: versions read and written, column edges once, valid events."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from openlineage.client.serde import Serde

from jobs.aggregate import aggregate
from jobs.context import Context
from jobs.ingest import ingest
from jobs.refine import refine
from lakehouse.delta import DeltaLog
from lakehouse.lineage.attempts import attempts
from lakehouse.lineage.columns import ColumnEdge, columns_of_gold, columns_of_silver
from lakehouse.lineage.datasets import DataSets
from lakehouse.lineage.openlineage import run_events
from lakehouse.sources import Source, declared_tables
from lakehouse.tables import table
from tests.lake import SOURCE, TestLake, event
from tests.unit.lineage.schemas import broken

DAY = "2023-08-14"
TENANT = f"lineage-{uuid.uuid4().hex[:8]}"
BRONZE, SILVER, GOLD = f"bronze.{SOURCE}", "silver.auth_events", "gold.auth_daily"
Row = dict[str, Any]


def moved(lake: TestLake, name: str, source: Source | None = None) -> Context:
    """A run of its own that takes one file to gold."""
    lake.land(TENANT, name, [event(len(name), TENANT, DAY)])
    run = lake.new_run()
    declared = source or run.sources[SOURCE]
    ingest(run, declared)
    refine(run, declared)
    aggregate(run, table(GOLD))
    run.close()
    return run


def edges(lake: TestLake, run: Context) -> list[Row]:
    return lake.context.reader.rows("select * from ops.lineage_edges where run_id = ? order by output_name", [run.run.run_id])


def columns(rows: list[Row], output: str) -> set[ColumnEdge]:
    told = [row for row in rows if row["output_name"] == output and row["input_column"]]
    return {ColumnEdge(row["input_name"], row["input_column"], row["output_column"]) for row in told}


def tables(rows: list[Row]) -> dict[tuple[str, str], tuple[int | None, int]]:
    whole = [row for row in rows if row["input_column"] is None and row["output_column"] is None]
    return {(row["input_name"], row["output_name"]): (row["input_version"], row["output_version"]) for row in whole}


@pytest.fixture(scope="module")
def mended(lake: TestLake) -> Source:
    """The source with a mapping that reads more than it did."""
    source = lake.context.sources[SOURCE]
    silver = source.silver.model_copy(update={"columns": {**source.silver.columns, "session_id": "concat(event_id, session_id)"}})
    return source.model_copy(update={"silver": silver})


@pytest.fixture(scope="module")
def runs(lake: TestLake, mended: Source) -> list[Context]:
    """Three runs, the third with another mapping: first all column edges are told, since the mapping is none that was told before."""
    source = lake.context.sources[SOURCE]
    silver = source.silver.model_copy(update={"columns": {**source.silver.columns, "flow_id": "concat(_source_file, user_id)"}})
    return [
        moved(lake, "a.jsonl", source.model_copy(update={"silver": silver})),
        moved(lake, "bb.jsonl", source.model_copy(update={"silver": silver})),
        moved(lake, "ccc.jsonl", mended),
    ]


def test_every_arrow_has_the_versions_that_were_read_and_written(lake: TestLake, runs: list[Context]) -> None:
    before: dict[str, int] = {}
    for run, name in zip(runs, ("a.jsonl", "bb.jsonl", "ccc.jsonl"), strict=True):
        found = tables(edges(lake, run))
        key = f"{SOURCE}/date=2026-06-01/tenant={TENANT}/{name}"
        assert set(found) == {(key, BRONZE), (BRONZE, SILVER), (SILVER, GOLD)}
        assert found[key, BRONZE][0] is None
        assert found[BRONZE, SILVER][0] == found[key, BRONZE][1]
        assert found[SILVER, GOLD][0] == found[BRONZE, SILVER][1]
        written = {output: version for (_, output), (_, version) in found.items()}
        assert all(version > before.get(output, 0) for output, version in written.items())
        before = written
    assert before == {name: DeltaLog(lake.settings, declared_by(lake, name)).version for name in before}


def declared_by(lake: TestLake, name: str) -> Any:
    return {declared.name: declared for declared in declared_tables(lake.context.sources)}[name]


def test_a_step_says_which_version_of_bronze_it_read(lake: TestLake, runs: list[Context]) -> None:
    [step] = lake.context.reader.rows("select * from ops.run_log where run_id = ? and asset = ?", [runs[0].run.run_id, SILVER])
    assert step["input_versions"] == f'{{"{BRONZE}": {tables(edges(lake, runs[0]))[BRONZE, SILVER][0]}}}'


def test_column_edges_are_told_once_and_again_where_the_mapping_reads_other_columns(
    lake: TestLake, runs: list[Context], mended: Source
) -> None:
    first, second, third = (edges(lake, run) for run in runs)
    assert ColumnEdge(BRONZE, "_source_file", "flow_id") in columns(first, SILVER)
    assert columns(second, SILVER) == set()
    assert columns(second, GOLD) == set()
    assert columns(third, SILVER) == columns_of_silver(mended)
    assert ColumnEdge(BRONZE, "event_id", "session_id") in columns(third, SILVER)


def test_all_edges_of_a_step_are_one_commit(lake: TestLake, runs: list[Context]) -> None:
    for run in runs:
        found = edges(lake, run)
        assert len({(row["output_name"], row["recorded_at"]) for row in found}) == len({row["output_name"] for row in found})


def test_a_recorded_run_is_told_in_valid_events_with_the_columns_that_held(lake: TestLake, runs: list[Context]) -> None:
    datasets = DataSets(lake.settings, declared_tables(lake.context.sources))
    told: dict[str, Row] = {}
    for attempt in attempts(lake.context.reader, run_id=runs[1].run.run_id):
        for one in run_events(attempt, "clearlake", datasets):
            found = Serde.to_dict(one)
            assert broken(found) == []
            told[f"{found['job']['name']} {found['eventType']}"] = found
    [written] = told[f"{SOURCE}.{SILVER} COMPLETE"]["outputs"]
    assert {f["field"] for f in written["facets"]["columnLineage"]["fields"]["flow_id"]["inputFields"]} == {"_source_file", "raw"}
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 1
    [written] = told[f"gold.{GOLD} COMPLETE"]["outputs"]
    gold = {e.output_column for e in columns_of_gold(table(GOLD)) if e.output_column}
    assert set(written["facets"]["columnLineage"]["fields"]) == gold
    assert f"gold.{GOLD}.checks COMPLETE" in told
