"""Rows that keep a contract, made from the declaration alone, and views of them.

Does not belong here: rows that break a contract; each check names its own.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dq_checks import contract_for
from dq_checks.rendering import STAGED_COLUMNS
from jobs.bronze import broken
from lakehouse.tables import TABLES, Layer, Table, bronze_table

CONTRACTED = (bronze_table("okta", "data-team"), *(t for t in TABLES.values() if t.layer in (Layer.BRONZE, Layer.SILVER, Layer.GOLD)))

BY_TYPE: dict[str, Any] = {
    "string": "x",
    "long": 1,
    "int": 200,
    "double": 1.0,
    "boolean": True,
    "array<string>": ["x"],
    "map<string,string>": {"x": "y"},
}
BY_NAME: dict[str, Any] = {
    "user_key": "0123456789abcdef" * 4,
    "ip": "2001:db8::1",
    "country": "SE",
    "currency": "eur",
    "time_zone": "America/New_York",
    "failure_reason": None,
    "attempts": 2,
    "failure_ratio_30d": 0.0,
    "weeks_since": 0,
    **dict.fromkeys(("failures_1d", "failures_7d", "failures_30d"), 0),
    **dict.fromkeys(("distance_km", "speed_kmh", "speed_reason")),
}
INSTEAD = {"country": "country_reason"}
"""Columns that are null in a good row where the table has the other one, which then tells why."""


def good_row(table: Table, *, bare: bool = False, age: timedelta = timedelta(0)) -> dict[str, Any]:
    """A row of `age` ago that breaks no check; with `bare`, null wherever null is allowed."""
    now = datetime.now(UTC).replace(tzinfo=None) - age
    moments = {"timestamp": now, "date": now.date()}
    monday = now.date() - timedelta(days=now.weekday())
    by_name = BY_NAME | {
        "hour": now.replace(minute=0, second=0, microsecond=0),
        "cohort_week": monday,
        "week": monday,
        "month": now.date().replace(day=1),
    }
    row: dict[str, Any] = {}
    for column in table.columns:
        if (bare and not column.required and column.name not in INSTEAD.values()) or INSTEAD.get(column.name) in table.column_names:
            row[column.name] = None
        elif column.name in by_name and not (column.required and by_name[column.name] is None):
            row[column.name] = by_name[column.name]
        elif column.values:
            row[column.name] = column.values[0]
        else:
            row[column.name] = moments[column.type] if column.type in moments else BY_TYPE[column.type]
    return {**row, "_reasons": [], "_corrupt": None}


def view(spark: SparkSession, table: Table, rows: list[dict[str, Any]], name: str = "staged") -> str:
    """A temporary view of rows, in the staged form of the table: beside the reasons that a row brings, those of the rules it breaks."""
    ddl = f"{table.ddl}, {STAGED_COLUMNS}, _n long"
    names = [*table.column_names, "_reasons", "_corrupt"]
    data = [(*(_plain(row[column]) for column in names), n) for n, row in enumerate(rows)]
    reasons = F.concat("_reasons", broken(contract_for(table).row_rules))
    spark.createDataFrame(data, ddl).withColumn("_reasons", reasons).createOrReplaceTempView(name)
    return name


def _plain(value: Any) -> Any:
    return value if not isinstance(value, date) or isinstance(value, datetime) else date(value.year, value.month, value.day)
