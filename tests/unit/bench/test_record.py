"""What the benchmarks make of raw timings: medians over rounds, what is left to run, which bars are missed, which tables differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.comparisons import LARGE, MILLION, RACED, SMALL, Comparison, seconds
from tests.bench.publishing import render
from tests.bench.record import WHOLE, Digest, Record, Timing


def timing(what: str, number: int, taken: float, part: str = WHOLE, size: int = MILLION, digest: Digest | None = None) -> Timing:
    return Timing(what, part, size, number, taken, size, digests={"silver.t": digest} if digest else {})


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Three rounds: the parts of a, by round, take 1+2, 5+4 and 3+3 seconds; b takes 2, 10 and 3."""
    made = Record(tmp_path / "timings.jsonl")
    for number, (bronze, silver, other) in enumerate([(1.0, 2.0, 2.0), (5.0, 4.0, 10.0), (3.0, 3.0, 3.0)], start=1):
        made.add([timing("a", number, bronze, "bronze"), timing("a", number, silver, "silver"), timing("a", number, bronze + silver)])
        made.add([timing("b", number, other)])
    return made


def test_parts_are_summed_round_by_round_before_the_median(record: Record) -> None:
    assert record.seconds("a", MILLION, "bronze") == 3.0
    assert record.seconds("a", MILLION, "bronze", "silver") == 6.0
    assert record.seconds("a", MILLION) == 6.0
    assert record.seconds("a", LARGE) is None


def test_a_record_is_taken_up_where_it_ended(record: Record) -> None:
    reopened = Record(record.path)
    assert reopened.timings == record.timings
    assert reopened.has("b", MILLION, 3)
    assert not reopened.has("b", MILLION, 4)
    reopened.add([timing("b", 4, 1.0, "bronze")])
    assert not Record(record.path).has("b", MILLION, 4), "a run that was stopped after one of its parts is run again"


@pytest.mark.parametrize(
    ("at_least", "at_most", "missed"), [(0.5, None, False), (0.51, None, True), (None, 0.5, False), (None, 0.49, True), (None, None, False)]
)
def test_a_bar_holds_at_its_sizes_only(record: Record, at_least: float | None, at_most: float | None, missed: bool) -> None:
    compared = Comparison("x", "b over a", seconds("b"), seconds("a"), (), at_least, at_most, barred=(MILLION,))
    assert compared.ratio(record, MILLION) == 0.5
    assert compared.is_missed(record, MILLION) is missed
    assert not compared.is_missed(record, SMALL)


def test_a_table_that_differs_in_any_round_is_told(record: Record) -> None:
    record.add([timing("c", 1, 1.0, digest=(2, "7")), timing("d", 1, 1.0, digest=(2, "7"))])
    assert record.digests(MILLION) == {"silver.t": {(2, "7"): {"c", "d"}}}
    record.add([timing("d", 2, 1.0, digest=(2, "8"))])
    assert Record(record.path).digests(MILLION) == {"silver.t": {(2, "7"): {"c", "d"}, (2, "8"): {"d"}}}


def test_bars_are_those_that_were_promised() -> None:
    bars = {c.key: (c.bar, c.barred) for c in RACED if c.bar}
    assert bars == {
        "bronze": ("at least 0.85", (MILLION, LARGE)),
        "gold": ("at least 0.85", (MILLION,)),
        "dlt": ("at least 5", (MILLION,)),
        "new": ("at most 0.1", (LARGE,)),
        "nothing": ("at most 0.02", (LARGE,)),
        "checks": ("at most 1.15", (LARGE,)),
        "recording": ("at most 1.05", (LARGE,)),
        "cores": ("at least 1.6", (MILLION,)),
    }


def test_results_name_a_missed_bar(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.publishing.version", lambda _tool: "1")
    monkeypatch.setattr(
        "tests.bench.publishing.ALL", (Comparison("x", "b over a", seconds("b"), seconds("a"), at_least=0.51, barred=(MILLION,)),)
    )
    assert "| b over a | 1,000,000 | 3.00 s | 6.00 s | 0.500 | at least 0.51 | missed |" in render(record)
