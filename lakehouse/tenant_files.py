"""Lines of many tenants on their way into files: one gzip file per tenant on the local disk, written in bounded memory.

Does not belong here: what the lines are, or where the files go.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from lakehouse.errors import InfrastructureError

FLUSH_BYTES = 8 * 1024 * 1024
"""What is in memory of all tenants together; on reaching it each file gets one more gzip member."""


class TenantFiles:
    """The files in a folder, by tenant."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] = {}
        self._waiting: dict[str, bytearray] = {}
        self._numbers = count()
        self._size = 0

    def add(self, tenant: str, line: bytes) -> None:
        """Append a line to a tenant's file."""
        waiting = self._waiting.setdefault(tenant, bytearray())
        waiting += line
        waiting += b"\n"
        self._size += len(line) + 1
        if self._size >= FLUSH_BYTES:
            self._flush()

    def drop(self, tenant: str) -> None:
        """Forget what a tenant's file has so far."""
        self._size -= len(self._waiting.pop(tenant, b""))
        if path := self._paths.pop(tenant, None):
            path.unlink()

    def all(self) -> dict[str, Path]:
        """The finished files."""
        self._flush()
        return dict(self._paths)

    def _flush(self) -> None:
        for tenant, lines in self._waiting.items():
            path = self._paths.setdefault(tenant, self._folder / f"{next(self._numbers)}.jsonl.gz")
            try:
                with path.open("ab") as file:
                    file.write(gzip.compress(lines, mtime=0))
            except OSError as error:
                raise InfrastructureError(
                    f"{path} cannot be written: {error.strerror}", next_step="make room there, or set TMPDIR"
                ) from error
        self._waiting.clear()
        self._size = 0


@contextmanager
def tenant_files() -> Iterator[TenantFiles]:
    """Files that are gone from the disk afterwards."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-") as folder:
        yield TenantFiles(Path(folder))
