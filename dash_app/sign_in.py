"""Who may see the operations pages: every route is closed unless it is named open here.

Does not belong here: where accounts are kept (accounts), or what a signed-in person may do on a page.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, make_response, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response as AnyResponse

from dash_app.accounts import Accounts, secret_key, users_path
from lakehouse.settings import Settings

OPEN_PATHS = frozenset(
    ("/healthz", "/login", "/assets/tokens.css", "/assets/login.css", "/assets/theme.js", "/assets/favicon.svg"),
)
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
SESSION_LASTS = timedelta(hours=12)
WRONG = "That name and password do not go together."
TOO_OLD = "This form was open for too long. Please sign in again."
NO_ACCOUNT = "There is no account yet. Run `lakehouse up`, which makes one."


@dataclass(frozen=True)
class Person(UserMixin):
    """Somebody with an account."""

    name: str
    fingerprint: str

    def get_id(self) -> str:
        """What the session holds: it stops counting when the password changes."""
        return f"{self.name}:{self.fingerprint}"


class Throttle:
    """Counts failed attempts by key within a window.

    Args:
        limit: failures after which the key must wait.
        window_s: how long a failure counts.
        clock: seconds, monotonic.
    """

    def __init__(self, limit: int, window_s: float = 300, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._window_s, self._clock = limit, window_s, clock
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str) -> int:
        """Seconds until the key may try again; 0 for now."""
        with self._lock:
            self._forget_old()
            failures = self._failures.get(key, ())
            return int(failures[-self._limit] + self._window_s - self._clock()) + 1 if len(failures) >= self._limit else 0

    def failed(self, key: str) -> None:
        """Count one failure."""
        with self._lock:
            self._failures.setdefault(key, deque(maxlen=self._limit)).append(self._clock())

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        with self._lock:
            self._failures.pop(key, None)

    def _forget_old(self) -> None:
        oldest = self._clock() - self._window_s
        self._failures = {key: times for key, times in self._failures.items() if times[-1] > oldest}


def protect(server: Flask, settings: Settings) -> None:
    """Close every route of the server but the open ones, and add signing in and out."""
    accounts = Accounts(users_path(settings))
    by_user, by_address = Throttle(limit=5), Throttle(limit=50)
    _configure(server, settings)

    manager = LoginManager(server)

    @manager.user_loader
    def _load(identity: str) -> Person | None:
        name, _, fingerprint = identity.partition(":")
        return Person(name, fingerprint) if fingerprint and accounts.fingerprint(name) == fingerprint else None

    server.before_request(_guard)
    server.after_request(_harden)

    @server.get("/login")
    def login() -> AnyResponse:
        if current_user.is_authenticated:
            return redirect(safe_next(request.args.get("next")))
        return _form("" if accounts.exist() else NO_ACCOUNT)

    @server.post("/login")
    def login_submit() -> AnyResponse:
        user, password = request.form.get("user", "").strip().lower()[:64], request.form.get("password", "")
        if not _token_matches():
            return _form(TOO_OLD, 400)
        if wait := max(by_user.wait_s(user), by_address.wait_s(request.remote_addr or "")):
            return _too_many(wait)
        if not accounts.verify(user, password):
            by_user.failed(user)
            by_address.failed(request.remote_addr or "")
            return _form(WRONG, 401)
        by_user.succeeded(user)
        return _enter(Person(user, accounts.fingerprint(user) or ""))

    @server.post("/logout")
    def logout() -> AnyResponse:
        if _token_matches():
            logout_user()
            session.clear()
        return redirect(url_for("login"))


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


def _guard() -> AnyResponse | None:
    if request.method not in SAFE_METHODS and _is_cross_site():
        return Response("This request came from another site.", 403, mimetype="text/plain")
    if request.path in OPEN_PATHS or current_user.is_authenticated:
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


def _token_matches() -> bool:
    expected = session.get("csrf")
    return bool(expected) and secrets.compare_digest(str(expected), request.form.get("csrf", ""))


def _form(message: str = "", status: int = 200) -> AnyResponse:
    page = render_template(
        "login.html",
        message=message,
        user=request.form.get("user", ""),
        csrf=csrf_token(),
        next=safe_next(request.values.get("next")),
    )
    return make_response(page, status)


def _too_many(wait_s: int) -> AnyResponse:
    response = _form(f"Too many wrong passwords. Try again in {-(-wait_s // 60)} min.", 429)
    response.headers["Retry-After"] = str(wait_s)
    return response


def _enter(person: Person) -> AnyResponse:
    target = safe_next(request.form.get("next"))
    session.clear()
    session.permanent = True
    login_user(person)
    return redirect(target)
