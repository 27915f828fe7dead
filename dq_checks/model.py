"""What a check is: its name, where and how hard it strikes, and the two rules that are read off it.

Does not belong here: any particular check (dq_checks/contracts, dq_checks.rendering), or running one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

REASONS = "_reasons"
"""Column of staged rows: the names of the row rules that a row breaks."""


class Stage(StrEnum):
    """When a check runs: on the staged batch before the commit, or on the published table after it."""

    BATCH = "batch"
    TABLE = "table"


class Severity(StrEnum):
    """What a failure does: quarantine the rows, hold back the tenant's slice, publish nothing, or be recorded."""

    ROW = "row"
    SLICE = "slice"
    BLOCK = "block"
    WARN = "warn"


@dataclass(frozen=True)
class RowRule:
    """A row that breaks it is quarantined.

    Args:
        name: name of the check; also the reason that the quarantine records.
        violated: Spark SQL boolean expression over the staged columns; never null.
    """

    name: str
    violated: str


@dataclass(frozen=True)
class SliceRule:
    """A tenant whose slice breaks it is held back.

    Args:
        name: name of the check.
        query: Spark SQL with `{view}` and possibly further `{variable}` places; returns `tenant_id` of the failing slices.
    """

    name: str
    query: str

    def sql(self, view: str, variables: Mapping[str, str]) -> str:
        """The query over a view, with its variables filled in."""
        filled = self.query
        for name, value in {**variables, "view": view}.items():
            filled = filled.replace("{" + name + "}", value)
        return filled


@dataclass(frozen=True)
class Check:
    """One check of a contract.

    Args:
        name: unique in the contract and stable, e.g. `event_id.missing`.
        type: Soda's name of the type.
        severity: what a failure does.
        stage: when it runs.
        column: column that it looks at; empty for several or all.
        expected: what must hold, in words; may name `${var.x}`.
        body: the check as Soda reads it; of a row rule Soda is only asked how many rows are found to break it.
        violated: for a check that judges each row by itself: Spark SQL that is true for a violating row, never null.
        bad_row: values that turn a good row into one that breaks this check alone, for the tests.
    """

    name: str
    type: str
    severity: Severity
    stage: Stage
    column: str = ""
    expected: str = ""
    body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    violated: str = ""
    bad_row: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def asked_as(self) -> str:
        """Soda's type of what Soda is asked; of a row rule, which is evaluated as a row is staged, how many rows break it."""
        return "failed_rows" if self.severity is Severity.ROW else self.type
