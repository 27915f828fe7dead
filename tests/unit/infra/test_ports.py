"""Ports are the usual ones, the same ones again, and nobody else's."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from infra.ports import allot, allot_for, is_free

PREFERRED = {"minio": 9000, "trino": 8443}


def _allot(earlier: dict[str, int], taken: set[int], reserved: set[int] = frozenset()) -> dict[str, int]:
    spares = iter(range(50000, 50010))
    return allot(PREFERRED, earlier, frozenset(reserved), free=lambda port: port not in taken, spare=lambda: next(spares))


def test_the_usual_ports_are_taken_first() -> None:
    assert _allot({}, set()) == PREFERRED


def test_a_taken_port_is_replaced_by_a_spare_one() -> None:
    assert _allot({}, {9000}) == {"minio": 50000, "trino": 8443}


def test_a_port_stays_the_same_over_restarts() -> None:
    assert _allot({"minio": 50007}, set()) == {"minio": 50007, "trino": 8443}


def test_an_earlier_port_that_is_taken_falls_back_to_the_usual_one() -> None:
    assert _allot({"minio": 50007}, {50007})["minio"] == 9000


def test_a_port_of_another_instance_is_left_alone_even_while_that_is_down() -> None:
    assert _allot({}, set(), {8443, 50000}) == {"minio": 9000, "trino": 50001}


def test_two_names_never_share_a_port() -> None:
    assert _allot({"minio": 8443}, set()) == {"minio": 8443, "trino": 50000}


def test_no_preference_means_any_free_port() -> None:
    chosen = allot({"minio": 0}, {}, frozenset(), free=lambda _: True, spare=lambda: 50003)
    assert chosen == {"minio": 50003}


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not is_free(listener.getsockname()[1])


def test_instances_of_one_machine_keep_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_CACHE", str(tmp_path / "cache"))
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        home.mkdir()
    first, second = (allot_for(home, {"minio": 47123}, {}) for home in homes)
    assert first["minio"] != second["minio"]
    assert allot_for(homes[0], {"minio": 47123}, first) == first


def test_a_deleted_instance_gives_its_ports_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "one"
    home.mkdir()
    first = allot_for(home, {"minio": 47124}, {})
    home.rmdir()
    assert allot_for(tmp_path / "two", {"minio": first["minio"]}, {}) == first
