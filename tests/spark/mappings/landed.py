"""What the pipeline does with a source's records, without files, tables or keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dq_checks import REASONS
from jobs.parse import CORRUPT, parse_fields
from jobs.refine import expand
from jobs.silver import map_to_silver
from lakehouse.settings import SHIPPED_SOURCES
from lakehouse.sources import Source, read_source
from lakehouse.splitting import split
from lakehouse.tables import TABLES

DATA = Path(__file__).resolve().parents[2] / "data"
DEMO = Path(__file__).resolve().parents[3] / "demo_data"
TENANT = "acme"
LANDED_ON = date(2026, 3, 1)
"""The day on which records without a year are taken to have landed."""
SOURCES = tuple(sorted(path.stem for path in SHIPPED_SOURCES.glob("*.yaml")))

LINEAGE = ("tenant_id", "source", "event_date", "time_quality", "mapping_version", "_source_file", "_row", "_batch_id", "_ingested_at")
IDENTITY = "identity"
"""What the user's key is made from; it stands here for `user_key`."""


@cache
def declaration(name: str) -> Source:
    """A shipped declaration."""
    source, mistakes = read_source(SHIPPED_SOURCES / f"{name}.yaml")
    assert source is not None, mistakes
    return source


def records_of(name: str, folder: Path) -> list[str]:
    """The records of all files of a folder, as bronze has their text; those that no text is left of are left out."""
    texts: list[str] = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith("LICENSE")):
        with path.open("rb") as file:
            texts += [record.raw.decode("utf-8", "replace") for record in split(declaration(name), path.name, file.read) if record.raw]
    return texts


def samples(name: str) -> list[str]:
    """The sample records of a source that has hand-checked ones, as text."""
    return records_of(name, DATA / "samples" / name)


@cache
def expected(name: str) -> dict[str, Any]:
    """What was written by hand of a source.

    `records`: the silver row of each sample, or its `rows` where it stands for several; `composed`: records of a documented shape
    that no sample has, likewise; `kinds`: records (of text: lines) with what they mean (tests.spark.mappings.cases.VERDICT), or null
    where they are no row, and how many `rows` they are, if not one; `time_field`: which field holds a time as text; `demo`: rows and
    filled columns of the demo data.
    """
    return yaml.safe_load((DATA / "expected" / f"{name}.yaml").read_text(encoding="utf-8"))


EVENT_SOURCES = tuple(name for name in SOURCES if declaration(name).silver.table == "silver.auth_events")
CHECKED_SOURCES = tuple(name for name in SOURCES if "records" in expected(name))
TIMED_SOURCES = tuple(name for name in SOURCES if expected(name).get("time_field"))


def demo_records(name: str) -> list[str]:
    """All records of a source's demo files, as text."""
    return records_of(name, DEMO / name)


def parsed(spark: SparkSession, name: str, records: Sequence[str | None]) -> DataFrame:
    """Records with bronze's columns, the declared fields and the derived values."""
    source = declaration(name)
    rows = [(number, TENANT, raw) for number, raw in enumerate(records, start=1)]
    read = parse_fields(spark.createDataFrame(rows, "_row long, tenant_id string, raw string"), source)
    identity = F.expr(source.user) if source.user else F.lit(None)
    return (
        read.withColumn("event_id", F.expr(source.event_id) if source.event_id else F.concat(F.lit("file:"), "_row"))
        .withColumn("landed_on", F.lit(LANDED_ON))
        .withColumn("event_time", F.expr(source.event_time_sql))
        .withColumn("event_date", F.to_date("event_time"))
        .withColumn("time_quality", F.lit("plausible"))
        .withColumn("user_key", identity.cast("string"))
        .withColumn("_source_file", F.lit("file"))
        .withColumn("_batch_id", F.lit("batch"))
        .withColumn("_ingested_at", F.lit(datetime(2026, 3, 1)).cast("timestamp"))
    )


def silver(spark: SparkSession, name: str, records: Sequence[str | None]) -> list[list[dict[str, Any]]]:
    """The silver rows of each record in their order, without lineage; times as text."""
    mapped = map_to_silver(expand(parsed(spark, name, records), declaration(name)), declaration(name), ()).drop(REASONS)
    times = [c.name for c in TABLES[declaration(name).silver.table].columns if c.type == "timestamp"]
    as_text = mapped.withColumns({name: F.date_format(name, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS") for name in times})
    found: list[list[dict[str, Any]]] = [[] for _ in records]
    for row in as_text.orderBy("_row", F.length("event_id"), "event_id").collect():
        told = {IDENTITY if k == "user_key" else k: v for k, v in row.asDict().items()}
        found[row["_row"] - 1].append({k: v for k, v in told.items() if k not in (*LINEAGE, CORRUPT)})
    return found


def silver_rows(spark: SparkSession, name: str, records: Sequence[str | None]) -> list[dict[str, Any]]:
    """The same, of records that stand for one row each."""
    return [row for rows in silver(spark, name, records) for row in rows]
