"""Delta tables that Spark writes: creating them, committing to them once, and reading their log without Spark.

Does not belong here: what the rows mean, or the tables that delta-rs writes (lakehouse.ops.store).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from botocore.exceptions import ClientError
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyspark.sql import DataFrame, SparkSession

from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import delta_rs_options, s3_client
from lakehouse.tables import Layer, Table

IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]*$")
UNINDEXED_TYPES = ("map", "array", "struct", "boolean")
TRANSACTION_VERSION = 1
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
        files: addresses (`s3a://`) of data files that were added or removed.
        partitions: their partition values, each a mapping of column to text.
    """

    version: int
    files: tuple[str, ...]
    partitions: tuple[Mapping[str, str], ...]


def quoted(value: str) -> str:
    """A text as a Spark SQL literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


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


def create_schemas(session: SparkSession, settings: Settings) -> None:
    """Create the catalog's schemas, one per layer."""
    for layer in Layer:
        session.sql(f"create schema if not exists {identifier(layer.value)} location {quoted(settings.lake_uri(layer.value))}").collect()


def create_table(session: SparkSession, settings: Settings, table: Table) -> None:
    """Put a table into the catalog, creating it where it has no files yet.

    Tables of ops and control have their files from delta-rs; for them only the catalog entry is made.
    """
    location = f"location {quoted(address(settings, table))}"
    if table.layer in (Layer.OPS, Layer.CONTROL):
        session.sql(f"create table if not exists {qualified(table)} using delta {location}").collect()
        return
    columns = ", ".join(f"{identifier(c.name)} {c.type} comment {quoted(c.comment)}" for c in table.columns)
    partitions = f"partitioned by ({', '.join(map(identifier, table.partition_by))})" if table.partition_by else ""
    properties = {
        "delta.dataSkippingStatsColumns": ",".join(_indexed(table)),
        "delta.enableDeletionVectors": "false",
        "delta.setTransactionRetentionDuration": "interval 90 days",
    }
    rendered = ", ".join(f"{quoted(k)} = {quoted(v)}" for k, v in properties.items())
    session.sql(
        f"create table if not exists {qualified(table)} ({columns}) using delta {partitions} "
        f"comment {quoted(table.description)} {location} tblproperties ({rendered})"
    ).collect()


def _indexed(table: Table) -> list[str]:
    return [c.name for c in table.columns if not c.pii and c.name not in table.partition_by and not c.type.startswith(UNINDEXED_TYPES)]


def append(rows: DataFrame, table: Table, transaction: str, facts: Mapping[str, Any]) -> None:
    """Append rows in one commit that happens once per transaction id, however often it is tried."""
    _writer(rows, table, transaction, TRANSACTION_VERSION, facts).mode("append").saveAsTable(table.name)


def replace(rows: DataFrame, table: Table, where: str | None, transaction: str, version: int, facts: Mapping[str, Any]) -> None:
    """Replace the rows that satisfy a predicate, or all of them, unless the transaction id is at that version already."""
    writer = _writer(rows, table, transaction, version, facts).mode("overwrite")
    (writer.option("replaceWhere", where) if where else writer).saveAsTable(table.name)


def _writer(rows: DataFrame, table: Table, transaction: str, version: int, facts: Mapping[str, Any]) -> Any:
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
            self._opened: DeltaTable | None = DeltaTable(
                f"s3://{settings.lake_bucket}/{table.key_prefix}", storage_options=delta_rs_options(settings), without_files=True
            )
        except TableNotFoundError:
            self._opened = None
        except (DeltaError, OSError) as error:
            raise InfrastructureError(f"cannot read the log of {table.name}: {error}", next_step="run `lakehouse doctor`") from error

    @property
    def version(self) -> int:
        """The table's version; -1 where it does not exist."""
        return self._opened.version() if self._opened else -1

    def row_count(self) -> int:
        """Rows of the table, from the statistics of its files."""
        return sum(n or 0 for n in self._files().column("num_records").to_pylist()) if self._opened else 0

    def file_counts(self) -> tuple[int, int]:
        """Data files of the table, and the partitions that they are in."""
        if self._opened is None:
            return 0, 0
        files = self._files()
        columns = [f"partition.{name}" for name in self._table.partition_by]
        return files.num_rows, files.group_by(columns).aggregate([]).num_rows if columns else 1

    def _files(self) -> pa.Table:
        assert self._opened is not None
        whole = DeltaTable(self._opened.table_uri, storage_options=delta_rs_options(self._settings))
        return pa.table(whole.get_add_actions(flatten=True))

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
        """What changed after a version, up to this log's; None where the log no longer reaches back to it."""
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
            actions += [orjson.loads(line) for line in body.splitlines()]
        return self._changes(actions)

    def _changes(self, actions: Sequence[Mapping[str, Any]]) -> Changes:
        moved = [a.get("add") or a.get("remove") for a in actions]
        data = [m for m in moved if m and m.get("dataChange", True)]
        partitions = {tuple(sorted((m.get("partitionValues") or {}).items())): m.get("partitionValues") or {} for m in data}
        root = address(self._settings, self._table)
        return Changes(self.version, tuple(f"{root}/{m['path']}" for m in data), tuple(partitions.values()))
