"""The list of parts is complete, pinned and free of what Spark has already."""

from __future__ import annotations

import re

import pytest

from infra import maven
from infra.jvm import spark_jars
from infra.parts import Artifact, parts

OF_SPARK = re.compile(r"io\.netty:|:hadoop-client|:parquet-|com\.fasterxml|:slf4j|log4j|:scala-library")


def test_every_jar_is_pinned_by_its_digest() -> None:
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in parts().jars)


def test_no_jar_is_listed_twice() -> None:
    names = [jar.file_name for jar in parts().jars]
    assert len(names) == len(set(names))


def test_nothing_that_spark_brings_is_on_the_list() -> None:
    assert [jar.coordinates for jar in parts().jars if OF_SPARK.search(jar.coordinates)] == []
    ours = {jar.coordinates.split(":")[1] for jar in parts().jars}
    assert [jar.name for jar in spark_jars().iterdir() if re.sub(r"-\d[\w.-]*\.jar$", "", jar.name) in ours] == []


def test_a_path_follows_from_the_coordinates() -> None:
    assert Artifact("io.trino:trino-server:476", "0", "tar.gz").path == "io/trino/trino-server/476/trino-server-476.tar.gz"


def test_the_repository_comes_out_of_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKEHOUSE_MAVEN_ROOT", raising=False)
    maven.root.cache_clear()
    assert re.fullmatch(r"https://\S+/maven2/", maven.root())


def test_a_mirror_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_MAVEN_ROOT", "https://mirror.example/maven")
    maven.root.cache_clear()
    assert maven.root() == "https://mirror.example/maven/"
    maven.root.cache_clear()
