"""Fixtures of the Spark tier: a session, and a lake of its own per test module.

Does not belong here: servers (tests.fixtures), or the events themselves (tests.lake).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.maintenance import compact_facts
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
def prepared_lake(spark_stack: Settings) -> Iterator[TestLake]:
    """The instance with its catalog made."""
    made = TestLake(spark_stack)
    made.prepare()
    yield made
    made.close()


@pytest.fixture(scope="module")
def lake(prepared_lake: TestLake) -> TestLake:
    """The instance, its facts compacted as they are by schedule; tests share it and keep apart by tenant."""
    compact_facts(prepared_lake.new_run())
    return prepared_lake
