"""A Spark session for these tests alone; to be deleted once the suite's own `spark` fixture serves them.

Does not belong here: rows or views, which stand with the tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session; `CONTRACTS_SPARK=connect` makes it a Connect one."""
    builder = SparkSession.builder
    builder = builder.remote("local[2]") if os.environ.get("CONTRACTS_SPARK") == "connect" else builder.master("local[2]")
    session = (
        builder.config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "2").config("spark.ui.enabled", "false")
    ).getOrCreate()
    yield session
    session.stop()
