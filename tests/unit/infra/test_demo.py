"""What the demo asks Dagster for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from infra.commands import demo
from lakehouse.settings import Settings


def test_what_waits_is_asked_for_until_nothing_does_and_then_every_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of every table would leave silver out, since some of its inputs have nothing new."""
    waiting = [["bronze.okta_system_log", "silver.auth_events"], ["silver.auth_events"], []]
    asked: list[Sequence[str]] = []

    def launch(_settings: Settings, _job: str, selection: Sequence[str]) -> Any:
        asked.append(selection)

    monkeypatch.setattr(demo, "load_sources", lambda _settings: {})
    monkeypatch.setattr(demo, "waiting_assets", lambda _sources: [dg.AssetKey(name.split(".")) for name in waiting[len(asked)]])
    monkeypatch.setattr(demo, "launch", launch)
    monkeypatch.setattr(demo, "wait", lambda *_, **__: True)
    demo.materialize(Settings(), Console(quiet=True))
    assert asked == waiting
