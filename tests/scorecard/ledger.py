"""Batches of landed files, and what the file ledger tells of each file.

Does not belong here: when files are taken (tests.scorecard.pipeline).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.scorecard.steps import MAX_REJECTED_SHARE
from tests.scorecard.world import LandedFile

LEAST_SLICE = 20
"""Rows below which a tenant's slice is never held back; see dq_checks/contracts/slices.yml."""


@dataclass(frozen=True)
class Batch:
    """Files that are published together.

    Args:
        claimed_at: when (UTC).
        held: tenants whose slice bronze has held back.
    """

    batch_id: str
    source: str
    claimed_at: datetime
    files: tuple[LandedFile, ...]
    held: frozenset[str] = frozenset()

    @property
    def records(self) -> int:
        """Records of all its files."""
        return sum(f.records for f in self.files)

    @property
    def let_through(self) -> tuple[LandedFile, ...]:
        """The files of tenants whose slice is not held back."""
        return tuple(f for f in self.files if f.tenant_id not in self.held)


def short_hash(*parts: object) -> str:
    """A hash of some values, in hex."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def rejected_tenants(files: Sequence[LandedFile]) -> frozenset[str]:
    """Tenants of whose slice more is rejected than is let through."""
    return frozenset(t for t in {f.tenant_id for f in files} if _is_rejected([f for f in files if f.tenant_id == t]))


def _is_rejected(files: Sequence[LandedFile]) -> bool:
    records = sum(f.records for f in files)
    unreadable = sum(part.unreadable for f in files for part in f.parts)
    return records >= LEAST_SLICE and unreadable > MAX_REJECTED_SHARE * records


def ledger_row(batch: Batch, file: LandedFile, state: str) -> dict[str, Any]:
    """A row of ctl.files."""
    return {
        "path": file.path,
        "sha256": short_hash(file.path, file.records),
        "etag": short_hash(file.path)[:32],
        "size": 120 + 180 * file.records,
        "modified_at": file.landed_at,
        "first_seen": batch.claimed_at,
        "source": file.source,
        "tenant_id": file.tenant_id,
        "batch_id": batch.batch_id,
        "state": state,
        "records": file.records,
        **(_counts(file, file.tenant_id in batch.held) if state != "claimed" else {}),
    }


def _counts(file: LandedFile, is_held: bool) -> dict[str, int]:
    published = sum(part.published for part in file.parts)
    return {
        "published": 0 if is_held else published,
        "quarantined": sum(part.unreadable for part in file.parts),
        "duplicate": sum(part.duplicate for part in file.parts),
        "held_back": published if is_held else 0,
    }
