"""What an instance needs once its servers answer: catalog and views.

Does not belong here: starting servers, or data.
"""

from __future__ import annotations

from infra.probes import NotReady
from infra.services.registry import embedded
from lakehouse.settings import Settings, read_settings
from lakehouse.sources import declared_tables, load_sources
from lakehouse.stamp import Stamp, catalog_stamp, views_stamp

FOR_CATALOG = frozenset({"minio", "metastore", "spark"})
FOR_VIEWS = frozenset({"trino"})


def has_catalog(settings: Settings) -> bool:
    """Whether the catalog was made from the present declarations."""
    return _catalog(settings).is_current


def prepare(settings: Settings) -> None:
    """Bring catalog and views up to this version, as far as the servers for it run; quick where nothing has changed.

    Raises ConfigurationError where a table cannot be migrated to its declaration.
    """
    if not has_catalog(settings) and _are_up(settings, FOR_CATALOG):
        _make_catalog(settings)
    views = _views(settings)
    if not views.is_current and has_catalog(settings) and _are_up(settings, FOR_VIEWS):
        _make_views(settings)
        views.set()


def _catalog(settings: Settings) -> Stamp:
    return catalog_stamp(settings, declared_tables(load_sources(settings)))


def _views(settings: Settings) -> Stamp:
    from infra.views import views_sql

    return views_stamp(settings, declared_tables(load_sources(settings)), views_sql())


def _are_up(settings: Settings, names: frozenset[str]) -> bool:
    """Whether the embedded ones among these services answer; servers outside are taken to."""
    try:
        for service in embedded(read_settings(settings.home, user_only=True), names):
            service.probe(settings)
    except NotReady:
        return False
    return True


def _make_catalog(settings: Settings) -> None:
    from jobs.catalog import ensure_catalog
    from jobs.context import Context
    from lakehouse.ops.runs import Run

    context = Context(settings, Run("prepare", trigger="cli"))
    try:
        ensure_catalog(context)
    finally:
        context.close()


def _make_views(settings: Settings) -> None:
    from infra.views import create_views

    create_views(settings)
