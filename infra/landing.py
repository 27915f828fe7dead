"""Putting local files into the landing bucket.

Does not belong here: reading them (lakehouse.landing), or synthetic data (jobs.simulator).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings
from lakehouse.sources import Source
from lakehouse.store import s3_client
from lakehouse.tenants import TENANT_ID

DIGEST = "sha256"
"""Name of the object's metadata entry that tells whether the same content is there already."""


def land_files(settings: Settings, source: Source, files: Iterable[Path], tenant: str, day: date) -> dict[str, bool]:
    """Put files under the source's, day's and tenant's prefix. Returns for each key whether anything was put.

    Raises ConfigurationError for a tenant id that is none.
    """
    if not TENANT_ID.match(tenant):
        raise ConfigurationError(f"{tenant!r} is no tenant id", next_step="use lower-case letters, digits, - and _")
    client = s3_client(settings)
    return {
        key: _put(client, settings.landing_bucket, key, file)
        for file in files
        for key in [f"{source.name}/date={day.isoformat()}/tenant={tenant}/{file.name}"]
    }


def _put(client: Any, bucket: str, key: str, file: Path) -> bool:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, DIGEST).hexdigest()
    if _digest_there(client, bucket, key) == digest:
        return False
    client.upload_file(str(file), bucket, key, ExtraArgs={"Metadata": {DIGEST: digest}})
    return True


def _digest_there(client: Any, bucket: str, key: str) -> str | None:
    try:
        return str(client.head_object(Bucket=bucket, Key=key)["Metadata"].get(DIGEST))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return None
        raise
