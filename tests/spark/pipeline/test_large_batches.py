"""A batch of many records is staged in another way than one of few: what becomes of each record is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.silver import can_map_early
from lakehouse import spark
from lakehouse.sources import load_sources
from lakehouse.tables import Table, table
from lakehouse.tables.bronze import QUARANTINE
from tests.lake import SOURCE, Event, TestLake, event

pytestmark = pytest.mark.long

TEXT_SOURCE = "linux_auth_log"
ENTITIES = "stripe_customers"
FEW, MANY = "staged-few", "staged-many"
DEFINED_BY_THE_RUN = (
    "tenant_id",
    "user_key",
    "raw_hash",
    "event_id",
    "flow_id",
    "_source_file",
    "_batch_id",
    "_ingested_at",
    "_ingest_date",
)


def numbered(number: int, **fields: Any) -> Event:
    """An event whose text is the same for both tenants."""
    return event(number, "both", **fields)


FIRST: tuple[Event | str, ...] = (
    numbered(1),
    numbered(1),
    numbered(2),
    numbered(3, ok=False, user=7),
    numbered(4, time="11:00:00"),
    numbered(4, time="12:00:00"),
    numbered(5, action="SessionsJwksGet"),
    numbered(6, status=5),
    numbered(7, time="never"),
    '{"event_id": "cut of',
)
SECOND: tuple[Event | str, ...] = (numbered(2), numbered(3, ok=True, user=7), numbered(8))
AUTH_LOG = (
    "May 31 10:00:00 host sshd[1]: Failed password for root from 192.0.2.1 port 4711 ssh2",
    "May 31 10:00:09 host sshd[1]: message repeated 5 times: [ Failed password for root from 192.0.2.1 port 4711 ssh2]",
    "no line of this log",
)
CUSTOMERS = (
    "id,_fivetran_synced,created,livemode,name",
    "cus_1,2026-03-02 10:00:00,2026-03-01 09:00:00,TRUE,first",
    "cus_2,2026-03-02 10:00:00,2026-03-01 09:00:00,TRUE,only",
    "cus_1,2026-03-02 11:00:00,2026-03-01 09:00:00,TRUE,second",
)
COUNTS = "rows_read, rows_inserted, rows_updated, rows_duplicate, rows_conflicting, rows_not_applicable, rows_quarantined, rows_held_back"


@pytest.fixture(scope="module")
def taken_in(lake: TestLake) -> TestLake:
    """The same records landed for two tenants, those of the second staged as if they were many."""
    for tenant, small_at_most in ((FEW, spark.SMALL_RECORDS), (MANY, 0)):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(spark, "SMALL_RECORDS", small_at_most)
            for name, records in (("1.jsonl", FIRST), ("2.jsonl", SECOND)):
                lake.land(tenant, name, records)
                lake.run(gold=False)
            lake.land(tenant, "auth.log", AUTH_LOG, source=TEXT_SOURCE)
            lake.run(source=TEXT_SOURCE, gold=False)
            lake.land(tenant, "customers.csv", CUSTOMERS, source=ENTITIES)
            lake.run(source=ENTITIES, gold=False)
    return lake


def rows_of(lake: TestLake, declared: Table, tenant: str, source: str) -> list[dict[str, Any]]:
    columns = [c for c in declared.column_names if c not in DEFINED_BY_THE_RUN]
    by_source = f" and source = '{source}'" if "source" in columns else ""
    found = lake.rows(f"select {', '.join(columns)} from {declared.name} where tenant_id = '{tenant}'{by_source}")
    return sorted(found, key=lambda row: json.dumps(row, default=str, sort_keys=True))


@pytest.mark.parametrize("source", [SOURCE, TEXT_SOURCE, ENTITIES])
def test_tables_hold_the_same_rows(taken_in: TestLake, source: str) -> None:
    declared = load_sources(taken_in.settings)[source]
    for kind in (declared.bronze, table(declared.silver.table), QUARANTINE):
        few, many = (rows_of(taken_in, kind, tenant, source) for tenant in (FEW, MANY))
        assert few == many, kind.name
    assert rows_of(taken_in, table(declared.silver.table), MANY, source)


@pytest.mark.parametrize("source", [SOURCE, TEXT_SOURCE, ENTITIES])
def test_the_run_log_counts_the_same(taken_in: TestLake, source: str) -> None:
    facts = [
        taken_in.context.reader.rows(
            f"select layer, {COUNTS} from ops.run_log where pipeline = ? and status not in ('PENDING', 'RUNNING') and batch_id in "
            "(select batch_id from ctl.files where tenant_id = ?) order by started_at",
            [source, tenant],
        )
        for tenant in (FEW, MANY)
    ]
    assert facts[0] == facts[1]
    assert facts[0]


def test_both_ways_of_mapping_are_looked_at(taken_in: TestLake) -> None:
    sources = load_sources(taken_in.settings)
    assert can_map_early(sources[SOURCE])
    assert not can_map_early(sources[TEXT_SOURCE])
    counted = {row["disposition"]: row["n"] for row in taken_in.rows(
        f"select disposition, count(*) as n from bronze.quarantine where tenant_id = '{MANY}' and source = '{SOURCE}' group by disposition"
    )}  # fmt: skip
    assert counted["conflicting"] == 2


def test_nothing_is_left_staged(taken_in: TestLake) -> None:
    batches = {row["batch_id"] for row in taken_in.ledger(MANY)}
    assert batches
    assert not batches & set(taken_in.context.staged)
