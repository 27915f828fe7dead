"""Claims: of several processes that want to send a message, one gets to; which one, and since when, can be read.

Does not belong here: sending.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from lakehouse.ops.processes import is_running, this_process
from lakehouse.settings import Settings
from lakehouse.store import put_if_absent, s3_client, store_errors

PREFIX = "ctl/alerts"
GIVEN_UP_AFTER = timedelta(minutes=2)
"""A sender on another machine that has not recorded anything by then has died: sending takes seconds."""


@dataclass(frozen=True)
class Claim:
    """Who has claimed to send, and since when (UTC)."""

    process: str
    host: str
    at: datetime

    def is_dead(self, host: str, now: datetime) -> bool:
        """Whether its process can no longer record an outcome."""
        return now - self.at > GIVEN_UP_AFTER or (self.host == host and self.process != this_process() and not is_running(self.process))


class Claims(Protocol):
    """Where claims are kept."""

    def take(self, key: str, host: str, now: datetime) -> bool:
        """Claim a key. Returns whether this call got it."""
        ...

    def of(self, key: str) -> Claim | None:
        """The claim on a key."""
        ...


def _body(host: str, now: datetime) -> bytes:
    return json.dumps({"process": this_process(), "host": host, "at": now.isoformat()}).encode()


def _claim(body: bytes) -> Claim:
    read = json.loads(body)
    return Claim(read["process"], read["host"], datetime.fromisoformat(read["at"]))


class StoreClaims:
    """Claims as objects of the lake bucket, each put once."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.lake_bucket
        self._settings = settings

    def take(self, key: str, host: str, now: datetime) -> bool:
        """Claim a key. Raises InfrastructureError when the store does not answer."""
        with store_errors():
            return put_if_absent(s3_client(self._settings), self._bucket, f"{PREFIX}/{key}.json", _body(host, now))

    def of(self, key: str) -> Claim | None:
        """The claim on a key. Raises InfrastructureError when the store does not answer."""
        client: Any = s3_client(self._settings)
        with store_errors():
            try:
                return _claim(client.get_object(Bucket=self._bucket, Key=f"{PREFIX}/{key}.json")["Body"].read())
            except client.exceptions.NoSuchKey:
                return None


class LocalClaims:
    """Claims as files of this instance, for what must be said while the store is down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, key: str, host: str, now: datetime) -> bool:
        """Claim a key."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            file = os.open(self._folder / f"{key.replace('/', '__')}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(file, "wb") as opened:
            opened.write(_body(host, now))
        return True

    def of(self, key: str) -> Claim | None:
        """The claim on a key; one that was cut short counts as one of a process that is dead."""
        try:
            return _claim((self._folder / f"{key.replace('/', '__')}.json").read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            return Claim("", "", datetime.fromtimestamp(0, UTC))
