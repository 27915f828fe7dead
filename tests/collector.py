"""An OpenTelemetry collector for tests: built once from its modules, kept in the cache of parts, and passing on what arrives as JSON.

Does not belong here: what is sent to it, or what is to arrive.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from infra.cache import cache_dir
from infra.minio_build import build_env, find_go

SOURCES = Path(__file__).parent / "data" / "otel_collector"
OLDEST_GO = (1, 26)
WAIT_S = 120


def collector() -> Path:
    """The collector's program; the first call on a machine compiles it, which takes minutes and a network."""
    content = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    kept = cache_dir() / f"otel-collector-{hashlib.sha256(content).hexdigest()[:12]}"
    with FileLock(cache_dir() / "otel-collector.lock"):
        if not kept.exists():
            _build(kept)
    return kept


def _build(target: Path) -> None:
    work = cache_dir() / "otel-collector-build"
    command = [find_go(OLDEST_GO), "build", "-mod=readonly", "-buildvcs=false", "-ldflags=-s -w", "-o", work / target.name, "."]
    done = subprocess.run(command, cwd=SOURCES, env={**build_env(work), "GOWORK": "off"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (work / target.name).replace(target)
    shutil.rmtree(work)


@contextmanager
def collecting(port: int, backend: str, log: Path) -> Iterator[None]:
    """A collector that takes OTLP over HTTP on a port of this machine and hands it on, as JSON, to the address of a backend."""
    configuration = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"otlp_http": {"endpoint": backend, "encoding": "json", "compression": "none"}},
        "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": ["otlp_http"]}}},
    }
    with log.open("w") as output:
        command = [collector(), "--config", f"yaml:{json.dumps(configuration)}"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(WAIT_S)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
