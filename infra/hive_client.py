"""The one question asked of a metastore directly: which schemas it has.

Does not belong here: tables; those are made and read through Spark and Trino.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException, TException, TMessageType, TType
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

METHOD = "get_all_databases"


class HiveError(Exception):
    """The metastore did not answer as one."""


def schemas(uri: str, *, timeout: float) -> list[str]:
    """Names of all schemas."""
    address = urlsplit(uri)
    socket = TSocket(address.hostname, address.port or 9083)
    socket.setTimeout(timeout * 1000)
    transport = TBufferedTransport(socket)
    try:
        transport.open()
        return _ask(TBinaryProtocol(transport))
    except (TException, OSError, EOFError) as error:
        raise HiveError(str(error)) from error
    finally:
        transport.close()


def _ask(wire: TBinaryProtocol) -> list[str]:
    wire.writeMessageBegin(METHOD, TMessageType.CALL, 0)
    wire.writeFieldStop()
    wire.writeMessageEnd()
    wire.trans.flush()
    _, kind, _ = wire.readMessageBegin()
    if kind == TMessageType.EXCEPTION:
        problem = TApplicationException()
        problem.read(wire)
        raise problem
    return _read_names(wire)


def _read_names(wire: TBinaryProtocol) -> list[str]:
    _, field_type, field_id = wire.readFieldBegin()
    if field_type != TType.LIST or field_id != 0:
        raise HiveError("the metastore failed to list its schemas")
    _, size = wire.readListBegin()
    return [wire.readString() for _ in range(size)]
