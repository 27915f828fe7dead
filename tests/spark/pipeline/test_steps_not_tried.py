"""What Dagster does not try, since its upstream failed for good, stands in the run log with the reason."""

from __future__ import annotations

import dagster as dg
import pytest

import assets.tables
from assets.definitions import defs
from assets.rendering import key_of
from lakehouse.errors import DataError, InfrastructureError
from tests.lake import GOLD, SOURCE, TestLake

CHAIN = (f"bronze.{SOURCE}", "silver.auth_events", *(t.name for t in GOLD))


def run_failing(
    lake: TestLake, monkeypatch: pytest.MonkeyPatch, step: str, errors: list[Exception], tables: tuple[str, ...]
) -> list[tuple[str, str, str, str]]:
    """Run tables in this process, one of their steps failing with these errors in turn. Returns what the run log tells of it."""

    def fail(*_: object) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(assets.tables, step, fail)
    monkeypatch.setattr("assets.resources.RETRY_WAIT_S", 0)
    result = defs.resolve_job_def("lake").execute_in_process(
        instance=dg.DagsterInstance.ephemeral(), raise_on_error=False, asset_selection=[key_of(name) for name in tables]
    )
    assert not result.success
    rows = lake.context.reader.rows("select * from ops.run_log where run_id = ? order by asset", [result.run_id])
    return [(row["pipeline"], row["asset"], row["status"], row["error_message"]) for row in rows]


def test_all_that_follows_a_failed_step_is_recorded_as_skipped(lake: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = run_failing(lake, monkeypatch, "ingest", [DataError("books do not balance")], CHAIN)
    reason = f"not tried: bronze.{SOURCE} failed"
    gold = [("gold", t.name, "SKIPPED_UPSTREAM", reason) for t in sorted(GOLD, key=lambda t: t.name)]
    assert recorded == [*gold, (SOURCE, "silver.auth_events", "SKIPPED_UPSTREAM", reason)]


def test_a_step_that_is_tried_again_skips_nothing_until_its_last_attempt(lake: TestLake, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[Exception] = [InfrastructureError("gone"), InfrastructureError("gone"), DataError("broken")]
    recorded = run_failing(lake, monkeypatch, "refine_each", attempts, CHAIN[1:])
    assert attempts == []
    assert {row[1] for row in recorded} == {t.name for t in GOLD}
    assert {row[3] for row in recorded} == {"not tried: silver.auth_events failed"}
