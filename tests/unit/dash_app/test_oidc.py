"""Sign-in by OpenID Connect against a third party's provider: who proves who they are comes in, and nobody else.

Does not belong here: which of the provider's people may come in (test_oidc_rules), or local accounts (test_sign_in).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr

from dash_app.operations import create_app
from lakehouse.settings import Settings
from tests.unit.dash_app.conftest import PASSWORD, sign_in
from tests.unit.dash_app.facts import FakeReader, FakeWriter
from tests.unit.dash_app.served import Browser, Cheat, Json, ProviderServer, query, served

pytestmark = pytest.mark.filterwarnings("ignore:JWS algorithm")

CLIENT, SECRET = "clearlake", "a-secret-of-the-client"
Serve = Callable[..., Browser]


@pytest.fixture(scope="module")
def running() -> Iterator[ProviderServer]:
    """The provider, as a server."""
    made = ProviderServer()
    with served(made.app) as made.issuer:
        made.knows("ana", email="Ana@Example.org", email_verified=True, groups=["staff"])
        made.knows("eve", email="eve@elsewhere.example", email_verified=True)
        yield made


@pytest.fixture
def provider(running: ProviderServer) -> ProviderServer:
    """The provider, honest."""
    running.reset()
    return running


def trusting(issuer: str, **own: Any) -> Json:
    """Settings of pages that trust the provider."""
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
        "oidc_allowed": ("example.org",),
        **own,
    }


@pytest.fixture(scope="module")
def shared(running: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, FakeWriter]]:
    """Pages that trust the provider, for tests that leave them as they are, and what they record."""
    writer = FakeWriter()
    settings = Settings(home=tmp_path_factory.mktemp("oidc"), **trusting(running.issuer))
    with served(create_app(settings, FakeReader(), writer).server) as address:
        yield address, writer


@pytest.fixture
def pages(provider: ProviderServer, settings: Settings, own_reader: FakeReader, own_writer: FakeWriter) -> Iterator[Serve]:
    """Serves pages that trust the provider; a browser that looks at them."""
    with ExitStack() as stack:

        def serve(**own: Any) -> Browser:
            given = trusting(provider.issuer, **own)
            app = create_app(settings.model_copy(update=given), own_reader, own_writer)
            return Browser(stack.enter_context(served(app.server)))

        yield serve


def actions(writer: FakeWriter) -> list[tuple[str, str, str | None, Json]]:
    """Who, what, to what and how, of each recorded action."""
    rows = writer.kept.get("ops.actions", [])
    return [(row["actor"], row["action"], row["target"], json.loads(row["detail"] or "{}")) for row in rows]


def test_one_who_signs_in_at_the_provider_comes_in_and_goes_where_they_wanted(
    pages: Serve, provider: ProviderServer, own_writer: FakeWriter
) -> None:
    browser = pages()
    answer = browser.sign_in("ana", wanted="/?pipeline=okta")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/?pipeline=okta")
    assert browser.is_in()
    how = {"by": provider.issuer.removeprefix("http://"), "subject": "ana"}
    assert actions(own_writer) == [("ana@example.org", "signed_in", "ana@example.org", how)]


def test_the_way_there_has_state_nonce_and_a_challenge_whose_verifier_is_sent_later(pages: Serve, provider: ProviderServer) -> None:
    browser = pages()
    asked = browser.to_provider()
    sent = query(asked)
    assert len(sent["state"]) > 20
    assert len(sent["nonce"]) > 15
    assert (sent["code_challenge_method"], sent["response_type"], sent["client_id"]) == ("S256", "code", CLIENT)
    assert sent["redirect_uri"] == f"{browser.pages}/oidc/callback"
    assert SECRET not in asked
    browser.get(browser.back_from_provider(asked, "ana"))
    verifier = provider.token_requests[0]["code_verifier"]
    assert _base64(hashlib.sha256(verifier.encode()).digest()) == sent["code_challenge"]


def test_each_sign_in_has_a_state_nonce_and_verifier_of_its_own(pages: Serve) -> None:
    browser = pages()
    first, second = query(browser.to_provider()), query(browser.to_provider())
    assert not {first[name] for name in ("state", "nonce", "code_challenge")} & {second[n] for n in ("state", "nonce", "code_challenge")}


def test_going_to_the_provider_again_and_again_does_not_fill_the_session(pages: Serve) -> None:
    browser = pages()
    page = browser.login_page()
    for _ in range(40):
        asked = browser.press(page)
    assert browser.get(browser.back_from_provider(asked, "ana")).status_code == 302


def test_the_provider_sends_people_back_to_the_address_that_is_set(pages: Serve) -> None:
    asked = pages(operations_url="https://ops.example.org/").to_provider()
    assert query(asked)["redirect_uri"] == "https://ops.example.org/oidc/callback"


def resigned(**changed: Any) -> Cheat:
    """The provider's own signature under other claims; None takes one away."""
    return lambda header, claims, key: jwt.encode(header, {k: v for k, v in {**claims, **changed}.items() if v is not None}, key)


def signed_by_another(header: Json, claims: Json, _key: RSAKey) -> str:
    return jwt.encode(header, claims, RSAKey.generate_key(2048))


def signed_by_another_of_a_new_name(header: Json, claims: Json, _key: RSAKey) -> str:
    return jwt.encode({**header, "kid": "new"}, claims, RSAKey.generate_key(2048))


def signed_by_nobody(header: Json, claims: Json, _key: RSAKey) -> str:
    return jwt.encode({**header, "alg": "none"}, claims, OctKey.generate_key(256), algorithms=["none"])


def signed_with_the_public_key(header: Json, claims: Json, key: RSAKey) -> str:
    said = ".".join(_base64(json.dumps(part).encode()) for part in ({**header, "alg": "HS256"}, claims))
    return f"{said}.{_base64(hmac.digest(key.as_pem(private=False), said.encode(), 'sha256'))}"


def _base64(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).decode().rstrip("=")


def signed_with_the_secret(header: Json, claims: Json, _key: RSAKey) -> str:
    return jwt.encode({**header, "alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])


def with_other_text(header: Json, claims: Json, key: RSAKey) -> str:
    head, _, signature = jwt.encode(header, claims, key).split(".")
    return f"{head}.{_base64(json.dumps({**claims, 'email': 'boss@example.org'}).encode())}.{signature}"


AN_HOUR_AGO = int(time.time()) - 3600


@pytest.mark.parametrize(
    ("cheat", "reason"),
    [
        (resigned(aud="another-client"), "invalid_claim: aud"),
        (resigned(aud="another-client", azp=CLIENT), "invalid_claim: aud"),
        (resigned(aud=[CLIENT, "another-client"], azp="another-client"), "invalid_claim: azp"),
        (resigned(aud=None), "missing_claim: aud"),
        (resigned(iss="https://another.example"), "invalid_claim: iss"),
        (resigned(iss=None), "missing_claim: iss"),
        (resigned(exp=AN_HOUR_AGO), "expired_token: exp"),
        (resigned(exp=None), "missing_claim: exp"),
        (resigned(exp="never"), "invalid_claim: exp"),
        (resigned(iat=AN_HOUR_AGO + 7200), "invalid_claim: iat"),
        (resigned(nonce="of another sign-in"), "invalid_claim: nonce"),
        (resigned(nonce=None), "missing_claim: nonce"),
        (resigned(sub=None), "missing_claim: sub"),
        (resigned(at_hash="of another token"), "invalid_claim: at_hash"),
        (signed_by_another, "bad_signature"),
        (signed_by_another_of_a_new_name, "invalid_key_id"),
        (signed_by_nobody, "unsupported_algorithm"),
        (signed_with_the_public_key, "unsupported_algorithm"),
        (signed_with_the_secret, "unsupported_algorithm"),
        (with_other_text, "bad_signature"),
        (lambda *_: None, "no_id_token"),
        (lambda *_: "no.to.ken", ""),
    ],
)
def test_a_token_that_does_not_hold_lets_nobody_in(
    shared: tuple[str, FakeWriter], provider: ProviderServer, cheat: Cheat, reason: str
) -> None:
    address, writer = shared
    browser, provider.cheat = Browser(address), cheat
    writer.kept.clear()
    answer = browser.sign_in("ana")
    assert answer.status_code == 401, answer.text
    assert "does not prove who you are" in answer.text
    assert "/oidc/start" in answer.text
    assert not browser.is_in()
    ((who, what, target, how),) = actions(writer)
    assert (who, what, target) == ("(not signed in)", "sign_in_refused", None)
    assert how["reason"] == (reason or how["reason"])


def test_a_provider_that_offers_tokens_without_a_key_pair_does_not_get_them_taken(pages: Serve, provider: ProviderServer) -> None:
    offered = {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]}
    provider.changed["/.well-known/openid-configuration"] = offered
    for cheat in (signed_by_nobody, signed_with_the_public_key, signed_with_the_secret):
        browser, provider.cheat = pages(), cheat
        assert browser.sign_in("ana").status_code == 401
        assert not browser.is_in()


def test_an_id_token_for_several_is_taken_where_these_pages_asked_for_it(pages: Serve, provider: ProviderServer) -> None:
    browser, provider.cheat = pages(), resigned(aud=["another-client", CLIENT], azp=CLIENT)
    assert browser.sign_in("ana").status_code == 302
    assert browser.is_in()


def test_clocks_may_differ_a_little(pages: Serve, provider: ProviderServer) -> None:
    browser, provider.cheat = pages(), resigned(exp=int(time.time()) - 1)
    assert browser.sign_in("ana").status_code == 302


@pytest.mark.parametrize("state", ["guessed", "", None])
def test_a_wrong_state_lets_nobody_in_and_the_code_is_not_even_used(pages: Serve, provider: ProviderServer, state: str | None) -> None:
    browser = pages()
    back = browser.back_from_provider(browser.to_provider(), "ana")
    rightful = query(back)["state"]
    answer = browser.get(back.replace(f"state={rightful}", "" if state is None else f"state={state}"))
    assert answer.status_code == 401
    assert "was not started in this browser" in answer.text
    assert not browser.is_in()
    assert provider.token_requests == []


def test_a_wrong_nonce_lets_nobody_in(pages: Serve) -> None:
    browser = pages()
    asked = browser.to_provider()
    other = asked.replace(query(asked)["nonce"], "of-another-sign-in")
    assert browser.get(browser.back_from_provider(other, "ana")).status_code == 401
    assert not browser.is_in()


def test_somebody_elses_way_back_does_not_work_in_another_browser(pages: Serve, provider: ProviderServer) -> None:
    mine = pages()
    back = mine.back_from_provider(mine.to_provider(), "ana")
    stranger = Browser(mine.pages)
    assert stranger.get(back).status_code == 401
    assert not stranger.is_in()
    stranger.to_provider()
    assert stranger.get(back).status_code == 401
    assert provider.token_requests == []


def test_a_way_back_works_once(pages: Serve) -> None:
    browser = pages()
    back = browser.back_from_provider(browser.to_provider(), "ana")
    assert browser.get(back).status_code == 302
    browser.sign_out()
    assert browser.get(back).status_code == 401
    assert not browser.is_in()


def test_a_person_who_is_not_allowed_is_told_and_recorded(pages: Serve, own_writer: FakeWriter) -> None:
    browser = pages()
    answer = browser.sign_in("eve")
    assert answer.status_code == 403
    assert "eve@elsewhere.example may not come in here" in answer.text
    assert not browser.is_in()
    ((who, what, target, how),) = actions(own_writer)
    assert (who, what, target, how["reason"]) == ("(not signed in)", "sign_in_refused", "eve@elsewhere.example", "not_allowed")


def test_one_who_is_refused_may_choose_another_account_and_still_goes_where_they_wanted(pages: Serve) -> None:
    browser = pages()
    assert "prompt" not in query(browser.to_provider("/?pipeline=okta"))
    page = browser.sign_in("eve", wanted="/?pipeline=okta").text
    again = browser.press(page)
    assert query(again)["prompt"] == "select_account"
    assert browser.get(browser.back_from_provider(again, "ana")).headers["Location"] == "/?pipeline=okta"


def test_what_the_id_token_does_not_say_is_asked_of_userinfo(pages: Serve, provider: ProviderServer) -> None:
    browser, provider.cheat = pages(oidc_allowed_groups=("staff",)), resigned(email=None, email_verified=None, groups=None)
    assert browser.sign_in("ana").status_code == 302
    assert browser.is_in()


def test_userinfo_of_somebody_else_is_not_taken(pages: Serve, provider: ProviderServer) -> None:
    browser, provider.cheat = pages(), resigned(email=None, email_verified=None)
    provider.changed["/userinfo"] = {"sub": "eve"}
    assert browser.sign_in("ana").status_code == 401
    assert not browser.is_in()


def test_one_who_declines_at_the_provider_is_told_what_to_do(pages: Serve) -> None:
    answer = pages().get("/oidc/callback?error=access_denied&error_description=%3Cb%3Ecall%20555%3C/b%3E&state=x")
    assert answer.status_code == 401
    assert "Start again, and agree when it asks" in answer.text
    assert "555" not in answer.text


def test_a_refusal_is_recorded_where_this_browser_began_the_sign_in_and_not_for_whatever_link_somebody_opens(
    pages: Serve, own_writer: FakeWriter
) -> None:
    browser = pages()
    state = query(browser.to_provider())["state"]
    browser.get("/oidc/callback?error=access_denied&state=made-up")
    browser.get("/oidc/callback?code=made-up")
    assert actions(own_writer) == []
    browser.get(f"/oidc/callback?error=access_denied&state={state}")
    ((_, what, target, how),) = actions(own_writer)
    assert (what, target, how["reason"]) == ("sign_in_refused", None, "access_denied")


def test_refusals_fill_no_store(pages: Serve, own_writer: FakeWriter) -> None:
    browser = pages()
    state = query(browser.to_provider())["state"]
    for _ in range(60):
        browser.get(f"/oidc/callback?error=access_denied&state={state}")
    assert len(actions(own_writer)) == 50


@pytest.mark.parametrize(("length", "kept"), [(1200, True), (6000, False)])
def test_a_long_way_on_does_not_stop_anybody_from_coming_in(pages: Serve, length: int, kept: bool) -> None:
    browser, wanted = pages(), f"/?q={secrets.token_hex(length // 2)}"
    assert browser.sign_in("ana", wanted=wanted).headers["Location"] == (wanted if kept else "/")
    assert browser.is_in()


@pytest.mark.parametrize("code", ["made_up", "<script>alert(1)</script>", "invalid_request"])
def test_a_providers_own_words_are_not_shown(pages: Serve, code: str) -> None:
    answer = pages().get(f"/oidc/callback?error={code}")
    assert answer.status_code == 401
    assert "did not sign you in" in answer.text
    assert code not in answer.text


def test_a_client_that_the_provider_does_not_know_is_told_which_settings_to_compare(
    pages: Serve, provider: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    browser = pages()
    back = browser.back_from_provider(browser.to_provider(), "ana")
    provider.changed["/oauth2/token"] = {"error": "invalid_client", "error_description": "no such secret"}
    with caplog.at_level(logging.DEBUG, "dash_app"):
        answer = browser.get(back)
    logged = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("dash_app"))
    assert "LAKEHOUSE_OIDC_CLIENT_SECRET" in answer.text
    assert f"{browser.pages}/oidc/callback" in answer.text
    for told in (answer.text, logged):
        assert SECRET not in told
        assert query(back)["code"] not in told
    assert "no such secret" in logged


def test_the_pages_come_up_without_the_provider_and_say_that_it_does_not_answer(pages: Serve) -> None:
    with served(lambda environ, start: (start("500 no", []), [b""])[1]) as issuer:
        broken = pages(oidc_issuer=issuer)
        answer = broken.get("/oidc/start")
        assert (answer.status_code, "does not answer as it should" in answer.text) == (503, True)
    answer = broken.get("/oidc/start")
    assert (answer.status_code, "does not answer as it should" in answer.text) == (503, True)
    assert broken.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
        {"token_endpoint": "http://far.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used_and_asked_anew_later(
    pages: Serve, provider: ProviderServer, changed: Json
) -> None:
    browser = pages()
    provider.changed["/.well-known/openid-configuration"] = changed
    assert browser.get("/oidc/start").status_code == 503
    provider.changed.clear()
    assert browser.sign_in("ana").status_code == 302


@pytest.mark.parametrize(("offered", "in_the_form"), [(["client_secret_post"], True), (["client_secret_basic"], False), (None, False)])
def test_the_secret_is_sent_the_way_that_the_provider_takes_it(
    pages: Serve, provider: ProviderServer, offered: list[str] | None, in_the_form: bool
) -> None:
    browser = pages()
    provider.changed["/.well-known/openid-configuration"] = {"token_endpoint_auth_methods_supported": offered}
    assert browser.sign_in("ana").status_code == 302
    assert (provider.token_requests[0].get("client_secret") == SECRET) == in_the_form


def test_keys_that_the_provider_changed_under_an_old_name_are_taken_at_the_next_try(pages: Serve, provider: ProviderServer) -> None:
    browser = pages()
    other = RSAKey.generate_key(2048)
    provider.cheat = lambda header, claims, key: jwt.encode({**header, "kid": "one"}, claims, key)
    provider.changed["/jwks"] = {"keys": [{**other.as_dict(private=False), "kid": "one"}]}
    assert browser.sign_in("ana").status_code == 401
    del provider.changed["/jwks"]
    provider.cheat = None
    assert browser.sign_in("ana").status_code == 302


def test_signing_out_ends_the_session_here_and_shows_the_way_to_end_it_there(
    pages: Serve, provider: ProviderServer, own_writer: FakeWriter
) -> None:
    browser = pages()
    browser.sign_in("ana")
    page = browser.get(browser.sign_out().headers["Location"]).text
    assert not browser.is_in()
    assert "You are signed out here" in page
    assert f'href="{provider.issuer}/oauth2/end_session?client_id={CLIENT}"' in page
    assert actions(own_writer)[-1][:3] == ("ana@example.org", "signed_out", "ana@example.org")


def test_local_accounts_do_not_sign_in_beside_a_provider(pages: Serve, settings: Settings, provider: ProviderServer) -> None:
    browser = pages()
    page = browser.login_page()
    assert "Sign in with 127.0.0.1" in page
    assert 'type="password"' not in page

    set_so = settings.model_copy(update=trusting(provider.issuer))
    client = create_app(set_so, FakeReader(), FakeWriter()).server.test_client()
    client.get("/login")
    with client.session_transaction() as session:
        token = session["csrf"]
    answer = client.post("/login", data={"user": "admin", "password": PASSWORD, "csrf": token})
    assert (answer.status_code, "Passwords are not taken here" in answer.text) == (403, True)
    assert client.get("/_dash-layout").status_code == 401


def test_local_accounts_stay_where_they_are_kept(settings: Settings, provider: ProviderServer) -> None:
    kept = settings.model_copy(update=trusting(provider.issuer, oidc_keeps_local_accounts=True))
    client = create_app(kept, FakeReader(), FakeWriter()).server.test_client()
    assert "/oidc/start" in client.get("/login").text
    assert sign_in(client).status_code == 302
    assert client.get("/_dash-layout").status_code == 200


def test_without_a_provider_there_is_no_such_way(settings: Settings) -> None:
    client = create_app(settings, FakeReader(), FakeWriter()).server.test_client()
    assert "oidc" not in client.get("/login").text
    assert client.get("/oidc/start").headers["Location"].startswith("/login")
    assert client.get("/oidc/callback?error=access_denied").headers["Location"].startswith("/login")


@pytest.mark.parametrize("changed", [{"oidc_issuer": None}, {"oidc_allowed": ("bob@example.org",)}, {"oidc_client_id": "another"}])
def test_a_session_of_the_providers_ends_when_the_rules_change(settings: Settings, provider: ProviderServer, changed: Json) -> None:
    given = settings.model_copy(update=trusting(provider.issuer))
    with served(create_app(given, FakeReader(), FakeWriter()).server) as address:
        browser = Browser(address)
        browser.sign_in("ana")
        assert browser.is_in()
        cookies = browser.cookies()
    for update, status in (({}, 200), (changed, 401)):
        client = create_app(given.model_copy(update=update), FakeReader(), FakeWriter()).server.test_client()
        for name, value in cookies.items():
            client.set_cookie(name, value)
        assert client.get("/_dash-layout").status_code == status, update
