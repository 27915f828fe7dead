"""Readers tell what the tables hold, whatever is appended, compacted or deleted meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.ops.mirror import Mirror
from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.ops.upkeep import compact, crowded_days
from lakehouse.settings import Settings
from lakehouse.tables import table

RUNS = "select run_id, status, rows_inserted from ops.run_log order by run_id"
NOW = datetime.now(UTC)


@pytest.fixture
def writer(settings: Settings) -> OpsWriter:
    writer = OpsWriter(settings)
    writer.create_tables()
    return writer


def succeed(writer: OpsWriter, run_id: str, rows: int) -> None:
    with Step(writer, Run(run_id), "p", "a") as facts:
        facts.rows_inserted = rows


def test_each_answer_is_that_of_the_tables_at_that_moment(settings: Settings, writer: OpsWriter) -> None:
    mirror = Mirror(settings)
    assert mirror.rows(RUNS) == []
    for number in range(3):
        succeed(writer, f"r{number}", number)
        assert mirror.rows(RUNS) == OpsReader(settings).rows(RUNS)
    assert [row["rows_inserted"] for row in mirror.rows(RUNS)] == [0, 1, 2]


@pytest.mark.parametrize("kind", [Mirror, OpsReader])
def test_a_compacted_day_is_read_anew_and_no_row_doubles(kind: type[OpsReader], settings: Settings, writer: OpsWriter) -> None:
    reader = kind(settings)
    for number in range(12):
        succeed(writer, f"r{number:02}", number)
    assert len(reader.rows(RUNS)) == 12
    declared = table("ops.run_events")
    compact(settings, declared, crowded_days(settings, declared, datetime.now(UTC).date() + timedelta(days=1)))
    succeed(writer, "r12", 12)
    assert [row["rows_inserted"] for row in reader.rows(RUNS)] == list(range(13))


def test_a_row_is_found_by_any_of_its_texts_whatever_else_its_file_holds(settings: Settings, writer: OpsWriter) -> None:
    reader = OpsReader(settings)
    told = [("a", "first"), ("a", "second"), (None, "third"), ("b", None)]
    rows = [{"actor": "tests", "action": "noted", "acted_at": NOW, "target": target, "detail": detail} for target, detail in told]
    for batch in (rows[:1], rows[1:2], rows[:2], rows[1:], rows[2:3], rows[3:]):
        writer.append_now("ops.actions", batch)
        found = reader.rows("select target, detail from ops.actions")
        for column in ("target", "detail"):
            for text in {row[column] for row in found}:
                is_it = "is null" if text is None else f"= '{text}'"
                picked = reader.rows(f"select target, detail from ops.actions where {column} {is_it}")
                assert len(picked) == sum(row[column] == text for row in found), (column, text)


def test_days_past_the_window_are_not_read(settings: Settings, writer: OpsWriter) -> None:
    succeed(writer, "r", 1)
    assert len(Mirror(settings, days=0).rows(RUNS)) == 1
    assert Mirror(settings, days=-1).rows(RUNS) == []
