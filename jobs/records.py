"""From landed files, or the copies of their records, to one row per record: its text and its place.

Does not belong here: parsing fields, identifying or judging a record, or writing anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.ledger import Batch, BatchFile
from lakehouse.settings import Settings
from lakehouse.sources import Source
from lakehouse.split_copies import DDL
from lakehouse.splitting import BLANK, LINE_END, LINE_FORMATS

RECORD_COLUMNS = ("raw", "_path", "_block", "_number", "_unreadable")
"""raw text; file address; start of the split (bytes); number of the record, rising within a split; why it cannot be read."""

PLACED = -1
"""In the place of a split's start: the numbers are places in the file already."""

GLOB_CHARACTERS = re.compile(r"[\\*?\[\]{}]")
"""What a path given to Spark would expand; escaped, it stands for itself."""

EMPTY_RECORDS = "raw string, _path string, _block long, _number long, _unreadable string"


def read_records(session: SparkSession, settings: Settings, source: Source, batch: Batch) -> DataFrame:
    """The records of a batch's files, as RECORD_COLUMNS, blank lines included."""
    filled = [f for f in batch.files if f.records]
    lying = [f for f in filled if f.as_it_lies]
    copied = [f for f in filled if not f.as_it_lies]
    read = [
        *([_read_lines(session, _addresses(settings, lying))] if lying else []),
        *([_read_copies(session, [settings.lake_uri(f.copy_in(source.name)) for f in copied])] if copied else []),
    ]
    return reduce(DataFrame.unionByName, read) if read else session.createDataFrame([], EMPTY_RECORDS)


def _addresses(settings: Settings, files: Iterable[BatchFile]) -> list[str]:
    return [GLOB_CHARACTERS.sub(r"\\\g<0>", settings.landing_uri(f.path)) for f in files]


def is_record(source: Source) -> Column:
    """Whether a row of RECORD_COLUMNS is a record, and not a blank line."""
    if source.format not in LINE_FORMATS:
        return F.lit(True)
    # The first character tells it of nearly every record; the pattern has the whole text decoded.
    first = F.substring("raw", 1, 1)
    return F.col("raw").isNull() | ~first.isin("", *BLANK) | F.col("raw").rlike(f"[^{BLANK}]")


def _read_lines(session: SparkSession, addresses: list[str]) -> DataFrame:
    lines = session.read.text(addresses, lineSep=LINE_END)
    # Bytes that are not UTF-8 become U+FFFD, where a reader sees them; many readers of Parquet refuse the whole column for one such byte.
    text = F.make_valid_utf8("value")
    return lines.select(
        F.when(F.endswith(text, F.lit("\r")), F.substring(text, F.lit(1), F.length(text) - 1)).otherwise(text).alias("raw"),
        F.col("_metadata.file_path").alias("_path"),
        F.col("_metadata.file_block_start").alias("_block"),
        F.monotonically_increasing_id().alias("_number"),
        F.lit(None).cast("string").alias("_unreadable"),
    )


def _read_copies(session: SparkSession, addresses: list[str]) -> DataFrame:
    """The records of copies: what their numbers say is their place already."""
    return (
        session.read.schema(DDL)
        .parquet(*addresses)
        .select(
            "raw",
            F.col("path").alias("_path"),
            F.lit(PLACED).cast("long").alias("_block"),
            F.col("row").alias("_number"),
            F.col("problem").alias("_unreadable"),
        )
    )


def tenant_in(path: str) -> Column:
    """The tenant that a landed file's path names first; a regular expression would have to decode the path of each record."""
    name = "/tenant="
    first = F.substring_index(F.substring_index(path, name, 2), name, -1)
    return F.substring_index(first, "/", 1)


def key_of(settings: Settings, path: str, block: int) -> str:
    """The landing key of a split's path: as Spark reports the address of a file that it reads, or as it stands where records are placed."""
    return (path if block == PLACED else unquote(path)).removeprefix(settings.landing_uri())
