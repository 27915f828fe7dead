"""Rows that are kept out: how they stand in bronze.quarantine, and how a released slice leaves it.

Does not belong here: judging rows (dq_checks, jobs.bronze, jobs.silver).
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dq_checks import REASONS
from jobs.context import Context
from lakehouse.delta import qualified, quoted, run_once
from lakehouse.ledger import Release
from lakehouse.tables.bronze import QUARANTINE


def quarantine_rows(disposed: DataFrame, source: str, layer: str, held_reasons: Sequence[str]) -> DataFrame:
    """The rows that are kept out, as columns of bronze.quarantine."""
    return disposed.where(F.col("_disposition").isin("quarantined", "held_back", "conflicting")).select(
        F.lit(source).alias("source"),
        "tenant_id",
        F.lit(layer).alias("layer"),
        F.col("_disposition").alias("disposition"),
        F.when(F.col("_disposition") == "held_back", F.array(*map(F.lit, held_reasons)).cast("array<string>"))
        .when(F.col("_disposition") == "conflicting", F.array(F.lit("another_body_is_published")))
        .otherwise(F.col(REASONS))
        .alias("reasons"),
        F.col("_corrupt").alias("detail"),
        "event_id",
        "event_time",
        "raw",
        "_source_file",
        "_row",
        "_batch_id",
        "_ingested_at",
        "_ingest_date",
    )


def held_back(session: SparkSession, layer: str, wanted: Release) -> DataFrame:
    """The rows of a slice that a layer held back, as columns of bronze.quarantine."""
    return session.table(QUARANTINE.name).where(_is_held_back(layer, wanted))


def take_out(context: Context, layer: str, released: Release, transaction: str) -> None:
    """Remove a slice that a layer held back, once per transaction id."""
    statement = f"delete from {qualified(QUARANTINE)} where {_is_held_back(layer, released)}"
    run_once(context.session, statement, transaction, {"transaction": transaction, "run_id": context.run.run_id})


def _is_held_back(layer: str, wanted: Release) -> str:
    return (
        f"layer = {quoted(layer)} and disposition = 'held_back' "
        f"and _batch_id = {quoted(wanted.batch_id)} and tenant_id = {quoted(wanted.tenant_id)}"
    )
