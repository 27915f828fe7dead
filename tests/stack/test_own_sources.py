"""A source of the user's own, added while everything runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.settings import SHIPPED_SOURCES
from tests.lake import TestLake, event
from tests.stack.test_outages import wait_for_rows

pytestmark = pytest.mark.long

NAME = "own_events"


def lakehouse(lake: TestLake, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lakehouse")), *arguments]
    return subprocess.run(command, env={"LAKEHOUSE_HOME": str(lake.settings.home)}, capture_output=True, text=True, check=False)


@pytest.fixture
def declaration(lake: TestLake) -> Iterator[Path]:
    """The place of a declaration that is gone again afterwards."""
    path = lake.settings.home / "sources" / f"{NAME}.yaml"
    path.parent.mkdir(exist_ok=True)
    yield path
    path.unlink()
    assert lakehouse(lake, "sources", "apply").returncode == 0


def test_a_new_source_is_taken_in_once_it_is_applied_and_stops_no_other_before(lake: TestLake, declaration: Path) -> None:
    right = (SHIPPED_SOURCES / "provider_events.yaml").read_text().replace("name: provider_events", f"name: {NAME}", 1)

    declaration.write_text(right + "\nno_such_key: 1\n")
    lake.land("besides-broken", "a.jsonl", [event(n, "besides-broken") for n in range(3)])
    wait_for_rows(lake, "besides-broken", 3)
    refused = lakehouse(lake, "sources", "apply")
    assert refused.returncode == 2
    assert "no_such_key" in refused.stderr

    declaration.write_text(right)
    lake.land("own", "a.jsonl", [event(n, "own") for n in range(4)], source=NAME)
    lake.land("besides-new", "a.jsonl", [event(n, "besides-new") for n in range(5)])
    wait_for_rows(lake, "besides-new", 5)

    applied = lakehouse(lake, "sources", "apply")
    assert applied.returncode == 0, applied.stderr
    wait_for_rows(lake, "own", 4)
    properties = {row["key"]: row["value"] for row in lake.rows(f"show tblproperties bronze.{NAME}")}
    assert properties["delta.setTransactionRetentionDuration"] == "interval 90 days"
