"""Fixtures of the stack tier: every server, with the demo's data taken in by Dagster.

Does not belong here: servers (tests.fixtures), or assertions.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.console import Console

from infra.commands.demo import land_demo_data, materialize
from jobs.simulator.config import SimConfig
from lakehouse.settings import Settings
from tests.lake import TestLake

SYNTHETIC = SimConfig(events=3000, days=40)
SAMPLES = ("aws_cloudtrail", "linux_auth_log", "okta_system_log", "provider_events", "stripe_customers", "stripe_subscriptions")
"""Sources whose public samples are landed: of each kind one; what each of the others makes of its sample is the Spark tier's to test."""


@pytest.fixture(scope="session", autouse=True)
def lake(full_stack: Settings) -> Iterator[TestLake]:
    """The lake after the demo's data were landed and every table was brought up to date."""
    land_demo_data(full_stack, SYNTHETIC, SAMPLES)
    materialize(full_stack, Console(quiet=True))
    made = TestLake(full_stack)
    yield made
    made.close()
