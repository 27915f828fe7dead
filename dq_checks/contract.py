"""The contract of a table: its checks as the text that Soda runs, and as the rules that the jobs apply.

Does not belong here: running it (dq_checks.gate), or which checks there are (dq_checks.rendering).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from dq_checks.model import REASONS, Check, RowRule, Severity, SliceRule, Stage
from dq_checks.rendering import checks_of
from lakehouse.delta import quoted
from lakehouse.errors import ConfigurationError
from lakehouse.tables import Layer, Table

DATA_SOURCE = "lake"
VARIABLE = re.compile(r"\$\{var\.(\w+)\}")
SCOPE = "scope"
OF_A_COLUMN = ("missing", "invalid")
DEFAULTS = {"view": "", SCOPE: "1 = 1"}
"""`view` is filled with the dataset; `scope` is Spark SQL that limits the checks of stage `table`, e.g. to touched days."""


@dataclass(frozen=True)
class Contract:
    """The contract of one table.

    Args:
        table: the declaration that it belongs to.
        checks: every check, of both stages.
        text: what Soda runs, per stage.
        version: fingerprint of the text of both stages.
    """

    table: Table
    checks: tuple[Check, ...]
    text: Mapping[Stage, str] = field(hash=False)
    version: str

    @property
    def row_rules(self) -> tuple[RowRule, ...]:
        """The rules that quarantine a row, from the same checks that Soda counts."""
        return tuple(RowRule(c.name, c.violated) for c in self.checks if c.severity is Severity.ROW)

    @property
    def slice_rules(self) -> tuple[SliceRule, ...]:
        """The rules that hold back a tenant's slice. Worth running only where Soda counted failing slices."""
        return tuple(SliceRule(c.name, VARIABLE.sub(r"{\1}", c.body["query"])) for c in self.checks if c.severity is Severity.SLICE)

    def at(self, stage: Stage) -> tuple[Check, ...]:
        """The checks of a stage."""
        return tuple(c for c in self.checks if c.stage is stage)

    def variables(self, stage: Stage) -> frozenset[str]:
        """Names of the variables that a caller must give at a stage, e.g. `max_rejected_share`."""
        return frozenset(VARIABLE.findall(self.text[stage])) - set(DEFAULTS)


@cache
def contract_for(table: Table) -> Contract:
    """The contract of a bronze, silver or gold table. Raises ConfigurationError for any other, or on a mistake in its file."""
    if table.layer not in (Layer.BRONZE, Layer.SILVER, Layer.GOLD):
        raise ConfigurationError(f"{table.name} has no contract", next_step="contracts are for bronze, silver and gold tables")
    checks = checks_of(table)
    text = {stage: _render(table, stage, [c for c in checks if c.stage is stage]) for stage in Stage}
    version = hashlib.sha256("\n".join(text.values()).encode()).hexdigest()[:12]
    return Contract(table=table, checks=checks, text=text, version=version)


def _render(table: Table, stage: Stage, checks: Iterable[Check]) -> str:
    checks = list(checks)
    by_column = {name: [c for c in checks if c.column == name and c.asked_as in OF_A_COLUMN] for name in table.column_names}
    on_dataset = [c for c in checks if c.asked_as not in OF_A_COLUMN]
    document: dict[str, Any] = {
        "dataset": dataset_path(table.name),
        "filter": f"1 = 1 and (${{var.{SCOPE}}})",
        "columns": [_column(c.name, c.type, by_column[c.name]) for c in table.columns] if stage is Stage.BATCH else [],
        "checks": [_entry(c) for c in on_dataset],
    }
    if stage is Stage.BATCH:
        del document["filter"]
    used = dict.fromkeys(VARIABLE.findall(str(document)))
    document["variables"] = {name: {"default": DEFAULTS[name]} if DEFAULTS.get(name) else None for name in used}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1_000_000)


def dataset_path(dataset: str) -> str:
    """A view or `schema.table` as Soda names it."""
    return "/".join((DATA_SOURCE, *dataset.split(".")))


SPARK_NAMES = {"long": "bigint"}
"""Declared types that Spark describes by another name."""


def _column(name: str, type_: str, checks: list[Check]) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "data_type": SPARK_NAMES.get(type_, type_)}
    return column | ({"checks": [_entry(c) for c in checks]} if checks else {})


def _entry(check: Check) -> dict[str, Any]:
    asked = {"expression": f"array_contains({REASONS}, {quoted(check.name)})"} if check.severity is Severity.ROW else check.body
    body: dict[str, Any] = {"name": check.name, **asked, "attributes": {"severity": str(check.severity)}}
    if check.asked_as == "failed_rows":
        body["qualifier"] = check.name
    if check.severity is Severity.WARN:
        body["threshold"] = {**check.body.get("threshold", _default_threshold(check.type)), "level": "warn"}
    return {check.asked_as: body}


def _default_threshold(type_: str) -> dict[str, Any]:
    return {"must_be_greater_than": 0} if type_ == "row_count" else {"must_be": 0}
