"""Lines of tenants reach their files in order, whole, and without staying in memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lakehouse import tenant_files
from lakehouse.tenant_files import TenantFiles


def content(files: TenantFiles) -> dict[str, list[bytes]]:
    return {tenant: gzip.decompress(path.read_bytes()).splitlines() for tenant, path in files.all().items()}


def test_lines_keep_their_order_over_several_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_files, "FLUSH_BYTES", 20)
    files = TenantFiles(tmp_path)
    for number in range(20):
        files.add("ab"[number % 2], b"line %d" % number)
    assert content(files) == {
        "a": [b"line %d" % number for number in range(0, 20, 2)],
        "b": [b"line %d" % number for number in range(1, 20, 2)],
    }


def test_what_waits_in_memory_goes_to_the_disk_at_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_files, "FLUSH_BYTES", 20)
    files = TenantFiles(tmp_path)
    files.add("a", b"x" * 18)
    assert list(tmp_path.iterdir()) == []
    files.add("b", b"x")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("flush", [1, 1000])
def test_what_is_dropped_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: int) -> None:
    monkeypatch.setattr(tenant_files, "FLUSH_BYTES", flush)
    files = TenantFiles(tmp_path)
    for tenant in ("a", "b"):
        files.add(tenant, b"old")
    files.drop("a")
    for tenant in ("a", "c"):
        files.add(tenant, b"new")
    assert content(files) == {"a": [b"new"], "b": [b"old"], "c": [b"new"]}
