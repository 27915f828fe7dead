"""`lakehouse reprocess` before and after its run: what waits is told without Spark, and a call that asks for nothing is a mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from deltalake import write_deltalake

from infra import cli
from infra.commands import waiting
from lakehouse import settings as settings_module
from lakehouse.arrow import arrow_table
from lakehouse.delta import create_table
from lakehouse.delta_rs import open_table
from lakehouse.errors import InfrastructureError
from lakehouse.ledger import Reprocess
from lakehouse.ops.store import OpsWriter
from lakehouse.quarantine import Rejected, rejected
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.tables.bronze import QUARANTINE

SOURCE = "provider_events"
Call = Callable[..., int]
NOW = datetime(2026, 3, 2, tzinfo=UTC)
UNPARSEABLE = Rejected("bronze", "quarantined", "unparseable", 2, 2, 1)
MISSING = Rejected("bronze", "quarantined", "event_time.missing", 1, 1, 1)
CONFLICT = Rejected("silver", "conflicting", "another_body_is_published", 1, 1, 0)


def row(number: int, layer: str, disposition: str, *reasons: str, tenant: str = "acme", raw: str | None = "{}") -> dict[str, Any]:
    return {
        "source": SOURCE, "tenant_id": tenant, "layer": layer, "disposition": disposition, "reasons": list(reasons), "raw": raw,
        "_source_file": f"{number}.jsonl", "_row": 1, "_batch_id": f"{SOURCE}-{number:010d}", "_ingested_at": NOW,
        "_ingest_date": NOW.date(),
    }  # fmt: skip


@pytest.fixture
def waits(settings: Settings) -> Settings:
    """An instance in whose quarantine four rejected rows wait, and one that is held back."""
    OpsWriter(settings).create_tables()
    create_table(settings, QUARANTINE)
    rows = [
        row(1, "bronze", "quarantined", "unparseable"),
        row(2, "bronze", "quarantined", "unparseable", "event_time.missing", raw=None),
        row(3, "silver", "conflicting", "another_body_is_published", tenant="other"),
        row(4, "bronze", "held_back", "rejected_share"),
    ]
    write_deltalake(open_table(settings, QUARANTINE), arrow_table(QUARANTINE, rows), mode="append")
    return settings


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Reprocess(), [UNPARSEABLE, MISSING, CONFLICT]),
        (Reprocess((f"{SOURCE}-0000000001",)), [Rejected("bronze", "quarantined", "unparseable", 1, 1, 0)]),
        (Reprocess(tenant_id="other"), [CONFLICT]),
        (Reprocess(layer="silver"), [CONFLICT]),
        (Reprocess(reason="event_time.missing"), [MISSING, Rejected("bronze", "quarantined", "unparseable", 1, 1, 1)]),
        (Reprocess(reason="rejected_share"), []),
    ],
    ids=str,
)
def test_what_waits_is_counted_by_reason(waits: Settings, wanted: Reprocess, found: list[Rejected]) -> None:
    assert rejected(waits, SOURCE, wanted) == found
    assert rejected(waits, "okta_system_log", wanted) == []


def test_in_a_lake_without_tables_nothing_waits(settings: Settings) -> None:
    assert rejected(settings, SOURCE, Reprocess()) == []


@pytest.fixture
def call(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Carries out a command on the instance, whose Dagster is away."""
    app: typer.Typer = cli.new_app()
    waiting.register(app)
    monkeypatch.setattr(waiting, "settings", lambda: settings)
    monkeypatch.setattr("infra.commands.data.settings", lambda: settings)
    yield lambda *arguments: cli.run(app, ["reprocess", *arguments], verbose=False)
    settings_module.settings.cache_clear()


def test_where_no_row_is_rejected_there_is_nothing_to_do(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(SOURCE) == 0
    assert f"No row of {SOURCE} is rejected" in capsys.readouterr().out
    assert call(SOURCE, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run_id"], told["left_quarantine"], told["still_rejected"]) == (None, 0, [])


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--reason", "unparsable"), "their reasons are another_body_is_published, event_time.missing, unparseable"),
        (("--tenant", "nobody"), "none are asked for"),
        (("--batch", f"{SOURCE}-0000000009"), "there is no batch"),
    ],
)
def test_a_call_that_asks_for_none_of_the_rows_is_a_mistake(
    call: Call, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert call(SOURCE, *arguments) == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("waits")
def test_a_declaration_that_was_not_applied_is_not_run_with(call: Call, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    applied = settings.home / "etc" / "dagster" / "sources"
    applied.mkdir(parents=True)
    shipped = next(folder / f"{SOURCE}.yaml" for folder in settings.sources_dirs)
    (applied / shipped.name).write_text(shipped.read_text().replace("earliest: 2020-01-01", "earliest: 2019-01-01"))
    assert call(SOURCE) == 2
    assert "lakehouse sources apply" in capsys.readouterr().err
    (applied / shipped.name).write_text(shipped.read_text())
    assert call(SOURCE) == 2
    assert "no Dagster is known" in capsys.readouterr().err


STEPS: list[dict[str, Any]] = [
    {"asset": f"bronze.{SOURCE}", "status": "SUCCEEDED_WITH_WARNINGS", "batch_id": "b-5", "rows_inserted": 2, "rows_duplicate": 1},
    {"asset": f"bronze.{SOURCE}", "status": "FAILED", "batch_id": "b-5", "rows_inserted": 9},
    {"asset": "bronze.quarantine", "status": "SUCCEEDED", "batch_id": "b-5", "rows_deleted": 3},
    {"asset": "silver.auth_events", "status": "SUCCEEDED", "batch_id": "b-5", "rows_inserted": 2, "rows_updated": None},
    {"asset": "bronze.quarantine", "status": "SUCCEEDED", "batch_id": "b-5", "rows_deleted": 1},
]
COUNTS = ("rows_read", "rows_inserted", "rows_updated", "rows_deleted", "rows_quarantined", "rows_duplicate", "rows_expanded")
MORE = ("rows_held_back", "rows_conflicting", "rows_not_applicable", "duration_s", "error_message")
FULL = [{**dict.fromkeys((*COUNTS, *MORE)), "pipeline": SOURCE, **step} for step in STEPS]


def test_what_a_run_has_moved_is_summed_over_its_steps(settings: Settings) -> None:
    assert waiting.moved(load_sources(settings)[SOURCE], FULL) == {
        "batches": ["b-5"],
        "left_quarantine": 4,
        "published": {f"bronze.{SOURCE}": 2, "silver.auth_events": 2},
        "published_already": 1,
    }


class Run:
    """A run that Dagster has taken."""

    run_id = "11111111-2222"


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("error", [None, InfrastructureError("run failed", next_step="see it")])
def test_it_ends_with_what_moved_what_is_still_rejected_and_where_to_look(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: InfrastructureError | None, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(waiting, "launch", lambda _, job, config: asked.update(job=job, config=config) or Run())
    monkeypatch.setattr(waiting, "outcome_of", lambda *_: (FULL, error))
    assert call(SOURCE, "--tenant", "acme") == (3 if error else 0)
    assert asked == {"job": "reprocess", "config": {"ops": {"rejected": {"config": {"source": SOURCE, "tenant_id": "acme"}}}}}
    printed = " ".join(capsys.readouterr().out.split())
    assert f"4 rows left quarantine: 2 to bronze.{SOURCE}, 2 to silver.auth_events; 1 were published already" in printed
    assert "unparseable bronze quarantined 2 2" in printed
    assert "land it again" in printed
    assert "lakehouse runs 11111111" in printed
    assert call(SOURCE, "--tenant", "acme", "--json") == (3 if error else 0)
    assert [one["reason"] for one in json.loads(capsys.readouterr().out)["still_rejected"]] == ["unparseable", "event_time.missing"]
