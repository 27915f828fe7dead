"""The evaluator's sign of life, as an object of the store that anyone can look at.

Does not belong here: what follows from a missing one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lakehouse.settings import Settings
from lakehouse.store import s3_client, store_errors

KEY = "ctl/evaluator/heartbeat.json"
BEATS_MISSED = 2
"""Rounds without a sign of life, after which the evaluator is taken for dead."""

LEAST_INTERVAL_S = 10
"""What a shorter interval is taken for: a round may take that long."""


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life.

    Args:
        beat_at: end of the newest round (UTC).
        interval_s: time between rounds.
        first_at: the first round of all (UTC).
        is_stopped: no round follows, on purpose.
        channels: by name: whether it takes messages (`ok`), since when it does not, and why (`error`).
    """

    beat_at: datetime
    interval_s: float
    first_at: datetime
    is_stopped: bool = False
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def is_fresh(self, now: datetime) -> bool:
        """Whether the evaluator lives, as far as this tells."""
        return not self.is_stopped and now - self.beat_at <= timedelta(seconds=BEATS_MISSED * max(self.interval_s, LEAST_INTERVAL_S))


def put_heartbeat(settings: Settings, beat: Heartbeat) -> None:
    """Show a sign of life. Raises InfrastructureError when the store does not answer."""
    with store_errors():
        s3_client(settings).put_object(Bucket=settings.lake_bucket, Key=KEY, Body=json.dumps(asdict(beat), default=str).encode())


def read_heartbeat(settings: Settings) -> Heartbeat | None:
    """The newest sign of life; None before the first. Raises InfrastructureError when the store does not answer."""
    client = s3_client(settings)
    with store_errors():
        try:
            read = json.loads(client.get_object(Bucket=settings.lake_bucket, Key=KEY)["Body"].read())
        except client.exceptions.NoSuchKey:
            return None
    times = {name: datetime.fromisoformat(read[name]) for name in ("beat_at", "first_at")}
    return Heartbeat(**{**read, **times})
