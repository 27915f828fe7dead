"""An operations app over facts in memory, and a client of it.

Does not belong here: tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from dash import Dash
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dash_app import accounts
from dash_app.accounts import set_password, users_path
from dash_app.operations import create_app
from lakehouse.settings import Settings
from tests.unit.dash_app.facts import NOON, FakeReader, FakeWriter, fortnight
from tests.unit.dash_app.troubles import Heart, heartbeat

PASSWORD = "correct-horse-battery"


def sign_in(client: FlaskClient, password: str = PASSWORD, **form: str) -> TestResponse:
    """Send the sign-in form as a browser would."""
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert token
    return client.post("/login", data={"user": "admin", "password": password, "csrf": token[1], **form})


def signed_in(app: Dash) -> FlaskClient:
    """A browser that has signed in to the app."""
    client = app.server.test_client()
    assert sign_in(client).status_code == 302
    return client


@pytest.fixture(scope="session", autouse=True)
def _quick_hashes() -> Iterator[None]:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_HASHER", quick)
        patch.setattr(accounts, "_NOBODY", quick.hash("nobody"))
        yield


def _settings(home: Path) -> Settings:
    made = Settings(home=home)
    set_password(users_path(made), "admin", PASSWORD)
    return made


@pytest.fixture(scope="session")
def reader() -> FakeReader:
    """A reader of generated facts; shared, so leave it as it is."""
    return FakeReader(fortnight(NOON, hours=48))


@pytest.fixture(scope="session")
def app(reader: FakeReader, tmp_path_factory: pytest.TempPathFactory) -> Dash:
    """An app over the generated facts; shared, so leave it as it is."""
    return create_app(
        _settings(tmp_path_factory.mktemp("shared")), reader, FakeWriter(), Heart(heartbeat(datetime.now(UTC), interval_s=3600))
    )


@pytest.fixture
def stranger(app: Dash) -> FlaskClient:
    """A browser that has not signed in."""
    return app.server.test_client()


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    """A browser that has signed in."""
    return signed_in(app)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an instance of the test's own, with one account."""
    return _settings(tmp_path)


@pytest.fixture
def own_reader() -> FakeReader:
    """An empty reader of the test's own."""
    return FakeReader()


@pytest.fixture
def own_writer(own_reader: FakeReader) -> FakeWriter:
    """A writer of the test's own, whose rows its reader tells too."""
    return FakeWriter(own_reader)


@pytest.fixture
def heart() -> Heart:
    """A heartbeat of the test's own, that has just beaten."""
    return Heart(heartbeat(datetime.now(UTC), interval_s=3600))


@pytest.fixture
def own_app(settings: Settings, own_reader: FakeReader, own_writer: FakeWriter, heart: Heart) -> Dash:
    """An app of the test's own."""
    return create_app(settings, own_reader, own_writer, heart)


@pytest.fixture
def own_client(own_app: Dash, own_reader: FakeReader, own_writer: FakeWriter) -> FlaskClient:
    """A browser that has signed in to the app of the test's own."""
    client = signed_in(own_app)
    own_reader.put("ops.actions", [])
    own_writer.kept.clear()
    return client
