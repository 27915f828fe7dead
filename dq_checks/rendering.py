"""The checks of a table: those that its declaration already states, and those of its files in `contracts/`.

Does not belong here: Soda itself (dq_checks.engine), or putting checks together into a contract (dq_checks.contract).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dq_checks.model import REASONS, Check, Severity, Stage
from lakehouse.delta import identifier, quoted
from lakehouse.errors import ConfigurationError
from lakehouse.tables import Column, Layer, Table
from lakehouse.tables.bronze import QUARANTINE

CONTRACTS = Path(__file__).parent / "contracts"
STAGED_COLUMNS = f"{REASONS} array<string>, _corrupt string"
"""What a staged view carries beside the declared columns: the names of the row rules that a row breaks,
and why its record cannot be used (null when it can)."""


def lands_rows(table: Table) -> bool:
    """Whether the rows come one by one out of landed files, so that a bad one can be quarantined."""
    return table.name != QUARANTINE.name and "_source_file" in table.column_names


def checks_of(table: Table) -> tuple[Check, ...]:
    """All checks of a table, in the order in which they are reported. Raises ConfigurationError on a mistake in a file."""
    checks = (*_declared(table), *_written(table))
    twice = [name for name, count in Counter(c.name for c in checks).items() if count > 1]
    if twice:
        raise ConfigurationError(f"contract of {table.name} has several checks named {', '.join(twice)}", next_step="rename them")
    return checks


def _declared(table: Table) -> Iterator[Check]:
    yield _schema()
    for column in table.columns:
        if column.required:
            yield _missing(table, column)
        if column.values:
            yield _invalid(table, column)
    if table.key:
        yield _duplicate(table)
    if table.sla and table.sla.fresh_within_minutes:
        yield _freshness(table, table.sla.fresh_within_minutes)


def _schema() -> Check:
    return Check(
        name="schema",
        type="schema",
        severity=Severity.BLOCK,
        stage=Stage.BATCH,
        expected="every declared column with its type",
        body={"allow_extra_columns": True, "allow_other_column_order": True},
    )


def _row_severity(table: Table) -> Severity:
    return Severity.ROW if lands_rows(table) else Severity.BLOCK


def _missing(table: Table, column: Column) -> Check:
    return Check(
        name=f"{column.name}.missing",
        type="missing",
        severity=_row_severity(table),
        stage=Stage.BATCH,
        column=column.name,
        expected="a value in every row",
        violated=f"{identifier(column.name)} is null",
        bad_row={column.name: None},
    )


def _invalid(table: Table, column: Column) -> Check:
    known = ", ".join(map(quoted, column.values))
    return Check(
        name=f"{column.name}.invalid",
        type="invalid",
        severity=_row_severity(table),
        stage=Stage.BATCH,
        column=column.name,
        expected=f"one of {', '.join(column.values)}",
        body={"valid_values": list(column.values)},
        violated=f"{identifier(column.name)} is not null and {identifier(column.name)} not in ({known})",
        bad_row={column.name: "__not_a_value__"},
    )


def _duplicate(table: Table) -> Check:
    return Check(
        name="key.duplicate",
        type="duplicate",
        severity=Severity.WARN,
        stage=Stage.TABLE,
        expected=f"one row per {', '.join(table.key)}",
        body={"columns": list(table.key)},
    )


def _freshness(table: Table, minutes: int) -> Check:
    column, covered_until = _covered_until(table)
    return Check(
        name=f"{column}.freshness",
        type="freshness",
        severity=Severity.WARN,
        stage=Stage.TABLE,
        column=column,
        expected=f"newest {column} at most {minutes} minutes old",
        body={
            "column": column,
            "column_expression": f"date_format({covered_until}, \"yyyy-MM-dd'T'HH:mm:ssXXX\")",
            "threshold": {"unit": "minute", "must_be_less_than_or_equal": minutes},
        }
        | ({"filter": "time_quality = 'plausible'"} if "time_quality" in table.column_names else {}),
    )


COVERED_UNTIL = {
    "event_time": "event_time",
    "hour": "hour + interval 1 hour",
    "day": "to_utc_timestamp(day + interval 1 day, time_zone)",
    "week": "to_utc_timestamp(week + interval 7 days, time_zone)",
    "month": "to_utc_timestamp(add_months(month, 1), time_zone)",
}
"""Until when a row's column speaks for: freshness is the age of that. As text with its offset in the contract, since Soda
would otherwise need Python's clock frozen to read timestamps in UTC."""


def _covered_until(table: Table) -> tuple[str, str]:
    for column, expression in COVERED_UNTIL.items():
        if column in table.column_names:
            return column, expression
    raise ConfigurationError(
        f"{table.name} has an sla but none of the columns {', '.join(COVERED_UNTIL)}", next_step="drop the sla or add the column"
    )


def _files(table: Table) -> Iterator[Path]:
    if lands_rows(table):
        yield CONTRACTS / "slices.yml"
        if table.layer is Layer.BRONZE:
            yield CONTRACTS / "bronze.yml"
            return
        yield CONTRACTS / "silver.yml"
    yield CONTRACTS / f"{table.name}.yml"


def _written(table: Table) -> Iterator[Check]:
    for path in _files(table):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ConfigurationError(f"contract file {path.name} cannot be read: {error}", next_step="write or mend it") from error
        if set(content) != {"checks"}:
            raise ConfigurationError(f"contract file {path.name} must hold `checks` and nothing else", next_step="move the rest away")
        for entry in content["checks"]:
            yield _check(path, table, entry)


WRITTEN_TYPES = ("failed_rows", "row_count", "aggregate", "metric")


def _check(path: Path, table: Table, entry: Mapping[str, Any]) -> Check:
    (type_, body), *others = entry.items()
    attributes = dict(body.get("attributes", {}))
    try:
        name, severity = body["name"], Severity(attributes.pop("severity"))
        stage = Stage(attributes.pop("stage", Stage.TABLE if severity is Severity.WARN else Stage.BATCH))
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"{path.name}: a {type_} check has no valid name, attributes.severity or attributes.stage: {error}",
            next_step=f"severity is one of {', '.join(Severity)}, stage one of {', '.join(Stage)}",
        ) from error
    form = {Severity.ROW: "expression", Severity.SLICE: "query"}.get(severity)
    if others or type_ not in WRITTEN_TYPES or (form and form not in body) or (severity is Severity.ROW and not lands_rows(table)):
        raise ConfigurationError(
            f"{path.name}: {name}: not a check that a contract file can hold",
            next_step=f"one of {', '.join(WRITTEN_TYPES)}; failed_rows with an expression for severity row (of a table that lands rows), "
            "with a query for severity slice",
        )
    expression = str(body.get("expression", ""))
    return Check(
        name=name,
        type=type_,
        severity=severity,
        stage=stage,
        column=attributes.pop("column", ""),
        expected=attributes.pop("expected", "") or (f"no row with {expression}" if expression else _default_expectation(type_)),
        body={key: value for key, value in body.items() if key not in ("name", "attributes")},
        violated=f"coalesce(({expression}), false)" if expression else "",
        bad_row=attributes.pop("bad_row", {}),
    )


def _default_expectation(type_: str) -> str:
    return "at least one row" if type_ == "row_count" else f"{type_} within its threshold"
