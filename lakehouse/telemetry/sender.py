"""Sending what is new: once in each round of the evaluator, without holding it up.

Does not belong here: reading facts (facts), how far they were sent (cursor), or the protocol (endpoint).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from filelock import FileLock, Timeout
from opentelemetry.semconv.attributes.service_attributes import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION

from lakehouse.ops.processes import this_host
from lakehouse.ops.runs import code_version
from lakehouse.ops.store import Reader
from lakehouse.settings import Settings
from lakehouse.telemetry.cursor import CursorFile, Position
from lakehouse.telemetry.endpoint import Answer, Endpoint, Outcome
from lakehouse.telemetry.facts import FEEDS, open_incidents
from lakehouse.telemetry.instruments import SERVICE, Point

log = logging.getLogger(__name__)

CURSOR = "telemetry.json"
HISTORY = timedelta(hours=1)
"""How far back the first call begins."""
MOST_POINTS = 2000
"""Points of one table in one request: some 100 kB together, compressed."""
BUDGET_S = 2.0
"""How long a call goes on with further requests while there is more to send."""
PAUSE = timedelta(seconds=30)
"""After a request that failed none is tried for so long."""
LEVELS_EVERY = timedelta(seconds=60)
"""How often it is told how many incidents are open."""


class Telemetry:
    """Metrics of an instance, sent to the endpoint that its settings name; nothing where they name none.

    Args:
        settings: of the instance.
        reader: answers SQL over the ops tables.
    """

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._reader = reader
        self._endpoint = _endpoint(settings)
        self._cursor = CursorFile(settings.state_dir / CURSOR)
        self._lock = FileLock(settings.state_dir / f"{CURSOR}.lock", blocking=False)
        self._unwritten: dict[str, Position] | None = None
        self._most = MOST_POINTS
        self._not_before: datetime | None = None
        self._levels_after: datetime | None = None
        self._is_down = False

    def send(self, now: datetime) -> int:
        """Send facts that were not sent yet, the oldest first, for two seconds at most and then for one answer, which takes five at most.

        Args:
            now: the time (UTC). Open incidents are counted at it, pauses are measured by it, and the first call begins an hour before it.

        Returns how many data points the endpoint took. While it takes none, or another process sends, 0: what there is waits in the tables.

        Raises InfrastructureError when the store does not answer.
        """
        if self._endpoint is None or (self._not_before and now < self._not_before):
            return 0
        try:
            with self._lock:
                return self._send_for_a_while(self._endpoint, now)
        except Timeout:
            return 0
        except OSError as error:
            self._fail(now, f"state/{CURSOR} cannot be used: {error.strerror}")
            return 0

    def _send_for_a_while(self, endpoint: Endpoint, now: datetime) -> int:
        until = time.monotonic() + BUDGET_S
        taken, goes_on = 0, True
        while goes_on:
            more, goes_on = self._send(endpoint, now)
            taken += more
            goes_on = goes_on and time.monotonic() < until
        return taken

    def _send(self, endpoint: Endpoint, now: datetime) -> tuple[int, bool]:
        """Make one request; returns how many points were taken, and whether there may be more facts to send now."""
        positions = self._positions(now)
        portions = [portion for feed in FEEDS for portion in feed.unsent(self._reader, positions[feed.table], self._most)]
        points = [point for portion in portions for point in portion.points] + self._levels(now)
        if not points:
            return 0, False
        answer = endpoint.send(points)
        if not self._is_done_with(points, answer, now):
            return 0, False
        for portion in portions:
            positions[portion.table].add(portion.append, portion.sent_then, is_whole=portion.is_whole)
        self._write(positions)
        return len(points) - answer.rejected if answer.outcome is Outcome.TAKEN else 0, bool(portions)

    def _levels(self, now: datetime) -> list[Point]:
        is_due = self._levels_after is None or now >= self._levels_after
        return list(open_incidents(self._reader, now)) if is_due else []

    def _is_done_with(self, points: Sequence[Point], answer: Answer, now: datetime) -> bool:
        """Whether these points are not to be sent again."""
        if answer.outcome is Outcome.FAILED:
            self._fail(now, answer.reason)
            return False
        if answer.outcome is Outcome.TOO_LARGE and len(points) > 1:
            self._most = max(1, min(self._most, len(points)) // 2)
            return False
        self._succeed(now)
        if lost := answer.rejected if answer.outcome is Outcome.TAKEN else len(points):
            log.error("%d of %d data points are refused for good by the endpoint for metrics: %s", lost, len(points), answer.reason)
        return True

    def _fail(self, now: datetime, reason: str) -> None:
        self._not_before = now + PAUSE
        if not self._is_down:
            log.warning("metrics cannot be sent and wait: %s", reason)
        self._is_down = True

    def _succeed(self, now: datetime) -> None:
        self._most = min(MOST_POINTS, self._most * 2)
        self._levels_after = now + LEVELS_EVERY
        if self._is_down:
            log.warning("metrics can be sent again")
        self._is_down = False

    def _positions(self, now: datetime) -> dict[str, Position]:
        """The cursor: as it was kept, or, at the first call, where sending begins, which is kept at once lest the beginning moves on.

        Raises OSError where the disk does not take what was sent last: until it does, nothing more is sent.
        """
        if self._unwritten is not None:
            self._write(self._unwritten)
        tables = [feed.table for feed in FEEDS]
        try:
            positions = self._cursor.read(tables, now - HISTORY)
        except ValueError as error:
            log.error("state/%s is broken (%s): metrics are sent from an hour back", CURSOR, error)
            self._cursor.path.unlink()
            positions = self._cursor.read(tables, now - HISTORY)
        if not self._cursor.path.exists():
            self._cursor.write(positions)
        return positions

    def _write(self, positions: dict[str, Position]) -> None:
        self._unwritten = positions
        self._cursor.write(positions)
        self._unwritten = None


def _endpoint(settings: Settings) -> Endpoint | None:
    if not settings.otlp_endpoint:
        return None
    about = {
        SERVICE_NAME: SERVICE,
        SERVICE_INSTANCE_ID: this_host(settings.home).partition("/")[2],
        SERVICE_VERSION: code_version(),
    }
    headers = settings.otlp_headers.get_secret_value() if settings.otlp_headers else ""
    return Endpoint(settings.otlp_endpoint, headers, about, code_version())
