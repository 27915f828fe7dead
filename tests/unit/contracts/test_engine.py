"""Soda is offline, reads no `.env`, and its failures are told apart; without Spark.

Does not belong here: what contracts find in data (tests/spark/contracts).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException, PySparkException

from dq_checks import Outcome, Stage, contract_for, verify
from lakehouse.errors import InfrastructureError
from lakehouse.tables import TABLES

DAILY = contract_for(TABLES["gold.auth_daily"])


class _Conf:
    def get(self, name: str) -> str:
        return "UTC"


class _Session:
    """Answers every query with an error."""

    conf = _Conf()

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    def sql(self, text: str) -> Any:
        self.asked += 1
        raise self.error


class _SqlError(PySparkException):
    def __init__(self, state: str) -> None:
        super().__init__("the value 'hunter2' cannot be cast")
        self.state = state

    def getSqlState(self) -> str:
        return self.state


def _check(error: Exception, session: _Session | None = None) -> Any:
    return verify(session or _Session(error), DAILY, "staged", Stage.BATCH, {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("connection refused"),
        _SqlError("08000"),
        _SqlError(""),
        AnalysisException("org.apache.hadoop.hive.ql.metadata.HiveException: TTransportException"),
    ],
    ids=["socket", "state", "job aborted", "metastore"],
)
def test_a_lost_server_is_infrastructure_and_asked_once(error: Exception) -> None:
    session = _Session(error)
    with pytest.raises(InfrastructureError, match=r"gold\.auth_daily could not be checked on staged") as raised:
        _check(error, session)
    assert raised.value.retryable
    assert raised.value.__cause__ is error
    assert session.asked == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AnalysisException("[TABLE_OR_VIEW_NOT_FOUND] `staged`\nJVM stacktrace:\nat x"), "[TABLE_OR_VIEW_NOT_FOUND] `staged`"),
        (_SqlError("22018"), "_SqlError"),
        (ValueError("the value 'hunter2' is not a number"), "ValueError"),
    ],
    ids=["query", "data", "other"],
)
def test_any_other_error_closes_the_gate(error: Exception, told: str) -> None:
    verdict = _check(error)
    assert {r.outcome for r in verdict.results} == {Outcome.NOT_EVALUATED}
    assert verdict.blocking == verdict.results
    assert verdict.problems == (told,)
    assert "hunter2" not in str(verdict)


def test_an_error_inside_soda_closes_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    from dq_checks import engine

    def broken(**_: object) -> None:
        raise AttributeError("soda")

    monkeypatch.setattr(engine.ContractVerificationSession, "execute", broken)
    verdict = _check(ValueError())
    assert verdict.blocking == verdict.results
    assert verdict.problems == ("AttributeError",)


def test_soda_is_imported_late_and_then_offline_and_without_dotenv(tmp_path: Path) -> None:
    program = """
import os, sys
import dq_checks
assert "soda_core" not in sys.modules
os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "true"
import dotenv.main
dotenv.main.find_dotenv = lambda *a, **k: sys.exit(".env was looked for")
import dq_checks.engine
from opentelemetry import trace
assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
assert os.environ["SODA_CORE_TELEMETRY_ENABLED"] == "false"
assert "PYTHON_DOTENV_DISABLED" not in os.environ
assert "FROM_DOTENV" not in os.environ
"""
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
