"""Sign-in by OpenID Connect: the way to the provider and back, and what its ID token must hold.

Authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, sections 3.1 and 5; RFC 7636; RFC 9700), by Authlib.

Does not belong here: sessions, pages and routes (sign_in), or which of the provider's people may come in (oidc_rules).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlencode, urlsplit

from authlib.common.security import is_secure_transport
from authlib.integrations.base_client import MismatchingStateError, OAuthError
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from flask import Flask, request, session, url_for
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from dash_app.oidc_rules import Claims, Rules
from dash_app.people import Person, Refused
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings

log = logging.getLogger(__name__)

NAME = "oidc"
START_PATH, CALLBACK_PATH = "/oidc/start", "/oidc/callback"
CALLBACK_ENDPOINT = "oidc_callback"
STATE = f"_state_{NAME}_"
"""What Authlib's keys in the session begin with; the state follows."""
DISCOVERY_PATH = "/.well-known/openid-configuration"
WANTED, CHOOSE = "after_sign_in", "choose_account"
"""What the session holds on the way: where to go afterwards, and that the provider must not take the same account again unasked."""
LONGEST_TARGET = 1500
"""Characters. The session is a cookie, of which browsers keep 4,096 bytes; what Authlib puts there takes a third of them."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
SIGNED_BY, CLIENTS_BY = "id_token_signing_alg_values_supported", "token_endpoint_auth_methods_supported"
ALGORITHMS = tuple(f"{family}{bits}" for family in ("RS", "ES", "PS") for bits in (256, 384, 512))
"""By a key pair of the provider. Neither `none`, nor HMAC, whose key would be a public one or the client's secret."""
CLOCKS_DIFFER_S = 60
ANSWERS_WITHIN_S = 5
LOGGED = 300
"""Characters of a provider's error that are logged."""

NO_GOOD_ANSWER = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What is raised where no answer comes (all of requests' errors are OSErrors), or one that has not the form that it should."""

START_AGAIN = "Start again; if it stays so, tell whoever runs these pages ({reason})."
NOT_STARTED_HERE = ("This sign-in was not started in this browser, or too long ago.", "Start again.")
NOT_VALID = ("What {host} sent does not prove who you are.", START_AGAIN)
NO_ANSWER = ("{host} does not answer as it should.", "Try again in a minute; if it stays so, tell whoever runs these pages.")
OTHER = ("{host} did not sign you in.", START_AGAIN)
DECLINED = ("{host} was not allowed to sign you in.", "Start again, and agree when it asks.")
UNKNOWN_CLIENT = (
    "{host} does not accept these pages as its client.",
    "Tell whoever runs them to compare LAKEHOUSE_OIDC_CLIENT_ID, LAKEHOUSE_OIDC_CLIENT_SECRET and the address {callback} "
    "with what is registered there.",
)
WORDS = {
    "access_denied": DECLINED,
    "invalid_client": UNKNOWN_CLIENT,
    "unauthorized_client": UNKNOWN_CLIENT,
    "server_error": NO_ANSWER,
    "temporarily_unavailable": NO_ANSWER,
}
"""By the codes of RFC 6749, sections 4.1.2.1 and 5.2. The provider's own words are not shown: anybody can put some into a link."""


class Arrival(NamedTuple):
    """Somebody who came back from the provider: who, under which subject there, and on the way to where."""

    person: Person
    subject: str
    target: str


class _Client(FlaskOAuth2App):
    """Authlib's client, which takes a provider's description of itself only from the provider that is set, and over TLS."""

    def load_server_metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = super().load_server_metadata()
        if problem := self._problem(found):
            found.clear()
            raise ValueError(problem)
        found[SIGNED_BY] = _accepted(found)
        taken = found.get(CLIENTS_BY, ["client_secret_basic"])
        if self.client_secret and "client_secret_basic" not in taken and "client_secret_post" in taken:
            found["token_endpoint_auth_method"] = "client_secret_post"
        return found

    def _problem(self, found: dict[str, Any]) -> str | None:
        if str(found.get("issuer", "")).rstrip("/") + DISCOVERY_PATH != self._server_metadata_url:
            return f"it calls itself {found.get('issuer')!r}, which is not LAKEHOUSE_OIDC_ISSUER"
        if open_to_all := [name for name in ENDPOINTS if not is_secure_transport(str(found.get(name, "")))]:
            return f"no https address: {', '.join(open_to_all)}"
        return None if _accepted(found) else "it signs in no way that is accepted here"


@dataclass(frozen=True)
class Provider:
    """The provider that people sign in at.

    Attributes:
        host: how people are told of it.
        rules: who may come in.
        keeps_local_accounts: whether accounts of these pages may sign in beside it.
        own_address: of these pages, as the provider has it; None for whatever people call them by.
    """

    host: str
    rules: Rules
    keeps_local_accounts: bool
    own_address: str | None
    _client: _Client

    def begin(self, target: str) -> Response:
        """The redirect to the provider; the session then holds state, nonce, verifier and the way to go on afterwards.

        Raises Refused where the provider does not answer.
        """
        for key in [key for key in session if key.startswith(STATE)]:
            del session[key]
        session[WANTED] = target if len(target) <= LONGEST_TARGET else "/"
        prompt = {"prompt": "select_account"} if session.pop(CHOOSE, False) else {}
        try:
            sent: Response = self._client.authorize_redirect(self.callback(), **prompt)
        except NO_GOOD_ANSWER as error:
            self._refuse(NO_ANSWER, "provider_does_not_answer", error, status=503)
        return sent

    def finish(self) -> Arrival:
        """The person whom the provider names in the present request.

        Raises Refused where it does not name one, its token does not hold, or the person may not come in.
        """
        claims = self._claims()
        try:
            return Arrival(self.rules.admit(claims), str(claims["sub"]), self.wanted())
        except Refused:
            session[CHOOSE] = True
            raise

    def ask(self) -> None:
        """Ask the provider how it describes itself. Raises InfrastructureError where it does not answer, or not as it should."""
        try:
            self._client.load_server_metadata()
        except NO_GOOD_ANSWER as error:
            raise InfrastructureError(
                f"{self.host} does not answer as it should: {_gist(error)}",
                next_step="compare LAKEHOUSE_OIDC_ISSUER with the provider's address; LAKEHOUSE_OIDC_CA_FILE is for its own authority",
            ) from error

    def is_awaited(self) -> bool:
        """Whether the present request ends a sign-in that this browser began; anybody can make other ones, and many."""
        return STATE + request.args.get("state", "") in session

    def wanted(self) -> str:
        """Where the one who went to the provider was to go afterwards."""
        return str(session.get(WANTED, "/"))

    def callback(self) -> str:
        """The address that the provider sends people back to."""
        return f"{self.own_address}{CALLBACK_PATH}" if self.own_address else url_for(CALLBACK_ENDPOINT, _external=True)

    def sign_out_url(self) -> str | None:
        """Where one ends the session at the provider itself; None where it is not known (RP-Initiated Logout 1.0)."""
        address = str(self._client.server_metadata.get("end_session_endpoint", ""))
        return f"{address}?{urlencode({'client_id': self._client.client_id})}" if is_secure_transport(address) else None

    def _claims(self) -> Claims:
        try:
            token = self._client.authorize_access_token(claims_options=self._claims_options(), leeway=CLOCKS_DIFFER_S)
            return self._completed(token)
        except MismatchingStateError as error:
            self._refuse(NOT_STARTED_HERE, "unknown_state", error)
        except OAuthError as error:
            known = error.error if error.error in WORDS else "other_error"
            self._refuse(WORDS.get(known, OTHER), known, error)
        except JoseError as error:
            self._client.server_metadata.pop("jwks", None)
            self._refuse(NOT_VALID, _reason(error), error)
        except NO_GOOD_ANSWER as error:
            self._refuse(NO_ANSWER, "provider_does_not_answer", error, status=503)

    def _claims_options(self) -> dict[str, dict[str, Any]]:
        issuer = self._client.load_server_metadata()["issuer"]
        return {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": self._client.client_id}}

    def _completed(self, token: dict[str, Any]) -> Claims:
        """The ID token's claims, and where they lack one that the rules ask for, those of the userinfo endpoint too (section 5.3.2)."""
        claims: Claims | None = token.get("userinfo")
        if not claims:
            self._refuse(NOT_VALID, "no_id_token")
        if not self.rules.lacks(claims) or "userinfo_endpoint" not in self._client.load_server_metadata():
            return claims
        more = self._client.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            self._refuse(NOT_VALID, "userinfo_of_somebody_else")
        return {**more, **claims}

    def _refuse(self, words: tuple[str, str], reason: str, error: Exception | None = None, status: int = 401) -> NoReturn:
        log.warning("sign-in at %s failed: %s: %s", self.host, reason, _gist(error) if error else "")
        message, next_step = (text.format(host=self.host, reason=reason, callback=self.callback()) for text in words)
        raise Refused(message, next_step=next_step, reason=reason, status=status) from error


def provider_of(server: Flask, settings: Settings) -> Provider | None:
    """The provider that is set; None where none is. It is not asked anything before somebody signs in.

    Raises ConfigurationError where the settings are not whole, or would let nobody in.
    """
    if settings.oidc_issuer is None:
        return None
    issuer = settings.oidc_issuer.rstrip("/")
    if not is_secure_transport(issuer):
        raise ConfigurationError(f"LAKEHOUSE_OIDC_ISSUER is {issuer!r}", next_step="set it to the provider's https:// address")
    if not settings.oidc_client_id:
        raise ConfigurationError("LAKEHOUSE_OIDC_CLIENT_ID is not set", next_step="set it to the id that the provider gave these pages")
    own = settings.operations_url.rstrip("/") if settings.operations_url else None
    host = urlsplit(issuer).netloc
    return Provider(host, Rules.of(settings), settings.oidc_keeps_local_accounts, own, _client_of(server, settings, issuer))


def _client_of(server: Flask, settings: Settings, issuer: str) -> _Client:
    trusted = {"verify": str(settings.oidc_ca_file)} if settings.oidc_ca_file else {}
    client: _Client = OAuth(server).register(
        NAME,
        client_cls=_Client,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None,
        server_metadata_url=issuer + DISCOVERY_PATH,
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "default_timeout": ANSWERS_WITHIN_S,
            **trusted,
        },
    )
    return client


def _accepted(found: dict[str, Any]) -> list[str]:
    return [name for name in found.get(SIGNED_BY, ["RS256"]) if name in ALGORITHMS]


def _reason(error: JoseError) -> str:
    claim = getattr(error, "claim", None)
    return f"{error.error or 'bad_token'}: {claim}" if claim else error.error or "bad_token"


def _gist(error: Exception) -> str:
    """What an error says, in one line: a provider's words may come from a link that anybody made."""
    return repr(f"{error.error}: {error.description}" if isinstance(error, OAuthError) else str(error))[:LOGGED]
