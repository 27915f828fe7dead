"""Fixtures of the drills, and how often they are done: once each in short form, or `--times N` in full, resumed where it stopped.

Does not belong here: what a drill does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.ops.runs import code_version
from lakehouse.settings import Settings
from lakehouse.tables import table
from tests.drills.scene import REFERENCE, Scene
from tests.lake import GOLD

DONE = Path(".drill")
IN_SHORT = tuple(map(table, ("gold.user_days", "gold.auth_daily", "gold.user_features_daily", "gold.security_signals")))
"""Gold of the short form: with partitions and without, made from silver, from gold and from both."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--times`: how often each drill is done; 0, the default, is the short form."""
    parser.addoption("--times", type=int, default=0, help="how often each drill is done; 0 for the short form")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In full, leave out what this version of the code has passed already."""
    if not config.getoption("--times"):
        return
    passed = set(_record().read_text().splitlines()) if _record().exists() else set()
    done = [item for item in items if item.nodeid in passed]
    config.hook.pytest_deselected(items=done)
    items[:] = [item for item in items if item.nodeid not in passed]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember what has passed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call" and report.passed and item.config.getoption("--times"):
        DONE.mkdir(exist_ok=True)
        with _record().open("a") as record:
            record.write(item.nodeid + "\n")


def _record() -> Path:
    return DONE / code_version()


@pytest.fixture(scope="session")
def scene(spark_stack: Settings, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A lake where the reference has been taken in without any trouble."""
    made = Scene(spark_stack, GOLD if request.config.getoption("--times") else IN_SHORT)
    try:
        made.lake.prepare()
        made.land(REFERENCE)
        assert made.start_worker().wait() == 0
        assert [t.name for t in made.tables if not made.rows(t, REFERENCE)] == []
        yield made
    finally:
        made.close()
