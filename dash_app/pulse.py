"""The evaluator's heartbeat: whether anybody watches the lake, and whether messages can leave.

Does not belong here: beating (lakehouse.ops), or how it is shown (frame).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from botocore.exceptions import ClientError
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from dash_app.cache import Cache, Look
from lakehouse.alerts.heartbeat import BEATS_MISSED, KEY, LEAST_INTERVAL_S
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import s3_client, store_errors


class Health(StrEnum):
    """What is known of the evaluator."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


class Channel(BaseModel):
    """One way for messages to leave: whether it works, since when (UTC), and why not."""

    ok: bool
    since: AwareDatetime | None = None
    error: str | None = None


class Heartbeat(BaseModel):
    """The object that the evaluator puts at each round; `interval_s` is the time between two, in seconds.

    Where it `is_stopped`, no round follows, on purpose.
    """

    beat_at: AwareDatetime
    interval_s: float = Field(gt=0)
    is_stopped: bool = False
    channels: dict[str, Channel] = {}


@dataclass(frozen=True)
class Pulse:
    """One reading: the heartbeat, or why there is none."""

    beat: Heartbeat | None = None
    fault: str = ""

    def dead_after_ms(self) -> int | None:
        """When it counts as dead unless it beats again, in milliseconds since 1970, UTC."""
        if self.beat is None:
            return None
        patience_s = 0 if self.beat.is_stopped else BEATS_MISSED * max(self.beat.interval_s, LEAST_INTERVAL_S)
        return int((self.beat.beat_at.timestamp() + patience_s) * 1000)

    def dead_channels(self) -> dict[str, Channel]:
        """The channels by which no message leaves."""
        return {name: channel for name, channel in self.channels().items() if not channel.ok}

    def channels(self) -> dict[str, Channel]:
        """Every channel that the evaluator told of."""
        return dict(sorted(self.beat.channels.items())) if self.beat else {}


class Source(Protocol):
    """Where the heartbeat is read."""

    def read(self) -> bytes | None:
        """The object, or None where there is none. Raises InfrastructureError when the store does not answer."""
        ...


class StoredHeartbeat:
    """The heartbeat in the lake bucket of an instance."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self) -> bytes | None:
        """The object, or None where there is none. Raises InfrastructureError when the store does not answer."""
        try:
            with store_errors():
                body: bytes = s3_client(self._settings).get_object(Bucket=self._settings.lake_bucket, Key=KEY)["Body"].read()
        except ConfigurationError as error:
            raise InfrastructureError(error.message, next_step=error.next_step) from error
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
                return None
            raise InfrastructureError(f"the store refused the heartbeat: {error}", next_step="run `lakehouse doctor`") from error
        return body


def pulse_of(body: bytes | None) -> Pulse:
    """The reading that an object gives; one that cannot be understood is a fault, not an error."""
    if body is None:
        return Pulse(fault="the evaluator has never beaten")
    try:
        return Pulse(Heartbeat.model_validate_json(body))
    except ValidationError as error:
        return Pulse(fault=f"its heartbeat cannot be understood: {error.errors()[0]['msg']}")


class Watch:
    """The heartbeat, read at most once per `ttl_s` however many look.

    Args:
        source: where it is read.
        ttl_s: for how long a reading is good.
        now: the present, in UTC.
    """

    def __init__(self, source: Source, *, ttl_s: float = 4, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._source, self._now = source, now
        self._looks = Cache(ttl_s)

    def look(self) -> Look[Pulse]:
        """The newest reading."""
        return self._looks.look("heartbeat", lambda: pulse_of(self._source.read()))

    def health(self, look: Look[Pulse]) -> Health:
        """What the reading says at this moment; without an answer of the store nothing is known."""
        if look.error is not None or look.value is None:
            return Health.UNKNOWN
        dead_after = look.value.dead_after_ms()
        is_stopped = look.value.beat is not None and look.value.beat.is_stopped
        is_late = dead_after is None or self._now().timestamp() * 1000 > dead_after
        return Health.DEAD if is_stopped or is_late else Health.ALIVE


def as_ms(moment: datetime | None) -> int | None:
    """Milliseconds since 1970, UTC."""
    return None if moment is None else int(moment.timestamp() * 1000)
