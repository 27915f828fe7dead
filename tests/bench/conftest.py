"""What the benchmarks are given: `--sizes`, `--rounds`, servers of their own, and the record of this version of the code.

Does not belong here: what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from lakehouse.ops.runs import code_version
from lakehouse.settings import Settings
from tests.bench.comparisons import SIZES
from tests.bench.contestants import Contestants
from tests.bench.events import Order
from tests.bench.lakes import landing_bucket, remove_bucket
from tests.bench.publishing import render
from tests.bench.race import Race
from tests.bench.record import Record

RESULTS = Path(".bench")
NEEDED = pytest.StashKey[dict[int, list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--sizes` and `--rounds`."""
    parser.addoption("--sizes", default=",".join(map(str, SIZES)), help="numbers of events, separated by commas")
    parser.addoption("--rounds", type=int, default=5, help="how often each contestant runs")


def sizes(config: pytest.Config) -> list[int]:
    """The chosen sizes."""
    return [int(size) for size in str(config.getoption("--sizes", ",".join(map(str, SIZES)))).split(",")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have whatever takes a size run at each."""
    if "size" in metafunc.fixturenames:
        metafunc.parametrize("size", sizes(metafunc.config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out a comparison where it is too large."""
    too_large = [item for item in items if _size_of(item) > getattr(_comparison_of(item), "largest", _size_of(item))]
    config.hook.pytest_deselected(items=too_large)
    items[:] = [item for item in items if item not in too_large]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Know who takes turns at a size: all whom the chosen comparisons need."""
    needed: dict[int, list[str]] = {}
    for item in session.items:
        known = needed.setdefault(_size_of(item), [])
        known += [what for what in getattr(_comparison_of(item), "needs", ()) if what not in known]
    session.config.stash[NEEDED] = needed


def _size_of(item: pytest.Item) -> int:
    return int(item.callspec.params.get("size", 0)) if hasattr(item, "callspec") else 0


def _comparison_of(item: pytest.Item) -> object:
    return item.callspec.params.get("comparison") if hasattr(item, "callspec") else None


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    """What has been measured of this version; published at the end, also of a run that was stopped."""
    kept = Record(RESULTS / f"{code_version()}.jsonl")
    yield kept
    if kept.timings:
        text = render(kept)
        (RESULTS / f"{code_version()}.md").write_text(text)
        print(f"\n{text}\nRaw timings: {kept.path}")


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How often each contestant runs."""
    return int(request.config.getoption("--rounds"))


@pytest.fixture(scope="session")
def contestants(spark_stack: Settings, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Contestants]:
    """Everything that can run, in servers of this session."""
    made = Contestants(spark_stack, tmp_path_factory.mktemp("bench"))
    yield made
    made.close()
    for size, order in product(sizes(request.config), Order):
        remove_bucket(spark_stack, landing_bucket(size, order))


@pytest.fixture(scope="session")
def raced(contestants: Contestants, record: Record, rounds: int, request: pytest.FixtureRequest) -> Callable[[int], None]:
    """Run all rounds of a size, once."""
    race = Race(contestants, record, rounds)
    return lambda size: race.run(request.config.stash[NEEDED][size], size)
