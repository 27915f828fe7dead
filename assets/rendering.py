"""Declarations as Dagster shows them: keys, column schemas, lineage, check specs and results.

Does not belong here: running anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from dq_checks import CheckResult, Verdict, contract_for
from lakehouse.delta import DeltaLog, address
from lakehouse.lineage.columns import ColumnEdge
from lakehouse.settings import settings
from lakehouse.sources import Source
from lakehouse.tables import Table

CHECK_SEVERITY = {"block": dg.AssetCheckSeverity.ERROR, "slice": dg.AssetCheckSeverity.ERROR}


def key_of(name: str) -> dg.AssetKey:
    """The asset key of a table."""
    return dg.AssetKey(name.split("."))


def name_of(key: dg.AssetKey) -> str:
    """The table of an asset key."""
    return ".".join(key.path)


def landing_key(source: Source) -> dg.AssetKey:
    """The asset key of a source's landed files."""
    return dg.AssetKey(["landing", source.name])


def landing_spec(source: Source) -> dg.AssetSpec:
    """Landed files: what others put there, or what is pulled out of a database."""
    return dg.AssetSpec(
        landing_key(source),
        description=source.description,
        group_name="landing",
        owners=[f"team:{source.owner}"],
        kinds={"s3", "file"},
        metadata={"dagster/uri": settings().landing_uri(f"{source.name}/")},
    )


def table_spec(declared: Table, deps: Iterable[dg.AssetKey], lineage: Mapping[str, list[dg.TableColumnDep]]) -> dg.AssetSpec:
    """A table as an asset, rendered from its declaration."""
    columns = [
        dg.TableColumn(
            c.name,
            c.type,
            description=c.comment,
            constraints=dg.TableColumnConstraints(nullable=not c.required, other=["PII"] if c.pii else []),
            tags={"pii": ""} if c.pii else {},
        )
        for c in declared.columns
    ]
    return dg.AssetSpec(
        key_of(declared.name),
        deps=list(deps),
        skippable=True,
        description=_description(declared),
        group_name=declared.layer.value,
        owners=[f"team:{declared.owner}"],
        kinds={"spark", "deltalake", "s3"},
        code_version=str(declared.definition.version) if declared.definition else None,
        metadata={
            "dagster/table_name": declared.name,
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/column_lineage": dg.TableColumnLineage(deps_by_column=dict(lineage)),
            "dagster/uri": address(settings(), declared),
        },
    )


def _description(declared: Table) -> str:
    if declared.definition is None:
        return declared.description
    return f"{declared.description}\n\n**Formula.** {declared.definition.formula}\n\n**Late data.** {declared.definition.late_data}"


def column_deps(edges: Iterable[ColumnEdge]) -> dict[str, list[dg.TableColumnDep]]:
    """Column edges as Dagster takes them; it has no place for those that decide which rows there are."""
    found: dict[str, list[dg.TableColumnDep]] = {}
    for edge in sorted(edges, key=str):
        if edge.output_column is not None:
            found.setdefault(edge.output_column, []).append(dg.TableColumnDep(key_of(edge.input_name), edge.input_column))
    return found


def check_specs(declared: Table) -> list[dg.AssetCheckSpec]:
    """One asset check per check of the table's contract."""
    return [
        dg.AssetCheckSpec(check_id(check.name), asset=key_of(declared.name), description=check.expected)
        for check in contract_for(declared).checks
    ]


def check_id(name: str) -> str:
    """A check's name in Dagster's alphabet."""
    return "".join(c if c.isalnum() else "_" for c in name)


def check_results(verdicts: Iterable[tuple[Table, Verdict]]) -> Iterator[dg.AssetCheckResult]:
    """Each check once, at its worst among the batches of the step."""
    order = ("passed", "warned", "failed", "not_evaluated")
    worst: dict[tuple[str, str], CheckResult] = {}
    for declared, verdict in verdicts:
        for result in verdict.results:
            key = (declared.name, result.check_name)
            if key not in worst or order.index(result.outcome) > order.index(worst[key].outcome):
                worst[key] = result
    for (name, check), result in worst.items():
        yield dg.AssetCheckResult(
            passed=result.outcome == "passed",
            check_name=check_id(check),
            asset_key=key_of(name),
            severity=CHECK_SEVERITY.get(result.severity, dg.AssetCheckSeverity.WARN),
            metadata={
                "outcome": result.outcome.value,
                "expected": result.expected or "",
                "observed": float(result.observed or 0),
                "rows tested": int(result.rows_tested or 0),
                "rows failed": int(result.rows_failed or 0),
            },
        )


def materialized(declared: Table, facts: Mapping[str, int | str]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """A table as just written: total rows, Delta version, and what the step counted."""
    log = DeltaLog(settings(), declared)
    return dg.MaterializeResult(
        asset_key=key_of(declared.name),
        metadata={"dagster/row_count": log.row_count(), "Delta version": log.version, **facts},
    )
