"""A session for the transforms of gold, set up for few rows as their runs would be.

Does not belong here: rows (frames), or a lake.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from lakehouse.settings import Settings
from lakehouse.spark import connect, tune


@pytest.fixture(scope="session")
def spark(spark_stack: Settings) -> Iterator[SparkSession]:
    """One session for transforms that write nothing."""
    session = connect(spark_stack)
    tune(session, 0)
    yield session
    session.stop()
