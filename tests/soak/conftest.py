"""How long the simulated time is: `--days` days of `--runs` runs each; the full form is a fortnight of five-minute runs.

Does not belong here: what is measured.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--days` and `--runs`."""
    parser.addoption("--days", type=int, default=14, help="simulated days")
    parser.addoption("--runs", type=int, default=288, help="runs on each simulated day")
