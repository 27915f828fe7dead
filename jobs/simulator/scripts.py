"""What can happen: every flow of events as data, one script per method and ending.

Action names are the provider's own where its docs or samples give them (`PasswordsAuthenticate`, `SessionsAuthenticate`,
`MultiTenantSessionsAuthenticate`, `MagicLinksEmailLoginOrCreate`, `B2BOAuthDiscoveryAuthenticate`, `EmailDelivery`, `GetUser`,
`SessionsJwks`), and else follow the same pattern (vertical, product, method). Error types are those of its public SDKs.

Does not belong here: who, when and where (flows), or the fields of a record (records).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jobs.simulator.tenants import TENANT_BY_ID, SimTenant, Vertical


class Status(StrEnum):
    """Status of an event."""

    START = "Start"
    SUCCESS = "Success"
    ERROR = "Error"


class Origin(StrEnum):
    """Who caused an event, which decides the fields that it carries."""

    CLIENT = "client"
    BACKEND = "backend"
    MESSAGING = "messaging"


@dataclass(frozen=True)
class ApiError:
    """An error of the provider's API."""

    status_code: int
    error_type: str
    error_message: str


@dataclass(frozen=True)
class Step:
    """One event of a script.

    Attributes:
        request: number of the API request within the flow; events of one request share its id.
        after_s: median delay after the step before, in seconds.
        spread: sigma of the delay's logarithm.
        signs_in: a sign-in is complete with this event, so that it names the session.
        identified: the request itself names the user, by e-mail address or phone number.
    """

    action: str
    status: Status
    request: int
    after_s: float
    spread: float = 0.4
    origin: Origin = Origin.CLIENT
    error: ApiError | None = None
    message_status: str = ""
    message_status_description: str = ""
    signs_in: bool = False
    identified: bool = False


@dataclass(frozen=True)
class Script:
    """A possible course of a flow.

    Attributes:
        method: key of a tenant's methods, or `session` or `backend`.
        weight: probability among the scripts of the method.
        known_user: the provider recognises the user; if not, it reports no user id.
    """

    method: str
    weight: float
    steps: tuple[Step, ...]
    ending: str
    known_user: bool = True
    by_phone: bool = False
    provider: str = ""


SESSION = "session"
BACKEND = "backend"

UNAUTHORIZED = ApiError(401, "unauthorized_credentials", "Unauthorized credentials.")
EMAIL_NOT_FOUND = ApiError(404, "email_not_found", "Email could not be found.")
TOO_MANY_REQUESTS = ApiError(429, "too_many_requests", "Too many requests have been made.")
INTERNAL = ApiError(500, "internal_server_error", "Oops, something seems to have gone wrong.")
RESET_PASSWORD = ApiError(400, "reset_password", "The password must be reset before it can be used again.")
MAGIC_LINK_USED = ApiError(401, "unable_to_auth_magic_link", "The magic link was already used or has expired.")
OTP_NOT_FOUND = ApiError(404, "otp_code_not_found", "OTP code not found.")
OTP_WRONG = ApiError(401, "unable_to_auth_otp_code", "The passcode is wrong, already used or expired.")
OAUTH_REFUSED = ApiError(401, "unable_to_authorize_oauth_provider", "The OAuth provider did not authorize the user.")
SSO_NOT_FOUND = ApiError(404, "sso_token_not_found", "The SSO token could not be found.")
SAML_INVALID = ApiError(400, "invalid_saml_response", "The SAML response is invalid.")
SAML_SIGNATURE = ApiError(400, "invalid_signature_saml_response", "The signature of the SAML response is invalid.")
PASSKEY_FAILED = ApiError(401, "unable_to_auth_webauthn_registration", "The WebAuthn registration could not be authenticated.")
BIOMETRIC_FAILED = ApiError(401, "unable_to_auth_biometric_registration", "The biometric registration could not be authenticated.")
TOTP_WRONG = ApiError(401, "unable_to_authenticate_totp", "The TOTP code could not be authenticated.")
TOTP_USED = ApiError(401, "totp_code_already_authenticated", "The TOTP code was already used.")
SESSION_NOT_FOUND = ApiError(404, "session_not_found", "Session could not be found.")

_FAULTS = {TOO_MANY_REQUESTS: 0.004, INTERNAL: 0.002}


def _request(action: str, number: int, after_s: float, error: ApiError | None = None, *, signs_in: bool = False, identified: bool = False,
             spread: float = 0.6) -> tuple[Step, Step]:  # fmt: skip
    outcome = Status.ERROR if error else Status.SUCCESS
    return (
        Step(action, Status.START, number, after_s, spread, identified=identified),
        Step(action, outcome, number, 0.18, 0.5, error=error, signs_in=signs_in and not error, identified=identified),
    )


def _delivery(action: str, after_s: float, status: str, description: str = "") -> Step:
    return Step(action, Status.SUCCESS, 0, after_s, 0.8, Origin.MESSAGING, None, status, description, identified=True)


def _password(action: str, errors: Mapping[ApiError, float]) -> list[Script]:
    """One request: it succeeds, fails, or fails and succeeds at the second try."""
    method = "password"

    def request(number: int, after_s: float, error: ApiError | None = None) -> tuple[Step, Step]:
        return _request(action, number, after_s, error, signs_in=True, identified=True)

    scripts = []
    for error, weight in {**errors, **_FAULTS}.items():
        failed = request(0, 0, error)
        known = error is not EMAIL_NOT_FOUND
        scripts.append(Script(method, weight * 0.45, failed, "failed", known_user=known))
        if known:
            scripts.append(Script(method, weight * 0.55, failed + request(1, 9), "retried"))
    spent = sum(script.weight for script in scripts)
    return [Script(method, 1 - spent, request(0, 0), "completed"), *scripts]


def _two_steps(method: str, first: tuple[Step, ...], second: str, wait_s: float, errors: Mapping[ApiError, float], drop_off: float,
               *, before: Sequence[tuple[float, tuple[Step, ...]]] = ()) -> list[Script]:  # fmt: skip
    """A first part (a send, a challenge, a redirect), then, after the user's time, a request that signs in.

    `before` holds ways in which the first part itself ends the flow, with their probabilities.
    """

    def request(number: int, after_s: float, error: ApiError | None = None) -> tuple[Step, Step]:
        return _request(second, number, after_s, error, signs_in=True)

    scripts = [Script(method, weight, steps, "failed") for weight, steps in before]
    scripts.append(Script(method, drop_off, first, "dropped"))
    for error, weight in {**errors, **_FAULTS}.items():
        failed = first + request(1, wait_s, error)
        scripts.append(Script(method, weight * 0.6, failed, "failed"))
        scripts.append(Script(method, weight * 0.4, failed + request(2, 14), "retried"))
    spent = sum(script.weight for script in scripts)
    return [Script(method, 1 - spent, first + request(1, wait_s), "completed"), *scripts]


def _messaged(method: str, send: str, second: str, wait_s: float, errors: Mapping[ApiError, float], drop_off: float,
              *, by_phone: bool = False) -> list[Script]:  # fmt: skip
    """A message is sent and delivered, and its link or code is used, or not."""
    sent = _request(send, 0, 0, identified=True)
    delivery, seconds = ("SMSDelivery", 4.0) if by_phone else ("EmailDelivery", 2.2)
    lost = ("undelivered", "Handset is not reachable") if by_phone else ("bounced", "Mailbox does not exist")
    delivered = (*sent, _delivery(delivery, seconds, "delivered"))
    before = (
        (0.012, (*sent, _delivery(delivery, seconds * 3, *lost))),
        (0.006, _request(send, 0, 0, TOO_MANY_REQUESTS, identified=True)),
        (0.002, _request(send, 0, 0, INTERNAL, identified=True)),
    )
    scripts = _two_steps(method, delivered, second, wait_s, errors, drop_off, before=before)
    if by_phone:
        return [replace(script, by_phone=True) for script in scripts]
    used = [replace(script, weight=script.weight / 2) for script in scripts if len(script.steps) > len(delivered)]
    unused = [script for script in scripts if len(script.steps) <= len(delivered)]
    return [*used, *map(_opened, used), *unused]


def _opened(script: Script) -> Script:
    """The same course, for a mail client that reports the opening of the mail."""
    opened = _delivery("EmailDelivery", 20, "opened")
    return replace(script, steps=(*script.steps[:3], opened, *script.steps[3:]))


def _oauth(method: str, provider: str, start: str, second: str) -> list[Script]:
    scripts = _two_steps(method, _request(start, 0, 0), second, 11, {OAUTH_REFUSED: 0.035}, 0.09)
    return [replace(script, provider=provider) for script in scripts]


def _sessions(check: str, revoke: str) -> list[Script]:
    checked = Step(check, Status.SUCCESS, 0, 0, origin=Origin.BACKEND, signs_in=True)
    again = replace(checked, request=1, after_s=240, spread=0.9)
    gone = replace(checked, status=Status.ERROR, error=SESSION_NOT_FOUND, signs_in=False)
    return [
        Script(SESSION, 0.58, (checked,), "completed"),
        Script(SESSION, 0.20, (checked, again), "completed"),
        Script(SESSION, 0.15, _request(check, 0, 0, signs_in=True), "completed"),
        Script(SESSION, 0.05, _request(revoke, 0, 0, signs_in=True), "completed"),
        Script(SESSION, 0.02, (gone,), "failed"),
    ]


def _backend() -> list[Script]:
    """Calls that are no sign-in: they have no place in a table of authentication events."""
    steps = (Step(action, Status.SUCCESS, 0, 0, origin=Origin.BACKEND) for action in ("SessionsJwks", "GetUser"))
    return [Script(BACKEND, 0.5, (step,), "completed") for step in steps]


_PASSWORD_ERRORS = {UNAUTHORIZED: 0.085, EMAIL_NOT_FOUND: 0.012, RESET_PASSWORD: 0.004}
_LINK_ERRORS = {MAGIC_LINK_USED: 0.05}
_CODE_ERRORS = {OTP_NOT_FOUND: 0.05, OTP_WRONG: 0.02}
_TOTP_ERRORS = {TOTP_WRONG: 0.05, TOTP_USED: 0.005}
_SAML_ERRORS = {SAML_INVALID: 0.012, SAML_SIGNATURE: 0.004, SSO_NOT_FOUND: 0.006}


def _consumer() -> list[Script]:
    password = _request("PasswordsAuthenticate", 0, 0, identified=True)
    passkey, biometric = _request("WebAuthnAuthenticateStart", 0, 0), _request("BiometricsAuthenticateStart", 0, 0)
    return [
        *_password("PasswordsAuthenticate", _PASSWORD_ERRORS),
        *_messaged("magic_link", "MagicLinksEmailLoginOrCreate", "MagicLinksAuthenticate", 75, _LINK_ERRORS, 0.17),
        *_messaged("otp_email", "OTPsEmailLoginOrCreate", "OTPsAuthenticate", 40, _CODE_ERRORS, 0.12),
        *_messaged("otp_sms", "OTPsSMSLoginOrCreate", "OTPsAuthenticate", 24, _CODE_ERRORS, 0.10, by_phone=True),
        *_oauth("oauth_google", "Google", "OAuthGoogleStart", "OAuthAuthenticate"),
        *_oauth("oauth_github", "Github", "OAuthGithubStart", "OAuthAuthenticate"),
        *_oauth("oauth_microsoft", "Microsoft", "OAuthMicrosoftStart", "OAuthAuthenticate"),
        *_two_steps("passkey", passkey, "WebAuthnAuthenticate", 5, {PASSKEY_FAILED: 0.025}, 0.05),
        *_two_steps("biometric", biometric, "BiometricsAuthenticate", 2, {BIOMETRIC_FAILED: 0.015}, 0.02),
        *_two_steps("totp", password, "TOTPsAuthenticate", 15, _TOTP_ERRORS, 0.04),
        *_sessions("SessionsAuthenticate", "SessionsRevoke"),
        *_backend(),
    ]


def _b2b() -> list[Script]:
    password = _request("B2BPasswordsAuthenticate", 0, 0, identified=True)
    return [
        *_password("B2BPasswordsAuthenticate", _PASSWORD_ERRORS),
        *_messaged("magic_link", "B2BMagicLinksEmailLoginOrSignup", "B2BMagicLinksAuthenticate", 90, _LINK_ERRORS, 0.14),
        *_messaged("otp_email", "B2BOTPsEmailLoginOrSignup", "B2BOTPsEmailAuthenticate", 45, _CODE_ERRORS, 0.10),
        *_messaged("otp_sms", "B2BOTPsSMSSend", "B2BOTPsSMSAuthenticate", 25, _CODE_ERRORS, 0.08, by_phone=True),
        *_oauth("oauth_google", "Google", "B2BOAuthGoogleStart", "B2BOAuthDiscoveryAuthenticate"),
        *_oauth("oauth_github", "Github", "B2BOAuthGithubStart", "B2BOAuthAuthenticate"),
        *_oauth("oauth_microsoft", "Microsoft", "B2BOAuthMicrosoftStart", "B2BOAuthAuthenticate"),
        *_two_steps("sso", _request("B2BSSOStart", 0, 0), "B2BSSOAuthenticate", 7, _SAML_ERRORS, 0.03),
        *_two_steps("totp", password, "B2BTOTPsAuthenticate", 15, _TOTP_ERRORS, 0.03),
        *_sessions("MultiTenantSessionsAuthenticate", "MultiTenantSessionsRevoke"),
        *_backend(),
    ]


SCRIPTS: Mapping[Vertical, tuple[Script, ...]] = {Vertical.CONSUMER: tuple(_consumer()), Vertical.B2B: tuple(_b2b())}
"""All scripts of each vertical."""

ACTIONS: Mapping[Vertical, Mapping[str, frozenset[str]]] = {
    vertical: {
        method: frozenset(step.action for s in scripts if s.method == method for step in s.steps)
        for method in dict.fromkeys(s.method for s in scripts)
    }
    for vertical, scripts in SCRIPTS.items()
}
"""Actions that each method can cause: what a mapping of these records must know."""


class ScriptBook:
    """The scripts of one tenant as arrays, so that a day's flows are drawn and unrolled at once."""

    def __init__(self, tenant: SimTenant) -> None:
        self.methods = (*tenant.methods, SESSION, BACKEND)
        self.scripts = tuple(s for method in self.methods for s in SCRIPTS[tenant.vertical] if s.method == method)
        self.steps = tuple(step for script in self.scripts for step in script.steps)
        self.step_script = tuple(script for script in self.scripts for _ in script.steps)
        self.lengths = np.array([len(script.steps) for script in self.scripts], dtype=np.int64)
        self.first_step = np.cumsum(self.lengths) - self.lengths
        self.after_ms = np.array([step.after_s * 1000 for step in self.steps])
        self.spread = np.array([step.spread for step in self.steps])
        self.request = np.array([step.request for step in self.steps], dtype=np.int64)
        self._upper = np.concatenate([at + self._shares(method) for at, method in enumerate(self.methods)])

    def _shares(self, method: str) -> NDArray[np.float64]:
        cumulative = np.cumsum([script.weight for script in self.scripts if script.method == method])
        return np.asarray(cumulative / cumulative[-1], dtype=np.float64)

    def draw(self, methods: NDArray[np.int64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        """A script for each flow, given its method: method m's scripts share the interval from m to m + 1."""
        return np.searchsorted(self._upper, methods + uniform, side="right").astype(np.int64)

    def find(self, method: str, ending: str, error: ApiError | None = None) -> int:
        """Number of the first script with this method and ending, and with this error where one is given."""
        for at, script in enumerate(self.scripts):
            if script.method == method and script.ending == ending and (error is None or any(s.error is error for s in script.steps)):
                return at
        raise LookupError(f"no {ending} script of {method} ends with {error}")


@cache
def book_of(tenant_id: str) -> ScriptBook:
    """The script book of a tenant in the catalogue."""
    return ScriptBook(TENANT_BY_ID[tenant_id])
