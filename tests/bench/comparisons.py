"""What is compared with what, and the ratio that must hold.

Does not belong here: measuring, or showing a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.contestants import DLT, LATE, NEW, NOTHING, ONE_CORE, OURS, PLAIN, POLARS, UNCHECKED, UNRECORDED
from tests.bench.record import Record

SMALL, MILLION, LARGE = 50_000, 1_000_000, 5_000_000
SIZES = (SMALL, MILLION, LARGE)
MEMORY, UP, ALONE, PROFILE = "memory", "up", "each server alone", "profile"
SHORT_LOG, LONG_LOG = 1_000, 100_000
ROUND, ROUND_ANEW, OVERVIEW, RUNS = "evaluator's round", "evaluator's round from the store", "Overview opens", "`lakehouse runs`"
ORCHESTRATOR = "orchestrator's start"

Measure = Callable[[Record, int], float | None]


@dataclass(frozen=True)
class Comparison:
    """Two measurements whose ratio is published.

    Args:
        key: what `ONLY` names it by.
        title: what the ratio says.
        over, under: the measurements; the ratio is `over` divided by `under`.
        needs: contestants that must have run.
        at_least, at_most: the bar, where there is one.
        barred: sizes at which the bar holds; elsewhere the ratio is published only.
        largest: the largest size at which it is measured.
    """

    key: str
    title: str
    over: Measure
    under: Measure
    needs: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    barred: tuple[int, ...] = ()
    largest: int = LARGE

    def ratio(self, record: Record, size: int) -> float | None:
        """The ratio of the medians; None where one of them was not measured."""
        over, under = self.over(record, size), self.under(record, size)
        return over / under if over is not None and under else None

    def is_missed(self, record: Record, size: int) -> bool:
        """Whether the bar holds at this size and is missed."""
        ratio = self.ratio(record, size)
        if size not in self.barred or ratio is None:
            return False
        return (self.at_least is not None and ratio < self.at_least) or (self.at_most is not None and ratio > self.at_most)

    @property
    def bar(self) -> str:
        """The bar for people."""
        return f"at least {self.at_least}" if self.at_least is not None else f"at most {self.at_most}" if self.at_most is not None else ""


def seconds(what: str, *parts: str) -> Measure:
    """Median seconds of a contestant, or of some parts of its run."""
    return lambda record, size: record.seconds(what, size, *parts)


def seconds_at(what: str, size: int) -> Measure:
    """Median seconds at a certain size, whichever is looked at."""
    return lambda record, _: record.seconds(what, size)


def peak(at: int | None = None) -> Measure:
    """Median of the most memory, at the size that is looked at or at a certain one."""
    return lambda record, size: record.peak(MEMORY, size if at is None else at)


RACED = (
    Comparison(
        "bronze", "bronze: rows/s of Clearlake over plain Spark's", seconds(PLAIN, "bronze"), seconds(OURS, "bronze"), (PLAIN, OURS),
        at_least=0.85, barred=(MILLION, LARGE),
    ),
    Comparison(
        "gold", "landed file to gold: speed of Clearlake over plain Spark's", seconds(PLAIN), seconds(OURS), (PLAIN, OURS),
        at_least=0.85, barred=(MILLION,),
    ),
    Comparison(
        "polars", "landed file to silver: speed of Clearlake over that of polars + delta-rs", seconds(POLARS),
        seconds(OURS, "bronze", "silver"), (POLARS, OURS),
    ),
    Comparison(
        "dlt", "landed file to silver: speed of Clearlake over that of dlt + DuckDB", seconds(DLT), seconds(OURS, "bronze", "silver"),
        (DLT, OURS), at_least=5, barred=(MILLION,), largest=MILLION,
    ),
    Comparison(
        "new", "a run with 1 % new events over a full one", seconds(NEW), seconds(OURS), (NEW, OURS), at_most=0.10, barred=(LARGE,),
    ),
    Comparison("late", "the same, some of it up to 30 days late", seconds(LATE), seconds(OURS), (LATE, OURS)),
    Comparison(
        "nothing", "a run with nothing new over a full one", seconds(NOTHING), seconds(OURS), (NEW, OURS), at_most=0.02, barred=(LARGE,),
    ),
    Comparison(
        "checks", "a run with contracts and run log over one without", seconds(OURS), seconds(UNCHECKED), (OURS, UNCHECKED),
        at_most=1.15, barred=(LARGE,),
    ),
    Comparison(
        "recording", "a run that is recorded over one that is not", seconds(OURS), seconds(UNRECORDED), (OURS, UNRECORDED),
        at_most=1.05, barred=(LARGE,),
    ),
    Comparison(
        "cores", "one core's time over that of two", seconds(ONE_CORE), seconds(OURS), (ONE_CORE, OURS), at_least=1.6, barred=(MILLION,),
        largest=MILLION,
    ),
)  # fmt: skip
"""Those whose contestants take turns."""

MEMORY_GROWTH = Comparison(
    "memory", "peak memory of a run over that at 1,000,000 events", peak(), peak(at=MILLION), at_most=1.2, barred=(LARGE,)
)
COLD_START = Comparison(
    "cold", "`lakehouse up` in a new home over the sum of its servers' own starts", seconds(UP), seconds(ALONE), at_most=0.8, barred=(0,)
)
WATCHED = Comparison("watched", "a round of the evaluator over one that reads the store anew", seconds(ROUND), seconds(ROUND_ANEW))


def _at_length(key: str, what: str) -> Comparison:
    """How much longer something takes with a long run log than with a short one."""
    title = f"{what}: at {LONG_LOG:,} attempts over at {SHORT_LOG:,}"
    return Comparison(key, title, seconds(what), seconds_at(what, SHORT_LOG), at_most=1.5, barred=(LONG_LOG,))


OPENED, LISTED = _at_length("opened", OVERVIEW), _at_length("listed", RUNS)
ALL = (*RACED, MEMORY_GROWTH, COLD_START, WATCHED, OPENED, LISTED)
