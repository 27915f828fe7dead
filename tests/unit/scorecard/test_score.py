"""What a detector says is judged rightly; so is what it does not say.

Does not belong here: the faults themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.ops.store import Reader, Writer
from lakehouse.sources import Source
from tests.scorecard.__main__ import options
from tests.scorecard.catalogue import faults_of
from tests.scorecard.facts import Bulk, Clock, FactStore, micros
from tests.scorecard.faults import Truth
from tests.scorecard.measures import COLUMNS
from tests.scorecard.protocol import Heartbeat, Send
from tests.scorecard.report import BEGIN_MARK, END_MARK, Card, render, write
from tests.scorecard.runs import Healthy, live_healthy
from tests.scorecard.score import Calm, Incident, Outcome, incidents, is_about, judge
from tests.scorecard.watch import DeadMansSwitch, Post
from tests.scorecard.world import BEGIN, DAY, HOUR, World
from tests.scorecard.zscore import Flag, flags

SEED = 5
TRIVIAL = "tests.scorecard.trivial:make"
CHEATER = "tests.unit.scorecard.test_score:make_cheater"
MINUTE = timedelta(minutes=1)


FAULT = "missing_file"


@pytest.fixture(autouse=True)
def _short_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough to see a resolution an hour after the end."""
    monkeypatch.setattr("tests.scorecard.faults.AFTERWARDS", timedelta(minutes=70))


class Cheater:
    """Knows the fault; says a minute after its beginning what it is, and what is not, and an hour after its end that it is over."""

    def __init__(self, name: str, writer: Writer, channels: Mapping[str, Send]) -> None:
        self._fault, self._writer, self._channels = faults_of(World(SEED), [name])[0], writer, channels

    def round(self, now: datetime) -> None:
        if now == _minute(self._fault.begins) + 2 * MINUTE:
            self._tell("opened", now, "values_shifted", self._fault.truth.tenants)
        if now == _minute(self._fault.begins) + 3 * MINUTE:
            self._tell("changed", now, self._fault.truth.causes[0], self._fault.truth.tenants)
        if now == _minute(self._fault.ends) + 60 * MINUTE:
            self._tell("resolved", now, self._fault.truth.causes[0], self._fault.truth.tenants)

    def _tell(self, event: str, now: datetime, cause: str, tenants: frozenset[str]) -> None:
        about = {"pipeline": min(self._fault.truth.pipelines), "hit_tenants": sorted(tenants), "cause": cause}
        causes = json.dumps([{"name": cause, "score": 1}])
        told = {"incident_id": "one", "event": event, "happened_at": now, "actor": "evaluator", "causes": causes}
        self._writer.append("ops.incident_events", [{**told, **about}])
        if event != "changed":
            for name, send in self._channels.items():
                send(f"a file {event}", "", f"{name}/{event}")


def make_cheater(
    reader: Reader, writer: Writer, sources: Mapping[str, Source], channels: Mapping[str, Send], heartbeat: Heartbeat
) -> Cheater:
    return Cheater(FAULT, writer, channels)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0)


def short_history(name: str, detector: str, folder: Path) -> Healthy:
    """A healthy run from an hour before a fault's window to its end."""
    begin, end = faults_of(World(SEED), [name])[0].window
    return live_healthy(SEED, detector, folder / "healthy.duckdb", [name], begin - HOUR, end)


def test_what_the_control_says_too_does_not_count(tmp_path: Path) -> None:
    said = judge(short_history(FAULT, CHEATER, tmp_path), FAULT)
    assert (said.minutes, said.incidents, said.wrong, said.resolved) == (None, 0, 0, 0)


def test_what_the_control_does_not_say_is_judged_by_time_cause_customers_and_messages(tmp_path: Path) -> None:
    healthy = short_history(FAULT, TRIVIAL, tmp_path)
    said = judge(replace(healthy, detector=CHEATER), FAULT)
    assert said.minutes is not None
    assert said.minutes_from_fact is not None
    assert 1 <= said.minutes <= 2
    assert said.minutes - 5.2 < said.minutes_from_fact < said.minutes, "the control has taken the file in within five minutes"
    assert (said.first_cause, said.cause, said.is_right_cause) == ("values_shifted", "input_late", True)
    assert (said.right_tenants, said.incidents, said.wrong, said.resolved, said.ended) == (True, 1, 1, 1, True)
    assert not said.daily


def test_the_trivial_detector_finds_a_failing_step_without_its_cause(tmp_path: Path) -> None:
    said = judge(short_history("out_of_memory", TRIVIAL, tmp_path), "out_of_memory")
    assert said.minutes is not None
    assert said.minutes_from_fact is not None
    assert 0 < said.minutes_from_fact <= 2
    assert (said.cause, said.is_right_cause, said.right_tenants, said.ended) == ("step_failed", False, True, True)
    assert said.incidents == said.wrong == said.resolved == 1


def test_a_killed_evaluator_is_found_by_the_switch_outside(tmp_path: Path) -> None:
    said = judge(short_history("killed_evaluator", TRIVIAL, tmp_path), "killed_evaluator")
    assert said.minutes is not None
    assert 1 < said.minutes <= 3
    assert (said.is_right_cause, said.incidents, said.wrong) == (True, 0, 1)


def test_of_a_dead_channel_the_break_that_was_to_be_told_is_not_counted(tmp_path: Path) -> None:
    said = judge(short_history("dead_channel", TRIVIAL, tmp_path), "dead_channel")
    assert (said.minutes, said.incidents, said.wrong) == (None, 0, 0), "the trivial detector says nothing of the channel"


def test_the_switch_raises_its_alarm_once_and_only_after_a_first_heartbeat() -> None:
    switch = DeadMansSwitch()
    switch.look(BEGIN)
    switch.beat(BEGIN)
    for n in range(6):
        switch.look(BEGIN + n * MINUTE)
    assert switch.alarms == [BEGIN + 3 * MINUTE]
    switch.beat(BEGIN + 7 * MINUTE)
    switch.look(BEGIN + 10 * MINUTE)
    assert switch.alarms == [BEGIN + 3 * MINUTE, BEGIN + 10 * MINUTE]


def test_a_dead_channel_refuses_and_the_other_one_does_not() -> None:
    clock = Clock(BEGIN)
    post = Post(clock, (BEGIN, BEGIN + HOUR))
    with pytest.raises(Exception, match="no_service"):
        post.channels()["chat"]("title", "body", "key")
    post.channels()["mail"]("title", "body", "key")
    clock.now = BEGIN + HOUR
    post.channels()["chat"]("title", "body", "key")
    assert [message.channel for message in post.sent] == ["mail", "chat"]
    assert post.refused == [BEGIN]


def event(incident: str, what: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"incident_id": incident, "event": what, "happened_at": at, "actor": "evaluator", "pipeline": "p", **more}


def test_an_incident_is_as_it_was_told_last_and_counts_from_its_reopening() -> None:
    store = FactStore(Clock(BEGIN))
    store.append("ops.incident_events", [
        event("a", "opened", BEGIN, cause="input_late"),
        event("a", "resolved", BEGIN + HOUR, cause="input_late"),
        event("a", "reopened", BEGIN + 3 * HOUR, cause="null_burst", tenant_id="harbor"),
        event("a", "changed", BEGIN + 4 * HOUR, cause="x", causes=json.dumps([{"name": "clock_skew"}]), hit_tenants=["meadow"]),
        event("b", "opened", BEGIN),
    ])  # fmt: skip
    [found] = incidents(store, BEGIN + 2 * HOUR)
    assert (found.opened_at, found.first_cause, found.cause) == (BEGIN + 3 * HOUR, "null_burst", "clock_skew")
    assert (found.tenants, found.is_resolved) == ({"meadow"}, False)


def an_incident(pipeline: str | None = None, table: str | None = None, tenants: Sequence[str] = (), cause: str = "null_burst") -> Incident:
    return Incident("i", BEGIN, cause, cause, pipeline, table, frozenset(tenants), is_of_platform=False, is_resolved=False)


@pytest.mark.parametrize(
    ("incident", "is_meant"),
    [
        (an_incident("okta_system_log", None, ["harbor"]), True),
        (an_incident(None, "silver.auth_events", ["harbor", "meadow"]), True),
        (an_incident("okta_system_log", None, ["meadow"]), False),
        (an_incident("gold", "gold.user_days", ["harbor"]), False),
        (an_incident("okta_system_log"), True),
    ],
)
def test_an_incident_is_about_a_fault_where_its_place_and_customers_are_the_faults(incident: Incident, is_meant: bool) -> None:
    truth = Truth(("null_burst",), frozenset({"okta_system_log"}), frozenset({"silver.auth_events"}), frozenset({"harbor"}))
    assert is_about(incident, truth) is is_meant


def daily(counts: Sequence[float], tenant: str = "harbor") -> FactStore:
    store = FactStore(Clock(BEGIN))
    for n, count in enumerate(counts):
        row = ("r", "p", "bronze.p", "b", "rows", None, float(count), tenant, micros(BEGIN + n * DAY + 9 * HOUR), 3600)
        store.record("ops.metrics", BEGIN + n * DAY + 10 * HOUR, Bulk(COLUMNS, [row]))
    return store


FORTNIGHT = [100, 110, 95, 105, 98, 102, 100, 107, 93, 101, 99, 104, 96, 100]
"""Their standard deviation is 4.7."""


@pytest.mark.parametrize(("count", "is_flagged"), [(113, False), (116, True), (87, False), (84, True), (None, True)])
def test_the_zscore_flags_a_day_further_than_three_standard_deviations_from_the_fortnight_before(count: float, is_flagged: bool) -> None:
    store = daily(FORTNIGHT if count is None else [*FORTNIGHT, count])
    day = (BEGIN + 14 * DAY).date()
    assert flags(store, day, by_tenant=False) == ({Flag("bronze.p", None)} if is_flagged else set())
    assert flags(store, day, by_tenant=True) == ({Flag("bronze.p", "harbor")} if is_flagged else set())


def outcome(**more: Any) -> Outcome:
    told: dict[str, Any] = {
        "fault": "null_burst", "detail": "nulls", "minutes": 65.0, "minutes_from_fact": 1.0, "first_cause": "null_burst",
        "cause": "null_burst", "is_right_cause": True, "right_tenants": True, "incidents": 1, "wrong": 1, "resolved": 1, "ended": True,
        "daily": False, "daily_by_tenant": True,
    }  # fmt: skip
    return Outcome(**{**told, **more})


def test_the_page_tells_bars_and_seeds_between_its_marks_and_keeps_the_rest(tmp_path: Path) -> None:
    missed = outcome(minutes=None, minutes_from_fact=None, cause=None, first_cause=None, is_right_cause=False, wrong=0, right_tenants=None)
    cards = [Card(11, (outcome(),), Calm(2, 4, ("2 x null_burst at p, all",), 3, 9)), Card(12, (missed,), Calm(0, 0, (), 1, 5))]
    generated = render(cards, "a:b", "c0de")
    assert "seeds 11, 12" in generated
    assert "| faults detected | 16 of 17 | 1 of 2 | missed |" in generated
    assert "| median minutes from the first fact to detection | at most 2 | 1.0 | held |" in generated
    assert "| messages a fault that something is wrong | at most 1.5 | 0.50 | held |" in generated
    assert "| false alarms a week | at most 1 | 1.0 | held |" in generated
    assert "| null burst | 1 of 2 | 65.0 | 1.0 | 1 of 2 | null_burst |" in generated
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN_MARK}\nOUTDATED\n{END_MARK}\nafter\n", encoding="utf-8")
    write(page, generated)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN_MARK}\n")
    assert text.endswith(f"{END_MARK}\nafter\n")
    assert generated in text
    assert "OUTDATED" not in text
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="has no"):
        write(page, generated)


def test_seeds_and_faults_are_named_on_the_command_line_and_a_seed_is_drawn_where_none_is(capsys: pytest.CaptureFixture[str]) -> None:
    named = options(["--detector", "a:b", "--seeds", "3, 5", "--faults", "null_burst all_down"])
    assert (named.seeds, named.faults) == ([3, 5], ["null_burst", "all_down"])
    drawn = options(["--detector", "a:b", "--seeds", "", "--faults", ""])
    assert len(drawn.seeds) == 1
    assert len(drawn.faults) == 17
    with pytest.raises(SystemExit):
        options(["--detector", "a:b", "--faults", "earthquake"])
    assert "there is no fault earthquake" in capsys.readouterr().err
