"""A round as a whole: what the tables say becomes incidents and messages, and what was missed while nobody looked is made up for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.alerts.channels import Channel, ChannelError, Message
from lakehouse.alerts.claims import LocalClaims
from lakehouse.alerts.delivery import Delivery
from lakehouse.alerts.drill import FireDrill
from lakehouse.alerts.store_down import StoreDown
from lakehouse.errors import InfrastructureError
from lakehouse.monitoring.verdicts import PICKED_UP_WITHIN
from lakehouse.sources import Source
from lakehouse.watch import Watch
from tests.scorecard.facts import Clock, FactStore
from tests.unit.monitoring.facts import (
    BRONZE,
    MONDAY,
    PIPELINE,
    SILVER,
    Change,
    Row,
    end,
    landed,
    measurements,
    skipped,
    sources,
    unchanged,
)

NOON = MONDAY + timedelta(days=21, hours=12)
NEVER = "0 0 29 2 *"
HOST = "here/here"
MINUTE = timedelta(minutes=1)


class Lake:
    """Facts in memory, one channel, and a watch over them; `watch` may be made anew, as after a restart."""

    def __init__(self, folder: Path, declared: Mapping[str, Source] | None = None) -> None:
        self.store = FactStore(Clock(NOON))
        self.declared = declared or sources()
        self.folder, self.sent = folder, list[Message]()
        self.refuses, self.waiting = False, dict[str, datetime]()
        self.watch = self.new_watch()

    def new_watch(self) -> Watch:
        channels = [Channel(name="chat", address="UNUSED")]
        store, claims = self.store, LocalClaims(self.folder / "claims")
        return Watch(
            store, store, self.declared, Delivery(store, store, channels, self.send, claims, HOST, None),
            FireDrill(store, store, channels, NEVER, HOST), StoreDown(self.folder, store, channels, self.send, HOST, None),
            lambda _at, _dead: None, HOST, NOON, waiting=lambda _: self.waiting,
        )  # fmt: skip

    def send(self, _channel: Channel, message: Message) -> None:
        if self.refuses:
            raise ChannelError("refused")
        self.sent.append(message)

    def record(self, name: str, *rows: Row) -> None:
        for row in rows:
            self.store.record(name, row["recorded_at"], [{k: v for k, v in row.items() if not k.startswith("recorded")}])

    def rounds(self, first: datetime, count: int = 1, every: timedelta = MINUTE) -> None:
        for number in range(count):
            self.store._clock.now = first + number * every
            with suppress(InfrastructureError) if self.store.is_down else nullcontext():
                self.watch.round(first + number * every)

    def causes(self) -> dict[str, str]:
        return {row["cause"]: row["state"] for row in self.store.rows("select cause, state from ops.incidents")}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def titles(lake: Lake) -> list[str]:
    """Of the messages, without their severity."""
    return [message.title.partition("] ")[2] for message in lake.sent]


def of_weeks(lake: Lake, change: Change = unchanged, until: datetime = NOON) -> None:
    lake.record("ops.metrics", *(row for row in measurements(23, change) if row["recorded_at"] <= until))


def silent(tenant: str, since: datetime) -> Change:
    def change(who: str, hour: datetime, counts: Row) -> Row:
        return dict.fromkeys(counts, 0) if who == tenant and hour >= since else counts

    return change


def test_a_tenant_that_falls_silent_is_one_incident_and_one_message(lake: Lake) -> None:
    of_weeks(lake, silent("large", NOON - timedelta(hours=3)))
    lake.rounds(NOON, 3)
    assert lake.causes() == {"tenant_silent": "open"}
    (message,) = lake.sent
    assert "from large have fallen off" in message.title
    assert lake.store.rows("select scope, hit_tenants from ops.incidents") == [{"scope": "tenant", "hit_tenants": ["large"]}]


def test_silence_of_a_source_without_a_rhythm_says_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path, sources(expected_every_minutes=None))
    of_weeks(lake, silent("large", NOON - timedelta(hours=3)))
    lake.rounds(NOON, 3)
    assert lake.causes() == {}


def test_a_file_that_does_not_come_is_late_then_missing_and_over_when_it_comes(lake: Lake) -> None:
    last = NOON - timedelta(minutes=50)
    lake.record("ctl.files", *(landed("large", last - timedelta(hours=n)) for n in range(300)))
    lake.rounds(NOON)
    assert lake.causes() == {}
    lake.rounds(last + timedelta(minutes=76))
    assert lake.causes() == {"input_late": "open"}
    lake.rounds(last + timedelta(minutes=200))
    assert lake.causes() == {"input_missing": "open"}
    back = last + timedelta(minutes=205)
    lake.record("ctl.files", *(landed("large", back + n * MINUTE) for n in range(3)))
    lake.rounds(back + timedelta(minutes=4), 2, timedelta(minutes=16))
    assert lake.causes() == {"input_missing": "resolved"}


def test_a_gap_that_is_not_filled_stays_when_other_files_go_on_coming(lake: Lake) -> None:
    hours = [n for n in range(300) if n != 3]
    lake.record("ctl.files", *(landed("large", NOON - timedelta(hours=n)) for n in hours))
    lake.rounds(NOON + timedelta(minutes=20))
    assert lake.causes() == {"input_missing": "open"}


def test_a_file_that_is_missing_is_one_incident_however_many_come_after_it(lake: Lake) -> None:
    landings = [NOON - timedelta(hours=n) for n in range(300)] + [NOON + timedelta(hours=n) for n in (2, 3, 4)]
    lake.record("ctl.files", *(landed("large", at) for at in landings))
    lake.rounds(NOON + timedelta(hours=1), 24, timedelta(minutes=10))
    events = [row["event"] for row in lake.store.rows("select event from ops.incident_events where event != 'changed'")]
    assert events == ["opened"]
    assert lake.causes() == {"input_missing": "open"}


def test_a_file_that_comes_before_the_next_one_was_late_and_is_not_missing(lake: Lake) -> None:
    landings = [NOON - timedelta(hours=n) for n in range(300)] + [NOON + timedelta(minutes=m) for m in (115, 120, 180, 240)]
    lake.record("ctl.files", *(landed("large", at) for at in landings))
    lake.rounds(NOON + timedelta(hours=1), 24, timedelta(minutes=10))
    events = [row["event"] for row in lake.store.rows("select event from ops.incident_events where event != 'changed'")]
    assert events == ["opened", "resolved"]


@pytest.mark.parametrize(("others_are_late", "told"), [(True, {}), (False, {"input_late": "open"})])
def test_how_late_a_file_may_be_is_told_by_all_tenants_of_its_source(lake: Lake, others_are_late: bool, told: dict[str, str]) -> None:
    late = {40, 80, 120, 160, 200} if others_are_late else set()
    for tenant in ("small", "middle", "other"):
        delays = [timedelta(minutes=25) if n in late else timedelta() for n in range(300)]
        lake.record("ctl.files", *(landed(tenant, NOON - timedelta(hours=n) + delay) for n, delay in enumerate(delays)))
    lake.record("ctl.files", *(landed("large", NOON - timedelta(hours=n)) for n in range(1, 300)))
    lake.rounds(NOON + timedelta(minutes=20), 3, timedelta(minutes=5))
    assert lake.causes() == told


UNREACHABLE = {"error_class": "InfrastructureError", "error_message": "the store did not answer: 503 Service Unavailable"}


def test_what_fails_for_want_of_the_store_belongs_to_its_outage(lake: Lake) -> None:
    lake.record("ctl.files", *(landed(tenant, NOON - timedelta(hours=n, minutes=50)) for tenant in ("large", "small") for n in range(300)))
    lake.store._down = (NOON, NOON + timedelta(minutes=40))
    lake.rounds(NOON, 4, timedelta(minutes=10))
    lake.record("ops.run_events", end(PIPELINE, BRONZE, "r1", "FAILED", NOON + timedelta(minutes=39), **UNREACHABLE))
    lake.record("ops.run_events", skipped(PIPELINE, SILVER, "r1", NOON + timedelta(minutes=39)))
    lake.rounds(NOON + timedelta(minutes=40), 5)
    assert lake.causes() == {"store_unavailable": "open"}
    recovered = NOON + timedelta(minutes=44)
    files = [landed(tenant, NOON + timedelta(minutes=10)) for tenant in ("large", "small")]
    lake.record("ctl.files", *({**file, "recorded_at": recovered} for file in files))
    lake.record("ops.run_events", *(end(PIPELINE, asset, "r2", "SUCCEEDED", recovered) for asset in (BRONZE, SILVER)))
    lake.rounds(NOON + timedelta(minutes=45), 6, timedelta(minutes=2))
    assert lake.causes() == {"store_unavailable": "resolved"}
    assert titles(lake) == ["The store does not answer as it should", "resolved: The store does not answer as it should"]


def test_a_store_that_comes_and_goes_is_one_outage(lake: Lake) -> None:
    lake.store._down = (NOON, NOON + timedelta(minutes=5))
    lake.rounds(NOON, 8)
    lake.store._down = (NOON + timedelta(minutes=8), NOON + timedelta(minutes=12))
    lake.rounds(NOON + timedelta(minutes=8), 15, timedelta(minutes=2))
    assert lake.causes() == {"store_unavailable": "resolved"}
    assert len(lake.sent) == 2


def test_a_landed_file_that_no_run_takes_is_a_run_that_is_missing(lake: Lake) -> None:
    lake.record("ops.run_events", end(PIPELINE, BRONZE, "r", "SUCCEEDED", NOON - timedelta(hours=1)))
    lake.waiting = {PIPELINE: NOON}
    lake.rounds(NOON + PICKED_UP_WITHIN - MINUTE)
    assert lake.causes() == {}
    lake.rounds(NOON + PICKED_UP_WITHIN + MINUTE, 3)
    assert lake.causes() == {"not_started": "open"}
    verdicts = lake.store.rows("select status, asset, nominal_start from ops.run_log where status = 'MISSING'")
    assert verdicts == [{"status": "MISSING", "asset": BRONZE, "nominal_start": NOON}]


def test_a_step_that_takes_far_longer_than_usual_is_late_until_it_ends(lake: Lake) -> None:
    past = [end(PIPELINE, SILVER, f"r{n}", "SUCCEEDED", NOON - timedelta(hours=n)) for n in range(1, 9)]
    started: dict[str, Any] = {**end(PIPELINE, SILVER, "slow", "RUNNING", NOON), "fact": "start", "started_at": NOON, "status": "RUNNING"}
    begun = {k: v for k, v in started.items() if k not in ("ended_at", "duration_s")}
    lake.record("ops.run_events", *past, begun)
    lake.rounds(NOON + timedelta(minutes=14))
    assert lake.causes() == {}
    lake.rounds(NOON + timedelta(minutes=16), 2)
    assert lake.causes() == {"step_slow": "open"}
    assert len(lake.store.rows("select 1 from ops.run_events where status = 'LATE'")) == 1
    ended = end(PIPELINE, SILVER, "slow", "SUCCEEDED", NOON + timedelta(minutes=20), started_at=NOON)
    lake.record("ops.run_events", ended)
    lake.rounds(NOON + timedelta(minutes=21))
    assert lake.causes() == {"step_slow": "resolved"}


def test_what_broke_while_nobody_watched_is_told_by_the_first_round_after(lake: Lake) -> None:
    lake.record("ops.run_events", end(PIPELINE, BRONZE, "bad", "FAILED", NOON, error_class="E", error_message="m"))
    lake.watch = lake.new_watch()
    lake.rounds(NOON + timedelta(hours=2))
    assert lake.causes() == {"step_failed": "open"}
    assert len(lake.sent) == 1


def test_what_came_and_went_while_the_channel_was_dead_is_told_once_it_lives(lake: Lake) -> None:
    lake.refuses = True
    lake.record("ops.run_events", end(PIPELINE, BRONZE, "bad", "FAILED", NOON, error_class="E", error_message="m"))
    lake.rounds(NOON + 2 * MINUTE, 3)
    lake.record("ops.run_events", end(PIPELINE, BRONZE, "good", "SUCCEEDED", NOON + 6 * MINUTE))
    lake.rounds(NOON + 7 * MINUTE, 2)
    lake.refuses = False
    lake.rounds(NOON + 30 * MINUTE, 2)
    assert [message.title for message in lake.sent if "bronze" in message.title] == [f"[critical] resolved: {BRONZE} fails"]


def test_a_reminder_comes_once_a_day_until_somebody_is_on_it(lake: Lake) -> None:
    lake.record("ops.run_events", end(PIPELINE, BRONZE, "bad", "FAILED", NOON, error_class="E", error_message="m"))
    lake.rounds(NOON + 2 * MINUTE)
    lake.rounds(NOON + timedelta(hours=25), 4, timedelta(hours=1))
    assert [title for title in titles(lake) if BRONZE in title] == [f"{BRONZE} fails", f"still: {BRONZE} fails"]
    incident = lake.store.rows("select incident_id from ops.incidents")[0]["incident_id"]
    at = NOON + timedelta(hours=30)
    event = {"incident_id": incident, "event": "acknowledged", "actor": "ann", "happened_at": at, "recorded_at": at}
    lake.record("ops.incident_events", event)
    lake.rounds(NOON + timedelta(hours=50), 2, timedelta(hours=24))
    assert len([title for title in titles(lake) if BRONZE in title]) == 2


def test_a_judge_that_fails_is_told_and_silences_no_other(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> list[Any]:
        raise KeyError("x")

    monkeypatch.setattr("lakehouse.monitoring.inputs.changed_fields", fails)
    lake.record("ops.run_events", end(PIPELINE, BRONZE, "bad", "FAILED", NOON, error_class="E", error_message="m"))
    lake.rounds(NOON + 2 * MINUTE, 2)
    assert lake.causes() == {"step_failed": "open", "evaluator_down": "open"}
