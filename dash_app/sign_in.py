"""Who may see the operations pages: every route is closed unless it is named open here.

Does not belong here: where accounts are kept (accounts), what a provider proves (oidc), or what a signed-in person may do on a page.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, make_response, redirect, render_template, request, session, url_for
from flask_login import LoginManager, current_user, login_user, logout_user
from werkzeug.wrappers import Response as AnyResponse

from dash_app import oidc
from dash_app.accounts import USER_NAME, Accounts, secret_key, users_path
from dash_app.actions import record
from dash_app.oidc import Provider, provider_of
from dash_app.people import Person, Refused, person_of
from dash_app.throttle import Throttle
from lakehouse.settings import Settings

log = logging.getLogger(__name__)

OPEN_PATHS = frozenset(
    ("/healthz", "/login", "/assets/tokens.css", "/assets/login.css", "/assets/theme.js", "/assets/favicon.svg"),
)
OPEN_WITH_A_PROVIDER = frozenset((oidc.START_PATH, oidc.CALLBACK_PATH))
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
SESSION_LASTS = timedelta(hours=12)
WRONG = "That name and password do not go together."
TOO_OLD = "This form was open for too long. Please sign in again."
NO_ACCOUNT = "There is no account yet. Run `lakehouse up`, which makes one."
NO_PASSWORDS = "Passwords are not taken here."
SIGNED_OUT = "You are signed out here. {host} may still know you: on a machine that others use, sign out there too."
NOT_A_NAME = "(not a name)"
"""Recorded for what cannot be a name: it may be a password in the wrong field."""
_KEY = "clearlake_entrance"


@dataclass(frozen=True)
class Entrance:
    """What lets people in: local accounts, a provider, or both; and what counts who was not."""

    accounts: Accounts
    provider: Provider | None
    by_user: Throttle = field(default_factory=lambda: Throttle(limit=5))
    by_address: Throttle = field(default_factory=lambda: Throttle(limit=50))
    refused: Throttle = field(default_factory=lambda: Throttle(limit=50))

    @property
    def takes_passwords(self) -> bool:
        """Whether local accounts may sign in."""
        return self.provider is None or self.provider.keeps_local_accounts

    @property
    def open_paths(self) -> frozenset[str]:
        """What is open to those who have not signed in."""
        return OPEN_PATHS | OPEN_WITH_A_PROVIDER if self.provider else OPEN_PATHS

    def still_knows(self, person: Person) -> bool:
        """Whether what let the person in still holds."""
        by_password = self.accounts.fingerprint(person.name) if self.takes_passwords else None
        return bool(person.fingerprint) and person.fingerprint in (by_password, self.provider and self.provider.rules.fingerprint)

    def wait_s(self, user: str) -> int:
        """Seconds until a password of the user may be tried again from the present address."""
        return max(self.by_user.wait_s(user), self.by_address.wait_s(request.remote_addr or ""))

    def verify(self, user: str, password: str) -> bool:
        """Whether the password is the user's; counted where it is not."""
        if self.accounts.verify(user, password):
            self.by_user.succeeded(user)
            return True
        self.by_user.failed(user)
        self.by_address.failed(request.remote_addr or "")
        return False


def protect(server: Flask, settings: Settings) -> None:
    """Close every route of the server but the open ones, and add signing in and out.

    Raises ConfigurationError where a provider is set and its settings are not whole.
    """
    entrance = Entrance(Accounts(users_path(settings)), provider_of(server, settings))
    server.extensions[_KEY] = entrance
    _configure(server, settings)

    @LoginManager(server).user_loader
    def _load(identity: str) -> Person | None:
        person = person_of(identity)
        return person if entrance.still_knows(person) else None

    server.before_request(_guard)
    server.after_request(_harden)
    server.add_url_rule("/login", "login", _show_form, methods=["GET"])
    server.add_url_rule("/login", "login_submit", _take_form, methods=["POST"])
    server.add_url_rule("/logout", "logout", _leave, methods=["POST"])
    if entrance.provider:
        server.add_url_rule(oidc.START_PATH, "oidc_start", _go_to_provider, methods=["GET"])
        server.add_url_rule(oidc.CALLBACK_PATH, oidc.CALLBACK_ENDPOINT, _come_from_provider, methods=["GET"])


def csrf_token() -> str:
    """The token that this session's forms must send back."""
    return str(session.setdefault("csrf", secrets.token_urlsafe(24)))


def safe_next(target: str | None) -> str:
    """The path to go to after signing in: only ever one of this app's own."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target


def _configure(server: Flask, settings: Settings) -> None:
    instance = hashlib.sha256(str(settings.home).encode()).hexdigest()[:8]
    server.config.update(
        SECRET_KEY=secret_key(settings),
        SESSION_COOKIE_NAME=f"clearlake_operations_{instance}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=(settings.operations_url or "").startswith("https:"),
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SESSION_LASTS,
    )


def _entrance() -> Entrance:
    found: Entrance = current_app.extensions[_KEY]
    return found


def _guard() -> AnyResponse | None:
    if request.method not in SAFE_METHODS and _is_cross_site():
        return Response("This request came from another site.", 403, mimetype="text/plain")
    if request.path in _entrance().open_paths or current_user.is_authenticated:
        return None
    if request.method == "GET" and not request.path.startswith("/_"):
        return redirect(url_for("login", next=request.full_path.rstrip("?")))
    return Response("Sign in first.", 401, mimetype="text/plain")


def _is_cross_site() -> bool:
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host


def _harden(response: Response) -> Response:
    hashes = " ".join(current_app.extensions.get("script_hashes", list)())
    response.headers.update(
        {
            "Content-Security-Policy": f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
        }
    )
    if not request.path.startswith(("/_dash-component-suites/", "/assets/")):
        response.headers["Cache-Control"] = "no-store"
    return response


def _show_form() -> AnyResponse:
    if current_user.is_authenticated:
        return redirect(safe_next(request.args.get("next")))
    entrance = _entrance()
    return _form(NO_ACCOUNT if entrance.takes_passwords and not entrance.provider and not entrance.accounts.exist() else "")


def _take_form() -> AnyResponse:
    entrance = _entrance()
    user, password = request.form.get("user", "").strip().lower()[:64], request.form.get("password", "")
    if not _token_matches():
        return _form(TOO_OLD, 400)
    if not entrance.takes_passwords:
        return _form(NO_PASSWORDS, 403)
    if wait := entrance.wait_s(user):
        return _too_many(wait)
    if not entrance.verify(user, password):
        _record_refusal(user if USER_NAME.match(user) else NOT_A_NAME, by="password", reason="wrong_password")
        return _form(WRONG, 401)
    return _enter(Person(user, entrance.accounts.fingerprint(user) or ""), safe_next(request.form.get("next")), by="password")


def _go_to_provider() -> AnyResponse:
    provider, target = _provider(), safe_next(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(target)
    try:
        return provider.begin(target)
    except Refused as refused:
        return _form(f"{refused.message} {refused.next_step}", refused.status)


def _come_from_provider() -> AnyResponse:
    provider = _provider()
    is_awaited = provider.is_awaited()
    try:
        arrival = provider.finish()
    except Refused as refused:
        if is_awaited:
            _record_refusal(refused.name, by=provider.host, reason=refused.reason)
        return _form(f"{refused.message} {refused.next_step}", refused.status, wanted=provider.wanted())
    return _enter(arrival.person, safe_next(arrival.target), by=provider.host, subject=arrival.subject)


def _provider() -> Provider:
    found = _entrance().provider
    assert found
    return found


def _leave() -> AnyResponse:
    entrance = _entrance()
    if not _token_matches():
        return redirect(url_for("login"))
    was_there = entrance.provider and current_user.fingerprint == entrance.provider.rules.fingerprint
    record("signed_out", current_user.name)
    logout_user()
    session.clear()
    return redirect(url_for("login", signed_out=1) if was_there else url_for("login"))


def _enter(person: Person, target: str, **how: str) -> AnyResponse:
    session.clear()
    session.permanent = True
    csrf_token()  # made now: a session that changes later would last for as long again
    login_user(person)
    record("signed_in", person.name, **how)
    return redirect(target)


def _record_refusal(name: str | None, by: str, reason: str) -> None:
    """Record that somebody was not let in; only so many, since strangers bring it about, and each is a commit to the store."""
    refused = _entrance().refused
    if wait := refused.wait_s(by):
        log.warning("a refused sign-in is not recorded: there were too many; the next one is in %d s", wait)
        return
    refused.failed(by)
    record("sign_in_refused", name, by=by, reason=reason)


def _token_matches() -> bool:
    expected = session.get("csrf")
    return bool(expected) and secrets.compare_digest(str(expected), request.form.get("csrf", ""))


def _form(message: str = "", status: int = 200, wanted: str | None = None) -> AnyResponse:
    entrance, way_on = _entrance(), safe_next(wanted or request.values.get("next"))
    page = render_template(
        "login.html",
        message=message,
        user=request.form.get("user", ""),
        csrf=csrf_token(),
        next=way_on,
        takes_passwords=entrance.takes_passwords,
        **(_of_provider(entrance.provider, way_on) if entrance.provider else {}),
    )
    return make_response(page, status)


def _of_provider(provider: Provider, way_on: str) -> dict[str, Any]:
    left = "signed_out" in request.args
    return {
        "provider": provider.host,
        "start": url_for("oidc_start", next=way_on),
        "notice": SIGNED_OUT.format(host=provider.host) if left else "",
        "sign_out_there": provider.sign_out_url() if left else None,
    }


def _too_many(wait_s: int) -> AnyResponse:
    response = _form(f"Too many wrong passwords. Try again in {-(-wait_s // 60)} min.", 429)
    response.headers["Retry-After"] = str(wait_s)
    return response
