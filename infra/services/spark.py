"""The one Spark Connect server: the only writer of bronze, silver and gold.

Does not belong here: sessions, queries, tables.
"""

from __future__ import annotations

import os

from infra import aot
from infra.env_files import write_private
from infra.jvm import COMMON_OPTIONS, java, spark_class_path, spark_home
from infra.parts import parts
from infra.ports import LOOPBACK
from infra.services import s3a
from infra.services.base import Context, Launch
from infra.services.metastore import LOG4J
from lakehouse.errors import ConfigurationError

OPENED = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util", "java.util.concurrent",
    "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar",
)  # fmt: skip
"""Spark's launcher opens these; it also adds jdk.incubator.vector, which the JRE from PyPI lacks."""

LISTING_TASKS = "16"
"""Tasks in which a vacuum lists a table's files. Spark's own default, 10,000, keeps two cores busy for a minute on a table of ten files."""

CONNECT_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"

CHECKSUM_WRITER = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
"""Delta writes a version's checksum through it. Spark's own choice for S3 asks the store 28 times for each, this one a third of that."""

OPTIONS = (
    *COMMON_OPTIONS,
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.type=pooled",
    "-XX:+UseSerialGC",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=30",
    "-XX:ReservedCodeCacheSize=192m",
)
"""The serial collector: in a heap of this size, G1 marks all the time and takes a third of the processor time of a small run."""


def launch(context: Context) -> Launch:
    """Spark's own entry point with the Connect server as its application."""
    conf = context.folder("etc", "spark")
    properties = conf / "spark.conf"
    write_private(properties, "".join(f"{name} {value}\n" for name, value in options(context).items()))
    logging = conf / "log4j2.properties"
    write_private(logging, LOG4J)
    classpath = os.pathsep.join(spark_class_path())
    memory = context.settings.spark_driver_memory
    trust = s3a.trust_options(context, "spark")
    own = [f"-Xmx{memory}", f"-Dlog4j2.configurationFile={logging}", *aot.options("spark"), *trust]
    argv = [str(java()), *OPTIONS, *own, "-cp", classpath, "org.apache.spark.deploy.SparkSubmit"]
    application = ["--properties-file", str(properties), "--class", CONNECT_SERVER, "spark-internal"]
    return Launch(argv + application, _environment(context), context.folder("tmp", "spark"))


def _environment(context: Context) -> dict[str, str]:
    token = context.settings.spark_token
    if token is None:
        raise ConfigurationError("Spark has no token.", next_step="Start the stack with `lakehouse up`, which generates it.")
    return s3a.key_environment(context.settings) | {
        "SPARK_HOME": str(spark_home()),
        "SPARK_CONF_DIR": str(context.folder("etc", "spark")),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": token.get_secret_value(),
    }


def options(context: Context) -> dict[str, str]:
    """The server's configuration; holds no secret."""
    settings = context.settings
    store = {f"spark.hadoop.{name}": value for name, value in s3a.s3a_options(settings, context.folder("tmp", "s3a")).items()}
    return _server(context) | _sql(context) | _delta() | store


def _server(context: Context) -> dict[str, str]:
    settings = context.settings
    local = {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK} if settings.spark_master.startswith("local") else {
        "spark.jars": ",".join(map(str, parts().jar_paths()))
    }  # fmt: skip
    return local | {
        "spark.master": settings.spark_master,
        "spark.app.name": f"lakehouse-{context.instance.id}",
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.maxResultSize": "512m",
        "spark.local.dir": str(context.folder("tmp", "spark")),
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": str(context.ports["spark"]),
        "spark.connect.session.manager.defaultSessionTimeout": "30m",
        "spark.ui.port": str(context.ports["spark_ui"]),
        "spark.ui.showConsoleProgress": "false",
        "spark.ui.retainedJobs": "100",
        "spark.ui.retainedStages": "100",
        "spark.ui.retainedTasks": "2000",
        "spark.sql.ui.retainedExecutions": "50",
        "spark.connect.ui.retainedStatements": "50",
        "spark.connect.ui.retainedSessions": "50",
        "spark.cleaner.periodicGC.interval": "5min",
    }


def _sql(context: Context) -> dict[str, str]:
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": LISTING_TASKS,
        "spark.sql.warehouse.dir": context.settings.lake_uri(),
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.hive.metastore.uris": context.settings.metastore_uri or "",
        "spark.hadoop.hive.metastore.client.connect.retry.delay": "1s",
        "spark.hadoop.hive.metastore.failure.retries": "3",
    }


def _delta() -> dict[str, str]:
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.streaming.checkpointFileManagerClass": CHECKSUM_WRITER,
    }
