"""dlt and DuckDB: landed files through a dlt pipeline into a DuckDB file, and the silver table made there in SQL.

As dlt's guides have it: a resource that yields pages of records, hints for the columns, Parquet between the steps (of the default,
INSERT statements, 50,000 records were not loaded in five minutes), the mapping after the load.
Does not belong here: the mapping (rendered from the declaration), or comparing results.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}

import dlt
import orjson

from lakehouse.settings import Settings
from lakehouse.sources import LANDING_KEY, Source
from lakehouse.store import list_objects, s3_client
from lakehouse.tables import Column, table
from lakehouse.tenants import TenantRegistry, tenant_key
from tests.bench.peers.expressions import silver_value, to_duckdb
from tests.bench.peers.layout import DATASET, DUCKDB_FILE, SILVER

PAGE = 10_000
FILE_ITEMS = 100_000
"""Rows after which a new intermediate file begins, so that the workers have something to share."""
DUCKDB_TYPES = {"string": "varchar", "timestamp": "timestamp", "date": "date", "int": "integer", "long": "bigint"}


def make_silver(settings: Settings, source: Source, folder: Path) -> Path:
    """Load all that has landed of a source, and make its silver table in a DuckDB file, which it returns."""
    workers = str(os.cpu_count())
    os.environ |= {"NORMALIZE__WORKERS": workers, "DATA_WRITER__FILE_MAX_ITEMS": str(FILE_ITEMS)}
    file = folder / DUCKDB_FILE
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(str(file)), dataset_name=DATASET, pipelines_dir=str(folder / "dlt")
    )
    pipeline.run(_records(settings, source), loader_file_format="parquet")
    with pipeline.sql_client() as client:
        for statement in _statements(settings, source):
            client.execute_sql(statement)
    return file


def _records(settings: Settings, source: Source) -> Any:
    hints: Any = {name: {"data_type": "text", "nullable": True} for name in (*source.fields, "tenant_id", "_file")}

    @dlt.resource(name="records", columns=hints, max_table_nesting=0, write_disposition="append")
    def records() -> Iterator[list[dict[str, Any]]]:
        client = s3_client(settings)
        for found in list_objects(client, settings.landing_bucket, f"{source.name}/"):
            place = LANDING_KEY.match(found.key)
            about = {"tenant_id": place["tenant"] if place else None, "_file": found.key}
            body = client.get_object(Bucket=settings.landing_bucket, Key=found.key)["Body"]
            page: list[dict[str, Any]] = []
            for line in body.iter_lines():
                page.append(_texts(orjson.loads(line), source) | about)
                if len(page) == PAGE:
                    yield page
                    page = []
            if page:
                yield page

    return records


def _texts(record: dict[str, Any], source: Source) -> dict[str, Any]:
    """The declared fields as text: a nested one as JSON, which the mapping expects."""
    return {
        name: value if isinstance(value, str) or value is None else orjson.dumps(value).decode()
        for name, value in record.items()
        if name in source.fields
    }


def _statements(settings: Settings, source: Source) -> Iterator[str]:
    declared = table(source.silver.table)
    keys = {tenant_id: tenant_key(settings, tenant_id) for tenant_id in TenantRegistry(settings).all()}
    rows = ", ".join(f"('{tenant_id}', '{_padded(key, 0x36)}', '{_padded(key, 0x5C)}')" for tenant_id, key in keys.items())
    yield f"create or replace table {DATASET}.tenant_keys as select * from (values {rows}) as k(tenant_id, inner_key, outer_key)"
    derived = f"select *, current_timestamp::timestamp as _now from {DATASET}.records"
    for name, expression in source.derived.items():
        derived = f"select *, {to_duckdb(expression)} as {name} from ({derived})"
    identified = (
        f"select * replace ({to_duckdb(source.event_id)} as event_id), {to_duckdb(source.event_time)} as event_time, "
        f"{to_duckdb(source.user or 'null')} as _user from ({derived})"
    )
    columns = ", ".join(f"{_value(column, source)}{_cast(column)} as {column.name}" for column in declared.columns)
    yield (
        f"create or replace table {DATASET}.{SILVER} as select {columns} from ({identified}) "
        f"left join {DATASET}.tenant_keys using (tenant_id) where {to_duckdb(source.silver.applicable)}"
    )


def _value(column: Column, source: Source) -> str:
    made = {
        "source": f"'{source.name}'",
        "event_date": "event_time::date",
        "time_quality": f"case when event_time < date '{source.earliest}' then 'too_early' "
        "when event_time > _now + interval 24 hours then 'too_late' else 'plausible' end",
        "user_key": "sha256(unhex(outer_key) || unhex(sha256(unhex(inner_key) || encode(_user))))",
        "mapping_version": str(source.silver.version),
        "_source_file": "_file",
        "_row": "row_number() over ()",
        "_batch_id": "_dlt_load_id",
        "_ingested_at": "_now",
    }
    return f"({silver_value(column.name, source, made, to_duckdb)})"


def _cast(column: Column) -> str:
    return f"::{DUCKDB_TYPES[column.type]}" if column.type in DUCKDB_TYPES else ""


def _padded(key: bytes, pad: int) -> str:
    return bytes(b ^ pad for b in key.ljust(64, b"\0")).hex()
