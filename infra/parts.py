"""What the non-Python parts are and where they lie once fetched; read from `parts.toml`.

Does not belong here: downloading, building or running them.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from infra.cache import cache_dir

PARTS_FILE = Path(__file__).with_name("parts.toml")


class Part(StrEnum):
    """A group of files that is fetched together."""

    JARS = "jars"
    TRINO = "trino"
    MINIO = "minio"


@dataclass(frozen=True)
class Artifact:
    """One file of a Maven repository, named by its coordinates `group:artifact:version`."""

    coordinates: str
    sha256: str
    packaging: str = "jar"

    @property
    def file_name(self) -> str:
        """`artifact-version.packaging`."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.{self.packaging}"

    @property
    def path(self) -> str:
        """Where the file is below a repository's root."""
        group, artifact, version = self.coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file_name}"


@dataclass(frozen=True)
class TrinoPart:
    """Trino's server and the plugins that are kept of it."""

    archive: Artifact
    plugins: tuple[str, ...]

    @property
    def home(self) -> Path:
        """The unpacked server."""
        return cache_dir() / self.archive.file_name.removesuffix(f".{self.archive.packaging}")


@dataclass(frozen=True)
class MinioPart:
    """MinIO's Go module; `packages` is how many a build compiles, for its progress."""

    module: str
    version: str
    packages: int

    @property
    def binary(self) -> Path:
        """The built server."""
        return cache_dir() / f"minio-{self.version}" / "minio"


@dataclass(frozen=True)
class Parts:
    """All parts."""

    jars: tuple[Artifact, ...]
    trino: TrinoPart
    minio: MinioPart

    def jar_paths(self) -> list[Path]:
        """The fetched jars, in the order of the list."""
        return [cache_dir() / "jars" / jar.file_name for jar in self.jars]


@cache
def parts() -> Parts:
    """The parts of this version of the project."""
    raw = tomllib.loads(PARTS_FILE.read_text())
    trino = raw["trino"]
    return Parts(
        jars=tuple(Artifact(**jar) for jar in raw["jars"]),
        trino=TrinoPart(Artifact(trino["coordinates"], trino["sha256"], trino["packaging"]), tuple(trino["plugins"])),
        minio=MinioPart(**raw["minio"]),
    )


def missing(wanted: frozenset[Part]) -> frozenset[Part]:
    """The parts among `wanted` that are not in the cache."""
    return frozenset(part for part in wanted if not _present(part))


def _present(part: Part) -> bool:
    match part:
        case Part.JARS:
            return all(path.is_file() for path in parts().jar_paths())
        case Part.TRINO:
            return (parts().trino.home / "lib").is_dir()
        case Part.MINIO:
            return parts().minio.binary.is_file()
