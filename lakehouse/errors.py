"""The errors of the lake: what went wrong, whether a retry can help, and what to do next.

Does not belong here: catching, logging or printing them.
"""

from __future__ import annotations

from typing import ClassVar


class LakehouseError(Exception):
    """Something that a person must know about.

    Args:
        message: what went wrong, with its facts, in one line.
        next_step: what the reader can do about it, in one line.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} Next: {self.next_step}" if self.next_step else self.message


class DataError(LakehouseError):
    """Data failed a check that blocks publishing, or the books of a run do not balance."""

    exit_code = 1


class ConfigurationError(LakehouseError):
    """A mistake in a setting, a declaration or a call."""

    exit_code = 2


class InfrastructureError(LakehouseError):
    """A server or the store did not answer as it should; the same call may succeed later."""

    exit_code = 3
    retryable = True
