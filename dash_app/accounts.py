"""Local accounts of the operations pages: names and argon2 hashes in one file, and the key that signs sessions.

Does not belong here: HTTP, cookies or pages (sign_in), or making up a password (infra).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from filelock import FileLock

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings

USER_NAME = re.compile(r"^[a-z][a-z0-9._-]{0,62}$")
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024

_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))
"""Verified when the name is unknown, so that an unknown name takes as long as a wrong password."""


def users_path(settings: Settings) -> Path:
    """Where the accounts of an instance are kept."""
    return settings.state_dir / "operations_users.json"


def set_password(path: Path, user: str, password: str) -> None:
    """Create the account, or change its password, which also ends its sessions. Raises ConfigurationError on a poor name or password."""
    if not USER_NAME.match(user):
        raise ConfigurationError(f"{user!r} cannot be a user name", next_step="use lower-case letters, digits, dot, dash and underscore")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ConfigurationError(f"the password has {len(password)} characters", next_step=f"use {SHORTEST_PASSWORD} or more")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.with_suffix(".lock"), mode=0o600):
        _write_private(path, json.dumps({**_read(path), user: _HASHER.hash(password)}, indent=2, sort_keys=True))


def secret_key(settings: Settings) -> bytes:
    """The key that signs this instance's sessions; made at the first call, the same for every later one."""
    path = settings.state_dir / "operations_secret"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.with_suffix(".lock"), mode=0o600):
        if not path.exists():
            _write_private(path, secrets.token_hex(32))
    return bytes.fromhex(path.read_text(encoding="ascii"))


class Accounts:
    """The accounts as they are in the file now; a changed file counts from the next call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exist(self) -> bool:
        """Whether there is any account yet."""
        return bool(_read(self._path))

    def verify(self, user: str, password: str) -> bool:
        """Whether the password is the user's."""
        stored = _read(self._path).get(user)
        try:
            return _HASHER.verify(stored or _NOBODY, password[:LONGEST_PASSWORD]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    def fingerprint(self, user: str) -> str | None:
        """Changes with the user's password; None where there is no such user."""
        stored = _read(self._path).get(user)
        return hashlib.sha256(stored.encode()).hexdigest()[:16] if stored else None


def _read(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def _write_private(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
