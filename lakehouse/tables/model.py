"""What a table declaration is.

Does not belong here: any particular table, Spark, or anything that reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum


class Layer(StrEnum):
    """Where a table stands in the way of the data; also its schema in the catalog."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    OPS = "ops"
    CONTROL = "ctl"


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: snake_case name.
        type: Spark SQL type, e.g. `string`, `timestamp` (UTC), `map<string,string>`.
        description: what it holds, in one sentence; also the comment in the catalog.
        unit: unit of a quantity, e.g. `ms`, `rows`.
        pii: holds personal data; such a column never enters file statistics.
        required: null is a violation.
        values: the closed enumeration it draws from; empty means open.
        was: earlier names; a table that has one of them is migrated to the present name.
    """

    name: str
    type: str
    description: str
    unit: str = ""
    pii: bool = False
    required: bool = False
    values: tuple[str, ...] = ()
    was: tuple[str, ...] = ()

    @property
    def comment(self) -> str:
        """Description, unit, allowed values and PII flag as one catalog comment."""
        parts = [self.description]
        if self.unit:
            parts.append(f"Unit: {self.unit}.")
        if self.values:
            parts.append(f"One of: {', '.join(self.values)}.")
        if self.pii:
            parts.append("PII.")
        return " ".join(parts)


@dataclass(frozen=True)
class Definition:
    """How a gold table is computed, for the data dictionary.

    Args:
        formula: each measure, in words or SQL.
        late_data: what a late event changes.
        example: an example worked by hand, as Markdown.
        version: raised when the formula changes; a raised version recomputes the whole table.
        is_located: made from places of addresses, so that another kind of GeoIP database, or the first, recomputes the whole table.
    """

    formula: str
    late_data: str
    example: str
    version: int = 1
    is_located: bool = False


@dataclass(frozen=True)
class Sla:
    """What is promised of a table, or of a source's bronze table, over 30 days.

    Args:
        fresh_within_minutes: how old its newest event may be, beyond the time that its sources take between two files.
        complete_by: time of day (UTC) by which the day before has all its rows; None where no time is promised.
        success_rate: least share of attempts that succeed.
        check_pass_rate: least share of checks that pass.
        kept_share: least share of the time in which freshness and completeness are kept; the rest is the error budget.
    """

    fresh_within_minutes: int | None = None
    complete_by: time | None = None
    success_rate: float = 0.99
    check_pass_rate: float = 0.95
    kept_share: float = 0.99


@dataclass(frozen=True)
class Reach:
    """How far a changed row of an input reaches in a gold table, and with that which rows a part of the table is made from.

    Args:
        before, after: what shares a moment with the time from so long before the row's own, a moment or a day, to so long after it
            can change; `after` None: all that follows.
        of_users: what follows changes only on days on which the users of the changed rows have rows themselves.
    """

    before: timedelta = timedelta()
    after: timedelta | None = timedelta()
    of_users: bool = False


@dataclass(frozen=True)
class Reads:
    """What a gold table reads of one of its inputs; a test holds it against the plans that Spark makes of the table's transform.

    Args:
        columns: column of the table to the input's columns that its value is computed from, conditions included. One that only counts
            rows, or comes from elsewhere, is left out.
        rows: the input's columns that decide which rows the table has and which of the input's go into each: filters, groups, joins and
            the order within a window.
    """

    columns: Mapping[str, tuple[str, ...]]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table: the only place where its columns are written down.

    Args:
        name: `layer.table`, also its place in the catalog and under the lake bucket.
        description: what one row is and what the table is for.
        columns: in order.
        key: columns that identify a row.
        partition_by: Delta partition columns.
        owner: who answers for it.
        reads: for gold: names of the tables it is computed from, and what it reads of each.
        latest_by: for a table of entities: the column by which the newest row under a key replaces the older ones.
        recomputed_by: for gold: the column by whose values (days, weeks, months) it is recomputed. It is partitioned by that only where
            other tables read it in parts: a file for each day of half a year costs more than all rows of a small table.
        reach: for gold: how far a changed row of an input reaches.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    owner: str = "data-team"
    reads: Mapping[str, Reads] = field(default_factory=dict, hash=False)
    latest_by: str | None = None
    recomputed_by: str = ""
    reach: Reach = Reach()
    sla: Sla | None = None
    definition: Definition | None = None

    @property
    def layer(self) -> Layer:
        """The layer, from the name."""
        return Layer(self.name.split(".")[0])

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tables it is computed from, in the order in which its transform takes them."""
        return tuple(self.reads)

    @property
    def short_name(self) -> str:
        """The name without its layer."""
        return self.name.split(".")[1]

    @property
    def key_prefix(self) -> str:
        """Where its files are under the lake bucket, e.g. `silver/auth_events`."""
        return self.name.replace(".", "/")

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError where there is none."""
        return next((c for c in self.columns if c.name == name), None) or self._no_column(name)

    def _no_column(self, name: str) -> Column:
        raise KeyError(f"{self.name} has no column {name!r}; it has {', '.join(c.name for c in self.columns)}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(c.name for c in self.columns)

    @property
    def ddl(self) -> str:
        """The columns as a Spark SQL schema string."""
        return ", ".join(f"`{c.name}` {c.type}" for c in self.columns)
