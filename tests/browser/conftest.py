"""The real operations app over made-up facts, in a browser.

Does not belong here: servers, or assertions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.show import PASSWORD, Shown, scene
from tests.fixtures import SHOWN_MS
from tests.unit.dash_app.facts import FakeReader
from tests.unit.dash_app.lake_facts import FakeLake
from tests.unit.dash_app.troubles import Heart

Show = Callable[..., tuple[Shown, Page]]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Serves a scene, or given facts, and opens a browser that has signed in."""
    with ExitStack() as stack:

        def opened(name: str = "failing", facts: tuple[FakeReader, Heart, FakeLake] | None = None, width: int = 1280) -> tuple[Shown, Page]:
            shown = stack.enter_context(Shown(tmp_path, *(facts or scene(name, datetime.now(UTC)))))
            context = browser.new_context(base_url=shown.url, viewport={"width": width, "height": 800}, timezone_id="America/New_York")
            stack.callback(context.close)
            context.set_default_timeout(SHOWN_MS)
            page = context.new_page()
            page.goto("/login")
            page.fill("#user", "admin")
            page.fill("#password", PASSWORD)
            page.click("button[type=submit]")
            page.wait_for_selector("#overview-body")
            return shown, page

        yield opened
