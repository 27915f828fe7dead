"""The views that clients find in Trino, made from SQL that lies beside the tables it reads.

Does not belong here: the SQL itself (lakehouse).
"""

from __future__ import annotations

import logging
from importlib.resources import files

from infra.trino_access import DDL_CATALOG, RUN_LOG_VIEW
from infra.trino_client import RefusedQuery, query
from lakehouse.settings import Settings, read_settings

log = logging.getLogger("lakehouse")


def create_views(settings: Settings) -> None:
    """Make or replace `ops.run_log`, over the append-only events of runs.

    A Trino outside may have no catalog that writes views: then the view is left out, and the log says so.

    Raises TrinoProblem where Trino does not answer, or the embedded one refuses.
    """
    schema, view = RUN_LOG_VIEW
    try:
        create_view(settings, schema, view, run_log_sql())
    except RefusedQuery as error:
        if not is_outside(settings):
            raise
        log.warning(
            "%s:%d has no view %s.%s (%s). All tables are there; for the view give it a catalog %s: see \"Your own servers\" in README.md",
            settings.trino_host, settings.trino_port, schema, view, error.message, DDL_CATALOG,
        )  # fmt: skip


def is_outside(settings: Settings) -> bool:
    """Whether the user has named a Trino of their own."""
    return read_settings(settings.home, user_only=True).trino_host is not None


def run_log_sql() -> str:
    """What `ops.run_log` selects."""
    return files("lakehouse.ops").joinpath("run_log.sql").read_text()


def create_view(settings: Settings, schema: str, view: str, select: str) -> None:
    """Make or replace a view that everyone reads with their own rights.

    It is written through the catalog that may write it; its names resolve in the one that people read.
    """
    body = select.strip().rstrip(";")
    query(settings, f"CREATE OR REPLACE VIEW {DDL_CATALOG}.{schema}.{view} SECURITY INVOKER AS\n{body}")
