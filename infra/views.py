"""The views that clients find in Trino, made from SQL that lies beside the tables it reads.

Does not belong here: the SQL itself (lakehouse).
"""

from __future__ import annotations

import logging

from infra.trino_access import DDL_CATALOG
from infra.trino_client import RefusedQuery, query
from lakehouse.ops.views import VIEWS
from lakehouse.settings import Settings, read_settings

log = logging.getLogger("lakehouse")


def create_views(settings: Settings) -> None:
    """Make or replace the views over the append-only ops tables.

    A Trino outside may have no catalog that writes views: then they are left out, and the log says so.

    Raises TrinoProblem where Trino does not answer, or the embedded one refuses.
    """
    try:
        for name, view in VIEWS.items():
            create_view(settings, name, view.sql)
    except RefusedQuery as error:
        if not is_outside(settings):
            raise
        log.warning(
            "%s:%d has no views %s (%s). All tables are there; for the views give it a catalog %s: see \"Your own servers\" in README.md",
            settings.trino_host, settings.trino_port, ", ".join(VIEWS), error.message, DDL_CATALOG,
        )  # fmt: skip


def is_outside(settings: Settings) -> bool:
    """Whether the user has named a Trino of their own."""
    return read_settings(settings.home, user_only=True).trino_host is not None


def views_sql() -> str:
    """What all views select."""
    return "".join(view.sql for view in VIEWS.values())


def create_view(settings: Settings, name: str, select: str) -> None:
    """Make or replace a view that everyone reads with their own rights.

    It is written through the catalog that may write it; its names resolve in the one that people read.
    """
    body = select.strip().rstrip(";")
    query(settings, f"CREATE OR REPLACE VIEW {DDL_CATALOG}.{name} SECURITY INVOKER AS\n{body}")
