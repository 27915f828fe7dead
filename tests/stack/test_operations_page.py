"""In a real browser, the operations pages show what SQL says, let nobody in without signing in, and load nothing from elsewhere.

Does not belong here: how each number is computed (tests/unit/dash_app), or how the stack comes up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from infra.browser import FLAGS, chromium
from lakehouse.ops.store import OpsReader
from lakehouse.settings import CREDENTIALS_FILE, Settings

PASSWORD_VARIABLE = "LAKEHOUSE_OPERATIONS_PASSWORD"
REFRESH_MS = 25_000

EXPECTED = """
with attempts as (
    select *, row_number() over (
        partition by pipeline, asset order by coalesce(started_at, nominal_start, ended_at) desc, attempt desc
    ) as nth
    from ops.run_log
    where status not in ('PENDING', 'RUNNING')
),
rated as (
    select *, row_number() over (partition by pipeline, asset order by nth) as nth_rated
    from attempts
    where status in ('SUCCEEDED', 'SUCCEEDED_WITH_WARNINGS', 'FAILED', 'TERMINATED', 'MISSING')
)
select
    pipeline, asset, rows_read, rows_inserted, rows_updated, rows_deleted, rows_quarantined, rows_duplicate, rows_held_back, status,
    (select count(*) from rated r where r.pipeline = a.pipeline and r.asset = a.asset and nth_rated <= 30) as rated,
    (
        select count(*) from rated r
        where r.pipeline = a.pipeline and r.asset = a.asset and nth_rated <= 30 and status like 'SUCCEEDED%'
    ) as succeeded
from attempts a
where nth = 1
"""
COUNTS = ("read", "inserted", "updated", "deleted", "quarantined", "duplicate", "held_back")
HEALTH = {"SUCCEEDED": "well", "SUCCEEDED_WITH_WARNINGS": "warned", "SKIPPED_UPSTREAM": "warned", "LATE": "warned"}
WORST_FIRST = ("failed", "warned", "well")


@pytest.fixture(scope="module")
def reader(full_stack: Settings) -> OpsReader:
    """SQL over the ops tables, past the pages."""
    return OpsReader(full_stack)


@pytest.fixture(scope="module")
def password(full_stack: Settings) -> str:
    """The password of `admin`."""
    text = (full_stack.home / CREDENTIALS_FILE).read_text(encoding="utf-8")
    found = re.search(rf"^{PASSWORD_VARIABLE}=['\"]?(.+?)['\"]?$", text, re.MULTILINE)
    assert found, f"{CREDENTIALS_FILE} has no {PASSWORD_VARIABLE}"
    return found[1]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(chromium()), args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture()
def context(browser: Browser, full_stack: Settings) -> Iterator[BrowserContext]:
    """A fresh browser profile that fails the test when a page asks another host for anything, or logs an error."""
    opened = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=full_stack.operations_url, timezone_id="America/New_York"
    )
    foreign: list[str] = []
    home = str(full_stack.operations_url)
    opened.on("request", lambda request: None if request.url.startswith((home, "data:", "blob:")) else foreign.append(request.url))
    yield opened
    opened.close()
    assert not foreign


@pytest.fixture()
def page(context: BrowserContext, password: str) -> Page:
    """The Pipelines page, signed in."""
    opened = context.new_page()
    opened.goto("/")
    opened.fill("#user", "admin")
    opened.fill("#password", password)
    opened.click("button[type=submit]")
    opened.wait_for_selector("#pipelines-grid .ag-row", timeout=30_000)
    return opened


def number(text: str) -> int | None:
    """A rendered count."""
    return None if text == "–" else int(text.replace(",", ""))


def cell(page: Page, grid: str, row_id: str, column: str) -> str:
    """Text of one cell of a grid."""
    return page.locator(f'#{grid} .ag-row[row-id="{row_id}"] .ag-cell[col-id="{column}"]').inner_text().strip()


def test_a_stranger_is_asked_to_sign_in(context: BrowserContext):
    page = context.new_page()
    page.goto("/?pipeline=okta")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    assert context.request.get("/_dash-layout").status == 401
    assert context.request.post("/_dash-update-component", data={}).status == 401
    assert context.request.get("/healthz").ok


def test_the_repositorys_python_is_not_served(page: Page):
    for path in ("/assets/definitions.py", "/assets/__init__.py"):
        assert page.request.get(path).status == 404


def test_rendered_numbers_equal_sqls(page: Page, reader: OpsReader):
    rows = reader.query(EXPECTED).to_pylist()
    assert rows
    expect(page.locator("#pipelines-grid .ag-center-cols-container .ag-row")).to_have_count(len(rows), timeout=REFRESH_MS)
    for row in rows:
        row_id = f"{row['pipeline']}|{row['asset']}"
        rendered = {c: number(cell(page, "pipelines-grid", row_id, f"rows_{c}")) for c in COUNTS}
        assert rendered == {c: row[f"rows_{c}"] for c in COUNTS}, row_id
        rate = cell(page, "pipelines-grid", row_id, "success_rate")
        assert f"{row['succeeded']:,} of {row['rated']:,}" in rate or not row["rated"], row_id


def test_the_headline_counts_pipelines_as_sql_does(page: Page, reader: OpsReader):
    states: dict[str, set[str]] = {}
    for row in reader.query(EXPECTED).to_pylist():
        states.setdefault(row["pipeline"], set()).add(HEALTH.get(row["status"], "failed"))
    worst = [next(state for state in WORST_FIRST if state in found) for found in states.values()]
    for state in WORST_FIRST:
        expect(page.locator(f"#tile-{state}")).to_have_text(str(worst.count(state)), timeout=REFRESH_MS)


def test_choosing_a_pipeline_is_an_address_to_share(page: Page, reader: OpsReader):
    chosen = reader.query("select pipeline, asset from ops.run_log where rows_inserted > 0 order by all limit 1").to_pylist()[0]
    page.click(f'#pipelines-grid .ag-row[row-id="{chosen["pipeline"]}|{chosen["asset"]}"] .ag-cell[col-id="rows_read"]')
    expect(page.locator("#trend .chip")).to_contain_text(f"{chosen['pipeline']} › {chosen['asset']}")
    assert f"pipeline={chosen['pipeline']}" in page.url
    shared = page.context.new_page()
    shared.goto(page.url)
    expect(shared.locator("#trend .chip")).to_contain_text(chosen["asset"])
    expect(shared.locator(".ag-row-selected")).to_have_count(1)
    shared.locator("#trend .chip").click()
    expect(shared.locator("#trend .chip")).to_have_count(0)


def test_the_trend_is_drawn_with_sqls_totals(page: Page, reader: OpsReader):
    totals = reader.query(
        """
        select pipeline, sum(rows_inserted) as n from ops.run_log
        where epoch_ms(coalesce(started_at, nominal_start, ended_at)) // 86400000 > epoch_ms(now()) // 86400000 - 14
        group by pipeline having sum(rows_inserted) > 0
        """
    ).to_pylist()
    figure = page.locator("#trend-figure")
    for total in totals:
        expect(figure).to_contain_text(f"{total['pipeline']}", timeout=REFRESH_MS)
        expect(figure).to_contain_text(f"{int(total['n']):,} rows", timeout=REFRESH_MS)


def test_a_run_is_told_in_full(page: Page, reader: OpsReader):
    run_id = reader.query("select run_id from ops.run_log where ended_at is not null order by ended_at desc limit 1").to_pylist()[0][
        "run_id"
    ]
    steps = reader.query("select asset, rows_inserted from ops.run_log where run_id = ? order by asset", [run_id]).to_pylist()
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".step")).to_have_count(len(steps), timeout=REFRESH_MS)
    for step in steps:
        shown = page.locator(".step", has_text=step["asset"]).locator("summary").all_inner_texts()
        count = "–" if step["rows_inserted"] is None else f"{step['rows_inserted']:,}"
        assert any(f"{count} inserted" in re.sub(r"\s+", " ", text) for text in shown), step


def test_light_and_dark_are_remembered_and_follow_the_system(page: Page, browser: Browser, full_stack: Settings):
    scheme = "document.documentElement.dataset.mantineColorScheme"
    assert page.evaluate(scheme) == "light"
    page.click("#scheme")
    assert page.evaluate(scheme) == "dark"
    page.reload()
    page.wait_for_selector("#pipelines-grid .ag-row")
    assert page.evaluate(scheme) == "dark"
    other = browser.new_context(color_scheme="dark", base_url=full_stack.operations_url)
    stranger = other.new_page()
    stranger.goto("/login")
    assert stranger.evaluate(scheme) == "dark"
    other.close()


@pytest.mark.parametrize("width", [1024, 1440])
def test_nothing_is_cut_off_or_scrolls_sideways(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.ag-header-cell')].filter(cell => {
            const text = cell.querySelector('.ag-header-cell-text').getBoundingClientRect(), box = cell.getBoundingClientRect();
            return text.left < box.left || text.right > box.right;
        }).map(cell => cell.textContent)"""
    )
    assert cut == []


def test_the_page_looks_again_by_itself_without_drawing_what_has_not_changed(page: Page):
    page.evaluate("document.querySelector('#pipelines-grid .ag-row').dataset.mark = 'kept'")
    before = page.locator("#looked time").get_attribute("datetime")
    expect(page.locator("#looked time")).not_to_have_attribute("datetime", before or "", timeout=REFRESH_MS)
    assert page.locator("#pipelines-grid .ag-row[data-mark=kept]").count() == 1


def test_no_secret_is_on_a_page(page: Page, full_stack: Settings):
    text = (full_stack.home / CREDENTIALS_FILE).read_text(encoding="utf-8")
    secrets = [line.split("=", 1)[1].strip("'\"") for line in text.splitlines() if re.search("(PASSWORD|SECRET|TOKEN|KEY)[A-Z_]*=", line)]
    answers: list[Any] = [page.content(), page.request.get("/_dash-layout").text()]
    assert not [secret for secret in secrets if len(secret) > 7 and any(secret in answer for answer in answers)]


def test_signing_out_closes_the_pages(page: Page):
    page.click("text=Sign out")
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login\?next="))
