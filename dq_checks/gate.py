"""Running a contract over a view or a table.

Does not belong here: Soda's classes (dq_checks.engine), or what follows from a verdict (jobs, assets).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pyspark.sql import SparkSession

from dq_checks.contract import Contract
from dq_checks.model import Stage
from dq_checks.verdict import Verdict
from lakehouse.errors import ConfigurationError

DATASET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")


def verify(session: SparkSession, contract: Contract, dataset: str, stage: Stage, variables: Mapping[str, str]) -> Verdict:
    """Run the checks of a stage over a temporary view (`staged_okta`) or a table (`silver.auth_events`).

    A check that cannot be evaluated, a missing column and a missing table close the gate (`Verdict.blocking`); they do not raise.
    Safe to call from several threads at once; freezes no clock.

    Args:
        session: classic or Connect.
        contract: from `contract_for`.
        dataset: what is checked. A view of stage `batch` also carries `_reasons` and `_corrupt`.
        stage: which checks run.
        variables: values of `contract.variables(stage)`; `scope` may limit stage `table`; others are ignored.

    Raises:
        ConfigurationError: a variable is missing, or the dataset is not a plain name.
        InfrastructureError: Spark, the store or the metastore did not answer; the same call may succeed later.
    """
    if not DATASET.fullmatch(dataset):
        raise ConfigurationError(f"{dataset!r} is not a view or schema.table", next_step="make a temporary view of it")
    absent = contract.variables(stage) - set(variables)
    if absent:
        raise ConfigurationError(f"contract of {contract.table.name} needs {', '.join(sorted(absent))}", next_step="pass them as variables")
    from dq_checks.engine import run

    return run(session, contract, dataset, stage, variables)
