"""Fixtures of the Spark tier: a session, and a lake of its own per test module.

Does not belong here: servers (tests.fixtures), or the events themselves (tests.lake).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from lakehouse.settings import Settings
from lakehouse.spark import connect
from tests.lake import TestLake


@pytest.fixture(scope="session")
def spark(spark_stack: Settings) -> Iterator[SparkSession]:
    """One session for transforms that write nothing."""
    session = connect(spark_stack)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def lake(spark_stack: Settings) -> Iterator[TestLake]:
    """The instance with its catalog made; tests share it and keep apart by tenant."""
    made = TestLake(spark_stack)
    made.prepare()
    yield made
    made.close()
