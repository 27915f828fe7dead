"""The embedded Hive metastore, out of the pyspark wheel.

Its own `main` listens on every address, so its server is put together here, through Py4J, on the loopback address.
Does not belong here: schemas and tables.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from py4j.java_gateway import GatewayParameters, JavaGateway, JavaObject, launch_gateway

from infra import aot
from infra.env_files import write_private
from infra.jvm import COMMON_OPTIONS, java, spark_class_path, spark_jars
from infra.ports import LOOPBACK
from infra.services import s3a
from infra.services.base import Context

HEAP = (
    "-Xms32m", "-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=25",
)  # fmt: skip
WORKERS = (4, 100)
HIVE_SITE = "hive-site.xml"
LOGGING = "log4j2.properties"


def serve(context: Context) -> None:
    """Run the metastore in this process's JVM until it is told to stop."""
    conf = _write_configuration(context)
    os.chdir(context.folder("tmp", "metastore"))
    os.environ.update(s3a.key_environment(context.settings))
    own = [f"-Dlog4j2.configurationFile={conf / LOGGING}", *aot.options("metastore"), *s3a.trust_options(context, "metastore")]
    jvm, process = _start_jvm(spark_class_path(), own)
    server = _build_server(jvm, conf / HIVE_SITE, context.ports["metastore"])
    signal.signal(signal.SIGTERM, lambda _signal, _frame: _exit(process))
    print(f"Hive metastore listens on {LOOPBACK}:{context.ports['metastore']}", flush=True)
    server.serve()
    sys.exit("the metastore's server ended")


def _exit(jvm: subprocess.Popen[bytes]) -> None:
    jvm.terminate()
    jvm.wait()
    os._exit(0)


def _start_jvm(classpath: list[str], options: list[str]) -> tuple[Any, subprocess.Popen[bytes]]:
    port, token, process = launch_gateway(
        jarpath=str(next(spark_jars().glob("py4j-*.jar"))),
        classpath=os.pathsep.join(classpath),
        javaopts=[*COMMON_OPTIONS, *HEAP, *options],
        java_path=str(java()),
        die_on_exit=True,
        enable_auth=True,
        redirect_stdout=sys.stdout,
        redirect_stderr=sys.stderr,
        return_proc=True,
    )
    return JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token)).jvm, process


def _build_server(jvm: Any, hive_site: Path, port: int) -> JavaObject:
    thrift, hive = jvm.org.apache.thrift, jvm.org.apache.hadoop.hive
    socket = thrift.transport.TServerSocket(jvm.java.net.InetSocketAddress(LOOPBACK, port))
    hive.conf.HiveConf.setHiveSiteLocation(jvm.java.io.File(str(hive_site)).toURI().toURL())
    conf = hive.conf.HiveConf(jvm.java.lang.Class.forName("org.apache.hadoop.hive.metastore.HiveMetaStore"))
    handler = hive.metastore.HiveMetaStore.HMSHandler("metastore", conf, False)
    retrying = hive.metastore.HiveMetaStore.newRetryingHMSHandler(handler, conf, True)
    arguments = thrift.server.TThreadPoolServer.Args(socket)
    arguments.processor(hive.metastore.TSetIpAddressProcessor(retrying))
    arguments.transportFactory(thrift.transport.TTransportFactory())
    arguments.protocolFactory(thrift.protocol.TBinaryProtocol.Factory())
    arguments.minWorkerThreads(WORKERS[0])
    arguments.maxWorkerThreads(WORKERS[1])
    return thrift.server.TThreadPoolServer(arguments)


def _write_configuration(context: Context) -> Path:
    conf = context.folder("etc", "metastore")
    database = context.folder("state", "metastore") / "derby"
    hive = {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={database};create=true",
        "javax.jdo.option.ConnectionDriverName": "org.apache.derby.iapi.jdbc.AutoloadedDriver",
        "datanucleus.schema.autoCreateAll": "true",
        "datanucleus.connectionPoolingType": "DBCP",
        "hive.metastore.schema.verification": "false",
        "hive.metastore.warehouse.dir": context.settings.lake_uri(),
        "hive.async.log.enabled": "false",
    }
    write_private(conf / HIVE_SITE, _as_xml(hive | s3a.s3a_options(context.settings, context.folder("tmp", "metastore"))))
    write_private(conf / LOGGING, LOG4J)
    return conf


def _as_xml(options: dict[str, str]) -> str:
    rows = (f"<property><name>{escape(name)}</name><value>{escape(value)}</value></property>" for name, value in options.items())
    return "<configuration>\n" + "\n".join(rows) + "\n</configuration>\n"


LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSS}{UTC}Z %p %c{1}: %m%n%ex
logger.datanucleus.name = DataNucleus
logger.datanucleus.level = error
logger.objectstore.name = org.apache.hadoop.hive.metastore.ObjectStore
logger.objectstore.level = error
"""
