"""Who gets in: every route is closed to strangers, forms are this site's own, passwords cannot be guessed for long.

Does not belong here: what a page shows.
"""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path

import pytest
from dash import Dash
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner

from dash_app.accounts import Accounts, secret_key, set_password, users_path
from dash_app.operations import create_app
from dash_app.sign_in import OPEN_PATHS, OPEN_WITH_A_PROVIDER, safe_next
from dash_app.throttle import Throttle
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings
from tests.unit.dash_app.conftest import PASSWORD, sign_in, signed_in
from tests.unit.dash_app.facts import FakeReader, FakeWriter

PROVIDER = {
    "oidc_issuer": "https://id.example.org",
    "oidc_client_id": "clearlake",
    "oidc_allowed": ("example.org",),
    "oidc_keeps_local_accounts": True,
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAMPLES = {
    "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>":
        "/_dash-component-suites/dash/dash-renderer/build/dash_renderer.min.js",
    "/assets/<path:filename>": "/assets/app.js",
}  # fmt: skip


def paths(app: Dash) -> set[str]:
    """An address of every route that the app has."""
    rules = [rule.rule for rule in app.server.url_map.iter_rules()]
    return {SAMPLES.get(rule, re.sub(r"<[^>]+>", "x", rule)) for rule in rules}


@pytest.fixture(params=["accounts", "provider"])
def either_app(request: pytest.FixtureRequest, app: Dash, settings: Settings, reader: FakeReader) -> Dash:
    """An app of local accounts, and one of a provider."""
    return app if request.param == "accounts" else create_app(settings.model_copy(update=PROVIDER), reader, FakeWriter())


def open_to(client: FlaskClient, app: Dash) -> set[tuple[str, str]]:
    """Method and address of whatever answers with anything but that one must sign in."""
    found = set()
    for path in paths(app):
        for method in METHODS:
            response = client.open(path, method=method)
            led_away = response.status_code == 302 and response.headers["Location"].startswith("/login?")
            if response.status_code != 401 and not led_away:
                found.add((method, path))
    return found


def test_every_route_is_closed_to_strangers(either_app: Dash):
    every = paths(either_app)
    assert {"/", "/x", "/_dash-update-component", "/_dash-layout", "/logout", "/assets/app.js"} <= every
    named = OPEN_PATHS | (OPEN_WITH_A_PROVIDER if "/oidc/start" in every else frozenset())
    found = open_to(either_app.server.test_client(), either_app)
    assert {(method, path) for method, path in found if path not in named} == set(), "these are open to strangers"


def test_a_route_that_is_added_later_is_closed_too(own_app: Dash):
    own_app.server.add_url_rule("/added/<int:n>", "added", lambda n: "seen", methods=["GET", "POST"])
    assert "/added/x" in paths(own_app)
    assert own_app.server.test_client().get("/added/1").status_code == 302
    assert own_app.server.test_client().post("/added/1").status_code == 401


def test_a_session_that_was_made_up_opens_nothing(own_app: Dash):
    stranger = own_app.server.test_client()
    for identity in ("admin", "admin:", ":", "", "admin:0123456789abcdef", "ana@example.org:None"):
        with stranger.session_transaction() as session:
            session["_user_id"] = identity
        assert stranger.get("/_dash-layout").status_code == 401, identity


def test_what_is_open_is_named_one_by_one():
    assert {"/healthz", "/login", "/assets/tokens.css", "/assets/login.css", "/assets/theme.js", "/assets/favicon.svg"} == OPEN_PATHS
    assert {"/oidc/start", "/oidc/callback"} == OPEN_WITH_A_PROVIDER


@pytest.mark.parametrize("path", ["/nothing", "/mcp", "/_mcp", "/assets/app.js", "/login/", "/healthz/x", "//login", "/assets/../login"])
def test_unknown_paths_are_closed_too(stranger: FlaskClient, path: str):
    response = stranger.get(path)
    assert response.status_code in (301, 302, 308, 401)
    assert "Pipelines" not in response.text


def test_health_is_open_and_asks_nothing_of_the_store(own_app: Dash, own_reader: FakeReader):
    assert own_app.server.test_client().get("/healthz").status_code == 200
    assert own_reader.queries == 0


def test_signing_in_and_out(stranger: FlaskClient):
    assert stranger.get("/?pipeline=okta").headers["Location"] == "/login?next=/?pipeline%3Dokta"
    response = sign_in(stranger, next="/?pipeline=okta")
    assert (response.status_code, response.headers["Location"]) == (302, "/?pipeline=okta")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert stranger.get("/_dash-layout").status_code == 200
    assert stranger.get("/login").headers["Location"] == "/"

    with stranger.session_transaction() as session:
        token = session["csrf"]
    stranger.post("/logout", data={"csrf": token})
    assert stranger.get("/_dash-layout").status_code == 401


def test_signing_out_needs_this_sites_token(client: FlaskClient):
    client.get("/_dash-layout")
    client.post("/logout", data={"csrf": "guess"})
    assert client.get("/_dash-layout").status_code == 200


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(own_app: Dash):
    stranger = own_app.server.test_client()
    wrong, unknown = sign_in(stranger, "wrong"), sign_in(stranger, user="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace("admin", "nobody").split("csrf")[0] == unknown.text.replace("admin", "nobody").split("csrf")[0]
    assert "wrong" not in wrong.text.split("<form")[1]


def test_a_form_without_its_token_is_refused(stranger: FlaskClient):
    assert stranger.post("/login", data={"user": "admin", "password": PASSWORD}).status_code == 400
    assert sign_in(stranger, csrf="x").status_code == 400
    assert stranger.get("/_dash-layout").status_code == 401


def test_guessing_is_slowed_down_even_for_the_right_password(own_app: Dash):
    stranger = own_app.server.test_client()
    assert [sign_in(stranger, "wrong").status_code for _ in range(5)] == [401] * 5
    response = sign_in(stranger)
    assert (response.status_code, int(response.headers["Retry-After"]) > 200) == (429, True)


def test_a_throttle_forgets():
    now = [0.0]
    throttle = Throttle(limit=2, window_s=60, clock=lambda: now[0])
    throttle.failed("a")
    now[0] = 30
    throttle.failed("a")
    assert (throttle.wait_s("a"), throttle.wait_s("b")) == (31, 0)
    now[0] = 61
    assert throttle.wait_s("a") == 0
    throttle.failed("a")
    throttle.succeeded("a")
    throttle.failed("a")
    assert throttle.wait_s("a") == 0


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "/\n/evil.example",
        "",
        None,
        "runs/a",
        "///x",
    ],
)
def test_no_way_leads_to_another_site(stranger: FlaskClient, target: str | None):
    assert safe_next(target) == "/"
    assert sign_in(stranger, next=target or "").headers["Location"] == "/"


@pytest.mark.parametrize("target", ["/", "/runs/a", "/?pipeline=okta&table=bronze.okta"])
def test_ways_of_this_site_are_kept(target: str):
    assert safe_next(target) == target


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://localhost:9999"}]
)
def test_posts_from_other_sites_are_refused_everywhere(either_app: Dash, headers: dict[str, str]):
    taken = [
        (method, path)
        for browser in (signed_in(either_app), either_app.server.test_client())
        for path in paths(either_app)
        for method in ("POST", "PUT", "PATCH", "DELETE")
        if browser.open(path, method=method, headers=headers).status_code != 403
    ]
    assert taken == [], "these take a request from another site"


def test_the_pages_own_posts_are_taken(client: FlaskClient):
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}):
        assert client.post("/_dash-update-component", json={}, headers=headers).status_code != 403


def test_a_session_ends_after_twelve_hours(own_app: Dash, monkeypatch: pytest.MonkeyPatch):
    client, now = signed_in(own_app), time.time()
    for hours, status in ((11.9, 200), (12.1, 401)):
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self, hours=hours: int(now + hours * 3600))
        assert client.get("/_dash-layout").status_code == status, hours


def test_changing_the_password_ends_sessions(own_app: Dash, settings: Settings):
    client = signed_in(own_app)
    assert client.get("/_dash-layout").status_code == 200
    set_password(users_path(settings), "admin", "another-good-password")
    assert client.get("/_dash-layout").status_code == 401


def test_two_instances_on_one_address_do_not_share_a_session(client: FlaskClient, reader: FakeReader, tmp_path: Path):
    other = create_app(Settings(home=tmp_path / "other"), reader)
    assert other.server.config["SESSION_COOKIE_NAME"] != client.application.config["SESSION_COOKIE_NAME"]
    assert other.server.config["SECRET_KEY"] != client.application.config["SECRET_KEY"]


def test_pages_cannot_be_framed_or_run_scripts_of_others(client: FlaskClient):
    headers = client.get("/").headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"].split("style-src")[0]
    assert headers["Cache-Control"] == "no-store"


def test_without_an_account_the_form_says_what_to_do(reader: FakeReader, tmp_path: Path):
    page = create_app(Settings(home=tmp_path), reader).server.test_client().get("/login")
    assert "lakehouse up" in page.text


def test_accounts_are_private_and_hold_no_password(settings: Settings):
    path = users_path(settings)
    set_password(path, "ada", "one-more-password")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored = json.loads(path.read_text())
    assert set(stored) == {"admin", "ada"}
    assert all(value.startswith("$argon2id$") for value in stored.values())
    assert Accounts(path).verify("ada", "one-more-password")
    assert not Accounts(path).verify("ada", PASSWORD)
    assert not Accounts(path).verify("nobody", PASSWORD)


@pytest.mark.parametrize(("user", "password"), [("Admin", PASSWORD), ("a:b", PASSWORD), ("", PASSWORD), ("ada", "short")])
def test_poor_names_and_passwords_are_refused(settings: Settings, user: str, password: str):
    with pytest.raises(ConfigurationError):
        set_password(users_path(settings), user, password)


def test_the_session_key_is_made_once_and_private(settings: Settings):
    assert secret_key(settings) == secret_key(settings)
    assert len(secret_key(settings)) == 32
    assert stat.S_IMODE((settings.state_dir / "operations_secret").stat().st_mode) == 0o600
