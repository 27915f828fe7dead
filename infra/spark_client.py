"""The one question asked of Spark here: whether it computes.

Does not belong here: sessions for work (lakehouse).
"""

from __future__ import annotations

from lakehouse.settings import Settings


class SparkError(Exception):
    """Spark did not answer."""


def select_one(settings: Settings) -> None:
    """Open a session, compute 1 and close it."""
    from grpc import RpcError
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.session import SparkSession

    try:
        session = SparkSession.builder.remote(connection(settings)).create()
        session.client.disable_reattachable_execute()
        try:
            session.sql("select 1").collect()
        finally:
            session.client.release_session()
            session.client.close()
    except (PySparkException, RpcError, OSError) as error:
        raise SparkError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def connection(settings: Settings) -> str:
    """The address with its token."""
    token = settings.spark_token.get_secret_value() if settings.spark_token else ""
    remote = (settings.spark_remote or "").rstrip("/")
    return f"{remote}/;token={token}" if token and ";" not in remote else remote
