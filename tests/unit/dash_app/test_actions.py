"""What people do is recorded, with who and when, and without what must not be kept.

Does not belong here: sign-in by a provider (test_oidc).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from flask_login import login_user

from dash_app.actions import record
from dash_app.operations import create_app
from dash_app.people import Person
from lakehouse.ops.store import OpsWriter
from lakehouse.settings import Settings
from tests.unit.dash_app.conftest import PASSWORD, sign_in, signed_in
from tests.unit.dash_app.facts import FakeReader, FakeWriter


def told(writer: FakeWriter) -> list[tuple[str, str, str | None, Any]]:
    """Who, what, to what and how, of each action."""
    return [(r["actor"], r["action"], r["target"], json.loads(r["detail"] or "null")) for r in writer.kept["ops.actions"]]


def test_signing_in_and_out_is_recorded(own_app: Dash, own_writer: FakeWriter) -> None:
    client = signed_in(own_app)
    client.get("/_dash-layout")
    with client.session_transaction() as session:
        token = session["csrf"]
    client.post("/logout", data={"csrf": "guess"})
    client.post("/logout", data={"csrf": token})
    assert told(own_writer) == [("admin", "signed_in", "admin", {"by": "password"}), ("admin", "signed_out", "admin", None)]


def test_a_refused_sign_in_is_recorded_with_the_name_that_was_tried_and_as_nobodys(own_app: Dash, own_writer: FakeWriter) -> None:
    stranger = own_app.server.test_client()
    for user, password in (("admin", "a-wrong-guess"), ("Nobody", "a-wrong-guess"), ("My pass word 1!", "")):
        sign_in(stranger, password, user=user)
    why = {"by": "password", "reason": "wrong_password"}
    assert told(own_writer) == [("(not signed in)", "sign_in_refused", name, why) for name in ("admin", "nobody", "(not a name)")]
    assert "a-wrong-guess" not in str(own_writer.kept)


def test_guessing_fills_no_store(own_app: Dash, own_writer: FakeWriter) -> None:
    stranger = own_app.server.test_client()
    for n in range(70):
        sign_in(stranger, "a-wrong-guess", user=f"u{n}")
    assert len(told(own_writer)) == 50


def test_an_action_has_the_person_of_the_request_and_the_time(own_app: Dash, own_writer: FakeWriter) -> None:
    before = datetime.now(UTC)
    with own_app.server.test_request_context("/"):
        login_user(Person("ana@example.org", "f"))
        assert record("acknowledged", "incident-1", note="<b>", since=before, tables=["a", "b"])
    (row,) = own_writer.kept["ops.actions"]
    assert (row["actor"], row["action"], row["target"]) == ("ana@example.org", "acknowledged", "incident-1")
    assert json.loads(row["detail"]) == {"note": "<b>", "since": str(before), "tables": ["a", "b"]}
    assert before <= row["acted_at"] <= before + timedelta(minutes=5)


def test_signing_in_works_while_the_store_is_down_and_its_record_waits(tmp_path: Path, settings: Settings) -> None:
    nowhere = {"s3_endpoint": "http://127.0.0.1:9", "s3_access_key_id": "key", "s3_secret_access_key": "secret"}
    down = Settings(home=settings.home, **nowhere)  # type: ignore[arg-type]
    client = create_app(down, FakeReader()).server.test_client()
    assert sign_in(client, PASSWORD).status_code == 302
    assert OpsWriter(down).waiting() == 1


@pytest.mark.parametrize("path", ["/healthz", "/login"])
def test_looking_is_not_recorded(own_app: Dash, own_writer: FakeWriter, path: str) -> None:
    own_app.server.test_client().get(path)
    assert own_writer.kept == {}
