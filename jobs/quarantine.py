"""Rows that are kept out: how they stand in bronze.quarantine, and how those leave it that a batch has taken up.

Does not belong here: judging rows (dq_checks, jobs.bronze, jobs.silver), or which batch takes them up (jobs.waiting).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from dq_checks import REASONS
from jobs.context import Context
from lakehouse.delta import DeltaLog, qualified, quoted, run_once
from lakehouse.ledger import Release, Waiting
from lakehouse.spark import checkpoint, is_race_lost, show
from lakehouse.tables.bronze import QUARANTINE

COMMIT_ATTEMPTS = 5
"""Every source's runs append to the one quarantine table meanwhile; none of that concerns the rows that are settled."""
LEFT_OUT = "left_out"
"""Reason of a row that passes now, but whose batch was published by an attempt that it did not pass in: the next batch takes it."""
RECORD = ("_batch_id", "_source_file", "_row")
"""The place of a record, as its row in quarantine tells it."""
SAME_ROW = (*RECORD, "_ingest_date", "layer", "disposition", "event_id", "reasons")
"""What tells a row from others of its record, as it stands."""


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


DISPOSITIONS: Mapping[str, tuple[str, ...]] = {"bronze": ("quarantined",), "silver": ("quarantined", "conflicting")}
"""By layer, what is looked at again once a declaration was mended. What is held back has no fault of its own: it is released."""


def waiting(session: SparkSession, source: str, layer: str, wanted: Waiting) -> DataFrame:
    """Rows that a layer kept out, as columns of bronze.quarantine."""
    return session.table(QUARANTINE.name).where(_predicate(source, layer, wanted))


def _predicate(source: str, layer: str, wanted: Waiting) -> str:
    parts = [f"source = {quoted(source)}", f"layer = {quoted(layer)}"]
    if isinstance(wanted, Release):
        parts += ["disposition = 'held_back'", f"_batch_id = {quoted(wanted.batch_id)}"]
    else:
        parts.append(f"disposition in ({', '.join(map(quoted, DISPOSITIONS[layer]))})")
        parts += [f"_batch_id in ({', '.join(map(quoted, wanted.batches))})"] if wanted.batches else []
        parts += [f"array_contains(reasons, {quoted(wanted.reason)})"] if wanted.reason else []
        parts += ["false"] if wanted.layer not in (None, layer) else []
    parts += [f"tenant_id = {quoted(wanted.tenant_id)}"] if wanted.tenant_id else []
    return " and ".join(parts)


@dataclass(frozen=True)
class Settlement:
    """What a batch leaves of the rows that it took up.

    Args:
        source: whose rows they are.
        batch_id: batch that took them up.
        before: the rows as they stood, as columns of bronze.quarantine.
        after: the rows that are still kept out, of the same records.
        transaction: id of the commit.
        about: facts of the commit.
    """

    source: str
    batch_id: str
    before: DataFrame
    after: DataFrame
    transaction: str
    about: Mapping[str, object]


def is_settled(context: Context, transaction: str) -> bool:
    """Whether a settlement was committed."""
    return DeltaLog(context.settings, QUARANTINE).transaction(transaction) is not None


def settle(context: Context, settled: Settlement) -> None:
    """Take out of quarantine what is no longer kept out, and tell the reasons of now of the rest: one commit, once, and a recorded step.

    A row whose reasons are as they were is not touched. The commit is made, and found by its transaction, also where nothing changes.
    """
    with context.step(settled.source, QUARANTINE) as facts, context.infrastructure_errors():
        facts.batch_id = settled.batch_id
        before, after = (checkpoint(rows.select(*QUARANTINE.column_names)) for rows in (settled.before, settled.after))
        leaving, arriving = checkpoint(before.exceptAll(after)), checkpoint(after.exceptAll(before))
        show(leaving.withColumn("_leaves", F.lit(True)).unionByName(arriving.withColumn("_leaves", F.lit(False))), "settled")
        about = {"transaction": settled.transaction, "run_id": context.run.run_id, **settled.about}
        _commit(context.session, settled.transaction, about)
        facts.rows_read, facts.rows_quarantined = before.count(), after.count()
        facts.rows_deleted = leaving.join(after, list(RECORD), "left_anti").count()
        facts.rows_inserted = arriving.join(before, list(RECORD), "left_anti").count()
        facts.rows_updated = arriving.count() - facts.rows_inserted
        if commit := DeltaLog(context.settings, QUARANTINE).commit_of(settled.transaction):
            facts.version_before, facts.version_after = commit.version - 1, commit.version


@retry(retry=retry_if_exception(is_race_lost), stop=stop_after_attempt(COMMIT_ATTEMPTS), wait=wait_random_exponential(max=5), reraise=True)
def _commit(session: SparkSession, transaction: str, about: Mapping[str, object]) -> None:
    run_once(session, _statement(), transaction, about)


def _statement() -> str:
    same = " and ".join(f"known.`{name}` <=> settled.`{name}`" for name in SAME_ROW)
    columns = ", ".join(f"`{name}`" for name in QUARANTINE.column_names)
    values = ", ".join(f"settled.`{name}`" for name in QUARANTINE.column_names)
    return (
        f"merge into {qualified(QUARANTINE)} as known using settled on settled._leaves and {same} "
        f"when matched then delete when not matched and not settled._leaves then insert ({columns}) values ({values})"
    )
