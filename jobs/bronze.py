"""Bronze transforms: from a record's text to an identified, judged row. Frames in, frames out.

Does not belong here: reading files, committing tables, recording runs, or anything particular to one source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.parse import CORRUPT, parse_fields, to_type
from jobs.records import PLACED, RECORD_COLUMNS, is_record
from lakehouse.ledger import Batch, BatchFile
from lakehouse.sources import LANDED_ON, Source
from lakehouse.spark import computed_once

KEY = ("tenant_id", "event_id", "raw_hash")
"""What makes a record the same record."""

IDENTIFIED = (*RECORD_COLUMNS, "tenant_id", CORRUPT, "event_id", "event_time", "user_key", "raw_hash")
"""What bronze needs of identified records; the parsed fields are needed only where silver takes them over."""

LATEST_PLAUSIBLE = "interval 24 hours"
HMAC_BLOCK_BYTES = 64


def identify(records: DataFrame, source: Source, keys: DataFrame) -> DataFrame:
    """Parse records and give each its tenant's user key, event id, event time and hash.

    Args:
        records: RECORD_COLUMNS of jobs.records, and tenant_id.
        keys: tenant_id, inner and outer: the two padded HMAC keys of RFC 2104, in hex.

    Returns: records, the parsed fields that are not named like a bronze column, `_corrupt`, event_id, event_time, user_key, raw_hash.
    """
    landed_on = F.to_date(F.regexp_extract("_path", LANDED_ON, 1))
    parsed = parse_fields(records, source).withColumn("landed_on", landed_on)
    established = {column.name for column in source.bronze.columns} - {"raw", "tenant_id"}
    user = F.expr(source.user) if source.user else F.lit(None)
    identified = parsed.select(
        *(F.col(f"`{name}`") for name in parsed.columns if name.lower() not in established and name != "landed_on"),
        to_type(F.expr(source.event_id or "null"), "string").alias("event_id"),
        to_type(F.expr(source.event_time_sql), "timestamp").alias("event_time"),
        F.xxhash64("raw").alias("raw_hash"),
        user.try_cast("string").alias("_user"),
    )
    joined = identified.join(F.broadcast(keys), "tenant_id", "left")
    return joined.withColumn("user_key", _hmac(F.col("_user"), F.col("inner"), F.col("outer"))).drop("_user", "inner", "outer")


def _hmac(text: Column, inner: Column, outer: Column) -> Column:
    digest = F.unhex(F.sha2(F.concat(F.unhex(inner), F.encode(text, "UTF-8")), 256))
    return F.sha2(F.concat(F.unhex(outer), digest), 256)


def hmac_keys(session: SparkSession, keys: Mapping[str, bytes]) -> DataFrame:
    """Tenants' keys padded for HMAC-SHA256 (RFC 2104), as a frame, so that no plan shows them."""
    rows = [(tenant, _padded(key, 0x36), _padded(key, 0x5C)) for tenant, key in keys.items()]
    return session.createDataFrame(rows, "tenant_id string, inner string, outer string")


def _padded(key: bytes, pad: int) -> str:
    return bytes(b ^ pad for b in key.ljust(HMAC_BLOCK_BYTES, b"\0")).hex()


@dataclass(frozen=True)
class Split:
    """A piece of a file that one task read, with the first number that it gave and how many rows, blank ones included."""

    path: str
    block: int
    first: int
    rows: int


def splits_of(identified: DataFrame) -> tuple[list[Split], list[date]]:
    """The splits that were read, in file order, and the distinct days of their events."""
    found = (
        identified.groupBy("_path", "_block")
        .agg(F.min("_number").alias("first"), F.count(F.lit(1)).alias("rows"), F.collect_set(F.to_date("event_time")).alias("days"))
        .orderBy("_path", "_block")
        .collect()
    )
    days = sorted({day for row in found for day in row["days"]})
    return [Split(row["_path"], row["_block"], row["first"], row["rows"]) for row in found], days


def places(session: SparkSession, splits: Sequence[Split], files: Mapping[str, BatchFile]) -> DataFrame:
    """For each split, the landing key and the content's hash of its file, and what to add to a number to have the place in the file.

    Args:
        files: the file of each path.
    """
    rows: list[tuple[str, int, str, str, int]] = []
    path, before = "", 0
    for split in splits:
        before = before if split.path == path else 0
        path = split.path
        shift = 0 if split.block == PLACED else before + 1 - split.first
        rows.append((split.path, split.block, files[path].path, files[path].sha256, shift))
        before += split.rows
    return session.createDataFrame(rows, "_path string, _block long, _source_file string, _sha256 string, _shift long")


def stage(identified: DataFrame, place: DataFrame, source: Source, batch: Batch) -> DataFrame:
    """Bronze rows of a batch, blank lines left out, with the parsed fields, `_unreadable` and `_corrupt` still beside them."""
    created = F.lit(batch.created_at.isoformat()).cast("timestamp")
    row = F.col("_number") + F.col("_shift")
    by_place = F.concat_ws(":", "_sha256", row)
    return (
        identified.where(is_record(source))
        .join(F.broadcast(place), ["_path", "_block"])
        .withColumn("_row", row)
        .withColumn("event_id", F.col("event_id") if source.event_id else by_place)
        .withColumn("event_date", F.to_date("event_time"))
        .withColumn("time_quality", _time_quality(F.col("event_time"), source.earliest, batch.created_at))
        .withColumn("_corrupt", F.coalesce("_unreadable", "_corrupt"))
        .withColumn("_batch_id", F.lit(batch.batch_id))
        .withColumn("_ingested_at", created)
        .withColumn("_ingest_date", F.to_date(created))
        .drop("_path", "_block", "_number", "_sha256", "_shift", "_unreadable")
    )


def _time_quality(event_time: Column, earliest: date, now: datetime) -> Column:
    latest = F.lit(now.isoformat()).cast("timestamp") + F.expr(LATEST_PLAUSIBLE)
    return (
        F.when(event_time < F.lit(earliest.isoformat()).cast("timestamp"), "too_early")
        .when(event_time > latest, "too_late")
        .otherwise("plausible")
    )


def with_reasons(staged: DataFrame, rules: Iterable[tuple[str, str]]) -> DataFrame:
    """Add `_reasons`: the names of the row rules, given as (name, violated: SQL boolean), that each row breaks."""
    broken = [F.when(F.expr(violated), F.lit(name)) for name, violated in rules]
    return staged.withColumn("_reasons", F.array_compact(F.array(*broken)) if broken else F.array().cast("array<string>"))


def with_duplicates(judged: DataFrame, published: DataFrame | None, key: Sequence[str]) -> DataFrame:
    """Add `_duplicate`: another good row of the batch comes first under the same key, or the key is published already.

    Args:
        judged: staged rows with `_reasons`.
        published: the key columns of rows that are published, or None where there are none.
    """
    good = judged.where(F.size("_reasons") == 0)
    place = F.struct("_source_file", "_row")
    repeated = first_of_repeated(good, key, place)
    again = None if published is None else published.join(good.select(*key), list(key), "left_semi").select(*key).distinct()
    known = None if again is None else computed_once(again)
    marked, is_duplicate = judged, F.lit(False)
    if repeated is not None:
        marked = marked.join(repeated, list(key), "left")
        is_duplicate = is_duplicate | (F.col("_first").isNotNull() & (place != F.col("_first")))
    if known is not None:
        marked = marked.join(known.withColumn("_known", F.lit(True)), list(key), "left")
        is_duplicate = is_duplicate | F.col("_known").isNotNull()
    return marked.withColumn("_duplicate", is_duplicate).drop("_first", "_known")


def first_of_repeated(rows: DataFrame, key: Sequence[str], place: Column) -> DataFrame | None:
    """Keys that several rows have, and `_first`, the least of their places; None where there are no such keys.

    Places are compared only under keys whose hash is found twice: to hash and count is all that most rows cost.
    """
    hashed = F.xxhash64(*key).alias("_hash")
    twice = computed_once(rows.groupBy(hashed).count().where("count > 1").select("_hash"))
    if twice is None:
        return None
    some = rows.join(twice, hashed == F.col("_hash"), "left_semi").groupBy(*key)
    return computed_once(some.agg(F.count(F.lit(1)).alias("_times"), F.min(place).alias("_first")).where("_times > 1").drop("_times"))


def with_disposition(marked: DataFrame, held_back: Iterable[str]) -> DataFrame:
    """Add `_disposition`: what becomes of each row; `held_back` names the tenants whose slices wait."""
    held = F.col("tenant_id").isin(list(held_back)) if list(held_back) else F.lit(False)
    return marked.withColumn(
        "_disposition",
        F.when(F.size("_reasons") > 0, "quarantined").when(F.col("_duplicate"), "duplicate").when(held, "held_back").otherwise("published"),
    )
