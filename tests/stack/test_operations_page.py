"""In a real browser, the operations pages show what SQL says, let nobody in without signing in, and load nothing from elsewhere.

Does not belong here: how each number is computed (tests/unit/dash_app), or how the stack comes up.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import CREDENTIALS_FILE, Settings

PASSWORD_VARIABLE = "LAKEHOUSE_OPERATIONS_PASSWORD"
ROW = "#pipelines-grid .ag-row"
REFRESH_MS = 25_000
LOADED_MS = 60_000

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
    pipeline, asset, rows_read, rows_inserted, rows_updated, rows_deleted, rows_quarantined, rows_duplicate, rows_not_applicable,
    rows_held_back, rows_expanded, rows_conflicting, status,
    (select count(*) from rated r where r.pipeline = a.pipeline and r.asset = a.asset and nth_rated <= 30) as rated,
    (
        select count(*) from rated r
        where r.pipeline = a.pipeline and r.asset = a.asset and nth_rated <= 30 and status like 'SUCCEEDED%'
    ) as succeeded
from attempts a
where nth = 1
"""
START = datetime.now(UTC) - timedelta(minutes=9)
STEP = {
    "fact": "end",
    "pipeline": "pages",
    "asset": "bronze.pages",
    "layer": "bronze",
    "attempt": 1,
    "started_at": START,
    "duration_s": 4.0,
}
TWO_RUNS = [
    {
        **STEP,
        "run_id": "pages-1",
        "status": "SUCCEEDED",
        "ended_at": START,
        "rows_read": 1234,
        "rows_inserted": 1200,
        "rows_quarantined": 34,
    },
    {**STEP, "run_id": "pages-2", "status": "FAILED", "asset": "silver.pages", "ended_at": START, "error_class": "DataError"},
]
COUNTS = ("read", "inserted", "updated", "deleted", "quarantined", "duplicate", "not_applicable", "held_back")
BENEATH = {"read": "expanded", "duplicate": "conflicting"}
"""Counts that stand below another one where there are any."""
HEALTH = {"SUCCEEDED": "well", "SUCCEEDED_WITH_WARNINGS": "warned", "SKIPPED_UPSTREAM": "warned", "LATE": "warned"}
WORST_FIRST = ("failed", "warned", "well")


@pytest.fixture(scope="module")
def reader(full_stack: Settings) -> OpsReader:
    """SQL over the ops tables, past the pages; where nothing has run yet, two runs are recorded."""
    opened = OpsReader(full_stack)
    if not opened.query("select 1 from ops.run_log limit 1").num_rows:
        OpsWriter(full_stack).append("ops.run_events", TWO_RUNS)
    return opened


@pytest.fixture(scope="module")
def password(full_stack: Settings) -> str:
    """The password of `admin`."""
    text = (full_stack.home / CREDENTIALS_FILE).read_text(encoding="utf-8")
    found = re.search(rf"^{PASSWORD_VARIABLE}=['\"]?(.+?)['\"]?$", text, re.MULTILINE)
    assert found, f"{CREDENTIALS_FILE} has no {PASSWORD_VARIABLE}"
    return found[1]


def fresh_context(browser: Browser, settings: Settings, foreign: list[str], scheme: Literal["light", "dark"] = "light") -> BrowserContext:
    """A new browser profile; addresses outside the app that it asks for are put into `foreign`."""
    opened = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=settings.operations_url, timezone_id="America/New_York", color_scheme=scheme
    )
    own = (str(settings.operations_url), "data:", "blob:")
    opened.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    return opened


def sign_in(context: BrowserContext, password: str) -> Page:
    """The Pipelines page, signed in."""
    opened = context.new_page()
    opened.goto("/login?next=/pipelines")
    opened.fill("#user", "admin")
    opened.fill("#password", password)
    opened.click("button[type=submit]")
    opened.wait_for_selector(ROW, timeout=LOADED_MS)
    return opened


@pytest.fixture(scope="module")
def signed_in(browser: Browser, full_stack: Settings, reader: OpsReader, password: str) -> Iterator[BrowserContext]:
    """A profile that has signed in; shared, so leave its session and its colours as they are."""
    foreign: list[str] = []
    opened = fresh_context(browser, full_stack, foreign)
    sign_in(opened, password).close()
    yield opened
    opened.close()
    assert foreign == []


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    """The Pipelines page."""
    opened = signed_in.new_page()
    opened.goto("/pipelines")
    opened.wait_for_selector(ROW, timeout=LOADED_MS)
    yield opened
    opened.close()


@pytest.fixture
def stranger(browser: Browser, full_stack: Settings) -> Iterator[BrowserContext]:
    """A profile that has not signed in."""
    opened = fresh_context(browser, full_stack, [])
    yield opened
    opened.close()


def number(text: str) -> int | None:
    """A rendered count."""
    return None if text == "–" else int(text.replace(",", ""))


def cell(page: Page, grid: str, row_id: str, column: str) -> str:
    """Text of one cell of a grid."""
    return page.locator(f'#{grid} .ag-row[row-id="{row_id}"] .ag-cell[col-id="{column}"]').inner_text().strip()


def test_a_stranger_is_asked_to_sign_in(stranger: BrowserContext):
    page = stranger.new_page()
    page.goto("/pipelines?pipeline=okta")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    assert stranger.request.get("/_dash-layout").status == 401
    assert stranger.request.post("/_dash-update-component", data={}).status == 401
    assert stranger.request.get("/healthz").ok


def test_the_repositorys_python_is_not_served(page: Page):
    for path in ("/assets/definitions.py", "/assets/__init__.py"):
        assert page.request.get(path).status == 404


def agree(rendered: Callable[[], Any], expected: Callable[[], Any]) -> None:
    """Wait until the page shows what SQL says at the same moment: runs may end while the test looks."""
    deadline = time.monotonic() + REFRESH_MS / 1000
    while (shown := rendered()) != (wanted := expected()) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert shown == wanted


def rendered_rows(page: Page) -> dict[str, dict[str, Any]]:
    """The counts and the success rate of every row of the pipelines table."""
    rows: dict[str, dict[str, Any]] = {}
    for row_id in page.locator(ROW).evaluate_all("rows => rows.map(row => row.getAttribute('row-id'))"):
        rate = re.search(r"([\d,]+) of ([\d,]+)", cell(page, "pipelines-grid", row_id, "success_rate"))
        lines = {c: cell(page, "pipelines-grid", row_id, f"rows_{c}").splitlines() for c in COUNTS}
        counts = {c: number(first) for c, (first, *_) in lines.items()}
        beneath = {under: number(lines[c][1].split()[0]) if lines[c][1:] else 0 for c, under in BENEATH.items()}
        rows[row_id] = {**counts, **beneath, "succeeded": number(rate[1]) if rate else 0, "rated": number(rate[2]) if rate else 0}
    return rows


def expected_rows(reader: OpsReader) -> dict[str, dict[str, Any]]:
    """The same, from SQL."""
    return {
        f"{row['pipeline']}|{row['asset']}": {
            **{c: row[f"rows_{c}"] for c in COUNTS},
            **{c: row[f"rows_{c}"] or 0 for c in BENEATH.values()},
            "succeeded": row["succeeded"],
            "rated": row["rated"],
        }
        for row in reader.query(EXPECTED).to_pylist()
    }


def expected_headline(reader: OpsReader) -> dict[str, str]:
    """Pipelines by the worst state of their tables, from SQL."""
    states: dict[str, set[str]] = {}
    for row in reader.query(EXPECTED).to_pylist():
        states.setdefault(row["pipeline"], set()).add(HEALTH.get(row["status"], "failed"))
    worst = [next(state for state in WORST_FIRST if state in found) for found in states.values()]
    return {state: str(worst.count(state)) for state in WORST_FIRST}


def test_rendered_numbers_equal_sqls(page: Page, reader: OpsReader):
    agree(lambda: rendered_rows(page), lambda: expected_rows(reader))


def test_the_headline_counts_pipelines_as_sql_does(page: Page, reader: OpsReader):
    agree(lambda: {state: page.locator(f"#tile-{state}").inner_text() for state in WORST_FIRST}, lambda: expected_headline(reader))


def test_choosing_a_pipeline_is_an_address_to_share(page: Page, reader: OpsReader):
    chosen = reader.query("select pipeline, asset from ops.run_log where rows_inserted > 0 order by all limit 1").to_pylist()[0]
    page.click(f'#pipelines-grid .ag-row[row-id="{chosen["pipeline"]}|{chosen["asset"]}"] .ag-cell[col-id="rows_read"]')
    expect(page.locator("#trend .chip")).to_contain_text(f"{chosen['pipeline']} › {chosen['asset']}")
    assert f"pipeline={chosen['pipeline']}" in page.url
    shared = page.context.new_page()
    shared.goto(page.url)
    expect(shared.locator("#trend .chip")).to_contain_text(chosen["asset"], timeout=LOADED_MS)
    expect(shared.locator(".ag-row-selected")).to_have_count(1, timeout=LOADED_MS)
    shared.locator("#trend .chip").click()
    expect(shared.locator("#trend .chip")).to_have_count(0)
    shared.close()


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


def test_light_and_dark_follow_the_system_and_remember_what_was_chosen(browser: Browser, full_stack: Settings, password: str):
    scheme = "document.documentElement.dataset.mantineColorScheme"
    context = fresh_context(browser, full_stack, [], "dark")
    page = context.new_page()
    page.goto("/login")
    assert page.evaluate(scheme) == "dark"
    page.close()
    page = sign_in(context, password)
    assert page.evaluate(scheme) == "dark"
    page.click("#scheme")
    expect(page.locator("html[data-mantine-color-scheme=light]")).to_have_count(1)
    page.reload()
    page.wait_for_selector(ROW, timeout=LOADED_MS)
    assert page.evaluate(scheme) == "light"
    context.close()


@pytest.mark.parametrize("width", [1024, 1280, 1440])
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
    clipped = page.evaluate(
        """() => [...document.querySelectorAll('.ag-cell time, .ag-cell .pill')].filter(shown => {
            const right = shown.getBoundingClientRect().right;
            for (let holder = shown; !holder.classList.contains('ag-row'); holder = holder.parentElement) {
                const clips = getComputedStyle(holder).overflowX !== 'visible';
                if (clips && (holder.scrollWidth > holder.clientWidth || right > holder.getBoundingClientRect().right)) return true;
            }
            return false;
        }).map(shown => shown.textContent)"""
    )
    assert clipped == []


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


def test_signing_out_closes_the_pages(stranger: BrowserContext, password: str):
    page = sign_in(stranger, password)
    page.click("text=Sign out")
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login\?next="))
