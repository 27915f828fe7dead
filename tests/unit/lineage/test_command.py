"""`lakehouse lineage` over facts in memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import infra.commands.lineage as command
from infra import cli
from lakehouse.settings import SHIPPED_SOURCES, Settings
from tests.unit.dash_app.facts import FakeReader
from tests.unit.lineage.facts import FIRST, edge
from tests.unit.lineage.schemas import broken

SOURCE = "okta_system_log"
BRONZE = f"bronze.{SOURCE}"
EDGES = [
    edge(FIRST, BRONZE, 4, f"{SOURCE}/date=2026-11-12/tenant=acme/a.jsonl", None, 1),
    edge(FIRST, BRONZE, 5, f"{SOURCE}/date=2026-11-12/tenant=acme/b.jsonl", None, 2),
    edge(FIRST, "silver.auth_events", 7, BRONZE, 5, 3),
    edge(FIRST, "silver.auth_events", 7, BRONZE, 5, 3, "raw", "outcome"),
    edge(FIRST, "gold.auth_daily", 2, "silver.auth_events", 7, 4),
    edge(FIRST, "gold.auth_daily", 2, "silver.auth_events", 7, 4, "outcome", "successes"),
    edge(FIRST, "gold.auth_daily", 2, "silver.auth_events", 7, 4, "phase", None),
    edge(FIRST, "gold.usage_and_billing_monthly", 1, "gold.auth_daily", 2, 5),
    edge(FIRST, "gold.usage_and_billing_monthly", 1, "gold.auth_daily", 2, 5, "successes", "successes"),
]


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(home=tmp_path, sources_dirs=(SHIPPED_SOURCES,))
    monkeypatch.setattr(command, "OpsReader", lambda _: FakeReader({"ops.lineage_edges": EDGES}))
    monkeypatch.setattr(command, "settings", lambda: settings)
    return settings


def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    monkeypatch.setattr(sys, "argv", ["lakehouse", "lineage", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    printed = capsys.readouterr()
    assert left.value.code == code, printed.err
    return printed.out + (printed.err if code else "")


def words(printed: str) -> list[str]:
    return [line.strip(" │├└─").split("  ")[0] for line in printed.splitlines() if line.strip()]


def test_a_table_is_shown_with_what_is_before_and_behind_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    printed = answer(monkeypatch, capsys, "silver.auth_events")
    assert words(printed) == [
        "silver.auth_events made from",
        BRONZE,
        f"landing.{SOURCE}",
        "silver.auth_events goes into",
        "gold.auth_daily",
        "gold.usage_and_billing_monthly",
    ]
    assert "2 files → version 5, 2026-11-12 09:02 UTC" in printed
    assert "version 7 → version 2" in printed


def test_a_column_is_followed_through_the_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert words(answer(monkeypatch, capsys, "gold.auth_daily.successes")) == [
        "gold.auth_daily.successes made from",
        "silver.auth_events.outcome",
        f"{BRONZE}.raw",
        f"landing.{SOURCE}",
        "which rows there are, is decided by silver.auth_events (phase)",
        "gold.auth_daily.successes goes into",
        "gold.usage_and_billing_monthly.successes",
    ]


def test_a_column_that_decides_the_rows_of_a_table_goes_into_all_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(answer(monkeypatch, capsys, "silver.auth_events.phase", "--json"))
    [table] = found["downstream"]["branches"]
    assert (table["table"], table["column"], table["note"]) == ("gold.auth_daily", None, "decides which rows there are")
    assert [one["table"] for one in table["branches"]] == ["gold.usage_and_billing_monthly"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("gold.auth_dayly", "'gold.auth_daily'"), ("gold.auth_daily.succeses", "'successes'"), ("nonsense", "there is no table")],
)
def test_a_name_that_is_none_is_a_mistake_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    assert told in answer(monkeypatch, capsys, name, code=2)


def test_a_table_that_no_run_has_touched_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No run has read or written gold.user_days yet" in answer(monkeypatch, capsys, "gold.user_days")


def test_an_export_is_json_lines_of_events(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from tests.unit.lineage.facts import reader

    monkeypatch.setattr(command, "OpsReader", lambda _: reader())
    lines = answer(monkeypatch, capsys, "export", "--since", "2026-11-12T10:00").splitlines()
    assert len(lines) > 5
    assert [problem for line in lines for problem in broken(json.loads(line))] == []
    answer(monkeypatch, capsys, "export", "--since", "2026-11-12T11:00+01:00", "--to", str(tmp_path / "events.jsonl"))
    assert (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines() == lines


@pytest.mark.parametrize("arguments", [("--since", "yesterday"), ("--to", "/none/there/x"), ("--url", "marquez")])
def test_a_mistake_in_the_call_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert "Next:" in answer(monkeypatch, capsys, "export", *arguments, code=2)
