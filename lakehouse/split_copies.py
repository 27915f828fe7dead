"""Copies of the records of landed files that Spark does not read as they lie: Parquet in the lake bucket, while a batch needs them.

Does not belong here: how a file is split (lakehouse.splitting), or which files have a copy (lakehouse.ledger).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.settings import Settings
from lakehouse.splitting import Record
from lakehouse.store import list_objects, s3_client

PREFIX = "ctl/split"
SCHEMA = pa.schema([("path", pa.string()), ("row", pa.int64()), ("raw", pa.string()), ("problem", pa.string())])
DDL = "path string, row long, raw string, problem string"
"""Landing address of the file; and of each record its place, its text, and why it cannot be read."""
GROUP_BYTES = 4 * 1024 * 1024
GROUP_ROWS = 20_000


def key_of_copy(source: str, path: str, etag: str) -> str:
    """Where the copy of a landed object is, in the lake bucket."""
    return f"{PREFIX}/{source}/{hashlib.sha256(f'{etag} {path}'.encode()).hexdigest()}.parquet"


def put_copy(settings: Settings, path: str, key: str, records: Iterable[Record]) -> None:
    """Write records of a landed file under a key, in the place of an earlier copy."""
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, SCHEMA, compression="zstd", use_dictionary=["path", "problem"]) as writer:
            for group in _groups(records):
                writer.write_table(_as_table(settings.landing_uri(path), group))
        file.seek(0)
        s3_client(settings).upload_fileobj(file, settings.lake_bucket, key)


def copies_of(settings: Settings, source: str) -> set[str]:
    """Keys of the copies that a source has."""
    return {found.key for found in list_objects(s3_client(settings), settings.lake_bucket, f"{PREFIX}/{source}/")}


def remove_copies(settings: Settings, keys: Iterable[str]) -> None:
    """Remove copies by their keys."""
    client: Any = s3_client(settings)
    for key in keys:
        client.delete_object(Bucket=settings.lake_bucket, Key=key)


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record.raw or b"")
        if size > GROUP_BYTES or len(group) >= GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _as_table(address: str, group: list[Record]) -> pa.Table:
    columns: list[list[Any]] = [
        [address] * len(group),
        [record.row for record in group],
        [None if record.raw is None else record.raw.decode("utf-8", "replace") for record in group],
        [record.problem for record in group],
    ]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
