"""The books of a step: what came in must equal what came out, counted independently, or nothing is published.

Does not belong here: counting (the jobs count before parsing and after writing), or what to do with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lakehouse.errors import DataError
from lakehouse.ledger import Batch, FileCounts


def balance_bronze(batch: Batch, counts: Mapping[str, FileCounts]) -> None:
    """Records counted in each file before parsing = published + quarantined + duplicate + held back.

    Raises DataError naming each file whose books do not balance.
    """
    wrong = []
    for file in batch.files:
        count = counts.get(file.path, FileCounts())
        told = count.published + count.quarantined + count.duplicate + count.held_back
        if told != file.records:
            wrong.append(f"{file.path}: {file.records} records in, {told} accounted for ({count})")
    if wrong:
        raise DataError(
            f"the books of {batch.batch_id} do not balance: {'; '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}",
            next_step="nothing was recorded as published; report this with the file named above",
        )


@dataclass(frozen=True)
class SilverCounts:
    """What became of a batch's bronze rows in silver, in rows."""

    read: int = 0
    expanded: int = 0
    inserted: int = 0
    updated: int = 0
    duplicate: int = 0
    conflicting: int = 0
    not_applicable: int = 0
    quarantined: int = 0
    held_back: int = 0
    late: int = 0
    """Of the inserted ones, those whose event day was closed before they came."""


def balance_silver(batch_id: str, counts: SilverCounts) -> None:
    """Bronze + expanded = inserted + updated + duplicate + conflicting + not applicable + quarantined + held back.

    Raises DataError where they do not.
    """
    told = counts.inserted + counts.updated + counts.duplicate + counts.conflicting
    told += counts.not_applicable + counts.quarantined + counts.held_back
    if counts.read + counts.expanded != told:
        raise DataError(
            f"the books of {batch_id} in silver do not balance: {counts.read + counts.expanded} rows in, {told} accounted for ({counts})",
            next_step="the mapping loses or doubles rows; mend it and run again",
        )


def agree(what: str, counted: int, committed: int) -> None:
    """The rows counted before a commit are the rows that Delta says it wrote. Raises DataError where they are not."""
    if counted != committed:
        raise DataError(
            f"{what}: {counted} rows were staged and {committed} committed", next_step="run `lakehouse run` again and report this"
        )
