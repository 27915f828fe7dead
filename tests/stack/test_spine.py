"""The whole way on real servers: landed files through Dagster to gold, SQL over TLS, and the run log."""

from __future__ import annotations

import sys
import uuid
from dataclasses import replace

import pytest
from rich.console import Console

from infra import aot, processes, stack
from infra.commands.demo import materialize
from infra.trino_client import RefusedQuery, query
from jobs.catalog import make_tables
from lakehouse.ops.store import OpsReader
from lakehouse.tables import TABLES, table
from tests.lake import TestLake
from tests.measured import MIGRATED, NEW, OLD, filled
from tests.stack.conftest import SAMPLES

RUN_LOG = "select run_id, pipeline, asset, attempt, status, rows_read, rows_inserted from ops.run_log order by 1, 2, 3, 4"


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's list of what a process has mapped")
@pytest.mark.parametrize("server", ["metastore", "spark", "trino"])
def test_a_jvm_starts_from_what_it_once_recorded(lake: TestLake, server: str) -> None:
    (state,) = [state for state in stack.status(lake.settings.home) if state.name == server]
    assert state.pid
    mapped = {mapping.path for process in processes.tree(state.pid) for mapping in process.memory_maps()}
    assert str(aot.path(server)) in mapped


def test_every_landed_record_is_accounted_for(lake: TestLake) -> None:
    books = lake.context.reader.rows(
        "select source, sum(records)::bigint as records, sum(published + quarantined + duplicate + held_back)::bigint as told "
        "from ctl.files where state = 'published' group by source"
    )
    assert {row["source"] for row in books} >= set(SAMPLES)
    assert [row for row in books if row["records"] != row["told"]] == []


def test_what_the_run_log_says_was_inserted_is_in_the_tables(lake: TestLake) -> None:
    told = lake.context.reader.rows(
        "select asset, sum(rows_inserted)::bigint as n from ops.run_log where layer in ('bronze', 'silver') "
        "and status like 'SUCCEEDED%' and pipeline != 'maintenance' group by asset"
    )
    declared = [row for row in told if row["asset"] in TABLES]
    assert declared
    for row in declared:
        assert query(lake.settings, f"select count(*) from {row['asset']}").rows == [[row["n"]]], row["asset"]


def test_a_second_run_moves_no_data_tables_version(lake: TestLake) -> None:
    materialize(lake.settings, Console(quiet=True))
    before = lake.versions()
    materialize(lake.settings, Console(quiet=True))
    assert lake.versions() == before


def test_trino_and_the_ops_reader_tell_the_same_run_log(lake: TestLake) -> None:
    ours = [list(row.values()) for row in OpsReader(lake.settings).rows(RUN_LOG)]
    assert ours
    assert query(lake.settings, RUN_LOG).rows == ours


@pytest.mark.parametrize("name", [t.name for t in TABLES.values() if t.layer in ("silver", "gold")])
def test_trino_shows_tables_and_columns_with_their_comments(lake: TestLake, name: str) -> None:
    declared = table(name)
    shown = {row[0]: row[3] for row in query(lake.settings, f"show columns from {name}").rows}
    assert shown == {c.name: c.comment for c in declared.columns}


def test_trino_reads_a_migrated_table_and_its_comments(lake: TestLake) -> None:
    old = filled(lake, replace(OLD, name=f"gold.measured_{uuid.uuid4().hex[:8]}"))
    make_tables(lake.context, [replace(NEW, name=old.name)])
    read = query(lake.settings, f"select {', '.join(NEW.column_names)} from {old.name} order by thing").rows
    shown = {row[0]: (row[1], row[3]) for row in query(lake.settings, f"show columns from {old.name}").rows}
    lake.context.session.sql(f"drop table {old.name}").collect()
    assert read == [list(row.values()) for row in MIGRATED]
    assert {name: comment for name, (_, comment) in shown.items()} == {c.name: c.comment for c in NEW.columns}
    assert (shown["pieces"][0], shown["share"][0], shown["mark"][0]) == ("bigint", "double", "integer")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from gold.auth_daily",
        "create table gold.mine (x int)",
        "insert into ops.run_events (run_id) values ('x')",
        "drop table silver.auth_events",
        "select * from bronze.provider_events",
    ],
)
def test_an_analyst_reads_silver_gold_and_ops_and_no_more(lake: TestLake, statement: str) -> None:
    assert query(lake.settings, "select count(*) from gold.auth_daily", user="analyst").rows[0][0] > 0
    with pytest.raises(RefusedQuery):
        query(lake.settings, statement, user="analyst")


def test_not_even_the_service_user_writes(lake: TestLake) -> None:
    with pytest.raises(RefusedQuery):
        query(lake.settings, "delete from gold.auth_daily")
