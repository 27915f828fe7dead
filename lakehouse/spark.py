"""The one place that makes a Spark session.

Does not belong here: Delta reads and writes (lakehouse.delta), or starting a server (infra).
"""

from __future__ import annotations

import socket
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import grpc
from pyspark.errors import PySparkException
from pyspark.errors.exceptions.connect import SparkConnectException, SparkConnectGrpcException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.connect import proto
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.storagelevel import StorageLevel

from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings

DEFAULT_PORT = 15002
CONNECT_TIMEOUT_S = 5
MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What results rest on, set in each session since a server outside may be set up otherwise.

Another zone would shift every time without one; without ANSI a value that does not fit would become null or wrap around in silence.
Spark's own default for timestamps, INT96, has no statistics in a file, and other readers refuse its years beyond 2262.
"""
CONNECT_RETRIES = 4
"""With waits that grow to some seconds; the client's own default asks a dead server for ten minutes."""
GONE = ("UNAVAILABLE", "Connection refused", "INVALID_HANDLE", "Socket closed", "failed to connect", "session_closed", "CANCELLED")
METASTORE_ERRORS = ("HiveException", "MetaException", "TTransportException", "Could not connect to meta store")
RACE_LOST = "another run wrote the table at the same time"
BEHIND_SPARK: Mapping[str, tuple[str, ...]] = {
    "the metastore did not answer": METASTORE_ERRORS,
    "the store did not answer": (
        "AWSClientIOException", "SdkClientException", "NoHttpResponse", "ConnectException", "UnknownHostException",
        "Unable to execute HTTP request", "AWSServiceIOException", "AWSStatus500Exception", "AWSServiceThrottledException",
    ),
    RACE_LOST: ("DELTA_CONCURRENT_", "DELTA_METADATA_CHANGED", "ConcurrentTransactionException"),
}  # fmt: skip
"""What a step that Spark could not finish is waiting for, and the words in Spark's errors that tell it."""


def connect(settings: Settings) -> SparkSession:
    """A fresh session on the instance's Spark Connect server; its temporary views are its own.

    Raises ConfigurationError where no server is configured, InfrastructureError where it does not answer.
    """
    if not settings.spark_remote:
        raise ConfigurationError("no Spark server is known", next_step="run `lakehouse up`, or set LAKEHOUSE_SPARK_REMOTE")
    try:
        _require_listening(settings.spark_remote)
        session = SparkSession.builder.remote(_with_token(settings)).create()
        try:
            _set_up(session)
        except BaseException:
            abandon(session)
            raise
    except Exception as error:
        if is_spark_gone(error):
            raise InfrastructureError(f"Spark does not answer at {settings.spark_remote}", next_step="run `lakehouse status`") from error
        raise
    return session


def _set_up(session: SparkSession) -> None:
    session.client.set_retry_policies([DefaultPolicy(max_retries=CONNECT_RETRIES)])
    for name, value in MEANING.items():
        session.conf.set(name, value)
    session.sql("select 1").collect()


_unreferenced: WeakKeyDictionary[SparkSession, list[str]] = WeakKeyDictionary()
"""Ids of the frames that a session's server still keeps though nothing here refers to them."""


def checkpoint(rows: DataFrame) -> DataFrame:
    """Compute rows once and keep them on the server, in the session they belong to, until the next call after their last reference.

    Spark Connect attaches what it keeps to the process's active session, whichever session computed it; with a second session in the
    process, or one from before the server was restarted, the rows would not be found again.

    Its client would also call the server from the finalizer of a kept frame, so wherever Python happens to collect one: also inside
    another call on the same channel, which then waits for itself for ever. The finalizer does nothing without a session.
    """
    session: Any = rows.sparkSession
    unreferenced = _unreferenced.setdefault(session, [])
    while unreferenced:
        _release(session, unreferenced.pop())
    type(session)._active_session.session = session
    kept = rows.localCheckpoint()
    relation: Any = kept._plan
    relation._spark_session = None
    weakref.finalize(relation, unreferenced.append, relation._relation_id).atexit = False
    return kept


PACKED, MARK = "_row_kept", "_kept_as"


@contextmanager
def kept(rows: DataFrame, records: int) -> Iterator[DataFrame]:
    """Rows that several queries read, computed once: few as a checkpoint, which keeps plans short and may be used further on, in one
    partition, so that queries group them where they are.

    Many lie on disk until the end of the context, each as one value: fifty columns took longer to put away than a record to parse. Spark
    finds them by their plan, and would find those of a run that was killed, so each has a mark of its own in it.

    Args:
        records: about how many there are.
    """
    if is_small(records):
        yield checkpoint(rows.coalesce(1))
        return
    packed = rows.select(F.struct("*").alias(PACKED), F.lit(uuid.uuid4().hex).alias(MARK)).persist(StorageLevel.DISK_ONLY)
    try:
        yield packed.select(f"{PACKED}.*")
    finally:
        with suppress(SparkConnectException, grpc.RpcError):  # they are gone with their server
            packed.unpersist()


MOST_BROADCAST = 10_000
"""Rows that are sent along with a query that joins them."""


def computed_once(rows: DataFrame) -> DataFrame | None:
    """Rows that several queries are to join: None where there are none, few ones to be broadcast, many ones kept on the server."""
    found = rows.limit(MOST_BROADCAST + 1).toArrow()
    if found.num_rows > MOST_BROADCAST:
        return checkpoint(rows)
    return F.broadcast(rows.sparkSession.createDataFrame(found)) if found.num_rows else None


def _release(session: Any, frame_id: str) -> None:
    command = proto.Command()
    command.remove_cached_remote_relation_command.relation.relation_id = frame_id
    session.client.execute_command(command)


_views: WeakKeyDictionary[SparkSession, set[str]] = WeakKeyDictionary()


def show(rows: DataFrame, name: str) -> None:
    """Show rows to SQL under a name of their session's own."""
    rows.createOrReplaceTempView(name)
    _views.setdefault(rows.sparkSession, set()).add(name)


def end(session: SparkSession) -> None:
    """End a session on its server. Its views go first: the server keeps what they show in memory, also when the session has ended."""
    with suppress(SparkConnectException, grpc.RpcError):  # they are gone with their server
        for name in _views.pop(session, set()):
            session.catalog.dropTempView(name)
    session.stop()


def abandon(session: SparkSession) -> None:
    """Close the channel to a server that is gone; otherwise Python would, wherever it happens to collect the session."""
    session.client.close()


def _require_listening(remote: str) -> None:
    """Raises InfrastructureError at once where nothing listens: the client itself would go on asking for minutes."""
    address = urlsplit(remote.partition("/;")[0])
    try:
        socket.create_connection((address.hostname or "", address.port or DEFAULT_PORT), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise InfrastructureError(f"Spark does not answer at {remote}: {error}", next_step="run `lakehouse status`") from error


SMALL_RECORDS = 30_000
TUNING = {
    "spark.sql.codegen.wholeStage": ("false", "true"),
    "spark.sql.codegen.factoryMode": ("NO_CODEGEN", "FALLBACK"),
    "spark.sql.adaptive.enabled": ("false", "true"),
    "spark.sql.shuffle.partitions": ("1", "4"),
    "spark.sql.files.minPartitionNum": ("1", None),
    "spark.databricks.delta.snapshotPartitions": ("1", None),
    "spark.sql.inMemoryColumnarStorage.compressed": ("false", "false"),
    "spark.sql.inMemoryColumnarStorage.batchSize": ("64", "64"),
}
"""For few rows, then for many (None: as the server has it): compiling and re-planning each query, and cutting it into tasks, costs most
of the processor time of a run of 30 records. What is kept is read some times and deleted: looking for values to put into dictionaries
would take longer than to read what they save; and pieces of 10,000 records, Spark's own default, are buffers of megabytes, which the
collector takes for old at once, so that a third of the time went into collections of the whole heap."""


def is_small(records: int) -> bool:
    """Whether a session is set up for few rows."""
    return records <= SMALL_RECORDS


_is_tuned_to_few: WeakKeyDictionary[SparkSession, bool] = WeakKeyDictionary()
_as_served: WeakKeyDictionary[SparkSession, dict[str, str | None]] = WeakKeyDictionary()
"""What a session had before it was tuned: to unset a value would bring back Spark's own default, not the server's."""


def tune(session: SparkSession, records: int) -> None:
    """Set a session up for the number of records that it is about to handle."""
    if _is_tuned_to_few.get(session) == is_small(records):
        return
    if session not in _as_served:
        _as_served[session] = {name: session.conf.get(name, None) for name, (_, large) in TUNING.items() if large is None}
    for name, (small, large) in TUNING.items():
        value = small if is_small(records) else large or _as_served[session][name]
        if value is None:
            session.conf.unset(name)
        else:
            session.conf.set(name, value)
    _is_tuned_to_few[session] = is_small(records)


def _with_token(settings: Settings) -> str:
    remote = settings.spark_remote or ""
    if settings.spark_token is None:
        return remote
    return f"{remote}{'' if '/;' in remote else '/'};token={settings.spark_token.get_secret_value()}"


def is_spark_gone(error: BaseException) -> bool:
    """Whether an error says that the server or the session died, rather than that the query is wrong."""
    return any(isinstance(e, SparkConnectGrpcException | grpc.RpcError) and _names(e, GONE) for e in _chain(error))


def what_is_missing(error: BaseException) -> str | None:
    """The server behind Spark that did not answer, or the race that was lost, as the subject of a sentence; None for any other error."""
    for subject, words in BEHIND_SPARK.items():
        if any(isinstance(e, PySparkException) and _names(e, words) for e in _chain(error)):
            return subject
    return None


def is_race_lost(error: BaseException) -> bool:
    """Whether a commit was refused since another one was made meanwhile."""
    return what_is_missing(error) == RACE_LOST


def _names(error: BaseException, words: Iterable[str]) -> bool:
    return any(word in str(error) for word in words)


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain
