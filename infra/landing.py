"""Putting local files into the landing bucket.

Does not belong here: reading them (lakehouse.landing), or synthetic data (jobs.simulator).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lakehouse.errors import ConfigurationError
from lakehouse.ledger import Ledger
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import Source
from lakehouse.store import s3_client
from lakehouse.tenants import TENANT_ID

DIGEST = "sha256"
"""Name of the object's metadata entry that tells whether the same content is there already."""
ETAG_DIGEST = "md5"
"""What the store's entity tag is of an object that was put in one piece."""


def land_files(settings: Settings, source: Source, files: Iterable[Path], tenant: str, day: date) -> dict[str, bool]:
    """Put files under the source's, day's and tenant's prefix. Returns for each key whether anything was put.

    Other content under a key is replaced once it is in bronze, as by a corrected file; before that it would be lost.
    Raises ConfigurationError, before anything is put, for a tenant id that is none, for two files of one name, and for a file whose key
    holds other content that is not in bronze yet.
    """
    if not TENANT_ID.match(tenant):
        raise ConfigurationError(f"{tenant!r} is no tenant id", next_step="use lower-case letters, digits, - and _")
    client, bucket = s3_client(settings), settings.landing_bucket
    prefix = f"{source.name}/date={day.isoformat()}/tenant={tenant}/"
    by_key = {prefix + name: file for name, file in _by_name(files).items()}
    there = {key: _head(client, bucket, key) for key in by_key}
    new = {key: not (head and _holds(head, by_key[key])) for key, head in there.items()}
    if replaced := {key for key in by_key if new[key] and there[key]}:
        _require_read(settings, source, replaced)
    for key, file in by_key.items():
        if new[key]:
            client.upload_file(str(file), bucket, key, ExtraArgs={"Metadata": {DIGEST: _digest(file, DIGEST)}})
    return new


def _by_name(files: Iterable[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for file in files:
        other = named.setdefault(file.name, file)
        if other.resolve() != file.resolve():
            raise ConfigurationError(
                f"{other} and {file} have the same name, and would be one file in the landing bucket",
                next_step="rename one of them, or land them under different dates",
            )
    return named


def _head(client: Any, bucket: str, key: str) -> Mapping[str, Any] | None:
    try:
        return dict(client.head_object(Bucket=bucket, Key=key))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return None
        raise


def _holds(head: Mapping[str, Any], file: Path) -> bool:
    told = head["Metadata"].get(DIGEST)
    return bool(told == _digest(file, DIGEST) if told else head["ETag"].strip('"') == _digest(file, ETAG_DIGEST))


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _require_read(settings: Settings, source: Source, keys: set[str]) -> None:
    unread = Ledger(settings, source, OpsReader(settings), OpsWriter(settings)).unread()
    if waiting := sorted(keys & unread):
        raise ConfigurationError(
            f"other content lies under {', '.join(waiting)} and is not in bronze yet",
            next_step="land the file under another name, or wait until `lakehouse run` has taken in what is there",
        )
