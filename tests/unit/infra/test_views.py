"""A Trino outside may lack the catalog that writes views; the embedded one may not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from infra import views
from infra.trino_client import RefusedQuery, TrinoProblem
from lakehouse.settings import USER_FILE, Settings


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> list[TrinoProblem]:
    """Trino, answering with the problem that is put here."""
    problems: list[TrinoProblem] = []

    def refuse(_settings: Settings, _sql: str) -> None:
        raise problems[0]

    monkeypatch.setattr(views, "query", refuse)
    return problems


def of(home: Path, *, outside: bool) -> Settings:
    if outside:
        (home / USER_FILE).write_text("LAKEHOUSE_TRINO_HOST=trino.example\n")
    return Settings(home=home, trino_host="trino.example" if outside else "localhost")


def test_without_the_catalog_for_views_an_outside_trino_is_used_all_the_same(
    tmp_path: Path, answering: list[TrinoProblem], caplog: pytest.LogCaptureFixture
) -> None:
    answering.append(RefusedQuery("Trino: Catalog 'lake_ddl' not found"))
    with caplog.at_level(logging.WARNING):
        views.create_views(of(tmp_path, outside=True))
    assert "trino.example:8443 has no views ops.run_log, ops.incidents (Trino: Catalog 'lake_ddl' not found)" in caplog.text


def test_a_refusal_of_the_embedded_trino_is_an_error(tmp_path: Path, answering: list[TrinoProblem]) -> None:
    answering.append(RefusedQuery("Trino: Catalog 'lake_ddl' not found"))
    with pytest.raises(RefusedQuery):
        views.create_views(of(tmp_path, outside=False))


def test_an_outside_trino_that_does_not_answer_is_an_error(tmp_path: Path, answering: list[TrinoProblem]) -> None:
    answering.append(TrinoProblem("Trino does not answer"))
    with pytest.raises(TrinoProblem):
        views.create_views(of(tmp_path, outside=True))
