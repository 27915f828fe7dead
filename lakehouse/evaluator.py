"""The evaluator: its own process, which needs neither Spark nor Trino nor Dagster, and has a round of the watch made at a fixed rhythm.

Does not belong here: what a round judges (lakehouse.watch).
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from lakehouse.alerts.channels import AppriseSender, load_channels
from lakehouse.alerts.claims import StoreClaims
from lakehouse.alerts.delivery import Delivery
from lakehouse.alerts.drill import FireDrill
from lakehouse.alerts.heartbeat import Heartbeat, put_heartbeat, read_heartbeat
from lakehouse.alerts.store_down import StoreDown
from lakehouse.errors import InfrastructureError, LakehouseError
from lakehouse.ledger import waiting_files
from lakehouse.monitoring.symptoms import Kind, Symptom
from lakehouse.ops.evaluator import evaluate_once
from lakehouse.ops.mirror import Mirror
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import Source, load_sources, source_files
from lakehouse.telemetry import Telemetry
from lakehouse.watch import Watch

log = logging.getLogger("lakehouse")

UPKEEP_INTERVAL_S = 10.0
GAP_TOLD_FOR = timedelta(minutes=10)
"""For how long after its start an evaluator tells that none was there before it."""

Probe = Callable[[Settings], None]
"""Raises a LakehouseError where a server does not answer."""


class Evaluator:
    """Args:
    settings: of the instance.
    probes: by server, how it is asked whether it answers.
    now: the present (UTC).
    """

    def __init__(self, settings: Settings, probes: Mapping[str, Probe], now: datetime) -> None:
        self._settings, self._probes, self._started_at = settings, probes, now
        self._writer = OpsWriter(settings)
        self._facts, self._mirror = OpsReader(settings), Mirror(settings)
        self._channels = load_channels(settings)
        sender, host, url = AppriseSender(settings), self._writer.host, settings.operations_url
        self._store_down = StoreDown(settings.state_dir / "alerts", self._writer, self._channels, sender, host, url)
        self._delivery = Delivery(self._mirror, self._writer, self._channels, sender, StoreClaims(settings), host, url)
        self._drill = FireDrill(self._mirror, self._writer, self._channels, settings.drill_cron, host)
        self._telemetry = Telemetry(settings, self._mirror)
        self._failing: dict[str, tuple[int, datetime, str]] = {}
        self._last_beat: Heartbeat | None = None
        self._gap: Symptom | None = None
        self._watch: Watch | None = None
        self._source_files: dict[Path, int] = {}
        self._sources: dict[str, Source] = {}

    def upkeep(self) -> int:
        """Send what waits in the spool, and tell what has died. Returns how many verdicts were given."""
        return evaluate_once(self._facts, self._writer)

    def round(self, now: datetime) -> None:
        """One round. Raises InfrastructureError when the store does not answer; people are told of that nevertheless."""
        try:
            watch = self._made(now)
        except InfrastructureError as error:
            self._store_down.seen(error.message, now)
            raise
        watch.round(now)
        self._telemetry.send(now)

    def stop(self, now: datetime) -> None:
        """Tell that no round follows, on purpose."""
        if self._last_beat:
            put_heartbeat(self._settings, replace(self._last_beat, beat_at=now, is_stopped=True))

    def _made(self, now: datetime) -> Watch:
        """The watch; made anew where the sources have changed."""
        sources = self._current_sources()
        if self._watch is None:
            before = read_heartbeat(self._settings)
            self._last_beat = Heartbeat(now, self._settings.evaluation_interval_s, before.first_at if before else now)
            self._gap = _gap(before, now) if before and not self._store_down.is_known else None
        if self._watch is None or sources != self._watch.sources:
            self._watch = Watch(
                self._mirror, self._writer, sources, self._delivery, self._drill, self._store_down, self._beat, self._writer.host,
                self._last_beat.first_at if self._last_beat else now, looks=(self._servers, self._own_gap),
                waiting=lambda at: waiting_files(self._settings, sources.values(), self._mirror, at),
            )  # fmt: skip
        return self._watch

    def _current_sources(self) -> dict[str, Source]:
        """The sources, read again where a file has changed."""
        files = {path: path.stat().st_mtime_ns for path in source_files(self._settings)}
        if files != self._source_files:
            self._sources, self._source_files = load_sources(self._settings), files
        return self._sources

    def _servers(self, now: datetime) -> list[Symptom]:
        """A symptom for each server that has not answered twice in a row."""
        with ThreadPoolExecutor(max(len(self._probes), 1)) as pool:
            problems = dict(zip(self._probes, pool.map(self._problem_of, self._probes.values()), strict=True))
        known = self._failing
        failing = {name: (known.get(name, (0, now, "")), text) for name, text in problems.items() if text}
        self._failing = {name: (times + 1, since, text) for name, ((times, since, _), text) in failing.items()}
        return [
            Symptom(Kind.SERVER_DOWN, since, problem, "it answers", table=name)
            for name, (times, since, problem) in self._failing.items()
            if times > 1
        ]

    def _problem_of(self, probe: Probe) -> str | None:
        try:
            probe(self._settings)
        except LakehouseError as error:
            return error.message
        return None

    def _own_gap(self, now: datetime) -> list[Symptom]:
        """A symptom where no round was made for some time before this process began, until it has been told."""
        return [self._gap] if self._gap and now < self._started_at + GAP_TOLD_FOR else []

    def _beat(self, now: datetime, dead_channels: Sequence[Symptom]) -> None:
        dead = {s.table: s for s in dead_channels}
        channels = {c.name: _state_of(dead.get(c.name)) for c in self._channels}
        first_at = self._last_beat.first_at if self._last_beat else now
        self._last_beat = Heartbeat(now, self._settings.evaluation_interval_s, first_at, channels=channels)
        put_heartbeat(self._settings, self._last_beat)
        if self._settings.heartbeat_url and not (channels and len(dead) == len(channels)):
            _call(self._settings.heartbeat_url.get_secret_value())


def _state_of(dead: Symptom | None) -> dict[str, Any]:
    if dead is None:
        return {"ok": True, "since": None, "error": None}
    return {"ok": False, "since": dead.since.isoformat(), "error": dead.observed}


def _gap(before: Heartbeat, now: datetime) -> Symptom | None:
    if before.is_stopped or before.is_fresh(now):
        return None
    observed = f"no round between {before.beat_at:%Y-%m-%d %H:%M:%S} and {now:%Y-%m-%d %H:%M:%S} UTC"
    return Symptom(Kind.EVALUATOR_DOWN, before.beat_at, observed, f"one every {before.interval_s:.0f} s", table="evaluator")


def _call(url: str) -> None:
    """Ask for an address and forget the answer; the error names no address, since it may hold a key."""
    try:
        requests.get(url, timeout=5).raise_for_status()
    except requests.RequestException as error:
        log.warning("the heartbeat did not arrive: %s", type(error).__name__)


def run_forever(settings: Settings, probes: Mapping[str, Probe]) -> None:
    """Evaluate at the rhythm that is set until SIGTERM or SIGINT; what processes leave behind is looked after in between."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    evaluator = Evaluator(settings, probes, datetime.now(UTC))
    due = time.monotonic()
    while not stop.is_set():
        _try(lambda: _look_after(evaluator))
        if time.monotonic() >= due:
            due = time.monotonic() + settings.evaluation_interval_s
            _try(lambda: evaluator.round(datetime.now(UTC)))
        stop.wait(min(UPKEEP_INTERVAL_S, settings.evaluation_interval_s, max(due - time.monotonic(), 0.1)))
    evaluator.stop(datetime.now(UTC))


def _look_after(evaluator: Evaluator) -> None:
    if found := evaluator.upkeep():
        log.warning("%d steps ended without a word", found)


def _try(part: Callable[[], None]) -> None:
    """Do a part of the work; that it fails keeps no other part from being done, nor from being tried again."""
    try:
        part()
    except LakehouseError as error:
        log.warning("%s", error.message)
