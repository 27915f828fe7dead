"""Frames kept on the server are released, but never from a finalizer: Python may run that inside another call of the same client."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql import DataFrame, SparkSession

from lakehouse.spark import checkpoint


def named(session: SparkSession, frame: DataFrame) -> DataFrame:
    """Another frame of the same rows, which keeps nothing."""
    plan: Any = frame._plan
    other: Any = session.range(1)
    other._plan = type(plan)(plan._relation_id, None)
    return other


def test_dropping_a_kept_frame_calls_nobody_and_the_next_one_releases_it(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = checkpoint(spark.range(3))
    derived = kept.where("id > 0")
    dropped = named(spark, kept)
    del kept
    checkpoint(spark.range(1))
    assert derived.count() == 2, "what is derived from it still refers to it"

    client: Any = spark.client
    with monkeypatch.context() as patch:
        patch.setattr(client, "_channel", None)
        patch.setattr(client, "_execute_plan_request_with_metadata", lambda *_: pytest.fail("the client was called"))
        del derived
        gc.collect()
    assert dropped.count() == 3, "nothing was released yet"

    checkpoint(spark.range(1))
    with pytest.raises(SparkConnectGrpcException, match="No DataFrame with id"):
        dropped.count()
