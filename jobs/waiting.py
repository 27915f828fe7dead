"""Rows that wait in quarantine, as what a batch publishes: claimed, read from there or from their landed files, settled once.

Does not belong here: what makes a row good (jobs.ingest, jobs.refine), or the table that they wait in (jobs.quarantine).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dq_checks import REASONS
from jobs.bronze import RECORD_PLACE
from jobs.context import Context
from jobs.parse import TYPE_CONFLICT, UNPARSEABLE
from jobs.quarantine import LEFT_OUT, Settlement, quarantine_rows, settle, waiting
from jobs.records import PLACED, read_records, tenant_in
from lakehouse import failpoints
from lakehouse.delta import Commit, DeltaLog
from lakehouse.drift import Sample
from lakehouse.errors import InfrastructureError
from lakehouse.ledger import COUNTS, Batch, BatchFile, FileCounts, Release, Reprocess
from lakehouse.sources import Format, Source
from lakehouse.tables.bronze import QUARANTINE

log = logging.getLogger("lakehouse")

MOST_BATCHES = 500
"""Batches whose rows one batch takes up: their ids stand in each query."""


def parts_of(context: Context, source: Source, asked: Reprocess) -> list[Reprocess]:
    """The rejected rows that are asked for, in parts that a batch each can take up: none has two files of one name.

    Only batches that silver has taken in are looked at: what the others keep out is not told yet.
    """
    through = set(context.ledger(source).taken_in())
    rows = [waiting(context.session, source.name, layer, asked) for layer in ("bronze", "silver")]
    places = reduce(DataFrame.union, rows).select("_batch_id", "_source_file").distinct().collect()
    files: dict[str, set[str]] = {}
    for row in places:
        if row["_batch_id"] in through:
            files.setdefault(row["_batch_id"], set()).add(row["_source_file"])
    return [replace(asked, batches=tuple(batches)) for batches in _without_common_files(files)]


def _without_common_files(files: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Batches in groups, oldest first; in no group a file is of two of them."""
    group: list[str] = []
    taken: set[str] = set()
    for batch_id, paths in sorted(files.items()):
        if group and (len(group) == MOST_BATCHES or not taken.isdisjoint(paths)):
            yield group
            group, taken = [], set()
        group.append(batch_id)
        taken |= paths
    if group:
        yield group


def files_of(context: Context, source: Source, wanted: Release | Reprocess) -> list[BatchFile]:
    """The files that waiting rows are from, each with the number of rows that bronze kept out of it."""
    ledger = context.ledger(source)
    counted: dict[tuple[str, str], int] = {}
    for layer in ("bronze", "silver"):
        found = waiting(context.session, source.name, layer, wanted).groupBy("_batch_id", "_source_file").count().collect()
        for row in found:
            place = (row["_batch_id"], row["_source_file"])
            counted[place] = counted.get(place, 0) + (row["count"] if layer == "bronze" else 0)
    by_batch = {batch_id: ledger.batch(batch_id).by_path for batch_id in {batch_id for batch_id, _ in counted}}
    return [replace(by_batch[batch_id][path], records=rows, copied_for="") for (batch_id, path), rows in sorted(counted.items())]


def with_files_read_again(context: Context, source: Source, batch: Batch) -> Batch:
    """The batch with those of its rejected rows from their landed files whose text in quarantine is not what the declaration reads now.

    These are what could not be told from its neighbours or not be read at all, and in CSV every row: the declaration names its cells.
    What lies no longer in the landing bucket is taken from quarantine, where it has a text there.
    """
    if batch.reprocess is None or not batch.records:
        return batch
    wanted = _to_read_again(context, source, batch)
    ledger = context.ledger(source)
    lying = ledger.readable_again([batch.by_path[path] for path in wanted])
    gone = sorted(wanted.keys() - lying)
    if gone:
        log.warning(
            "%s: %d files are not in the landing bucket as they were, so that %s cannot be read again", source.name, len(gone), gone
        )
    files: list[BatchFile] = []
    samples: dict[str, Sample] = {}
    for file in batch.files:
        if file.path not in lying:
            files.append(file)
            continue
        places, onwards = wanted[file.path]
        read, sample = ledger.read_again(batch, file, places, onwards)
        files.append(read)
        samples.setdefault(file.tenant_id, Sample()).add(sample)
    return replace(batch, files=tuple(files), samples=samples)


def _to_read_again(context: Context, source: Source, batch: Batch) -> dict[str, tuple[list[int], int | None]]:
    """By file: the places of its rows, and from which on nothing could be read, where that is so."""
    assert batch.reprocess
    rows = waiting(context.session, source.name, "bronze", batch.reprocess)
    needs_its_file = F.lit(True) if source.format is Format.CSV else _is_split_wrong()
    found = rows.groupBy("_source_file").agg(
        F.collect_set("_row").alias("places"),
        F.min(F.when(F.col("raw").isNull(), F.col("_row"))).alias("onwards"),
        F.max(needs_its_file).alias("needs_its_file"),
    )
    return {row["_source_file"]: (row["places"], row["onwards"]) for row in found.where("needs_its_file").collect()}


def _is_split_wrong() -> Column:
    """Whether a row of bronze's was broken before it was parsed."""
    return F.coalesce(~F.col("detail").isin(UNPARSEABLE, TYPE_CONFLICT), F.lit(False))


def records_of(context: Context, source: Source, batch: Batch) -> DataFrame:
    """The records that a batch takes up, as RECORD_COLUMNS of jobs.records, and tenant_id."""
    assert batch.takes_out
    again = replace(batch, files=tuple(f for f in batch.files if f.copied_for))
    rows = waiting(context.session, source.name, "bronze", batch.takes_out)
    from_quarantine = rows.where(~F.col("_source_file").isin([f.path for f in again.files])).select(
        "raw", F.col("_source_file").alias("_path"), F.lit(PLACED).cast("long").alias("_block"), F.col("_row").alias("_number"),
        F.when(_is_split_wrong(), F.col("detail")).alias("_unreadable"), "tenant_id",
    )  # fmt: skip
    if not again.files:
        return from_quarantine
    read = read_records(context.session, context.settings, source, again).withColumn("tenant_id", tenant_in("_path"))
    return from_quarantine.unionByName(read)


def as_committed(context: Context, source: Source, batch: Batch, disposed: DataFrame) -> DataFrame:
    """Dispositions of rows that an earlier attempt has published already, as far as they passed then.

    What passes only now, since a declaration was mended between the two, stays in quarantine.
    """
    rows = context.session.table(source.bronze.name).where(F.col("_batch_id") == batch.batch_id)
    there = rows.select(*RECORD_PLACE, F.lit(True).alias("_there"))
    return told_as_committed(disposed.join(there, list(RECORD_PLACE), "left"), "published", ("published",)).drop("_there")


def told_as_committed(marked: DataFrame, known: str, passing: Collection[str]) -> DataFrame:
    """Rows with `_there` (in the table, from this very record) told as `known`; others that pass are left out of it."""
    is_left_out = F.col("_there").isNull() & F.col("_disposition").isin(list(passing))
    return marked.withColumns({
        REASONS: F.when(is_left_out, F.array(F.lit(LEFT_OUT))).otherwise(F.col(REASONS)),
        "_disposition": F.when(F.col("_there"), known).when(is_left_out, "quarantined").otherwise(F.col("_disposition")),
    })  # fmt: skip


def require_own(context: Context, commit: Commit | None) -> None:
    """Raises InfrastructureError where another run has made a commit meanwhile: what it published may not be what this one would have."""
    if commit and commit.facts["run_id"] != context.run.run_id:
        raise InfrastructureError("another run published the same rows at the same time", next_step="nothing: the step is tried again")


def transaction_of(batch: Batch) -> str:
    """Transaction id under which bronze settles what a batch took out of quarantine."""
    return f"{batch.batch_id}.release"


def settle_bronze(
    context: Context, source: Source, batch: Batch, disposed: DataFrame, reasons: Iterable[str], counts: Mapping[str, FileCounts]
) -> None:
    """Settle what bronze has taken up; rows that are still kept out stay rows of the batch that kept them out first.

    So does what a file that was read again no longer has as a record of its own.
    """
    assert batch.takes_out
    failpoints.reached(failpoints.PUBLISHED)
    before = waiting(context.session, source.name, "bronze", batch.takes_out)
    after = quarantine_rows(disposed, source.name, "bronze", sorted(reasons))
    if any(f.copied_for for f in batch.files):
        after = after.unionByName(before.join(disposed.select(*RECORD_PLACE), list(RECORD_PLACE), "left_anti"))
    told = {"counts": [[getattr(counts[f.path], name) for name in COUNTS] for f in batch.files]}
    settle(context, Settlement(source.name, batch.batch_id, before, _where_they_were(after, before), transaction_of(batch), told))
    failpoints.reached(failpoints.TAKEN_OUT)


ORIGIN = ("_batch_id", "_ingested_at", "_ingest_date")


def _where_they_were(after: DataFrame, before: DataFrame) -> DataFrame:
    known = before.select(*RECORD_PLACE, *(F.col(name).alias(f"_first{name}") for name in ORIGIN))
    joined = after.join(known, list(RECORD_PLACE), "left")
    was_there = (F.col("disposition") != "held_back") & F.col("_first_batch_id").isNotNull()
    return joined.withColumns({name: F.when(was_there, F.col(f"_first{name}")).otherwise(F.col(name)) for name in ORIGIN})


def settled_counts(context: Context, batch: Batch) -> dict[str, FileCounts] | None:
    """Counts by file of a batch whose rows an earlier attempt has settled; None where none has."""
    log = DeltaLog(context.settings, QUARANTINE)
    if log.transaction(transaction_of(batch)) is None:
        return None
    commit = log.commit_of(transaction_of(batch))
    told = commit.facts["counts"] if commit else [[0, f.records, 0, 0] for f in batch.files]
    return {f.path: FileCounts(**dict(zip(COUNTS, counts, strict=True))) for f, counts in zip(batch.files, told, strict=True)}


def with_counted_records(batch: Batch, counts: Mapping[str, FileCounts]) -> Batch:
    """The batch with as many records of each file as were counted when it was settled; it may have been read again then."""
    return replace(batch, files=tuple(replace(f, records=sum(asdict(counts[f.path]).values())) for f in batch.files))
