"""The metrics that leave: their names, units and descriptions, made from the declarations of the ops tables.

Names and units follow OpenTelemetry's semantic conventions (general metric guidelines): lower case, dots between namespaces, no unit in the
name, UCUM units with annotations in braces.

All are gauges whose points bear the time of their fact. A sum over time of such points is exact in every backend, and a point that arrives
twice replaces itself; a delta sum is refused by Prometheus, and a cumulative one would need a state that outlives every restart.

Does not belong here: reading facts, or sending.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse.tables import table

SERVICE = "clearlake"
PIPELINE, TABLE, TENANT = f"{SERVICE}.pipeline", f"{SERVICE}.table", f"{SERVICE}.tenant"
DIMENSION, STATUS, SEVERITY = f"{SERVICE}.dimension", f"{SERVICE}.status", f"{SERVICE}.severity"

UNITS = {"rows": "{row}", "files": "{file}", "checks": "{check}", "bytes": "By", "s": "s"}
"""Units of declared columns as UCUM tells them."""


@dataclass(frozen=True)
class Instrument:
    """A metric.

    Args:
        name: of the metric.
        unit: in UCUM.
        description: what a point's value is.
    """

    name: str
    unit: str
    description: str


@dataclass(frozen=True)
class Point:
    """A value of a metric.

    Args:
        instrument: the metric.
        attributes: by name; without those that do not apply.
        time_us: when the fact was (microseconds since 1970, UTC).
        value: in the instrument's unit.
    """

    instrument: Instrument
    attributes: dict[str, str]
    time_us: int
    value: int | float


def _step_instruments() -> dict[str, Instrument]:
    return {
        column.name: Instrument(f"{SERVICE}.step.{column.name.removesuffix('_s')}", UNITS[column.unit], column.description)
        for column in table("ops.run_events").columns
        if column.unit
    }


ATTEMPTS = Instrument(f"{SERVICE}.step.attempts", "{attempt}", "1 for each attempt of a step that ended, by how.")
STEP = _step_instruments()
"""Metrics of an attempt, by the column of ops.run_log."""

MEASURED = {
    "rows": ("{row}", "Rows of the batch that were published."),
    "filled_rows": ("{row}", "Published rows with a value in the column that the dimension names."),
    "value_rows": ("{row}", "Published rows with the value of an enumeration that the dimension names."),
    "quarantined_rows": ("{row}", "Rows of the batch that were quarantined."),
    "held_back_rows": ("{row}", "Rows of the batch that were held back with their tenant's slice."),
    "duplicate_rows": ("{row}", "Rows of the batch that were there already."),
    "conflicting_rows": ("{row}", "Rows of the batch with another body under an id that is there already."),
    "not_applicable_rows": ("{row}", "Records of the batch that are not events of the table."),
    "implausible_rows": ("{row}", "Published rows whose event time is not plausible."),
    "tenants": ("{tenant}", "Distinct tenants of the batch."),
    "freshness_s": ("s", "Age of the newest events of the batch when it was measured."),
    "lateness_s": ("s", "Median time from event to ingestion."),
}
"""Unit and description of each value of `ops.metrics.metric` that leaves."""
TOLD_BY_ATTEMPTS = ("duration_s", "bytes")
"""Measurements that do not leave: their step's attempt tells the same."""
NOT_ADDED_UP = ("tenants", "freshness_s", "lateness_s")
"""Measurements of which parts of a batch make no sum."""


def _measured(namespace: str, about: str) -> dict[str, Instrument]:
    return {
        metric: Instrument(f"{SERVICE}.{namespace}.{metric.removesuffix('_s')}", unit, f"{description} {about}")
        for metric, (unit, description) in MEASURED.items()
    }


BATCH = _measured("batch", "All tenants together.")
"""Metrics of a batch as a whole, by the value of `ops.metrics.metric`."""
TENANT_PART = _measured("tenant", "One tenant's part.")
"""Metrics of a tenant's part of a batch; another name than the whole's, so that no sum counts a row twice."""

INCIDENTS_OPEN = Instrument(f"{SERVICE}.incident.open", "{incident}", "Incidents that are not resolved, at the time of the point.")

ALL = (ATTEMPTS, *STEP.values(), *BATCH.values(), *TENANT_PART.values(), INCIDENTS_OPEN)
"""Every metric that may leave."""
