"""Plain Spark: the same columns from the same files as a competent engineer would write it, with nothing checked, recorded or idempotent.

The expressions are those of the source's declaration and of the gold definitions; how they are applied is written here.
Does not belong here: anything of how Clearlake publishes a batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.bronze import LATEST_PLAUSIBLE, hmac_keys
from jobs.gold import TRANSFORMS
from jobs.gold.sign_ins import located, sign_ins
from jobs.reach import AUTH_EVENTS
from lakehouse.delta import address
from lakehouse.settings import Settings
from lakehouse.sources import Source, load_sources
from lakehouse.spark import connect
from lakehouse.tables import Column as Declared
from lakehouse.tables import Table, table
from lakehouse.tenants import TenantRegistry, tenant_key
from tests.lake import GOLD


class Plain:
    """One pass from landed files to gold, table by table."""

    def __init__(self, settings: Settings, source: str) -> None:
        self.settings = settings
        self.source = load_sources(settings)[source]
        self.seconds: dict[str, float] = {}

    def run(self) -> dict[str, float]:
        """Do all of it; returns the seconds of each layer."""
        session = connect(self.settings)
        try:
            with self._timed("bronze"):
                self._write(bronze_rows(session, self.settings, self.source), self.source.bronze)
            with self._timed("silver"):
                declared = table(self.source.silver.table)
                rows = silver_rows(self._read(session, self.source.bronze), self.source)
                self._write(rows.repartition(*declared.partition_by), declared)
            with self._timed("gold"):
                for declared in GOLD:
                    self._write(_laid_out(self._gold_rows(session, declared), declared), declared)
        finally:
            session.stop()
        return self.seconds

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[part] = time.monotonic() - began

    def _read(self, session: SparkSession, declared: Table) -> DataFrame:
        return session.read.format("delta").load(address(self.settings, declared))

    def _write(self, rows: DataFrame, declared: Table) -> None:
        writer = rows.select(*declared.column_names).write.format("delta").mode("append").partitionBy(*declared.partition_by)
        writer.save(address(self.settings, declared))

    def _gold_rows(self, session: SparkSession, declared: Table) -> DataFrame:
        return TRANSFORMS[declared.name](*(self._input(session, table(name)) for name in declared.inputs))

    def _input(self, session: SparkSession, declared: Table) -> DataFrame:
        made = {declared.name for declared in (*GOLD, table(self.source.silver.table))}
        rows = self._read(session, declared) if declared.name in made else session.createDataFrame([], declared.ddl)
        return located(sign_ins(rows, _zones(session, self.settings)), None) if declared.name == AUTH_EVENTS else rows


def _laid_out(rows: DataFrame, declared: Table) -> DataFrame:
    return rows.repartition(*declared.partition_by) if declared.partition_by else rows


def _zones(session: SparkSession, settings: Settings) -> DataFrame:
    known = [(tenant.tenant_id, tenant.time_zone) for tenant in TenantRegistry(settings).all().values()]
    return session.createDataFrame(known, "tenant_id string, time_zone string")


def bronze_rows(session: SparkSession, settings: Settings, source: Source) -> DataFrame:
    """The bronze columns of all that has landed of a source."""
    now = datetime.now(UTC)
    keys = hmac_keys(session, {tenant_id: tenant_key(settings, tenant_id) for tenant_id in TenantRegistry(settings).all()})
    text = session.read.text(settings.landing_uri(source.name))
    lines = text.select(F.col("value").alias("raw"), F.col("tenant").alias("tenant_id"), F.col("_metadata.file_path").alias("_source_file"))
    parsed = _parsed(lines, source)
    user = F.expr(source.user) if source.user else F.lit(None).cast("string")
    identified = parsed.select(
        "raw", "tenant_id", "_source_file", F.expr(source.event_id).alias("event_id"), F.expr(source.event_time).alias("event_time"),
        user.alias("_user"),
    )  # fmt: skip
    return identified.join(F.broadcast(keys), "tenant_id").select(
        "*",
        F.to_date("event_time").alias("event_date"),
        _time_quality(source, now).alias("time_quality"),
        _hmac(F.col("_user"), F.col("inner"), F.col("outer")).alias("user_key"),
        F.xxhash64("raw").alias("raw_hash"),
        F.monotonically_increasing_id().alias("_row"),
        F.lit("plain").alias("_batch_id"),
        F.lit(now).alias("_ingested_at"),
        F.lit(now.date()).alias("_ingest_date"),
    )


def _time_quality(source: Source, now: datetime) -> Column:
    too_early = F.col("event_time") < F.lit(source.earliest).cast("timestamp")
    too_late = F.col("event_time") > F.lit(now) + F.expr(LATEST_PLAUSIBLE)
    return F.when(too_early, "too_early").when(too_late, "too_late").otherwise("plausible")


def _hmac(text: Column, inner: Column, outer: Column) -> Column:
    return F.sha2(F.concat(F.unhex(outer), F.unhex(F.sha2(F.concat(F.unhex(inner), F.encode(text, "UTF-8")), 256))), 256)


def _parsed(rows: DataFrame, source: Source) -> DataFrame:
    """The rows with the fields that they have no column for yet, and the derived values."""
    present = rows.columns
    read = rows.withColumn("_record", F.from_json("raw", source.fields_ddl))
    parsed = read.select(*present, *(F.col(f"_record.{name}").alias(name) for name in source.fields if name not in present))
    for name, expression in source.derived.items():
        parsed = parsed.withColumn(name, F.expr(expression))
    return parsed


def silver_rows(bronze: DataFrame, source: Source) -> DataFrame:
    """The silver columns of bronze rows."""
    made: Mapping[str, Column] = {"source": F.lit(source.name), "mapping_version": F.lit(source.silver.version)}
    parsed = _parsed(bronze, source)
    known = parsed.columns
    columns = [_value(column, source, made, known).cast(column.type).alias(column.name) for column in table(source.silver.table).columns]
    return parsed.where(F.expr(source.silver.applicable)).select(*columns)


def _value(column: Declared, source: Source, made: Mapping[str, Column], known: list[str]) -> Column:
    if column.name in source.silver.columns:
        return F.expr(source.silver.columns[column.name])
    if column.name in made:
        return made[column.name]
    return F.col(column.name) if column.name in known else F.lit(None)
