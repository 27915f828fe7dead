"""Bronze transforms: from a record's text to an identified, judged row. Frames in, frames out.

Does not belong here: reading files, committing tables, recording runs, or anything particular to one source.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dq_checks import REASONS, RowRule
from jobs.parse import CORRUPT, parse_fields, to_type
from jobs.records import PLACED, RECORD_COLUMNS, is_record
from lakehouse.ledger import Batch, BatchFile
from lakehouse.sources import LANDED_ON, Source
from lakehouse.spark import computed_once

KEY = ("tenant_id", "event_id", "raw_hash")
"""What makes a record the same record."""

RECORD_PLACE = ("_source_file", "_row")
"""Of a record in its batch; of two under one key, the one with the lesser place counts."""

IS_RECORD = "_is_record"
STAGED = (*RECORD_COLUMNS, "tenant_id", "event_id", "event_time", "event_date", "time_quality", "user_key", "raw_hash", CORRUPT, IS_RECORD)
"""What bronze needs of staged records; the parsed fields are needed only where silver takes them over."""


def known_early(source: Source) -> set[str]:
    """Columns of a staged record that do not wait until all of its batch was read, as its place does, and an id that is made from that."""
    return set(STAGED) if source.event_id else set(STAGED) - {"event_id"}


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


def stage(identified: DataFrame, source: Source, batch: Batch) -> DataFrame:
    """Add what bronze needs and what follows from a record alone; blank lines, which count in the places of others, are no `_is_record`."""
    return identified.withColumns({
        "event_date": F.to_date("event_time"),
        "time_quality": _time_quality(F.col("event_time"), source.earliest, batch.created_at),
        CORRUPT: F.coalesce("_unreadable", CORRUPT),
        IS_RECORD: is_record(source),
    })  # fmt: skip


def splits_of(staged: DataFrame) -> tuple[list[Split], list[date]]:
    """The splits that were read, in file order, and the distinct days of their events."""
    found = (
        staged.groupBy("_path", "_block")
        .agg(F.min("_number").alias("first"), F.count(F.lit(1)).alias("rows"), F.collect_set("event_date").alias("days"))
        .orderBy("_path", "_block")
        .collect()
    )
    days = sorted({day for row in found for day in row["days"]})
    return [Split(row["_path"], row["_block"], row["first"], row["rows"]) for row in found], days


MOST_SPELT_OUT = 8
"""Splits whose places stand in the query itself: a join costs each query a job of its own."""


def with_places(staged: DataFrame, splits: Sequence[Split], files: Mapping[str, BatchFile], source: Source, batch: Batch) -> DataFrame:
    """Bronze rows: records, without blank lines, with their batch, the landing key of their file, `_source_file`, and their place, `_row`.

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
        placed = staged.join(F.broadcast(staged.sparkSession.createDataFrame(found, told)), ["_path", "_block"])
    else:
        placed = staged.withColumns({
            "_source_file": _spelt_out([(path, block, key) for path, block, key, _, _ in found], "string"),
            "_sha256": _spelt_out([(path, block, sha256) for path, block, _, sha256, _ in found], "string"),
            "_shift": _spelt_out([(path, block, shift) for path, block, _, _, shift in found], "long"),
        })  # fmt: skip
    placed = placed.where(IS_RECORD).withColumn("_row", F.col("_number") + F.col("_shift"))
    created = F.lit(batch.created_at.isoformat()).cast("timestamp")
    of_the_batch = {"_batch_id": F.lit(batch.batch_id), "_ingested_at": created, "_ingest_date": F.to_date(created)}
    by_place = {} if source.event_id else {"event_id": F.concat_ws(":", "_sha256", "_row")}
    return placed.withColumns(by_place | of_the_batch).drop("_path", "_block", "_number", "_shift", "_sha256", "_unreadable", IS_RECORD)


def _spelt_out(values: Sequence[tuple[Any, ...]], type_: str) -> Column:
    """The value of a row's split, from (path, block, value)."""
    if len({value for _, _, value in values}) == 1:
        return F.lit(values[0][-1]).cast(type_)
    spelt = F.lit(None).cast(type_)
    for path, block, value in values:
        spelt = F.when((F.col("_path") == path) & (F.col("_block") == block), F.lit(value).cast(type_)).otherwise(spelt)
    return spelt


def _time_quality(event_time: Column, earliest: date, now: datetime) -> Column:
    latest = F.lit(now.isoformat()).cast("timestamp") + F.expr(LATEST_PLAUSIBLE)
    return (
        F.when(event_time < F.lit(earliest.isoformat()).cast("timestamp"), "too_early")
        .when(event_time > latest, "too_late")
        .otherwise("plausible")
    )


def broken(rules: Iterable[RowRule]) -> Column:
    """The names of the rules that a row breaks; for most rows it takes no more than to find that it breaks none."""
    none, found = F.array().cast("array<string>"), [(F.expr(rule.violated), rule.name) for rule in rules]
    if not found:
        return none
    names = F.array_compact(F.array(*(F.when(is_broken, F.lit(name)) for is_broken, name in found)))
    return F.when(reduce(Column.__or__, (is_broken for is_broken, _ in found)), names).otherwise(none)


def askable(rules: Iterable[RowRule], missing: Collection[str]) -> tuple[list[RowRule], list[RowRule]]:
    """The rules that name none of some columns that are still missing, and the others."""
    found: tuple[list[RowRule], list[RowRule]] = ([], [])
    for rule in rules:
        found[mentions(rule.violated, missing)].append(rule)
    return found


def mentions(sql: str, columns: Collection[str]) -> bool:
    """Whether some of the columns may be named in an expression."""
    return not set(columns).isdisjoint(re.findall(r"\w+", sql))


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
    good = judged.where(F.size(REASONS) == 0)
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
        F.when(F.size(REASONS) > 0, "quarantined").when(F.col("_duplicate"), "duplicate").when(held, "held_back").otherwise("published"),
    )
