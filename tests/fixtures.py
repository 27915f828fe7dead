"""Servers for tests: one instance of their own per session, on free ports, in a temporary home; and one browser.

`TEST_HOME` names an instance that runs already; it is used as it is and left running.
Does not belong here: test data, or fixtures of one tier only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra import stack
from infra.browser import FLAGS, chromium
from lakehouse import settings as settings_module
from lakehouse.settings import ENV_PREFIX, STAMP, Settings, read_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

STORE = ("minio",)
SPARK_SERVICES = ("minio", "metastore", "spark")
KEPT_VARIABLES = frozenset({"LAKEHOUSE_CACHE", "LAKEHOUSE_MAVEN_ROOT", "LAKEHOUSE_CHROMIUM"})
RUNNING_HOME = "TEST_HOME"
SHOWN_MS = 60_000


@pytest.fixture(scope="session")
def instance_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the session's instance; whatever runs in it is stopped at the end."""
    running = os.environ.get(RUNNING_HOME)
    home = Path(running).resolve() if running else tmp_path_factory.mktemp("lake") / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(ENV_PREFIX) and name not in KEPT_VARIABLES]:
            patch.delenv(name)
        patch.setenv(f"{ENV_PREFIX}HOME", str(home))
        settings_module.settings.cache_clear()
        yield home
        if not running and (home / STAMP).exists():
            stack.down(home)
        settings_module.settings.cache_clear()


@pytest.fixture(scope="session")
def store_alone(instance_home: Path) -> Settings:
    """The store, answering."""
    return _up(instance_home, STORE)


@pytest.fixture(scope="session")
def spark_stack(instance_home: Path) -> Settings:
    """Store, metastore and Spark Connect, answering."""
    return _up(instance_home, SPARK_SERVICES)


@pytest.fixture(scope="session")
def full_stack(instance_home: Path) -> Settings:
    """Every server, answering."""
    return _up(instance_home, None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium. One for all tiers: Playwright can be started once in a process."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SHOWN_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(chromium()), args=list(FLAGS))
        yield launched
        launched.close()


def _up(home: Path, only: tuple[str, ...] | None) -> Settings:
    if os.environ.get(RUNNING_HOME):
        return read_settings(home)
    return stack.up(home, only=only, usual_ports=False)
