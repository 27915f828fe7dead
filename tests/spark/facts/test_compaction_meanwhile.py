"""Facts are appended while their table is compacted, on a store with real conditional puts."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.ops.upkeep import compact
from lakehouse.settings import Settings
from lakehouse.tables import table

WRITERS = 4
APPENDS = 15


def test_compaction_loses_nothing_that_is_appended_meanwhile(spark_stack: Settings) -> None:
    writer, run = OpsWriter(spark_stack), str(uuid.uuid4())
    writer.create_tables()

    def append(name: str) -> None:
        for number in range(APPENDS):
            line = {"run_id": run, "level": "INFO", "logger": name, "message": str(number), "logged_at": datetime.now(UTC)}
            writer.append_now("ops.event_log", [line])

    with ThreadPoolExecutor(WRITERS) as pool:
        under_way = [pool.submit(append, f"writer-{n}") for n in range(WRITERS)]
        rewritten = 0
        while not all(writing.done() for writing in under_way):
            done = compact(spark_stack, table("ops.event_log"), [datetime.now(UTC).date().isoformat()])
            rewritten += done.files_written
        for writing in under_way:
            writing.result()
    found = OpsReader(spark_stack).rows(
        "select logger, count(*) as n, count(distinct message) as messages from ops.event_log where run_id = ? group by logger", [run]
    )
    assert rewritten > 1
    assert sorted((row["logger"], row["n"], row["messages"]) for row in found) == [
        (f"writer-{n}", APPENDS, APPENDS) for n in range(WRITERS)
    ]
