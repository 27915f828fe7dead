"""In a real browser: what people do about an incident is kept and shown, pages tell at once that nobody watches, and text stays text.

Does not belong here: what each number is (tests/unit/dash_app), or the stack's own facts (tests/stack).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Show
from tests.unit.dash_app import markup
from tests.unit.dash_app.facts import FakeReader
from tests.unit.dash_app.lake_facts import FakeLake
from tests.unit.dash_app.troubles import Heart, heartbeat

PAGES = (
    "/", "/incidents", "/incidents/inc-0412", "/alerts", "/pipelines", "/pipelines?pipeline=okta&table=bronze.okta", "/broken", "/quality",
    "/quarantine", "/tables", "/tables/silver.auth_events", "/rows?table=ops.incident_events",
)  # fmt: skip


def test_what_people_do_is_kept_with_who_and_when_and_shown(show: Show):
    shown, page = show()
    page.goto("/incidents/inc-0412")
    timeline = page.locator("#incident-timeline")
    page.click("#acknowledge")
    expect(timeline).to_contain_text("admin is on it")
    expect(page.locator(".incident-pills")).to_contain_text("Acknowledged")
    page.fill("#owner", "identity on call")
    page.click("#assign")
    expect(timeline).to_contain_text("admin assigned to identity on call")
    page.fill("#note", "<b>Asked</b> acme.")
    page.click("#comment")
    expect(timeline).to_contain_text("<b>Asked</b> acme.")
    expect(page.locator("#note")).to_have_value("")
    page.click("#mark-expected")
    expect(page.locator(".incident-pills")).to_contain_text("Expected")
    page.click("#mark-useful")
    expect(page.locator(".incident-head")).to_contain_text("useful")
    kept = shown.reader.facts["ops.incident_events"][-5:]
    assert [row["event"] for row in kept] == ["acknowledged", "assigned", "commented", "marked", "marked"]
    assert {(row["actor"], row["incident_id"]) for row in kept} == {("admin", "inc-0412")}
    assert [row["action"] for row in shown.reader.facts["ops.actions"] if row["action"] != "signed_in"] == [row["event"] for row in kept]


def test_what_is_being_written_stays_while_the_page_looks_again(show: Show):
    shown, page = show()
    page.goto("/incidents/inc-0412")
    page.fill("#note", "Half a sen")
    changed = {
        **shown.reader.facts["ops.incident_events"][0],
        "event": "worsened",
        "happened_at": datetime.now(UTC),
        "title": "It became worse",
    }
    shown.reader.append("ops.incident_events", [changed])
    expect(page.locator(".incident-head h1")).to_contain_text("It became worse")
    expect(page.locator("#note")).to_have_value("Half a sen")


def test_every_page_says_within_one_refresh_that_the_evaluator_is_dead(show: Show):
    shown, page = show("healthy")
    page.goto("/pipelines")
    expect(page.locator("#watch")).to_contain_text("Watched")
    shown.heart.body = heartbeat(datetime.now(UTC) - timedelta(minutes=5), interval_s=60)
    expect(page.locator("#alarm")).to_contain_text("Nobody is watching")
    for path in PAGES:
        page.goto(path)
        expect(page.locator("#alarm")).to_contain_text("Nobody is watching")


def test_a_click_into_the_lineage_leads_to_the_tables_page(show: Show):
    _, page = show()
    page.goto("/incidents/inc-0412")
    page.locator("#lineage-graph .annotation", has_text="silver.auth_events").click()
    expect(page).to_have_url(re.compile(r"/tables/silver\.auth_events$"))


def test_filters_stand_in_the_address_and_outlive_going_away_and_coming_back(show: Show):
    _, page = show()
    page.goto("/incidents")
    rows = page.locator("#incidents-grid .ag-center-cols-container .ag-row")
    expect(rows).to_have_count(11)
    page.get_by_role("link", name="Minor", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/incidents\?severity=minor$"))
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page).to_have_url(re.compile(r"severity=minor&state=open$"))
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name="cloudtrail: files of 08:00 are late").click()
    expect(page.locator(".incident-head h1")).to_contain_text("cloudtrail")
    page.go_back()
    expect(rows).to_have_count(1)
    page.go_forward()
    page.click("#back-to-incidents")
    expect(page).to_have_url(re.compile(r"severity=minor&state=open$"))
    expect(rows).to_have_count(1)
    page.reload()
    expect(rows).to_have_count(1)


def test_a_picked_filter_goes_into_the_address(show: Show):
    _, page = show()
    page.goto("/incidents?state=active")
    page.get_by_role("textbox", name="Filter by cause").click()
    page.get_by_role("option", name="A field changed its type").click()
    expect(page).to_have_url(re.compile(r"state=active&cause=schema_changed$"))
    expect(page.locator("#incidents-grid .ag-center-cols-container .ag-row")).to_have_count(1)


def test_a_table_is_saved_as_csv_that_runs_nothing(show: Show):
    now = datetime.now(UTC)
    _, page = show(facts=(FakeReader(markup.facts(now)), Heart(heartbeat(now)), FakeLake()))
    page.goto("/incidents")
    page.wait_for_selector("#incidents-grid .ag-row")
    with page.expect_download() as saving:
        page.click("[data-export=incidents-grid]")
    text = saving.value.path().read_text(encoding="utf-8-sig")
    assert saving.value.suggested_filename == "incidents.csv"
    assert "\"'=HYPERLINK(" in text
    assert not re.search(r'(^|,)"?=', text, re.MULTILINE)
    assert now.strftime("%Y-%m-%dT") in text
    assert '"Found after"' in text, "columns that a narrow page hides are saved as well"


ALIVE = """() => {
    const told = (elements) => [...elements].map((element) => element.outerHTML.slice(0, 200));
    const elements = [...document.querySelectorAll("*")];
    const made = "main script, header script, iframe, object, embed, marquee, video, audio, math, template, base, img[src='x']";
    return [
        ...(window.ran ? ["script ran"] : []),
        ...told(document.querySelectorAll(made)),
        ...told(elements.filter((e) => [...e.attributes].some((a) => a.name.startsWith("on")))),
        ...told(elements.filter((e) => e.tagName === "A" && new URL(e.href).host !== location.host)),
        ...told(elements.filter((e) => e.tagName !== "A" && /evil\\.example/.test(e.getAttribute("href") || ""))),
    ];
}"""
"""What of stored markup has come alive on a page: scripts, elements, handlers, links out."""


def test_stored_markup_is_text_on_every_page(show: Show):
    now = datetime.now(UTC)
    _, page = show(facts=(FakeReader(markup.facts(now)), Heart(markup.heartbeat(now)), FakeLake(markup.quarantine(now))))
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url.split("?")[0] else None)
    page.on("dialog", lambda dialog: foreign.append(dialog.message))
    seen = {
        "/": "#overview-body",
        "/incidents": "#incidents-grid .ag-row",
        "/incidents/i-1": "#lineage-graph .annotation",
        "/incidents/%3Cscript%3Ewindow.ran%3D1%3C%2Fscript%3E": ".incident-head",
        "/alerts": "#noise-graph .trace",
        "/rows?table=ops.incident_events": "#rows-grid .ag-row",
        "/pipelines": "#failures-grid .ag-row",
        "/runs/r-1": ".step",
        "/broken": "#files-rows .ag-row",
        "/quality": "#quality-grid .ag-row",
        "/quarantine": "#quarantine-grid .ag-row",
        f"/tables/{markup.TABLE}": "#table-anomalies-grid .ag-row",
    }
    for path, selector in seen.items():
        page.goto(path)
        page.wait_for_selector(selector)
        page.wait_for_timeout(1000)
        assert (path, page.evaluate(ALIVE)) == (path, [])
        expect(page.locator("body")).to_contain_text("window.ran=1")
    assert foreign == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["failing", "empty"])
def test_nothing_scrolls_sideways(show: Show, name: str, width: int):
    _, page = show(name, width=width)
    for path in PAGES:
        page.goto(path)
        page.wait_for_selector(".page")
        page.wait_for_timeout(500)
        assert (path, page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")) == (path, True)


def test_everything_about_an_incident_is_reached_by_the_keyboard(show: Show):
    _, page = show()
    page.goto("/incidents/inc-0412")
    page.wait_for_selector("#lineage-graph .annotation")
    reached: set[str] = set()
    for _ in range(70):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('href') || ''"))
    assert {"acknowledge", "owner", "assign", "note", "comment", "mark-expected", "mark-useful", "/tables/gold.auth_daily"} <= reached
