"""The simulated customers and their files.

Does not belong here: what the pipeline or a fault makes of files.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests.scorecard.world import BEGIN, DAY, ENUMERATIONS, HOUR, MAIN_SOURCE, MOST_HOURS_LATE, SOURCES, World

MONDAY, SATURDAY = BEGIN + 7 * DAY, BEGIN + 5 * DAY


@pytest.fixture(scope="module")
def world() -> World:
    return World(3)


def test_a_seed_makes_the_same_files_each_time_and_another_seed_others(world: World) -> None:
    noon = MONDAY + 12 * HOUR
    files = [world.file(stream, noon) for stream in world.streams]
    again = World(3)
    assert [again.file(stream, noon) for stream in reversed(again.streams)] == files[::-1], "a file depends on what was drawn before it"
    other = World(4)
    assert [other.file(stream, noon) for stream in other.streams] != files


def test_customers_have_twenty_to_twenty_thousand_events_a_day_over_three_sources(world: World) -> None:
    days = {s.tenant.tenant_id: sum(s.expected(MONDAY + HOUR * n) for n in range(24)) for s in world.streams if s.source == MAIN_SOURCE}
    assert 10 <= len(days) <= 12
    assert min(days.values()) == pytest.approx(20, rel=0.1)
    assert max(days.values()) == pytest.approx(20_000, rel=0.1)
    assert Counter(s.source for s in world.streams) == dict(zip(SOURCES, (len(days), 4, 3), strict=True))


def test_a_company_is_quiet_at_night_and_on_weekends_by_its_own_clock(world: World) -> None:
    chicago = next(s for s in world.streams if s.tenant.tenant_id == "summit")
    morning = MONDAY + 15 * HOUR
    assert chicago.expected(morning) > 20 * chicago.expected(MONDAY + 8 * HOUR), "9:00 in Chicago is 15:00 UTC, 2:00 is 8:00 UTC"
    assert chicago.expected(morning) > 5 * chicago.expected(SATURDAY + 15 * HOUR)


def test_what_becomes_of_a_files_records_adds_up(world: World) -> None:
    parts = [part for stream in world.streams for n in range(48) for part in world.file(stream, MONDAY + HOUR * n).parts]
    for part in parts:
        assert part.records == part.duplicate + part.unreadable + part.published
        assert part.published == part.not_applicable + part.rejected + part.inserted
        for column, values in ENUMERATIONS.items():
            told = {name: rows for name, rows in part.values.items() if name.startswith(f"{column}=")}
            assert sum(told.values()) == part.inserted
            assert {name.partition("=")[2] for name in told} <= set(values)
        assert all(rows <= part.inserted for rows in part.filled.values())
    records = sum(part.records for part in parts)
    assert 0.0003 < sum(part.duplicate for part in parts) / records < 0.003
    assert 0.0001 < sum(part.unreadable + part.rejected for part in parts) / records < 0.0015


def test_a_file_lands_minutes_after_its_hour_with_few_records_from_days_before(world: World) -> None:
    files = [world.file(stream, MONDAY + HOUR * n) for stream in world.streams for n in range(120)]
    delays = [file.landed_at - file.hour - HOUR for file in files]
    assert timedelta(minutes=1) < min(delays)
    assert timedelta(minutes=12) < max(delays) < timedelta(minutes=30)
    late = [part for file in files for part in file.parts if part.hour < file.hour]
    assert late
    assert sum(part.records for part in late) < 0.004 * sum(file.records for file in files)
    assert max(file.hour - part.hour for file in files for part in file.parts) <= HOUR * MOST_HOURS_LATE
    assert any(not file.records for file in files), "small customers have hours without an event"
