"""The catalog, made from the declarations: schemas, tables, and the migration of tables that an older version made.

Does not belong here: data, or the SQL endpoint's views (infra).
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.context import Context
from lakehouse.delta import create_schemas, create_table, identifier, qualified, quoted
from lakehouse.errors import ConfigurationError
from lakehouse.ops.store import OpsWriter
from lakehouse.settings import Settings
from lakehouse.tables import TABLES, Layer, Table

CREATORS = 4


def declared_tables(context: Context) -> list[Table]:
    """Every table of the instance: the bronze ones of its sources, and all others."""
    return [*(source.bronze for source in context.sources.values()), *TABLES.values()]


def ensure_catalog(context: Context) -> bool:
    """Create what is missing and migrate what is older; once per version of the declarations. Returns whether anything was looked at."""
    tables = declared_tables(context)
    stamp, wanted = _stamp(context.settings), _fingerprint(tables)
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    OpsWriter(context.settings).create_tables()
    with context.infrastructure_errors():
        create_schemas(context.session, context.settings)
        with ThreadPoolExecutor(CREATORS) as pool:
            list(pool.map(lambda declared: _ensure(context.session, context.settings, declared), tables))
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    return True


def forget(settings: Settings) -> None:
    """Have the next `ensure_catalog` look at every table again."""
    _stamp(settings).unlink(missing_ok=True)


def _stamp(settings: Settings) -> Path:
    return settings.state_dir / "catalog"


def _fingerprint(tables: list[Table]) -> str:
    return hashlib.sha256(repr(tables).encode()).hexdigest()


def _ensure(session: SparkSession, settings: Settings, declared: Table) -> None:
    create_table(session, settings, declared)
    if declared.layer not in (Layer.OPS, Layer.CONTROL):
        migrate(session, declared)


def migrate(session: SparkSession, declared: Table) -> list[str]:
    """Add the columns that the declaration has and the table has not. Returns their names.

    Raises ConfigurationError for a change that would alter what is stored: a removed column or another type.
    """
    stored = {f.name: f.dataType.simpleString() for f in session.table(declared.name).schema.fields}
    wanted = {c.name: _simple(c.type) for c in declared.columns}
    refused = [f"column {name} is no longer declared" for name in stored if name not in wanted]
    refused += [f"column {n} is {stored[n]} and declared as {wanted[n]}" for n in stored if n in wanted and stored[n] != wanted[n]]
    if refused:
        raise ConfigurationError(
            f"{declared.name} cannot be migrated: {'; '.join(refused)}", next_step="declare a new column beside the old one"
        )
    missing = [c for c in declared.columns if c.name not in stored]
    if missing:
        added = ", ".join(f"{identifier(c.name)} {c.type} comment {quoted(c.comment)}" for c in missing)
        session.sql(f"alter table {qualified(declared)} add columns ({added})").collect()
    return [c.name for c in missing]


def _simple(type_: str) -> str:
    return {"long": "bigint"}.get(type_, type_)
