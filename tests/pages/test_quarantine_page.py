"""In a real browser: the quarantine is narrowed by its address, raw text is shown to who asks for it, and its button starts a run.

Does not belong here: the numbers (tests/unit/dash_app/test_lake_queries), or what the run does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from tests.dagster_stand_in import Dagster
from tests.pages.conftest import LOADED_MS
from tests.store.test_delta_reads import add
from tests.unit.dash_app import lake_facts
from tests.unit.dash_app.facts import fact
from tests.unit.dash_app.lake_facts import HOSTILE, quarantined

NOW = datetime.now(UTC)
ROW = "#quarantine-grid .ag-center-cols-container .ag-row"
WIDER_THAN_ITS_PAGE = """() => {
    const right = document.querySelector('.page').getBoundingClientRect().right;
    return [...document.querySelectorAll('.page > *, .page .card, .page .headline, .page .section-head')]
        .filter(part => part.getBoundingClientRect().right > right + 1).map(part => part.className);
}"""
PATHS = ("/broken", "/quality", "/quarantine", "/tables", "/tables/silver.auth_events")


@pytest.fixture
def lake(settings: Settings) -> Settings:
    """Rows of two reasons, a slice that is held back, and hostile text in every place that data can fill."""
    rows = [quarantined(n, NOW - timedelta(minutes=n), reasons=["event_time.missing"], tenant_id="acme") for n in range(3)]
    rows += [quarantined(10 + n, NOW - timedelta(minutes=n), reasons=["record.unreadable"], tenant_id="globex") for n in range(2)]
    held = {"disposition": "held_back", "reasons": ["rejected share"], "tenant_id": "acme", "_batch_id": "okta-0000000007"}
    rows += [quarantined(20 + n, NOW - timedelta(hours=1), **held) for n in range(4)]
    hostile = [row for row in lake_facts.quarantine_of_a_bad_fortnight(NOW, rows=0) if row["reasons"] == [HOSTILE]]
    add(settings, rows)
    add(settings, hostile)
    writer = OpsWriter(settings)
    writer.create_tables()
    failed = fact("end", "r", "FAILED", NOW, error_class=HOSTILE, error_message=HOSTILE, partition=HOSTILE)
    writer.append("ops.run_events", [failed, {**failed, "run_id": "s", "asset": "silver.auth_events", "started_at": NOW}])
    writer.append("ctl.files", lake_facts.files_left_out(NOW))
    check = {
        **lake_facts.checks_of_a_fortnight(NOW)[0],
        "check_name": HOSTILE,
        "expected": HOSTILE,
        "pipeline": HOSTILE,
        "outcome": "failed",
    }
    writer.append("ops.check_results", [check, {**check, "table_name": HOSTILE}])
    writer.append("ops.sla_evaluations", lake_facts.promises(NOW))
    writer.append("ops.anomalies", lake_facts.anomalies(NOW))
    return settings


@pytest.fixture
def page(lake: Settings, pages: BrowserContext) -> Iterator[Page]:
    """The quarantine page."""
    opened = pages.new_page()
    opened.goto("/quarantine")
    opened.wait_for_selector(ROW)
    yield opened
    opened.close()


def recorded(settings: Settings) -> list[dict[str, Any]]:
    """What people did after they had signed in, in the order they did it."""
    return OpsReader(settings).rows("select actor, action, target, detail from ops.actions where action != 'signed_in' order by acted_at")


def test_a_filter_is_an_address_that_shows_the_same_to_others_and_can_be_taken_away(page: Page):
    expect(page.locator(ROW)).to_have_count(10)
    page.get_by_title("Only event_time.missing").click()
    expect(page).to_have_url(re.compile(r"/quarantine\?reason=event_time\.missing$"))
    expect(page.locator(ROW)).to_have_count(3, timeout=LOADED_MS)
    expect(page.locator("h1")).to_have_text("3 rows wait")
    shared = page.context.new_page()
    shared.goto(page.url)
    expect(shared.locator(ROW)).to_have_count(3, timeout=LOADED_MS)
    shared.get_by_title("Show every reason").click()
    expect(shared.locator(ROW)).to_have_count(10, timeout=LOADED_MS)
    shared.close()


def test_raw_text_comes_only_when_asked_for_and_that_is_recorded(page: Page, lake: Settings):
    page.goto("/quarantine?reason=event_time.missing")
    expect(page.locator(ROW)).to_have_count(3, timeout=LOADED_MS)
    assert "@example.com" not in page.content()
    page.get_by_text("Show raw text (recorded)").click()
    expect(page.locator("#quarantine-grid")).to_contain_text("user2@example.com", timeout=LOADED_MS)
    (row,) = recorded(lake)
    assert (row["actor"], row["action"], json.loads(row["detail"])["rows"]) == ("admin", "showed_raw", 3)


def test_the_button_asks_and_then_starts_a_run_that_is_recorded(page: Page, lake: Settings, dagster: Dagster):
    page.goto("/quarantine?source=okta&reason=record.unreadable")
    page.locator("#quarantine-ask summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#quarantine-ask")).to_contain_text("of source okta of reason record.unreadable again")
    assert dagster.asked == []
    page.locator("#quarantine-do").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#quarantine-answer a")).to_have_attribute("href", "/runs/run-of-the-page", timeout=LOADED_MS)
    (asked,) = dagster.asked
    assert asked["runConfigData"]["ops"]["rejected"]["config"] == {"source": "okta", "reason": "record.unreadable"}
    assert [(row["actor"], row["action"], row["target"]) for row in recorded(lake)] == [("admin", "reprocessed", "okta")]


def test_a_held_back_slice_is_found_on_the_page_of_what_is_broken_and_released(page: Page, lake: Settings, dagster: Dagster):
    page.goto("/broken")
    page.locator("#held-rows").get_by_text("Look, release").click()
    expect(page).to_have_url(re.compile("/quarantine.*batch=okta-0000000007"))
    expect(page.locator(ROW)).to_have_count(4, timeout=LOADED_MS)
    page.locator("#quarantine-ask summary").click()
    page.locator("#quarantine-do").click()
    expect(page.locator("#quarantine-answer a")).to_have_count(1, timeout=LOADED_MS)
    assert [asked["selector"]["jobName"] for asked in dagster.asked] == ["release"]
    assert [(row["action"], row["target"]) for row in recorded(lake)] == [("released", "okta-0000000007/acme")]


def test_the_button_says_that_dagster_is_down(page: Page, dagster: Dagster, lake: Settings):
    page.goto("/quarantine?source=okta")
    page.locator("#quarantine-ask summary").click()
    dagster.stop()
    page.locator("#quarantine-do").click()
    expect(page.locator("#quarantine-answer")).to_contain_text("Nothing was started. Dagster does not answer", timeout=LOADED_MS)
    expect(page.locator(".act")).to_contain_text("Dagster does not answer: nothing can be started", timeout=LOADED_MS)
    expect(page.locator(".act button")).to_be_disabled()
    assert recorded(lake) == []


def test_stored_script_is_text_on_every_page(pages: BrowserContext, lake: Settings):
    opened = pages.new_page()
    dialogs: list[str] = []
    opened.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in PATHS:
        opened.goto(path)
        opened.wait_for_selector(".page .headline, .page .table-head")
        expect(opened.locator("main")).to_contain_text("auth_events" if path.startswith("/tables") else HOSTILE, timeout=LOADED_MS)
        opened.wait_for_timeout(500)
        assert "owned" not in opened.title()
        assert opened.locator("main script, main img").count() == 0, path
    assert dialogs == []


def test_a_refresh_draws_what_is_new_and_leaves_the_rest_as_it_was(page: Page, lake: Settings):
    page.goto("/quarantine?reason=event_time.missing")
    expect(page.locator(ROW)).to_have_count(3, timeout=LOADED_MS)
    heading = page.locator("#quarantine-grid [role=columnheader][col-id=event_id]")
    heading.click()
    page.evaluate(f"document.querySelectorAll('{ROW}').forEach(row => row.dataset.mark = 'kept')")
    before = page.locator("#looked time").get_attribute("datetime")
    expect(page.locator("#looked time")).not_to_have_attribute("datetime", before or "", timeout=LOADED_MS)
    assert page.locator(f"{ROW}[data-mark=kept]").count() == 3
    add(lake, [quarantined(99, NOW, reasons=["event_time.missing"])])
    expect(page.locator(ROW)).to_have_count(4, timeout=LOADED_MS)
    assert page.locator(f"{ROW}[data-mark=kept]").count() == 3
    expect(heading).to_have_attribute("aria-sort", "ascending")


def test_the_rows_of_a_grid_are_saved_as_text_that_no_spreadsheet_takes_for_a_formula(page: Page, lake: Settings, tmp_path: Path):
    add(lake, [quarantined(77, NOW, reasons=["=1+1"], event_id="=cmd|' /C calc'!A0")])
    page.goto("/quarantine?reason=%3D1%2B1")
    expect(page.locator(ROW)).to_have_count(1, timeout=LOADED_MS)
    with page.expect_download() as saved:
        page.get_by_text("Export CSV").click()
    assert saved.value.suggested_filename == "quarantine.csv"
    saved.value.save_as(tmp_path / "saved.csv")
    text = (tmp_path / "saved.csv").read_text(encoding="utf-8")
    assert "\"'=cmd|' /C calc'!A0\"" in text
    assert "@example.com" not in text


def test_the_graph_of_a_table_leads_on(page: Page):
    page.goto("/tables/silver.auth_events")
    expect(page.locator(".lineage-edges path").first).to_be_attached(timeout=LOADED_MS)
    page.locator(".lineage-node", has_text="gold.user_days").click()
    expect(page).to_have_url(re.compile("/tables/gold.user_days$"))
    expect(page.locator("h1")).to_have_text("gold.user_days", timeout=LOADED_MS)
    expect(page.locator(".lineage-here")).to_have_text("gold.user_days")


def test_the_table_of_the_quarantine_itself_tells_its_versions(page: Page):
    page.goto("/tables/bronze.quarantine")
    rows = page.locator("#table-versions-grid .ag-center-cols-container .ag-row")
    expect(rows).to_have_count(3, timeout=LOADED_MS)
    expect(rows.first).to_contain_text("WRITE")


@pytest.mark.parametrize("width", [390, 1280])
def test_no_part_of_a_page_is_wider_than_the_window(pages: BrowserContext, lake: Settings, width: int):
    opened = pages.new_page()
    opened.set_viewport_size({"width": width, "height": 844})
    for path in PATHS:
        opened.goto(path)
        opened.wait_for_selector(".page .headline, .page .table-head")
        opened.wait_for_timeout(1000)
        assert opened.evaluate(WIDER_THAN_ITS_PAGE) == [], path
