"""Rows of a database, through to silver: none missed and none doubled where a pull dies half-way, and a changed row replaces its state."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from jobs.catalog import make_tables
from jobs.ingest import ingest
from jobs.pull import pull
from jobs.refine import refine
from lakehouse.pulls import Pulls
from lakehouse.sources import Source
from tests.lake import TestLake
from tests.postgres import Database
from tests.pulling import DAY, example, insert, prepare, row


@pytest.fixture
def source(lake: TestLake) -> Iterator[Source]:
    """The example under a name of its own, so that an instance which goes on knows nothing of it yet."""
    made = example().model_copy(update={"name": f"pulled_{uuid.uuid4().hex[:8]}"})
    make_tables(lake.context, [made.bronze])
    yield made
    lake.context.session.sql(f"drop table {made.bronze.name}")


def test_rows_are_once_in_bronze_and_in_their_newest_state_in_silver(
    lake: TestLake, database: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bronze() -> list[tuple[str, str]]:
        found = lake.rows(f"select event_id, get_json_object(raw, '$.balance') as balance from {source.bronze.name} order by all")
        return [(one["event_id"], one["balance"]) for one in found]

    prepare(database, monkeypatch, row("a", "10:00", balance=1), row("b", "10:01", balance=2))
    with monkeypatch.context() as patch:
        patch.setattr(Pulls, "put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pull(lake.context, source)
    ingest(lake.context, source)
    assert bronze() == [("a", "1"), ("b", "2")], "what the dead pull had landed"

    insert(database, row("c", "10:02", balance=3))
    pull(lake.context, source)
    ingest(lake.context, source)
    assert bronze() == [("a", "1"), ("b", "2"), ("c", "3")]
    counted = "select sum(published)::int as published, sum(duplicate)::int as duplicate from ctl.files where source = ?"
    assert lake.context.reader.rows(counted, [source.name]) == [{"published": 3, "duplicate": 2}]

    database.run(f"update billing.customers set balance = 7, updated_at = '{DAY} 12:00+00' where id = 'a'")
    pull(lake.context, source)
    ingest(lake.context, source)
    refine(lake.context, source)
    assert bronze() == [("a", "1"), ("a", "7"), ("b", "2"), ("c", "3")]
    silver = lake.rows(
        f"select customer_id, balance, date_format(as_of, 'HH:mm') as at, tenant_id from silver.billing_customers "
        f"where source = '{source.name}' order by customer_id"
    )
    assert [tuple(one.values()) for one in silver] == [("a", 7, "12:00", "acme"), ("b", 2, "10:01", "acme"), ("c", 3, "10:02", "acme")]


def test_a_row_that_cannot_be_mapped_is_quarantined_with_its_file_its_place_and_why(
    lake: TestLake, database: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, monkeypatch, row("a", "10:00"), row("", "10:01"), row("c", "10:02"))
    (key,) = pull(lake.context, source).files
    ingest(lake.context, source)
    refine(lake.context, source)
    (rejected,) = lake.rows(f"select * from bronze.quarantine where source = '{source.name}'")
    assert (rejected["_source_file"].endswith(key), rejected["_row"], rejected["tenant_id"]) == (True, 2, "acme")
    assert '"updated_at":"2020-03-02T10:01:00+00:00"' in rejected["raw"]
    assert rejected["reasons"] == ["event_id.missing"]
