"""Keeping secrets out of what is recorded: every known secret in a text becomes `***`, however it is spelled there.

What is known as a secret: the secret settings, the keys of an assumed role, the tenants' keys, and of the variables of the environment and
of the instance's files each that is named like a secret, that is the project's own and no plain setting (a channel's URL, its token), or
that is a URL with a password.

Does not belong here: values of the data in errors (lakehouse.ops.error_text), or where texts are recorded.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, unquote, urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr

from lakehouse.settings import CREDENTIALS_FILE, ENV_PREFIX, USER_FILE, Settings
from lakehouse.store import assumed
from lakehouse.tenants import key_files, keys_folder

MASK = "***"
PLAIN = frozenset({"CACHE", "MAVEN_ROOT", "CHROMIUM", "FAILPOINT", "HOME"})
"""Variables of the project, less its prefix, that are no settings and no secrets."""
PLAIN_SETTINGS = frozenset(name for name, field in Settings.model_fields.items() if "SecretStr" not in str(field.annotation))
NAMED_LIKE_A_SECRET = re.compile(r"PASSW|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|CREDENTIAL|WEBHOOK")
SHORTEST = 3
"""A shorter value is no secret; to replace it would leave nothing readable."""
SHORTEST_UNNAMED = 8
"""The same for a variable that nothing but its prefix tells to be secret."""
WITHIN_WORDS = 8
"""A shorter secret is replaced where it stands for itself only: `lake` in `lakehouse` is not the password `lake`."""
SHORTEST_PART = 8
"""Of the parts of a channel's URL, such as `services` in a path, those that are shorter are not secret."""
KEY_DIGITS = 64
"""A tenant's key in hexadecimal digits."""
HEXADECIMAL = re.compile(rf"[0-9a-fA-F]{{{KEY_DIGITS},}}")
USER_INFO = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s'\"]*?@(?=[\w.\[-])")
"""User and password within any URL, known or not."""
PARAMETER = re.compile(
    r"(?i)(?<=[?&;])((?:access_|refresh_|id_)?token|password|sig|x-amz-(?:signature|credential|security-token))=[^\s&;'\"]+"
)
"""Secrets among the parameters of any URL."""
HTTP = ("http", "https")
MAIL = ("mailto", "mailtos", "smtp", "smtps")

Redact = Callable[[str], str]


class Redaction:
    """Replaces the secrets of an instance, as they are at each call: a variable that is set or a key that is made later counts too."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: tuple[object, Redact] | None = None

    def __call__(self, text: str) -> str:
        """The text with `***` in the place of each secret."""
        state = self._state()
        if self._known is None or self._known[0] != state:
            self._known = state, self._compiled()
        return self._known[1](text)

    def _state(self) -> object:
        """What changes when the secrets do."""
        home = self._settings.home
        files = (home / USER_FILE, home / CREDENTIALS_FILE, keys_folder(self._settings))
        return [_changed_at(path) for path in files], _variables_of_this_process(), assumed(self._settings)

    def _compiled(self) -> Redact:
        spellings = {spelling for secret in self._secrets() for spelling in _spellings(secret)}
        return _replacing(frozenset(spellings), frozenset(_tenant_keys(self._settings)))

    def _secrets(self) -> Iterator[str]:
        yield from (value.get_secret_value() for _, value in self._settings if isinstance(value, SecretStr))
        keys = assumed(self._settings)
        yield from filter(None, (keys.access_key_id, keys.secret_access_key, keys.session_token) if keys else ())
        for name in (USER_FILE, CREDENTIALS_FILE):
            yield from _secrets_in(dotenv_values(self._settings.home / name, interpolate=False))
        yield from _secrets_in(dict(_variables_of_this_process()))


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _variables_of_this_process() -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in os.environ.items() if _may_be_secret(name, value))


def _may_be_secret(name: str, value: str) -> bool:
    return name.startswith(ENV_PREFIX) or "://" in value or NAMED_LIKE_A_SECRET.search(name) is not None


def _secrets_in(variables: Mapping[str, str | None]) -> Iterator[str]:
    for name, value in variables.items():
        if not value:
            continue
        url, is_secret = _url(value), _is_secret(name, value)
        if is_secret or (url and _has_password(url)):
            yield value
        if url:
            yield from _parts(url, is_a_channel=is_secret)


def _is_secret(name: str, value: str) -> bool:
    """Whether a variable is named like a secret, or is the project's and not known to be plain."""
    own = name.removeprefix(ENV_PREFIX)
    if own != name and (own in PLAIN or own.lower() in PLAIN_SETTINGS):
        return False
    return NAMED_LIKE_A_SECRET.search(name) is not None or (own != name and len(value) >= SHORTEST_UNNAMED)


def _url(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
    except ValueError:
        return None
    return url if url.scheme and "://" in text else None


def _has_password(url: SplitResult) -> bool:
    return ":" in url.netloc.rpartition("@")[0] or any("password" in name.lower() for name, _ in parse_qsl(url.query))


def _parts(url: SplitResult, *, is_a_channel: bool) -> Iterator[str]:
    """The secrets within a URL: its password; of a channel's URL also what stands in the path, the query and, but for mail, as user."""
    user, has_password, password = url.netloc.rpartition("@")[0].partition(":")
    yield password
    yield from (value for name, value in parse_qsl(url.query) if is_a_channel or "password" in name.lower())
    if not is_a_channel:
        return
    parts = [url.path, *url.path.split("/")]
    if not has_password:
        parts.append(user)
    if url.scheme not in HTTP + MAIL and "." not in url.netloc:
        parts.append(url.netloc.rpartition("@")[2])
    yield from (part for part in parts if len(part) >= SHORTEST_PART)


def _spellings(secret: str) -> Iterator[str]:
    """A secret as it is, and as URLs, JSON and Python's `repr` have it."""
    for plain in {secret, unquote(secret)}:
        if len(plain) >= SHORTEST:
            encoded = (quote(plain, safe=""), quote(plain), quote_plus(plain))
            yield from (plain, *encoded, *map(_in_small_digits, encoded), json.dumps(plain)[1:-1], repr(plain)[1:-1])


def _in_small_digits(encoded: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), encoded)


def _tenant_keys(settings: Settings) -> Iterator[str]:
    for path in key_files(settings):
        try:
            yield path.read_text(encoding="ascii").strip().lower()
        except (OSError, UnicodeDecodeError):
            continue


@lru_cache(maxsize=8)
def _replacing(spellings: frozenset[str], keys: frozenset[str]) -> Redact:
    pattern = re.compile("|".join(map(_as_pattern, sorted(spellings, key=len, reverse=True))) or r"(?!)")

    def redacted(text: str) -> str:
        without = PARAMETER.sub(rf"\1={MASK}", USER_INFO.sub(f"{MASK}@", pattern.sub(MASK, text)))
        return HEXADECIMAL.sub(lambda found: MASK if _holds_key(found.group().lower(), keys) else found.group(), without)

    return redacted


def _as_pattern(spelling: str) -> str:
    literal = re.escape(spelling)
    return literal if len(spelling) >= WITHIN_WORDS else rf"(?<![\w-]){literal}(?![\w-])"


def _holds_key(digits: str, keys: Iterable[str]) -> bool:
    """Whether hexadecimal digits are a tenant's key, have one within, or are as long as one that is padded for an HMAC."""
    return len(digits) >= 2 * KEY_DIGITS or any(key in digits for key in keys)
