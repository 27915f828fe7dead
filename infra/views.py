"""The views that clients find in Trino, made from SQL that lies beside the tables it reads.

Does not belong here: the SQL itself (lakehouse).
"""

from __future__ import annotations

from importlib.resources import files

from infra.trino_access import DDL_CATALOG, RUN_LOG_VIEW
from infra.trino_client import query
from lakehouse.settings import Settings


def create_views(settings: Settings) -> None:
    """Make or replace `ops.run_log`, over the append-only events of runs."""
    schema, view = RUN_LOG_VIEW
    create_view(settings, schema, view, files("lakehouse.ops").joinpath("run_log.sql").read_text())


def create_view(settings: Settings, schema: str, view: str, select: str) -> None:
    """Make or replace a view that everyone reads with their own rights.

    It is written through the catalog that may write it; its names resolve in the one that people read.
    """
    body = select.strip().rstrip(";")
    query(settings, f"CREATE OR REPLACE VIEW {DDL_CATALOG}.{schema}.{view} SECURITY INVOKER AS\n{body}")
