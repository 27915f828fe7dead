"""Who is signed in, and that somebody was not let in.

Does not belong here: how a person proves who they are (accounts, oidc), or what they did (actions).
"""

from __future__ import annotations

from dataclasses import dataclass

from flask_login import UserMixin

from lakehouse.errors import LakehouseError


@dataclass(frozen=True)
class Person(UserMixin):
    """Somebody who signed in.

    Attributes:
        name: how what they do is recorded.
        fingerprint: of what let them in: a password, or the rules for a provider's people. Where it changes, the session ends.
    """

    name: str
    fingerprint: str

    def get_id(self) -> str:
        """What the session holds."""
        return f"{self.name}:{self.fingerprint}"


def person_of(identity: str) -> Person:
    """The person that a session holds; without a fingerprint where it is none of a person."""
    name, _, fingerprint = identity.rpartition(":")
    return Person(name, fingerprint)


class Refused(LakehouseError):
    """Somebody is not let in.

    Args:
        message, next_step: for the one who tries.
        reason: for the record, a word or two.
        name: whom the one who tries claims, or is proven, to be.
        status: of the HTTP answer.
    """

    def __init__(self, message: str, *, next_step: str, reason: str, name: str | None = None, status: int = 401) -> None:
        super().__init__(message, next_step=next_step)
        self.reason, self.name, self.status = reason, name, status
