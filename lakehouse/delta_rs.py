"""Delta tables made and opened without Spark: their address, and tables that stay open between uses.

Does not belong here: what is read from them or appended to them.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable

from lakehouse.settings import Settings
from lakehouse.store import delta_rs_options
from lakehouse.tables import Table


def table_uri(settings: Settings, declared: Table) -> str:
    """Address of a table for delta-rs."""
    return f"s3://{settings.lake_bucket}/{declared.key_prefix}"


def open_table(settings: Settings, declared: Table) -> DeltaTable:
    """A table at its newest version. Raises deltalake's TableNotFoundError where there is none."""
    return DeltaTable(table_uri(settings, declared), storage_options=delta_rs_options(settings))


def create_table(settings: Settings, declared: Table, schema: pa.Schema, properties: Mapping[str, str]) -> None:
    """Make a table that has no log yet; nothing where it has one."""
    DeltaTable.create(
        table_uri(settings, declared),
        schema=schema,
        mode="ignore",
        partition_by=list(declared.partition_by),
        description=declared.description,
        configuration=dict(properties),
        storage_options=delta_rs_options(settings),
    )


class OpenTables:
    """Tables that stay open, for as long as the store's keys hold: bringing one up to date takes a tenth of opening it.

    Not safe to share between threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options: dict[str, str] = {}
        self._tables: dict[str, DeltaTable] = {}

    def newest(self, declared: Table) -> DeltaTable:
        """The table, brought up to its newest version. Raises deltalake's TableNotFoundError where there is none."""
        options = delta_rs_options(self._settings)
        if options != self._options:
            self._options = options
            self._tables.clear()
        opened = self._tables.pop(declared.name, None)
        if opened is None:
            opened = open_table(self._settings, declared)
        else:
            opened.update_incremental()
        self._tables[declared.name] = opened
        return opened

    def forget(self, declared: Table) -> None:
        """Open the table anew at its next use."""
        self._tables.pop(declared.name, None)
