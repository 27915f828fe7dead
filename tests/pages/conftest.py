"""Fixtures of the pages tier: the pages over an object store, without any other server, in a real browser.

Does not belong here: assertions, or what needs Spark, Trino or Dagster (tests/stack).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from werkzeug.serving import make_server

from dash_app.accounts import set_password, users_path
from dash_app.operations import create_app
from lakehouse.settings import Settings
from tests.dagster_stand_in import Dagster
from tests.store.conftest import settings

__all__ = ["settings"]

PASSWORD = "correct-horse-battery"
LOADED_MS = 90_000


@pytest.fixture
def dagster() -> Iterator[Dagster]:
    """What answers in Dagster's place."""
    made = Dagster()
    yield made
    made.stop()


@pytest.fixture
def pages(settings: Settings, dagster: Dagster, browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile that has signed in to the pages of an instance whose buckets are the test's own."""
    with_dagster = settings.model_copy(update={"dagster_url": dagster.url})
    set_password(users_path(with_dagster), "admin", PASSWORD)
    with served(with_dagster) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=address, accept_downloads=True)
        context.set_default_timeout(LOADED_MS)
        context.set_default_navigation_timeout(LOADED_MS)
        sign_in(context).close()
        yield context
        context.close()


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The address of an instance's pages while they are served."""
    server = make_server("127.0.0.1", 0, create_app(settings).server, threaded=True)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sign_in(context: BrowserContext) -> Page:
    """A page of somebody who has signed in."""
    page = context.new_page()
    page.goto("/login")
    page.fill("#user", "admin")
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector("main")
    return page
