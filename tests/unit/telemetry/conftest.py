"""Facts in memory, and an endpoint on this machine.

Does not belong here: assertions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from lakehouse.settings import Settings
from lakehouse.telemetry import Telemetry, endpoint
from tests.otlp import Backend, serving
from tests.unit.telemetry.memory import Facts

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine an answer is waited for, too."""
    monkeypatch.setattr(endpoint, "TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(endpoint, "WAIT_S", 2 * PATIENCE_S)


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def backend() -> Iterator[Backend]:
    with serving() as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path, backend: Backend) -> Settings:
    return Settings(home=tmp_path, otlp_endpoint=backend.address, otlp_headers=SecretStr("api-key=hidden%20key"), sources_dirs=())


@pytest.fixture
def telemetry(settings: Settings, facts: Facts) -> Telemetry:
    """The sender, whose cursor begins an hour before NOW."""
    return Telemetry(settings, facts)
