"""polars and delta-rs: landed files to the silver table, in one process without a JVM.

Does not belong here: the mapping (rendered from the declaration), or comparing results.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256

import polars as pl
import pyarrow as pa
from deltalake import write_deltalake

from lakehouse.delta_rs import table_uri
from lakehouse.settings import Settings
from lakehouse.sources import Source
from lakehouse.store import delta_rs_options
from lakehouse.tables import Column, Table, table
from lakehouse.tenants import tenant_key
from tests.bench.peers.expressions import silver_value, to_polars

TYPES = {"timestamp": pl.Datetime("us", "UTC"), "int": pl.Int32, "long": pl.Int64, "date": pl.Date, "string": pl.String}
MAP = pa.map_(pa.string(), pa.string())


def make_silver(settings: Settings, source: Source) -> None:
    """Read all that has landed of a source, and write its silver table."""
    declared, now = table(source.silver.table), datetime.now(UTC)
    mapped = _mapped(_with_user_key(_parsed(settings, source), settings, source), source, declared, now)
    made = _with_maps(mapped.collect(engine="streaming").to_arrow(), declared)
    options = delta_rs_options(settings)
    write_deltalake(table_uri(settings, declared), made, partition_by=list(declared.partition_by), storage_options=options)


def _parsed(settings: Settings, source: Source) -> pl.LazyFrame:
    """The records with the declared fields as text, the derived values, and what bronze would have established."""
    files = pl.scan_ndjson(
        f"s3://{settings.landing_bucket}/{source.name}/**/*.jsonl",
        schema=dict.fromkeys(source.fields, pl.String),
        include_file_paths="_source_file",
        row_index_name="_row",
        storage_options={name.lower(): value for name, value in delta_rs_options(settings).items() if name.startswith("AWS_")},
    )
    rows = files.with_columns(pl.col("_source_file").str.extract("/tenant=([^/]+)/").alias("tenant_id"))
    for name, expression in source.derived.items():
        rows = rows.with_columns(to_polars(expression).alias(name))
    user = to_polars(source.user) if source.user else pl.lit(None)
    event_id, event_time = to_polars(source.event_id), to_polars(source.event_time)
    return rows.with_columns(user.alias("_user"), event_id.alias("event_id"), event_time.alias("event_time"))


def _with_user_key(rows: pl.LazyFrame, settings: Settings, source: Source) -> pl.LazyFrame:
    """Hash each user once: polars has no HMAC of its own."""
    users = rows.select("tenant_id", "_user").drop_nulls().unique().collect(engine="streaming")
    keys = {tenant_id: tenant_key(settings, tenant_id) for tenant_id in users["tenant_id"].unique()}
    hashed = [hmac.digest(keys[tenant_id], user.encode(), sha256).hex() for tenant_id, user in users.iter_rows()]
    return rows.join(users.with_columns(pl.Series("user_key", hashed, pl.String)).lazy(), ["tenant_id", "_user"], "left")


def _mapped(rows: pl.LazyFrame, source: Source, declared: Table, now: datetime) -> pl.LazyFrame:
    latest = now.timestamp() + 86_400
    made = {
        "source": pl.lit(source.name),
        "event_date": pl.col("event_time").dt.date(),
        "time_quality": pl.when(pl.col("event_time").dt.date() < source.earliest)
        .then(pl.lit("too_early"))
        .when(pl.col("event_time").dt.epoch("s") > latest)
        .then(pl.lit("too_late"))
        .otherwise(pl.lit("plausible")),
        "mapping_version": pl.lit(source.silver.version),
        "_batch_id": pl.lit("polars"),
        "_ingested_at": pl.lit(now),
    }
    columns = [_column(column, source, made) for column in declared.columns]
    return rows.filter(to_polars(source.silver.applicable)).select(columns)


def _column(column: Column, source: Source, made: dict[str, pl.Expr]) -> pl.Expr:
    value = silver_value(column.name, source, made, to_polars)
    return (value.cast(TYPES[column.type]) if column.type in TYPES else value).alias(column.name)


def _with_maps(made: pa.Table, declared: Table) -> pa.Table:
    """Lists of key and value as maps, and text with short offsets, as the table is declared."""
    for at, column in enumerate(declared.columns):
        values = made.column(column.name)
        if column.type.startswith("map"):
            chunks = [_map_of(chunk) for chunk in values.chunks]
            made = made.set_column(at, column.name, pa.chunked_array(chunks, MAP))
    return made


def _map_of(entries: pa.Array) -> pa.Array:
    flat = entries.flatten()
    offsets = entries.offsets.cast(pa.int32())
    keys, values = (flat.field(at).cast(pa.string()) for at in range(2))
    return pa.MapArray.from_arrays(offsets.slice(0), keys, values)
