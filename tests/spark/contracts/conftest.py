"""Spark for these tests: a session to be deleted once the suite's own `spark` fixture serves them, and cheap small queries.

Does not belong here: rows or views, which stand with the tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session; `CONTRACTS_SPARK=connect` makes it a Connect one."""
    builder = SparkSession.builder
    builder = builder.remote("local[2]") if os.environ.get("CONTRACTS_SPARK") == "connect" else builder.master("local[2]")
    session = (builder.config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false")).getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="module", autouse=True)
def _interpreted(spark: SparkSession) -> Iterator[None]:
    """Compiling a query costs a hundred times what a handful of rows do."""
    before = {name: spark.conf.get(name) for name in INTERPRETED}
    for name, value in INTERPRETED.items():
        spark.conf.set(name, value)
    yield
    for name, value in before.items():
        spark.conf.set(name, value or "")
