"""Nothing is lost and nothing is sent twice, whatever the endpoint, the process or the order of arrival does."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lakehouse.settings import Settings
from lakehouse.telemetry import Telemetry, sender
from lakehouse.telemetry.cursor import SETTLING, CursorFile, micros
from lakehouse.telemetry.endpoint import Answer, Outcome
from lakehouse.telemetry.instruments import Point
from lakehouse.telemetry.sender import CURSOR, PAUSE
from tests.otlp import Backend
from tests.unit.telemetry.memory import NOW, Facts, attempt, measured

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def rows(count: int) -> list[dict[str, object]]:
    return [measured("rows", float(n), tenant_id=f"t{n:03}") for n in range(count)]


def sent(backend: Backend) -> Counter[tuple[str, int]]:
    return Counter((p.attributes["clearlake.tenant"], p.time_us) for p in backend.points if p.name == "clearlake.tenant.rows")


def test_a_new_process_sends_only_what_is_new(settings: Settings, facts: Facts, backend: Backend) -> None:
    facts.append("ops.metrics", NOW, *rows(2))
    facts.append("ops.run_events", NOW, attempt("SUCCEEDED"))
    Telemetry(settings, facts).send(NOW)
    facts.append("ops.metrics", NOW + SECOND, *rows(3))
    Telemetry(settings, facts).send(NOW + SECOND)
    assert sorted(sent(backend).values()) == [1] * 5
    assert sum(p.name == "clearlake.step.attempts" for p in backend.points) == 1


def test_the_first_call_begins_an_hour_back_and_not_with_history(telemetry: Telemetry, facts: Facts, backend: Backend) -> None:
    for minutes in (61, 59):
        facts.append("ops.metrics", NOW - minutes * MINUTE, measured("rows", float(minutes)))
    telemetry.send(NOW)
    assert [p.value for p in backend.points if p.name == "clearlake.batch.rows"] == [59]


def test_where_the_first_call_finds_no_endpoint_its_beginning_stays(settings: Settings, facts: Facts, backend: Backend) -> None:
    facts.append("ops.metrics", NOW - 59 * MINUTE, *rows(1))
    backend.status = 503
    assert Telemetry(settings, facts).send(NOW) == 0
    backend.status = 200
    Telemetry(settings, facts).send(NOW + timedelta(hours=8))
    assert len(sent(backend)) == 1


def test_what_was_recorded_earlier_but_arrives_later_is_sent_too(settings: Settings, facts: Facts, backend: Backend) -> None:
    facts.append("ops.metrics", NOW, *rows(1))
    Telemetry(settings, facts).send(NOW)
    facts.append("ops.metrics", NOW - 50 * MINUTE, *rows(2))
    Telemetry(settings, facts).send(NOW + MINUTE)
    assert sorted(sent(backend).values()) == [1] * 3


def test_an_append_that_does_not_fit_leaves_in_parts(
    settings: Settings, facts: Facts, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MOST_POINTS", 4)
    monkeypatch.setattr(sender, "BUDGET_S", 0.0)
    facts.append("ops.metrics", NOW, *rows(10))
    facts.append("ops.metrics", NOW + SECOND, *rows(1))
    counts = [Telemetry(settings, facts).send(NOW + n * PAUSE) for n in range(5)]
    levels = 3
    assert counts == [4 + levels, 4 + levels, 2 + levels, 1 + levels, levels]
    assert sorted(sent(backend).values()) == [1] * 11


def test_what_has_piled_up_leaves_in_one_call_while_there_is_time(
    settings: Settings, facts: Facts, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MOST_POINTS", 4)
    monkeypatch.setattr(sender, "BUDGET_S", 600.0)
    facts.append("ops.metrics", NOW, *rows(10))
    Telemetry(settings, facts).send(NOW)
    assert sorted(sent(backend).values()) == [1] * 10
    assert backend.requests == 3


def test_the_cursor_forgets_what_has_settled(telemetry: Telemetry, settings: Settings, facts: Facts) -> None:
    for hours in range(20):
        facts.append("ops.metrics", NOW + timedelta(hours=hours), *rows(1))
        telemetry.send(NOW + timedelta(hours=hours))
    position = CursorFile(settings.state_dir / CURSOR).read(["ops.metrics"], NOW)["ops.metrics"]
    assert len(position.sent) == SETTLING // timedelta(hours=1)


def test_a_broken_cursor_is_told_and_made_anew(
    telemetry: Telemetry, settings: Settings, facts: Facts, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    settings.state_dir.mkdir()
    (settings.state_dir / CURSOR).write_text('{"ops.metrics": 7}')
    facts.append("ops.metrics", NOW, *rows(1))
    telemetry.send(NOW)
    assert len(sent(backend)) == 1
    assert "is broken" in caplog.text


def test_while_the_disk_takes_no_cursor_nothing_is_sent_twice(
    telemetry: Telemetry, facts: Facts, backend: Backend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.send(NOW)
    facts.append("ops.metrics", NOW, *rows(1))

    def refuse(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", refuse)
        telemetry.send(NOW + SECOND)
        facts.append("ops.metrics", NOW + SECOND, *rows(2))
        telemetry.send(NOW + 2 * PAUSE)
    telemetry.send(NOW + 4 * PAUSE)
    assert sorted(sent(backend).values()) == [1] * 3
    assert caplog.text.count("No space left on device") == 1


def test_while_another_process_sends_this_one_does_not(telemetry: Telemetry, settings: Settings, facts: Facts, backend: Backend) -> None:
    facts.append("ops.metrics", NOW, *rows(1))
    settings.state_dir.mkdir()
    with FileLock(settings.state_dir / f"{CURSOR}.lock"):
        assert telemetry.send(NOW) == 0
    telemetry.send(NOW)
    assert len(sent(backend)) == 1


@dataclass
class Fickle:
    """An endpoint that answers as it is told."""

    outcome: Outcome = Outcome.TAKEN
    taken: list[Point] = field(default_factory=list)

    def send(self, points: Sequence[Point]) -> Answer:
        if self.outcome is Outcome.TAKEN:
            self.taken += points
        return Answer(self.outcome)


ROUND = st.tuples(
    st.lists(st.tuples(st.integers(0, 45), st.integers(-40, 0)), max_size=3),
    st.sampled_from([Outcome.TAKEN, Outcome.TAKEN, Outcome.FAILED, Outcome.TOO_LARGE]),
    st.booleans(),
)
"""Sizes of appends and how many minutes late they arrive; what the endpoint answers; whether the process starts anew."""
Round: TypeAlias = tuple[list[tuple[int, int]], Outcome, bool]
ENOUGH: list[Round] = [([], Outcome.TAKEN, False)] * 60


@examples(deadline=None, max_examples=8, derandomize=True)
@given(st.lists(ROUND, min_size=2, max_size=7))
def test_in_any_order_with_any_answers_and_restarts_each_point_leaves_once(
    history: list[tuple[list[tuple[int, int]], Outcome, bool]],
) -> None:
    facts, endpoint, recorded = Facts(), Fickle(), Counter[tuple[str, int]]()
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sender, "_endpoint", lambda _: endpoint)
        patch.setattr(sender, "MOST_POINTS", 20)
        patch.setattr(sender, "BUDGET_S", 0.0)
        patch.setattr(sender, "LEVELS_EVERY", timedelta(days=1))
        settings = Settings(home=Path(home), sources_dirs=())
        telemetry = Telemetry(settings, facts)
        for step, (appends, outcome, starts_anew) in enumerate([*history, *ENOUGH]):
            now = NOW + step * MINUTE
            for number, (size, late) in enumerate(appends):
                at = now + late * MINUTE + timedelta(microseconds=step * 10 + number)
                facts.append("ops.metrics", at, *rows(size))
                recorded.update((f"t{n:03}", micros(at)) for n in range(size))
            endpoint.outcome = outcome
            telemetry = Telemetry(settings, facts) if starts_anew else telemetry
            if not telemetry.send(now) and step > len(history):
                break
    left = [p for p in endpoint.taken if p.instrument.name == "clearlake.tenant.rows"]
    assert Counter((p.attributes["clearlake.tenant"], p.time_us) for p in left) == recorded
