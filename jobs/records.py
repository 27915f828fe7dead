"""From landed files to one row per record: its text and its place. Format by format, nothing about any source.

Does not belong here: parsing fields, identifying or judging a record, or writing anything.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.landing import BLANK, LINE_END
from lakehouse.ledger import Batch, BatchFile
from lakehouse.settings import Settings
from lakehouse.sources import Format, Source

RECORD_COLUMNS = ("raw", "_path", "_block", "_number", "_unreadable")
"""raw text; file address; start of the split (bytes); number of the record, rising within a split; why it cannot be read."""

GLOB_CHARACTERS = re.compile(r"[\\*?\[\]{}]")
"""What a path given to Spark would expand; escaped, it stands for itself."""

BEYOND_LIMITS = "too deep, or a name, a number or a text is too long"

EMPTY_RECORDS = "raw string, _path string, _block long, _number long, _unreadable string"


def read_records(session: SparkSession, settings: Settings, source: Source, batch: Batch) -> DataFrame:
    """The records of a batch's files, as RECORD_COLUMNS, blank lines included. A file that cannot be read is one record without text."""
    readable = [f for f in batch.files if f.problem is None and f.records]
    whole = [(None, settings.landing_uri(f.path), 0, 0, f.problem) for f in batch.files if f.problem]
    read = [READERS[source.format](session, settings, source, readable)] if readable else []
    return reduce(DataFrame.unionByName, read, session.createDataFrame(whole, EMPTY_RECORDS)) if whole or not read else read[0]


def _addresses(settings: Settings, files: Iterable[BatchFile]) -> list[str]:
    return [GLOB_CHARACTERS.sub(r"\\\g<0>", settings.landing_uri(f.path)) for f in files]


def is_record(source: Source) -> Column:
    """Whether a row of RECORD_COLUMNS is a record, and not a blank line."""
    return F.coalesce("raw", F.lit("?")).rlike(f"[^{BLANK}]") if source.format is Format.JSON_LINES else F.lit(True)


def _read_lines(session: SparkSession, settings: Settings, _source: Source, files: list[BatchFile]) -> DataFrame:
    lines = session.read.text(_addresses(settings, files), lineSep=LINE_END)
    # Byte by byte: a text may hold what is not UTF-8, and keeps it.
    shortened = F.expr("cast(substring(cast(value as binary), 1, octet_length(value) - 1) as string)")
    return lines.select(
        F.when(F.endswith("value", F.lit("\r")), shortened).otherwise(F.col("value")).alias("raw"),
        F.col("_metadata.file_path").alias("_path"),
        F.col("_metadata.file_block_start").alias("_block"),
        F.monotonically_increasing_id().alias("_number"),
        F.lit(None).cast("string").alias("_unreadable"),
    )


def _read_wrapped(session: SparkSession, settings: Settings, source: Source, files: list[BatchFile]) -> DataFrame:
    """The elements of the arrays; where an array is beyond Spark's limits, as many records without text as were counted in it."""
    whole = session.read.text(_addresses(settings, files), wholetext=True)
    array = F.from_json("value", f"`{source.records_field}` array<string>").getField(source.records_field or "")
    counted = session.createDataFrame([(settings.landing_uri(f.path), f.records) for f in files], "_address string, _counted int")
    opened = (
        whole.select(F.col("_metadata.file_path").alias("_path"), array.alias("_array"))
        .join(F.broadcast(counted), _decoded("_path") == F.col("_address"), "left")
        .select("_path", "_array", F.coalesce("_array", F.array_repeat(F.lit(None).cast("string"), F.col("_counted"))).alias("_records"))
        .withColumn("_unreadable", F.when(F.col("_array").isNull(), BEYOND_LIMITS))
    )
    return opened.select("_path", "_unreadable", F.posexplode("_records").alias("_number", "raw")).select(
        "raw",
        "_path",
        F.lit(0).cast("long").alias("_block"),
        F.col("_number").cast("long"),
        "_unreadable",
    )


def _decoded(address: str) -> Column:
    """An address as Spark reports it, without its per cent signs; a plus sign stands for itself."""
    return F.url_decode(F.replace(F.col(address), F.lit("+"), F.lit("%2B")))


def _read_csv(session: SparkSession, settings: Settings, _source: Source, files: list[BatchFile]) -> DataFrame:
    by_header: dict[tuple[str, ...], list[BatchFile]] = defaultdict(list)
    for file in files:
        by_header[file.header].append(file)
    return reduce(DataFrame.unionByName, [_read_csv_like(session, settings, header, alike) for header, alike in by_header.items()])


def _read_csv_like(session: SparkSession, settings: Settings, header: tuple[str, ...], files: list[BatchFile]) -> DataFrame:
    names = [f"c{n}" for n in range(len(header))]
    schema = ", ".join(f"`{name}` string" for name in (*names, "_bad"))
    rows = session.read.csv(
        _addresses(settings, files), schema=schema, header=True, multiLine=True, quote='"', escape='"', mode="PERMISSIVE",
        columnNameOfCorruptRecord="_bad", enforceSchema=True, lineSep=LINE_END,
    )  # fmt: skip
    blank = F.col("_bad") == "" if len(names) > 1 else F.col(names[0]) == "\r"
    last = F.nullif(F.regexp_replace(names[-1], r"\r\z", ""), F.lit(""))
    cells = [*map(F.col, names[:-1]), last]
    as_object = F.to_json(F.struct(*(cell.alias(title) for cell, title in zip(cells, header, strict=True))))
    return rows.where(~F.coalesce(blank, F.lit(False))).select(
        F.coalesce("_bad", as_object).alias("raw"),
        F.col("_metadata.file_path").alias("_path"),
        F.lit(0).cast("long").alias("_block"),
        F.monotonically_increasing_id().alias("_number"),
        F.when(F.col("_bad").isNotNull(), F.lit(f"not {len(header)} cells")).alias("_unreadable"),
    )


READERS = {Format.JSON_LINES: _read_lines, Format.JSON_WRAPPED: _read_wrapped, Format.CSV: _read_csv}


def key_of(settings: Settings, address: str) -> str:
    """The landing key of a file address as Spark reports it."""
    return unquote(address).removeprefix(settings.landing_uri())
