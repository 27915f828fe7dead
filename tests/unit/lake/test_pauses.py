"""What fails again and again is left alone for longer and longer, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from assets.automation import FIRST_PAUSE, LONGEST_PAUSE, failing_pairs, pause_after
from lakehouse.ops.store import OpsReader

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Log(OpsReader):
    """A run log of given attempts."""

    def __init__(self, attempts: list[tuple[str, str, str, int]]) -> None:
        """Each attempt: run, pipeline, status, seconds before NOW at which it started and ended."""
        self.attempts = pa.Table.from_pylist([
            {"run_id": run, "pipeline": pipeline, "asset": "t", "status": status,
             "started_at": NOW - timedelta(seconds=ago), "ended_at": NOW - timedelta(seconds=ago)}
            for run, pipeline, status, ago in attempts
        ])  # fmt: skip

    def rows(self, sql: str, parameters: object = ()) -> list[dict[str, object]]:
        """Answer from the given attempts."""
        attempts = self.attempts  # noqa: F841 - named in the query
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.sql(sql.replace("ops.run_log", "attempts")).to_arrow_table().to_pylist()


def test_one_failed_run_is_tried_again_at_once() -> None:
    assert failing_pairs(Log([("1", "a", "FAILED", 1), ("1", "a", "FAILED", 2)]), NOW) == set()


def test_a_second_failed_run_pauses_the_table_and_only_it() -> None:
    log = Log([("1", "a", "FAILED", 30), ("2", "a", "TERMINATED", 1), ("2", "b", "SUCCEEDED", 1), ("2", "c", "FAILED", 1)])
    assert failing_pairs(log, NOW) == {("a", "t")}
    assert failing_pairs(log, NOW + FIRST_PAUSE) == set()


def test_a_success_ends_the_count() -> None:
    assert failing_pairs(Log([("1", "a", "FAILED", 9), ("2", "a", "SUCCEEDED_WITH_WARNINGS", 5), ("3", "a", "FAILED", 1)]), NOW) == set()


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause_after(n) / FIRST_PAUSE for n in (1, 2, 3, 4)] == [0, 1, 2, 4]
    assert pause_after(1000) == LONGEST_PAUSE
