"""The Hive metastore asked directly: which schemas it has, and putting schemas and Delta tables into it.

Structures and methods are those of Hive's `hive_metastore.thrift`, of which only what is sent here is written down. A table's entry is what
Spark would write for `create table ... using delta location ...`, at a hundredth of the cost; Spark and Trino take all else from its log.

Does not belong here: which tables there are (jobs.catalog), or changing and dropping them, which is done through Spark.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from thrift.protocol.TBase import TBase
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException, TException, TMessageType, TType
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

DEFAULT_PORT = 9083
TEXT = "UTF8"
TEXTS = (TType.STRING, TEXT, TType.STRING, TEXT, False)
"""A map of text to text, in the words of a Thrift specification."""
ALREADY_EXISTS = 1
"""Number of that exception among those that `create_database` and `create_table` declare."""


class HiveError(Exception):
    """The metastore did not answer as one, or refused."""


class _Struct(TBase):
    """A structure of the metastore's interface.

    Args:
        values: by name of the field; the others are left out.
    """

    thrift_spec: tuple[Any, ...] = ()

    def __init__(self, **values: object) -> None:
        for field in filter(None, self.thrift_spec):
            setattr(self, field[2], values.get(field[2]))


class _Column(_Struct):
    thrift_spec = (None, (1, TType.STRING, "name", TEXT, None), (2, TType.STRING, "type", TEXT, None))


class _SerDe(_Struct):
    thrift_spec = (
        None,
        (1, TType.STRING, "name", TEXT, None),
        (2, TType.STRING, "serializationLib", TEXT, None),
        (3, TType.MAP, "parameters", TEXTS, None),
    )


class _Storage(_Struct):
    thrift_spec = (
        None,
        (1, TType.LIST, "cols", (TType.STRUCT, (_Column, _Column.thrift_spec), False), None),
        (2, TType.STRING, "location", TEXT, None),
        (3, TType.STRING, "inputFormat", TEXT, None),
        (4, TType.STRING, "outputFormat", TEXT, None),
        (5, TType.BOOL, "compressed", None, None),
        (6, TType.I32, "numBuckets", None, None),
        (7, TType.STRUCT, "serdeInfo", (_SerDe, _SerDe.thrift_spec), None),
        (8, TType.LIST, "bucketCols", (TType.STRING, TEXT, False), None),
        (9, TType.LIST, "sortCols", (TType.STRING, TEXT, False), None),
        (10, TType.MAP, "parameters", TEXTS, None),
    )


class _Table(_Struct):
    thrift_spec = (
        None,
        (1, TType.STRING, "tableName", TEXT, None),
        (2, TType.STRING, "dbName", TEXT, None),
        (3, TType.STRING, "owner", TEXT, None),
        (4, TType.I32, "createTime", None, None),
        (5, TType.I32, "lastAccessTime", None, None),
        (6, TType.I32, "retention", None, None),
        (7, TType.STRUCT, "sd", (_Storage, _Storage.thrift_spec), None),
        (8, TType.LIST, "partitionKeys", (TType.STRUCT, (_Column, _Column.thrift_spec), False), None),
        (9, TType.MAP, "parameters", TEXTS, None),
        (10, TType.STRING, "viewOriginalText", TEXT, None),
        (11, TType.STRING, "viewExpandedText", TEXT, None),
        (12, TType.STRING, "tableType", TEXT, None),
    )


class _Database(_Struct):
    thrift_spec = (
        None,
        (1, TType.STRING, "name", TEXT, None),
        (2, TType.STRING, "description", TEXT, None),
        (3, TType.STRING, "locationUri", TEXT, None),
        (4, TType.MAP, "parameters", TEXTS, None),
    )


class Metastore:
    """A connection, as a context. Every method raises HiveError where the metastore does not answer or refuses.

    Not safe to share between threads.

    Args:
        uri: `thrift://host:port`.
        timeout: of a single answer, in seconds.
    """

    def __init__(self, uri: str, *, timeout: float = 60.0) -> None:
        address = urlsplit(uri)
        socket = TSocket(address.hostname, address.port or DEFAULT_PORT)
        socket.setTimeout(timeout * 1000)
        self._transport = TBufferedTransport(socket)
        self._wire = TBinaryProtocol(self._transport)

    def __enter__(self) -> Metastore:
        try:
            self._transport.open()
        except TException as error:
            raise HiveError(str(error)) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._transport.close()

    def schemas(self) -> list[str]:
        """Names of all schemas."""
        names, _ = self._call("get_all_databases", None)
        if names is None:
            raise HiveError("the metastore failed to list its schemas")
        return names

    def create_schema(self, name: str, location: str) -> None:
        """Put a schema in; nothing where it is there."""
        self._create("create_database", _Database(name=name, description="", locationUri=location, parameters={}))

    def create_delta_table(self, name: str, location: str, comment: str) -> None:
        """Put in `schema.table`, whose log lies under the `s3a://` location; nothing where it is there."""
        schema, short = name.split(".")
        storage = _Storage(
            cols=[_Column(name="col", type="array<string>")],
            location=location,
            inputFormat="org.apache.hadoop.mapred.SequenceFileInputFormat",
            outputFormat="org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
            compressed=False,
            numBuckets=-1,
            serdeInfo=_SerDe(
                serializationLib="org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                parameters={"serialization.format": "1", "path": location},
            ),
            bucketCols=[],
            sortCols=[],
            parameters={},
        )
        parameters = {
            "EXTERNAL": "TRUE",
            "DO_NOT_UPDATE_STATS": "true",
            "comment": comment,
            "spark.sql.partitionProvider": "catalog",
            "spark.sql.sources.provider": "delta",
            "spark.sql.sources.schema": '{"type":"struct","fields":[]}',
        }
        table = _Table(
            tableName=short, dbName=schema, owner="lakehouse", createTime=int(time.time()), lastAccessTime=0, retention=0, sd=storage,
            partitionKeys=[], parameters=parameters, tableType="EXTERNAL_TABLE",
        )  # fmt: skip
        self._create("create_table", table)

    def _create(self, method: str, what: _Struct) -> None:
        _, refusal = self._call(method, what)
        if refusal and refusal[0] != ALREADY_EXISTS:
            raise HiveError(f"{method}: {refusal[1]}")

    def _call(self, method: str, argument: _Struct | None) -> tuple[list[str] | None, tuple[int, str] | None]:
        """The names that a method answers with, if it does, and the number and words of a declared exception."""
        try:
            self._send(method, argument)
            return self._receive()
        except (TException, OSError, EOFError) as error:
            raise HiveError(str(error)) from error

    def _send(self, method: str, argument: _Struct | None) -> None:
        wire = self._wire
        wire.writeMessageBegin(method, TMessageType.CALL, 0)
        wire.writeStructBegin("arguments")
        if argument is not None:
            wire.writeFieldBegin("argument", TType.STRUCT, 1)
            argument.write(wire)
            wire.writeFieldEnd()
        wire.writeFieldStop()
        wire.writeStructEnd()
        wire.writeMessageEnd()
        self._transport.flush()

    def _receive(self) -> tuple[list[str] | None, tuple[int, str] | None]:
        wire = self._wire
        _, kind, _ = wire.readMessageBegin()
        if kind == TMessageType.EXCEPTION:
            problem = TApplicationException()
            problem.read(wire)
            wire.readMessageEnd()
            raise problem
        names, refusal = None, None
        wire.readStructBegin()
        while (field := wire.readFieldBegin())[1] != TType.STOP:
            _, type_, number = field
            if type_ == TType.LIST:
                _, size = wire.readListBegin()
                names = [wire.readString() for _ in range(size)]
            elif type_ == TType.STRUCT:
                refusal = (number, self._message())
            else:
                wire.skip(type_)
        wire.readStructEnd()
        wire.readMessageEnd()
        return names, refusal

    def _message(self) -> str:
        """The first text of an exception, which is its message."""
        wire, message = self._wire, ""
        wire.readStructBegin()
        while (field := wire.readFieldBegin())[1] != TType.STOP:
            if field[1] == TType.STRING and not message:
                message = wire.readString()
            else:
                wire.skip(field[1])
        wire.readStructEnd()
        return message
