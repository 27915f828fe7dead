"""Soda, behind one function: quiet, offline, without a frozen clock, and with its failures told apart.

Imported only where a contract runs, since the import takes a second.

Does not belong here: any check, or any decision about a result.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from typing import Any, ClassVar

from pyspark.errors import AnalysisException, IllegalArgumentException, ParseException, PySparkException
from pyspark.sql import SparkSession

from dq_checks.contract import DEFAULTS, Contract, dataset_path
from dq_checks.model import Check, Severity, Stage
from dq_checks.verdict import CheckResult, Outcome, Verdict
from lakehouse.errors import InfrastructureError
from lakehouse.spark import what_is_missing

NO_DOTENV = "PYTHON_DOTENV_DISABLED"


@contextmanager
def _without_dotenv() -> Iterator[None]:
    before = os.environ.get(NO_DOTENV)
    os.environ[NO_DOTENV] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[NO_DOTENV]
        else:
            os.environ[NO_DOTENV] = before


os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"
with _without_dotenv():
    from soda_core.common.env_config_helper import EnvConfigHelper
    from soda_core.common.logs import Logs
    from soda_core.common.yaml import ContractYamlSource, FileType, YamlObject
    from soda_core.contracts.contract_verification import ContractVerificationSession
    from soda_sparkdf.common.data_sources.sparkdf_data_source import (
        SparkDataFrameDataSourceConnection,
        SparkDataFrameDataSourceConnectionWrapper,
        SparkDataFrameDataSourceImpl,
        SparkDataFrameDataSourceModel,
    )

    EnvConfigHelper()

_logs: ContextVar[Any] = ContextVar("soda_logs", default=None)


class _Capture(logging.Handler):
    """Hands Soda's log records to the run that they belong to, and to nobody else."""

    def emit(self, record: logging.LogRecord) -> None:
        if logs := _logs.get():
            logs.gatherer.emit(record)


soda_logger = logging.getLogger("soda")
soda_logger.propagate = False
soda_logger.setLevel(logging.WARNING)
soda_logger.addHandler(_Capture())


class _Trouble:
    """The errors that Spark answered with during one run."""

    def __init__(self) -> None:
        self.lost: Exception | None = None
        self.lines: list[str] = []

    def note(self, error: Exception) -> None:
        if unreachable(error):
            self.lost = error
        line = describe(error)
        if line not in self.lines:
            self.lines.append(line)


class _Cursor:
    """A DB-API cursor over a session. Soda's own freezes Python's clock in all threads while it collects."""

    def __init__(self, session: SparkSession, trouble: _Trouble) -> None:
        self._session = session
        self._trouble = trouble
        self._rows: list[Any] = []
        self._given = 0

    def execute(self, sql: str) -> None:
        if self._trouble.lost:
            raise self._trouble.lost
        try:
            self._rows = self._session.sql(sql).collect()
        except Exception as error:
            self._trouble.note(error)
            raise
        self._given = 0

    @property
    def description(self) -> tuple[tuple[str, None], ...]:
        return tuple((name, None) for name in self._rows[0].__fields__) if self._rows else ()

    @property
    def rowcount(self) -> int:
        return len(self._rows)

    def fetchall(self) -> tuple[tuple[Any, ...], ...]:
        return tuple(map(tuple, self._rows))

    def fetchone(self) -> tuple[Any, ...] | None:
        if self._given >= len(self._rows):
            return None
        self._given += 1
        return tuple(self._rows[self._given - 1])

    def close(self) -> None:
        self._rows = []


class _Connection(SparkDataFrameDataSourceConnectionWrapper):
    def __init__(self, session: SparkSession, trouble: _Trouble) -> None:
        super().__init__(session)
        self._trouble = trouble

    def cursor(self) -> _Cursor:
        return _Cursor(self._session, self._trouble)


class _Source(ContractYamlSource, file_type=FileType.CONTRACT):  # type: ignore[call-arg]
    """A contract's text, parsed once in a process. All of Soda shares one YAML parser, which is not safe for threads."""

    _parser = threading.Lock()
    _parsed: ClassVar[dict[str, Any]] = {}

    def parse(self) -> Any:
        with self._parser:
            if self.yaml_str not in self._parsed:
                self._parsed[self.yaml_str] = super().parse().yaml_dict
            return YamlObject(self, deepcopy(self._parsed[self.yaml_str]))


def run(session: SparkSession, contract: Contract, dataset: str, stage: Stage, variables: Mapping[str, str]) -> Verdict:
    """Run the checks of a stage; see dq_checks.gate for what it promises."""
    trouble = _Trouble()
    source = _Source.from_str(_aimed(contract.text[stage], dataset))
    found, errors = _verify(session, source, _values(contract, dataset, stage, variables), trouble)
    if trouble.lost:
        raise InfrastructureError(
            f"contract of {contract.table.name} could not be checked on {dataset}: {describe(trouble.lost)}",
            next_step="see `lakehouse status`, then run the step again",
        ) from trouble.lost
    results = tuple(_result(check, found.get(check.name), variables) for check in contract.at(stage))
    unclear = any(r.outcome is Outcome.NOT_EVALUATED for r in results)
    problems = [*_differences(found.get("schema")), *((trouble.lines or errors or ["Soda gave no reason"]) if unclear else [])]
    return Verdict(contract.table.name, contract.version, stage, results, tuple(problems))


def _aimed(text: str, dataset: str) -> str:
    return f"dataset: {dataset_path(dataset)}\n{text.partition(chr(10))[2]}"


def _values(contract: Contract, dataset: str, stage: Stage, variables: Mapping[str, str]) -> dict[str, str]:
    wanted = contract.variables(stage) | set(DEFAULTS)
    return {name: str(value) for name, value in variables.items() if name in wanted} | {"view": dataset}


def _verify(session: SparkSession, source: _Source, values: dict[str, str], trouble: _Trouble) -> tuple[dict[str, Any], list[str]]:
    logs = Logs()
    token = _logs.set(logs)
    try:
        answer = ContractVerificationSession.execute(
            contract_yaml_sources=[source], variables=values, data_source_impls=[_data_source(session, trouble)], logs=logs
        )
        found = {r.check.name: r for verified in answer.contract_verification_results for r in verified.check_results}
        return found, [line.splitlines()[0] for line in answer.get_errors() if line]
    except Exception as error:  # noqa: BLE001 - whatever Soda raises, the gate is closed, not the process
        if unreachable(error):
            trouble.lost = error
        return {}, [describe(error)]
    finally:
        _logs.reset(token)
        logs.close()
        _leave_root_logger_alone()


def _leave_root_logger_alone() -> None:
    for handler in logging.root.handlers[:]:
        if type(handler).__module__ == "soda_core.common.logs":
            logging.root.removeHandler(handler)


def _data_source(session: SparkSession, trouble: _Trouble) -> Any:
    name = dataset_path("_").partition("/")[0]
    properties = {"spark_session": session, "schema_": name}
    return SparkDataFrameDataSourceImpl(
        data_source_model=SparkDataFrameDataSourceModel(name=name, connection_properties=properties),
        connection=SparkDataFrameDataSourceConnection(
            name=name, connection_properties=properties, connection=_Connection(session, trouble)
        ),
    )


OUTCOMES = {"PASSED": Outcome.PASSED, "WARN": Outcome.WARNED, "FAILED": Outcome.FAILED}
FAILED_ROWS = {"missing": "missing_count", "invalid": "invalid_count", "failed_rows": "failed_rows_count", "duplicate": "duplicate_count"}


def _result(check: Check, found: Any, variables: Mapping[str, str]) -> CheckResult:
    measured = (found.diagnostic_metric_values or {}) if found else {}
    rows_tested = measured.get("check_rows_tested")
    if rows_tested is None:
        rows_tested = measured.get("dataset_rows_tested")
    rows_failed = measured.get(FAILED_ROWS.get(check.asked_as, "")) if check.severity is not Severity.SLICE else None
    return CheckResult(
        check_name=check.name,
        check_type=check.type,
        column_name=check.column or None,
        severity=check.severity,
        outcome=_outcome(check, found, rows_tested),
        expected=_filled(check.expected, variables),
        observed=None if found is None or found.threshold_value is None else float(found.threshold_value),
        rows_tested=rows_tested,
        rows_failed=rows_failed,
    )


def _differences(schema: Any) -> list[str]:
    absent = ", ".join(getattr(schema, "expected_column_names_not_actual", ()))
    retyped = ", ".join(f"{m.column} {m.get_actual()} for {m.get_expected()}" for m in getattr(schema, "column_data_type_mismatches", ()))
    lines = (f"columns missing: {absent}" if absent else "", f"types that differ: {retyped}" if retyped else "")
    return [line for line in lines if line]


def _outcome(check: Check, found: Any, rows_tested: int | None) -> Outcome:
    outcome = OUTCOMES.get(found.outcome.name, Outcome.NOT_EVALUATED) if found else Outcome.NOT_EVALUATED
    if check.type == "freshness" and rows_tested is None:
        return Outcome.NOT_EVALUATED
    if outcome is Outcome.FAILED and check.severity is Severity.WARN:
        return Outcome.WARNED
    return outcome


def _filled(text: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace("${var." + name + "}", str(value))
    return text


DATA_EXCEPTION_STATES = ("22", "42")
"""SQLSTATE classes of errors that lie in the data or the query: the same call would fail again."""


CONNECTION_ERRORS = ("Py4JNetworkError", "_InactiveRpcError", "_MultiThreadedRendezvous")
"""Errors of the two ways to Spark, by name: only one of them is installed with some builds of pyspark."""


def unreachable(error: BaseException) -> bool:
    """Whether an error says that Spark, the store or the metastore did not answer, rather than that the check cannot hold."""
    if isinstance(error, AnalysisException | ParseException | IllegalArgumentException):
        return what_is_missing(error) is not None
    if isinstance(error, PySparkException):
        return not (error.getSqlState() or "").startswith(DATA_EXCEPTION_STATES)
    if isinstance(error, ConnectionError) or type(error).__name__ in CONNECTION_ERRORS:
        return True
    inner = error.__cause__ or error.__context__
    return inner is not None and unreachable(inner)


def describe(error: BaseException) -> str:
    """An error in one line. Only analysis errors keep their message: others may quote values of the data."""
    if isinstance(error, AnalysisException | ParseException):
        return str(error).strip().splitlines()[0][:300]
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    return condition or type(error).__name__
