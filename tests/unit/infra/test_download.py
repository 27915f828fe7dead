"""A download resumes where it broke off, and only the expected bytes are accepted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from infra import download as module
from infra.download import download, session
from lakehouse.errors import InfrastructureError

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """A server that may break off, and what was asked of it."""

    url: str = ""
    cut_after: int | None = None
    honours_range: bool = True
    status: int = 200
    busy: int = 0
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.01)
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            found.ranges.append(wanted)
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and found.honours_range else 0
            if found.busy:
                found.busy -= 1
                self.send_error(503)
                return
            if found.status != 200 or start >= len(CONTENT):
                self.send_error(found.status if found.status != 200 else 416)
                return
            body = CONTENT[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: found.cut_after])
            found.cut_after = None

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/file"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def _fetch(site: Site, target: Path, sha256: str = SHA256) -> list[tuple[float, float]]:
    told: list[tuple[float, float]] = []
    download(site.url, target, sha256, http=session(), tell=lambda done, total: told.append((done, total)))
    return told


def test_a_whole_file_arrives(site: Site, tmp_path: Path) -> None:
    assert _fetch(site, tmp_path / "x")[-1] == (len(CONTENT), len(CONTENT))
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_broken_connection_is_taken_up_where_it_stopped(site: Site, tmp_path: Path) -> None:
    site.cut_after = 300_000
    _fetch(site, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert site.ranges[0] is None
    assert site.ranges[1] is not None


def test_progress_after_a_break_counts_no_byte_twice(site: Site, tmp_path: Path) -> None:
    site.cut_after = 300_000
    assert max(_fetch(site, tmp_path / "x")) == (len(CONTENT), len(CONTENT))


def test_a_server_that_is_busy_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.busy = 1
    _fetch(site, tmp_path / "x")
    assert len(site.ranges) == 2


def test_a_partial_file_of_an_earlier_process_is_taken_up(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT[:1000])
    _fetch(site, tmp_path / "x")
    assert site.ranges == ["bytes=1000-"]
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(site: Site, tmp_path: Path) -> None:
    site.honours_range = False
    (tmp_path / "x.part").write_bytes(CONTENT[:1000])
    _fetch(site, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_partial_file_that_is_whole_already_is_accepted(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT)
    _fetch(site, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_other_bytes_are_thrown_away_and_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=SHA256):
        _fetch(site, tmp_path / "x", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_not_repeated(site: Site, tmp_path: Path) -> None:
    site.status = 404
    with pytest.raises(InfrastructureError, match="could not be fetched"):
        _fetch(site, tmp_path / "x")
    assert len(site.ranges) == 1


def test_an_unreachable_server_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(InfrastructureError, match="resumes"):
        download("http://127.0.0.1:9/x", tmp_path / "x", SHA256, http=session(), tell=lambda _done, _total: None)
