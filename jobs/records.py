"""From landed files to one row per record: its text and its place. Format by format, nothing about any source.

Does not belong here: parsing fields, identifying or judging a record, or writing anything.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.ledger import Batch, BatchFile
from lakehouse.settings import Settings
from lakehouse.sources import Format, Source

RECORD_COLUMNS = ("raw", "_path", "_block", "_number", "_unreadable")
"""raw text; file address; start of the split (bytes); number of the record, rising within a split; why it cannot be read."""

GLOB_CHARACTERS = re.compile(r"[\\*?\[\]{}]")
"""What a path given to Spark would expand; escaped, it stands for itself."""

EMPTY_RECORDS = "raw string, _path string, _block long, _number long, _unreadable string"


def read_records(session: SparkSession, settings: Settings, source: Source, batch: Batch) -> DataFrame:
    """The records of a batch's files, as RECORD_COLUMNS, blank lines included. A file that cannot be read is one record without text."""
    readable = [f for f in batch.files if f.problem is None and f.records]
    whole = [(None, settings.landing_uri(f.path), 0, 0, f.problem) for f in batch.files if f.problem]
    read = [READERS[source.format](session, settings, source, readable)] if readable else []
    return reduce(DataFrame.unionByName, read, session.createDataFrame(whole, EMPTY_RECORDS)) if whole or not read else read[0]


def _addresses(settings: Settings, files: Iterable[BatchFile]) -> list[str]:
    return [GLOB_CHARACTERS.sub(r"\\\g<0>", settings.landing_uri(f.path)) for f in files]


def _read_lines(session: SparkSession, settings: Settings, _source: Source, files: list[BatchFile]) -> DataFrame:
    lines = session.read.text(_addresses(settings, files))
    return lines.select(
        F.col("value").alias("raw"),
        F.col("_metadata.file_path").alias("_path"),
        F.col("_metadata.file_block_start").alias("_block"),
        F.monotonically_increasing_id().alias("_number"),
        F.lit(None).cast("string").alias("_unreadable"),
    )


def _read_wrapped(session: SparkSession, settings: Settings, source: Source, files: list[BatchFile]) -> DataFrame:
    whole = session.read.text(_addresses(settings, files), wholetext=True)
    opened = whole.select(
        F.col("_metadata.file_path").alias("_path"),
        F.from_json("value", f"`{source.records_field}` array<string>").getField(source.records_field or "").alias("records"),
    )
    return opened.select("_path", F.posexplode("records").alias("_number", "raw")).select(
        "raw",
        "_path",
        F.lit(0).cast("long").alias("_block"),
        F.col("_number").cast("long"),
        F.lit(None).cast("string").alias("_unreadable"),
    )


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
        columnNameOfCorruptRecord="_bad", enforceSchema=True,
    )  # fmt: skip
    as_object = F.to_json(F.struct(*(F.col(name).alias(title) for name, title in zip(names, header, strict=True))))
    return rows.select(
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
