"""The catalog, made from the declarations: schemas, tables, and the migration of tables that an older version made.

Does not belong here: data, what a migration consists of (lakehouse.tables.migration), or the SQL endpoint's views (infra).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from jobs.context import Context
from lakehouse.delta import DeltaLog, address, create_table, migrate_table, register_tables
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.metastore import HiveError, Metastore
from lakehouse.ops.store import OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import declared_tables
from lakehouse.spark import tune
from lakehouse.stamp import catalog_stamp
from lakehouse.tables import SPARK_LAYERS, Layer, Table
from lakehouse.tables.migration import Migration

CREATORS = 4


def ensure_catalog(context: Context) -> bool:
    """Create what is missing and migrate what is older; once per version of the declarations. Returns whether anything was looked at.

    Raises ConfigurationError as `make_tables` does.
    """
    tables = declared_tables(context.sources)
    stamp = catalog_stamp(context.settings, tables)
    if stamp.is_current:
        return False
    make_tables(context, tables)
    stamp.set()
    return True


def make_tables(context: Context, tables: Sequence[Table]) -> None:
    """Create the tables that are missing and migrate those that are not as declared.

    Each change is a commit of its own that leads towards the declaration: where this is interrupted, doing it again does the rest.

    Raises:
        ConfigurationError: some tables cannot be migrated; it names all of them with all reasons, and nothing was changed.
    """
    migrations = _migrations(context.settings, tables)
    _refuse([m for m in migrations if m.refusals])
    facts = [t for t in tables if t.layer not in SPARK_LAYERS]
    writer = OpsWriter(context.settings)
    writer.create_tables(facts)
    for migration in (m for m in migrations if m.declared in facts):
        writer.migrate_table(migration)
    with context.infrastructure_errors():
        made = {t.name for t in facts} | {m.declared.name for m in migrations}
        with ThreadPoolExecutor(CREATORS) as pool:
            list(pool.map(lambda declared: create_table(context.settings, declared), (t for t in tables if t.name not in made)))
        _register(context, tables)
        for migration in (m for m in migrations if m.declared not in facts):
            _migrate(context, migration)


def _migrations(settings: Settings, tables: Sequence[Table]) -> list[Migration]:
    with ThreadPoolExecutor(CREATORS) as pool:
        stored = pool.map(lambda declared: DeltaLog(settings, declared).stored(), tables)
        return [Migration(declared, found) for declared, found in zip(tables, stored, strict=True) if found]


def _refuse(migrations: Sequence[Migration]) -> None:
    if migrations:
        reasons = "; ".join(f"{m.declared.name}: {reason}" for m in migrations for reason in m.refusals)
        raise ConfigurationError(
            f"No table was changed, because some cannot be migrated to their declarations. {reasons}.",
            next_step="take these changes back; declare a new column beside the old one, or name the old one in `was` to rename it",
        )


def _register(context: Context, tables: Sequence[Table]) -> None:
    settings = context.settings
    if settings.metastore_uri is None:
        register_tables(context.session, settings, tables)
        return
    try:
        with Metastore(settings.metastore_uri) as catalog:
            for layer in Layer:
                catalog.create_schema(layer.value, settings.lake_uri(layer.value))
            for declared in tables:
                catalog.create_delta_table(declared.name, address(settings, declared), declared.description)
    except HiveError as error:
        raise InfrastructureError(f"the metastore did not take the catalog: {error}", next_step="run `lakehouse status`") from error


def _migrate(context: Context, migration: Migration) -> None:
    if migration.rewrites:
        tune(context.session, DeltaLog(context.settings, migration.declared).row_count())
    migrate_table(context.session, context.settings, migration)
