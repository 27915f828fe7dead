"""Bronze transforms: from a record's text to an identified, judged row. Frames in, frames out.

Does not belong here: reading files, committing tables, recording runs, or anything particular to one source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.parse import CORRUPT, parse_fields, to_type
from jobs.records import PLACED, RECORD_COLUMNS, is_record
from lakehouse.ledger import Batch, BatchFile
from lakehouse.sources import LANDED_ON, Source
from lakehouse.spark import computed_once

KEY = ("tenant_id", "event_id", "raw_hash")
"""What makes a record the same record."""

RECORD_PLACE = ("_source_file", "_row")
"""Of a record in its batch; of two under one key, the one with the lesser place counts."""

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


MOST_SPELT_OUT = 8
"""Splits whose places stand in the query itself: a join costs each query a job of its own."""


def with_places(identified: DataFrame, splits: Sequence[Split], files: Mapping[str, BatchFile]) -> DataFrame:
    """Add `_source_file`, the landing key, and `_sha256`, the content's hash, of a row's file, and `_row`, the record's place in it.

    Args:
        files: the file of each path.
    """
    found: list[tuple[str, int, str, str, int]] = []
    path, before = "", 0
    for split in splits:
        before = before if split.path == path else 0
        path = split.path
        shift = 0 if split.block == PLACED else before + 1 - split.first
        found.append((split.path, split.block, files[path].path, files[path].sha256, shift))
        before += split.rows
    if len(found) > MOST_SPELT_OUT:
        told = "_path string, _block long, _source_file string, _sha256 string, _shift long"
        placed = identified.join(F.broadcast(identified.sparkSession.createDataFrame(found, told)), ["_path", "_block"])
    else:
        placed = identified.withColumns({
            "_source_file": _spelt_out([(path, block, key) for path, block, key, _, _ in found], "string"),
            "_sha256": _spelt_out([(path, block, sha256) for path, block, _, sha256, _ in found], "string"),
            "_shift": _spelt_out([(path, block, shift) for path, block, _, _, shift in found], "long"),
        })  # fmt: skip
    return placed.withColumn("_row", F.col("_number") + F.col("_shift")).drop("_path", "_block", "_number", "_shift")


def _spelt_out(values: Sequence[tuple[Any, ...]], type_: str) -> Column:
    """The value of a row's split, from (path, block, value)."""
    if len({value for _, _, value in values}) == 1:
        return F.lit(values[0][-1]).cast(type_)
    spelt = F.lit(None).cast(type_)
    for path, block, value in values:
        spelt = F.when((F.col("_path") == path) & (F.col("_block") == block), F.lit(value).cast(type_)).otherwise(spelt)
    return spelt


def stage(placed: DataFrame, source: Source, batch: Batch) -> DataFrame:
    """Bronze rows of a batch, blank lines left out, with the parsed fields, `_unreadable` and `_corrupt` still beside them."""
    created = F.lit(batch.created_at.isoformat()).cast("timestamp")
    by_place = F.concat_ws(":", "_sha256", "_row")
    return (
        placed.where(is_record(source))
        .withColumn("event_id", F.col("event_id") if source.event_id else by_place)
        .withColumn("event_date", F.to_date("event_time"))
        .withColumn("time_quality", _time_quality(F.col("event_time"), source.earliest, batch.created_at))
        .withColumn("_corrupt", F.coalesce("_unreadable", "_corrupt"))
        .withColumn("_batch_id", F.lit(batch.batch_id))
        .withColumn("_ingested_at", created)
        .withColumn("_ingest_date", F.to_date(created))
        .drop("_sha256", "_unreadable")
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


def without_text(judged: DataFrame, source: Source) -> DataFrame:
    """What checks and counts look at: bronze's columns, `_reasons` and `_corrupt`; `raw` is empty where there is a text."""
    columns = [F.when(F.col(name).isNotNull(), "").alias(name) if name == "raw" else F.col(name) for name in source.bronze.column_names]
    return judged.select(*columns, "_reasons", CORRUPT)


@dataclass(frozen=True)
class Repeats:
    """Keys of good rows that occur again.

    Args:
        within: keys that several rows of the batch have, and `_first`, the place of the first one; None where there are none.
        published: keys that are published already; None where there are none.
    """

    within: DataFrame | None
    published: DataFrame | None


def repeats_in(judged: DataFrame, published: DataFrame | None, key: Sequence[str]) -> Repeats:
    """The repeated keys of staged rows with `_reasons`.

    Args:
        published: the key columns of rows that are published, or None where there are none.
    """
    good = judged.where(F.size("_reasons") == 0)
    within = first_of_repeated(good, key, F.struct(*RECORD_PLACE))
    if published is None:
        return Repeats(within, None)
    return Repeats(within, computed_once(published.join(good.select(*key), list(key), "left_semi").select(*key).distinct()))


def with_duplicates(judged: DataFrame, repeats: Repeats, key: Sequence[str]) -> DataFrame:
    """Add `_duplicate`: another good row of the batch comes first under the same key, or the key is published already."""
    marked, is_duplicate = judged, F.lit(False)
    if repeats.within is not None:
        marked = marked.join(repeats.within, list(key), "left")
        is_duplicate = is_duplicate | (F.col("_first").isNotNull() & (F.struct(*RECORD_PLACE) != F.col("_first")))
    if repeats.published is not None:
        marked = marked.join(repeats.published.withColumn("_known", F.lit(True)), list(key), "left")
        is_duplicate = is_duplicate | F.col("_known").isNotNull()
    return marked.withColumn("_duplicate", is_duplicate).drop("_first", "_known")


def first_of_repeated(rows: DataFrame, key: Sequence[str], place: Column) -> DataFrame | None:
    """Keys that several rows have, and `_first`, the least of their places; None where there are no such keys.

    Places are compared only under keys whose hash is found twice: to hash and count is all that most rows cost.
    """
    hashed = rows.withColumn("_hash", F.xxhash64(*key))
    twice = computed_once(hashed.groupBy("_hash").count().where("count > 1").select("_hash"))
    if twice is None:
        return None
    some = hashed.join(twice, "_hash", "left_semi").groupBy(*key)
    return computed_once(some.agg(F.count(F.lit(1)).alias("_times"), F.min(place).alias("_first")).where("_times > 1").drop("_times"))


def with_disposition(marked: DataFrame, held_back: Iterable[str]) -> DataFrame:
    """Add `_disposition`: what becomes of each row; `held_back` names the tenants whose slices wait."""
    held = F.col("tenant_id").isin(list(held_back)) if list(held_back) else F.lit(False)
    return marked.withColumn(
        "_disposition",
        F.when(F.size("_reasons") > 0, "quarantined").when(F.col("_duplicate"), "duplicate").when(held, "held_back").otherwise("published"),
    )
