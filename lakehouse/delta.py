"""Delta tables that Spark writes: creating them, committing to them once, and reading their log without Spark.

Does not belong here: what the rows mean, or the tables that delta-rs writes (lakehouse.ops.store).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from botocore.exceptions import ClientError
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lakehouse import delta_rs
from lakehouse.arrow import arrow_schema
from lakehouse.delta_rs import open_table
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import s3_client
from lakehouse.tables import Column, Layer, Table
from lakehouse.tables.migration import Migration, StoredColumn, StoredTable

IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]*$")
UNINDEXED_TYPES = ("map", "array", "struct", "boolean")
TRANSACTION_VERSION = 1
VERSIONS_KEPT = timedelta(days=7)
"""How long an old version of a table can be read, and its commits stay in the log."""
HISTORY_SEARCHED = 500


@dataclass(frozen=True)
class Commit:
    """What one commit did: its version, Delta's own operation metrics, and the facts that the writer attached."""

    version: int
    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]

    def count(self, metric: str) -> int:
        """A metric as a number; 0 where the operation does not report it."""
        return int(self.metrics.get(metric) or 0)


@dataclass(frozen=True)
class Changes:
    """What changed in a table's data between two versions.

    Args:
        version: the newer version.
        added, removed: addresses (`s3a://`) of data files; one that came and went between the two is in both.
        partitions: their partition values, each a mapping of column to text.
    """

    version: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    partitions: tuple[Mapping[str, str], ...]

    @property
    def files(self) -> tuple[str, ...]:
        """All of these files."""
        return self.added + self.removed


def quoted(value: str) -> str:
    """A text as a Spark SQL literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def on_days(column: str, days: Iterable[date | str]) -> str:
    """A predicate on a column of dates; days as dates or in ISO 8601."""
    return f"{column} in ({', '.join(f'date{quoted(str(day))}' for day in days)})"


def identifier(name: str) -> str:
    """A validated identifier in back-ticks. Raises ConfigurationError where it is none."""
    if not IDENTIFIER.match(name):
        raise ConfigurationError(f"{name!r} is no identifier", next_step="use lower-case letters, digits and _")
    return f"`{name}`"


def qualified(table: Table) -> str:
    """`schema`.`table` for Spark SQL."""
    return ".".join(map(identifier, table.name.split(".")))


def address(settings: Settings, table: Table) -> str:
    """The table's `s3a://` address."""
    return settings.lake_uri(table.key_prefix)


def create_table(settings: Settings, table: Table) -> None:
    """Make a table that has no log yet; without Spark, which takes a second for it. Every column takes nulls: contracts judge rows."""
    nullable = pa.schema([field.with_nullable(True) for field in arrow_schema(table)])
    delta_rs.create_table(settings, table, nullable, _properties(table))
    _write_checksum(settings, table)


def _write_checksum(settings: Settings, table: Table) -> None:
    """Say what a table that was just made is, as Delta's protocol has it ("Version Checksum File"). delta-rs writes no such file.

    Without it, Spark's first commit to the table replays the log in five further jobs.
    """
    client, log = s3_client(settings), f"{table.key_prefix}/_delta_log/{0:020d}"
    committed = client.get_object(Bucket=settings.lake_bucket, Key=f"{log}.json")["Body"].read()
    actions: dict[str, Any] = {kind: action for line in committed.splitlines() for kind, action in orjson.loads(line).items()}
    empty: dict[str, Any] = {"tableSizeBytes": 0, "numFiles": 0, "setTransactions": [], "domainMetadata": [], "allFiles": []}
    known = {"numMetadata": 1, "numProtocol": 1, "metadata": actions["metaData"], "protocol": actions["protocol"]}
    client.put_object(Bucket=settings.lake_bucket, Key=f"{log}.crc", Body=orjson.dumps(empty | known))


def register_tables(session: SparkSession, settings: Settings, tables: Iterable[Table]) -> None:
    """Put tables that have their logs into the catalog behind Spark, with the schemas, one per layer.

    For a catalog that is no Hive metastore, or not known as one here; else lakehouse.metastore does the same at once.
    """
    for layer in Layer:
        session.sql(f"create schema if not exists {identifier(layer.value)} location {quoted(settings.lake_uri(layer.value))}").collect()
    for table in tables:
        session.sql(f"create table if not exists {qualified(table)} using delta location {quoted(address(settings, table))}").collect()


def migrate_table(session: SparkSession, settings: Settings, migration: Migration) -> None:
    """Bring a table and its comments in step with its declaration; nothing is written where they are.

    Rows are written anew, in one commit, only where columns are renamed or widened or the partitions are others: what readers of Delta
    can read stays the same.
    """
    if migration.rewrites:
        _rewrite(session, settings, migration)
    else:
        for change in _alterations(migration):
            session.sql(change).collect()


def _rewrite(session: SparkSession, settings: Settings, migration: Migration) -> None:
    table, rows = migration.declared, session.table(migration.declared.name)
    view = f"{table.short_name}_migrated"
    columns = []
    for column in table.columns:
        origin = migration.origin.get(column.name)
        values = rows[origin.name] if origin else F.lit(None)
        columns.append(values.cast(column.type).alias(column.name, metadata={"comment": column.comment}))
    rows.select(*columns).createOrReplaceTempView(view)
    try:
        session.sql(f"create or replace table {qualified(table)} {_storage(settings, table)} as select * from {identifier(view)}").collect()
    finally:
        session.catalog.dropTempView(view)


def _alterations(migration: Migration) -> list[str]:
    table, stored = migration.declared, migration.stored
    altered, changes = f"alter table {qualified(table)}", []
    if migration.added:
        changes.append(f"{altered} add columns ({', '.join(map(_column, migration.added))})")
    if migration.commented:
        comments = ", ".join(f"{identifier(c.name)} comment {quoted(c.comment)}" for c in migration.commented)
        changes.append(f"{altered} alter column {comments}")
    if any(stored.properties.get(name) != value for name, value in _properties(table).items()):
        changes.append(f"{altered} set tblproperties ({_rendered(_properties(table))})")
    if stored.description != table.description:
        changes.append(f"comment on table {qualified(table)} is {quoted(table.description)}")
    return changes


def _column(column: Column) -> str:
    return f"{identifier(column.name)} {column.type} comment {quoted(column.comment)}"


def _storage(settings: Settings, table: Table) -> str:
    partitions = f"partitioned by ({', '.join(map(identifier, table.partition_by))})" if table.partition_by else ""
    return (
        f"using delta {partitions} comment {quoted(table.description)} location {quoted(address(settings, table))} "
        f"tblproperties ({_rendered(_properties(table))})"
    )


def _properties(table: Table) -> dict[str, str]:
    return {
        "delta.dataSkippingStatsColumns": ",".join(_indexed(table)),
        "delta.enableDeletionVectors": "false",
        "delta.logRetentionDuration": f"interval {VERSIONS_KEPT.days} days",
        "delta.setTransactionRetentionDuration": "interval 90 days",
    }


def _rendered(properties: Mapping[str, str]) -> str:
    return ", ".join(f"{quoted(name)} = {quoted(value)}" for name, value in properties.items())


def _indexed(table: Table) -> list[str]:
    return [c.name for c in table.columns if not c.pii and c.name not in table.partition_by and not c.type.startswith(UNINDEXED_TYPES)]


def append(rows: DataFrame, settings: Settings, table: Table, transaction: str, facts: Mapping[str, Any]) -> None:
    """Append rows in one commit that happens once per transaction id, however often it is tried."""
    _writer(rows, table, transaction, TRANSACTION_VERSION, facts).mode("append").save(address(settings, table))


def replace(
    rows: DataFrame, settings: Settings, table: Table, where: str | None, transaction: str, version: int, facts: Mapping[str, Any]
) -> None:
    """Replace the rows that satisfy a predicate, or all of them, unless the transaction id is at that version already."""
    writer = _writer(rows, table, transaction, version, facts).mode("overwrite")
    (writer.option("replaceWhere", where) if where else writer).save(address(settings, table))


def _writer(rows: DataFrame, table: Table, transaction: str, version: int, facts: Mapping[str, Any]) -> Any:
    # By its address: by its name, each overwrite also rewrites the catalog's entry, which a Hive metastore refuses at first.
    writer = rows.select(*table.column_names).write.format("delta")
    writer = writer.option("txnAppId", transaction).option("txnVersion", str(version)).option("userMetadata", json.dumps(dict(facts)))
    return writer.partitionBy(*table.partition_by) if table.partition_by else writer


def run_once(session: SparkSession, statement: str, transaction: str, facts: Mapping[str, Any]) -> None:
    """Run a MERGE or DELETE as one commit that happens once per transaction id."""
    conf = {
        "spark.databricks.delta.write.txnAppId": transaction,
        "spark.databricks.delta.write.txnVersion": str(TRANSACTION_VERSION),
        "spark.databricks.delta.commitInfo.userMetadata": json.dumps(dict(facts)),
    }
    for key, value in conf.items():
        session.conf.set(key, value)
    try:
        session.sql(statement).collect()
    finally:
        for key in conf:
            session.conf.unset(key)


class DeltaLog:
    """The log of a table, read straight from the store: versions, transactions, commits, changes."""

    def __init__(self, settings: Settings, table: Table) -> None:
        self._settings = settings
        self._table = table
        try:
            self._opened: DeltaTable | None = open_table(settings, table)
        except TableNotFoundError:
            self._opened = None
        except (DeltaError, OSError) as error:
            raise InfrastructureError(f"cannot read the log of {table.name}: {error}", next_step="run `lakehouse doctor`") from error

    @property
    def version(self) -> int:
        """The table's version; -1 where it does not exist."""
        return self._opened.version() if self._opened else -1

    def stored(self) -> StoredTable | None:
        """Columns, partitions, comments and properties as the log tells them; None where the table does not exist."""
        if self._opened is None:
            return None
        about, fields = self._opened.metadata(), StructType.fromJson(json.loads(self._opened.schema().to_json())).fields
        columns = (StoredColumn(f.name, f.dataType.simpleString(), f.metadata.get("comment", ""), f.nullable) for f in fields)
        return StoredTable(tuple(columns), tuple(about.partition_columns), about.description or "", about.configuration)

    def row_count(self, days: Collection[date] | None = None) -> int:
        """Rows of the table, or of these days where it is partitioned by day, from the statistics of its files."""
        if self._opened is None:
            return 0
        files = self._files()
        if days is not None:
            partition = files.column(f"partition.{self._table.partition_by[0]}").cast(pa.string())
            files = files.filter(pc.is_in(partition, pa.array([day.isoformat() for day in days], pa.string())))
        return int(pc.sum(files.column("num_records")).as_py() or 0)

    def days(self) -> set[date]:
        """Days that the table has files of; it is partitioned by day."""
        if self._opened is None:
            return set()
        days = self._files().column(f"partition.{self._table.partition_by[0]}").cast(pa.string())
        return {date.fromisoformat(day) for day in pc.unique(days).to_pylist()}

    def crowded(self, most: int) -> tuple[str, ...] | None:
        """Days of the table, as text, that have more files than `most`; () where none has.

        For a table without partitions: None where it has more files than that.
        """
        if self._opened is None:
            return ()
        files = self._files()
        if not self._table.partition_by:
            return None if files.num_rows > most else ()
        days = Counter(files.column(f"partition.{self._table.partition_by[0]}").cast(pa.string()).to_pylist())
        return tuple(sorted(day for day, count in days.items() if count > most))

    def _files(self) -> pa.Table:
        assert self._opened is not None
        return pa.table(self._opened.get_add_actions(flatten=True))

    def transaction(self, transaction: str) -> int | None:
        """The last version that was committed under a transaction id."""
        return self._opened.transaction_version(transaction) if self._opened else None

    def commit_of(self, transaction: str, version: int = TRANSACTION_VERSION) -> Commit | None:
        """The commit that a transaction made; None where it was not made or is no longer in the log."""
        if self._opened is None or self.transaction(transaction) != version:
            return None
        for entry in self._opened.history(HISTORY_SEARCHED):
            facts = orjson.loads(entry.get("userMetadata") or b"{}")
            if facts.get("transaction") == transaction and facts.get("version", version) == version:
                return Commit(entry["version"], entry.get("operationMetrics") or {}, facts)
        return None

    def changes_since(self, version: int) -> Changes | None:
        """What changed after a version, up to this log's; None where that cannot be told.

        It cannot where the log no longer reaches back to the version, or where all rows were written anew under other columns.
        """
        client = s3_client(self._settings)
        actions: list[dict[str, Any]] = []
        for number in range(version + 1, self.version + 1):
            key = f"{self._table.key_prefix}/_delta_log/{number:020d}.json"
            try:
                body = client.get_object(Bucket=self._settings.lake_bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    return None
                raise
            committed = [orjson.loads(line) for line in body.splitlines()]
            if any("metaData" in a for a in committed) and any("remove" in a for a in committed):
                return None
            actions += committed
        return self._changes(actions)

    def _changes(self, actions: Sequence[Mapping[str, Any]]) -> Changes:
        added, removed = ([a[kind] for a in actions if kind in a and a[kind].get("dataChange", True)] for kind in ("add", "remove"))
        partitions = {tuple(sorted((m.get("partitionValues") or {}).items())): m.get("partitionValues") or {} for m in (*added, *removed)}
        root = address(self._settings, self._table)
        paths = [tuple(f"{root}/{m['path']}" for m in moved) for moved in (added, removed)]
        return Changes(self.version, paths[0], paths[1], tuple(partitions.values()))


class DeltaLogs:
    """The logs of tables as they are when first asked for, each opened once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: dict[str, DeltaLog] = {}

    def __getitem__(self, table: Table) -> DeltaLog:
        """The log of a table."""
        if table.name not in self._opened:
            self._opened[table.name] = DeltaLog(self.settings, table)
        return self._opened[table.name]
