"""Records that stand for several events: the books count what they add, and land again as the same events."""

from __future__ import annotations

from typing import Any

from lakehouse.delta import DeltaLog
from lakehouse.tables import table
from tests.lake import TestLake

SOURCE = "linux_auth_log"
FAILED = "Failed password for root from 192.0.2.1 port 4711 ssh2"
LINES = (
    f"May 31 10:00:00 host sshd[1]: {FAILED}",
    f"May 31 10:00:09 host sshd[1]: message repeated 5 times: [ {FAILED}]",
    f"May 31 10:00:10 host sshd[1]: message repeated 3000000000 times: [ {FAILED}]",
    "May 31 10:00:11 host sshd[1]: message repeated 2 times: [ Connection closed by 192.0.2.1 port 4711 [preauth]]",
    "May 31 10:00:12 host last message repeated 3 times",
)
"""One event; five; too many to be true; two that are none; and what is no line of this log."""


def counts_of(lake: TestLake, batch_id: str) -> dict[str, Any]:
    commit = DeltaLog(lake.settings, table("silver.auth_events")).commit_of(batch_id)
    assert commit is not None
    return dict(commit.facts["counts"])


def test_the_books_count_what_a_record_adds_and_what_cannot_be_used_waits_in_quarantine(lake: TestLake) -> None:
    tenant = "expansion-books"
    lake.land(tenant, "auth.log", LINES, source=SOURCE)
    lake.run(source=SOURCE, gold=False)
    ledger = lake.ledger(tenant, SOURCE)
    counts = counts_of(lake, str(ledger[-1]["batch_id"]))
    # Whether they are late depends on the day of the test: the year is the one before the landing.
    assert {k: v for k, v in counts.items() if v and k != "late"} == {
        "read": 4, "expanded": 4 + 1, "inserted": 1 + 5, "not_applicable": 2, "quarantined": 1,
    }  # fmt: skip
    ids = lake.ids("silver.auth_events", tenant)
    assert len(set(ids)) == 6
    assert sorted(event_id.partition("#")[2] for event_id in ids) == ["", "", "2", "3", "4", "5"]
    kept_out = lake.rows(f"select layer, _row, reasons, detail from bronze.quarantine where tenant_id = '{tenant}' order by _row")
    assert [(row["layer"], row["_row"], row["reasons"]) for row in kept_out] == [
        ("silver", 3, ["unusable"]),
        ("bronze", 5, ["event_time.missing", "event_date.missing", "unparseable"]),
    ]
    assert kept_out[0]["detail"] == "stands for more than 10000 events"


def test_events_of_one_record_are_the_same_when_its_file_lands_again(lake: TestLake) -> None:
    tenant = "expansion-again"
    lake.land(tenant, "auth.log", LINES[:2], source=SOURCE)
    lake.run(source=SOURCE, gold=False)
    before = lake.ids("silver.auth_events", tenant)
    lake.land(tenant, "copy.log", LINES[:2], source=SOURCE)
    lake.run(source=SOURCE, gold=False)
    assert lake.ids("silver.auth_events", tenant) == before
    assert len(before) == 6
