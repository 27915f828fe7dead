"""Where landing files go: the landing bucket, or a folder with the same layout.

Does not belong here: what is in the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from jobs.simulator.history import LandingFile
from lakehouse.errors import InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import s3_client


class Sink(Protocol):
    """Takes finished files."""

    def put(self, file: LandingFile) -> int:
        """Write one file, whole or not at all; returns its size in bytes."""

    @property
    def place(self) -> str:
        """Where files go, for people."""


class DirectorySink:
    """Writes files under a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        """Where files go, for people."""
        return str(self._root)

    def put(self, file: LandingFile) -> int:
        """Write one file; a reader never sees half of it."""
        path = self._root / file.key
        body = file.body
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(body)
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise InfrastructureError(
                f"{path} cannot be written: {os.strerror(error.errno) if error.errno else error}.",
                next_step="check the folder's permissions and the free space, then repeat the call",
            ) from error
        return len(body)


class LandingBucketSink:
    """Writes files into the landing bucket of an instance."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.landing_bucket
        self._client = s3_client(settings)

    @property
    def place(self) -> str:
        """Where files go, for people."""
        return f"s3://{self._bucket}"

    def put(self, file: LandingFile) -> int:
        """Write one file."""
        body = file.body
        try:
            self._client.put_object(Bucket=self._bucket, Key=file.key, Body=body, Metadata=dict(file.metadata))
        except (BotoCoreError, ClientError) as error:
            raise InfrastructureError(
                f"{file.key} cannot be written to the bucket {self._bucket}: {error}.",
                next_step="see `lakehouse status` and `lakehouse doctor`, then repeat the call: the same files are written again",
            ) from error
        return len(body)


@dataclass
class Written:
    """What has really reached a sink so far."""

    files: int = 0
    records: int = 0
    bytes: int = 0


def write(files: Iterable[LandingFile], sink: Sink, written: Written) -> Iterator[LandingFile]:
    """Put file after file, and hand each on once it is written and counted."""
    for file in files:
        size = sink.put(file)
        written.files += 1
        written.records += file.records
        written.bytes += size
        yield file
