"""Which columns of bronze a mapping reads, and what the declarations of gold say."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.lineage.columns import ColumnEdge, bronze_columns, columns_of_gold, columns_of_silver, names_in
from lakehouse.lineage.recorded import by_pair, told_since, untold
from lakehouse.sources import Source
from lakehouse.tables import TABLES, table
from tests.unit.dash_app.facts import FakeReader
from tests.unit.lineage.facts import BEGAN, BRONZE, FIRST, GOLD, SECOND, SILVER, edge


def source(**told: Any) -> Source:
    """A source with a field that is called like a column of bronze, and values that are derived from others."""
    columns = {
        "project_id": "'p'", "environment": "'live'", "action": "deed", "activity": "'sign_in'", "auth_method": "'unknown'",
        "phase": "'completed'", "outcome": "'success'", "device": "'unknown'", **told.pop("columns", {}),
    }  # fmt: skip
    return Source.model_validate({
        "name": "own", "description": "A source.", "format": "json_lines", "earliest": "2020-01-01", "event_time": "at",
        "fields": {"Deed": "string", "at": "timestamp", "event_id": "string", "client": "struct<ip: string>"},
        "derived": {"deed2": "upper(Deed)", "place": "concat(deed2, client.ip)", "nothing": "'x'"},
        "silver": {"table": SILVER, "version": 1, "columns": columns, **told},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("deed", {"raw"}),
        ("nothing", set()),
        ("'deed'", set()),
        ("place", {"raw"}),
        ("event_id", {"event_id"}),
        ("concat(tenant_id, client.ip)", {"tenant_id", "raw"}),
        ("filter(array(user_key), deed -> deed <> '')", {"user_key"}),
        ("`_row` + 1", {"_row"}),
        ("copy", set()),
        ("unknown_name", set()),
    ],
)
def test_a_field_is_the_record_and_a_column_of_bronze_itself(sql: str, read: set[str]) -> None:
    assert bronze_columns(source(), sql) == read


def test_which_row_of_a_record_it_is_hangs_on_what_expands_the_record() -> None:
    expanded = source(expand="size(split(client.ip, ','))")
    assert bronze_columns(expanded, "copy") == {"raw"}
    assert {e.input_column for e in columns_of_silver(expanded) if e.output_column == "event_id"} == {"event_id", "raw"}
    assert {e.input_column for e in columns_of_silver(source()) if e.output_column == "event_id"} == {"event_id"}


def test_an_expression_that_cannot_be_read_here_reads_every_word_of_it() -> None:
    assert names_in("deed ((") == {"deed"}


def test_silver_is_made_from_what_its_mapping_names_and_from_what_the_lake_fills_in() -> None:
    edges = columns_of_silver(source(applicable="deed is not null", columns={"ip": "client.ip"}))
    made = {e.output_column: e.input_column for e in edges if e.output_column}
    lake = (
        "tenant_id",
        "event_id",
        "event_time",
        "event_date",
        "time_quality",
        "user_key",
        "_source_file",
        "_row",
        "_batch_id",
        "_ingested_at",
    )
    assert made == {"action": "raw", "ip": "raw", **{name: name for name in lake}}
    assert [e for e in edges if e.output_column is None] == [ColumnEdge("bronze.own", "raw", None)]


GOLD_TABLES = [name for name, declared in TABLES.items() if declared.layer == "gold"]


@pytest.mark.parametrize("name", GOLD_TABLES)
def test_gold_reads_columns_that_there_are(name: str) -> None:
    edges = columns_of_gold(table(name))
    assert [e for e in edges if e.input_column not in table(e.input_name).column_names] == []
    assert {e.output_column for e in edges} - {None} <= set(table(name).column_names)
    assert {e.input_name for e in edges} == set(table(name).inputs)


def test_column_edges_are_told_where_they_are_not_as_they_were_told_last() -> None:
    told = [
        edge(FIRST, SILVER, 7, BRONZE, 4, 1, "raw", "action"),
        edge(SECOND, SILVER, 8, BRONZE, 5, 61, "raw", "outcome"),
        edge(SECOND, GOLD, 8, SILVER, 8, 61),
    ]
    known = told_since(FakeReader({"ops.lineage_edges": told}), BEGAN.date())
    assert known == {(SILVER, BRONZE): {ColumnEdge(BRONZE, "raw", "outcome")}}
    now = by_pair(SILVER, [ColumnEdge(BRONZE, "raw", "outcome"), ColumnEdge("bronze.other", "raw", None)])
    assert set(untold(known, now)) == {(SILVER, "bronze.other")}
    assert set(untold({}, now)) == set(now)
