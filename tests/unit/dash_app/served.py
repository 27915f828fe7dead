"""Real HTTP servers on 127.0.0.1, in threads: a third party's OpenID Connect provider that can be made to cheat, and the pages.

Does not belong here: tests.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import oidc_provider_mock
import requests
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_provider_mock._storage import storage
from werkzeug.serving import make_server

Json = dict[str, Any]
Cheat = Callable[[Json, Json, RSAKey], str | None]
"""From header and claims of an ID token and the provider's key, the token to send in its place; None for none."""

LARGEST_COOKIE = 4096
"""Bytes that a browser keeps, name and attributes among them (RFC 6265, section 6.1); requests keeps any."""


@contextmanager
def served(application: Any) -> Iterator[str]:
    """The address of a WSGI application while it is served."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class ProviderServer:
    """oidc-provider-mock, whose answers can be changed on their way out.

    Attributes:
        issuer: its address, while it is served.
        cheat: what becomes of the ID token.
        changed: by path, what is added to the JSON answers there.
        token_requests: the forms that the token endpoint got.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.app = oidc_provider_mock.app(require_nonce=True)
        self.app.after_request(self._alter)
        self.reset()

    def reset(self) -> None:
        """Honest again, and nothing seen."""
        self.cheat: Cheat | None = None
        self.changed: dict[str, Json] = {}
        self.token_requests: list[Json] = []

    def knows(self, subject: str, **claims: Any) -> None:
        """Make a person known."""
        assert requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=10).ok

    def _alter(self, response: flask.Response) -> flask.Response:
        path = flask.request.path
        if path == "/oauth2/token":
            self.token_requests.append(flask.request.form.to_dict())
        if response.status_code == 200 and response.is_json:
            answer = {**response.get_json(), **self.changed.get(path, {})}
            if self.cheat and "id_token" in answer:
                answer = {**answer, "id_token": self._cheated(self.cheat, answer["id_token"])}
            response.set_data(json.dumps({name: value for name, value in answer.items() if value is not None}))
        return response

    def _cheated(self, cheat: Cheat, token: str) -> str | None:
        key = RSAKey.import_key(storage.jwk.as_dict(is_private=True))
        honest = jwt.decode(token, key)
        return cheat(dict(honest.header), dict(honest.claims), key)


class Browser:
    """Goes the way of a person who signs in, redirect by redirect.

    Args:
        pages: address of the pages.
    """

    def __init__(self, pages: str) -> None:
        self.pages, self._session = pages, requests.Session()

    def get(self, address: str) -> requests.Response:
        """One request, without following where it leads."""
        return self._session.get(requests.compat.urljoin(self.pages, address), allow_redirects=False, timeout=10)

    def login_page(self, wanted: str = "/") -> str:
        """The sign-in page that a stranger is led to."""
        return self.get(self.get(wanted).headers["Location"]).text

    def to_provider(self, wanted: str = "/") -> str:
        """Press the button on the sign-in page; the address at the provider that it leads to."""
        return self.press(self.login_page(wanted))

    def press(self, page: str) -> str:
        """Press the button on this page; the address at the provider that it leads to."""
        start = re.search(r'href="(/oidc/start[^"]*)"', page)
        assert start
        answer = self.get(unescape(start[1]))
        assert len(answer.headers["Set-Cookie"]) < LARGEST_COOKIE
        return answer.headers["Location"]

    def back_from_provider(self, address: str, subject: str) -> str:
        """Sign in there; the address that the provider sends the browser back to."""
        answer = self._session.post(address, data={"sub": subject}, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def sign_in(self, subject: str, wanted: str = "/") -> requests.Response:
        """The whole way, up to what the pages answer to the one who comes back."""
        return self.get(self.back_from_provider(self.to_provider(wanted), subject))

    def cookies(self) -> dict[str, str]:
        """What the browser keeps."""
        return dict(self._session.cookies)

    def is_in(self) -> bool:
        """Whether the pages let this browser see anything."""
        return self.get("/_dash-layout").status_code == 200

    def sign_out(self) -> requests.Response:
        """Press the button of the pages' frame."""
        field = re.search(r'\{[^{}]*"csrf"[^{}]*\}', self.get("/_dash-layout").text)
        assert field
        sent = {"csrf": json.loads(field[0])["value"]}
        return self._session.post(f"{self.pages}/logout", data=sent, allow_redirects=False, timeout=10)


def query(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
