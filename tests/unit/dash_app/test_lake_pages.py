"""The pages on data without a browser: what they hold with facts of every kind, what their buttons do, and what a callback answers.

Does not belong here: the numbers behind them (test_lake_queries).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from dash import Dash

from dash_app import live, masking, pieces
from dash_app.operations import create_app
from dash_app.pages import broken, quality, quarantine, table, tables
from dash_app.quarantine_queries import Quarantine, Wanted
from dash_app.statuses import Tone
from lakehouse.settings import Settings
from tests.dagster_stand_in import Dagster
from tests.unit.dash_app import lake_facts
from tests.unit.dash_app.conftest import signed_in
from tests.unit.dash_app.facts import FakeReader, fortnight
from tests.unit.dash_app.lake_facts import HOSTILE, FakeLake, FakeWriter
from tests.unit.dash_app.test_pages import everything, in_app

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
LAYOUTS: dict[str, Callable[[], Any]] = {
    "broken": broken.layout,
    "quality": quality.layout,
    "quarantine": quarantine.layout,
    "tables": tables.layout,
    "table": lambda: table.layout(name="silver.auth_events"),
}


@pytest.fixture
def dagster() -> Iterator[Dagster]:
    made = Dagster()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def troubled_reader() -> FakeReader:
    return FakeReader(lake_facts.with_trouble(fortnight(NOW, hours=48), NOW))


@pytest.fixture
def lake() -> FakeLake:
    made = FakeLake(lake_facts.quarantine_of_a_bad_fortnight(NOW), lake_facts.states_of_every_table(NOW))
    made.put_versions(lake_facts.versions(NOW))
    return made


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
def troubled(settings: Settings, troubled_reader: FakeReader, lake: FakeLake, writer: FakeWriter, dagster: Dagster) -> Dash:
    """An app over a lake in trouble, with Dagster up."""
    return create_app(settings.model_copy(update={"dagster_url": dagster.url}), troubled_reader, lake=lake, writer=writer)


@pytest.fixture
def quiet(settings: Settings, own_reader: FakeReader, writer: FakeWriter) -> Dash:
    """An app over an empty lake, without Dagster."""
    return create_app(settings, own_reader, lake=FakeLake(), writer=writer)


def shown(app: Dash, make: Callable[[], Any]) -> str:
    return everything(in_app(app, make))


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("broken", ("Some of it is still broken", "stripe_customers", "provider_events-0000000412", "record.unreadable", "the gzip")),
        ("quality", ("3 checks do not hold", "failure_reason.on_success", "Rows that broke them", "xxxx00000@xxxxxxx.xxx")),
        ("quarantine", ("rows wait", "globex", "another_body_is_published", "Show raw text")),
        ("tables", ("promises broken", "gold.auth_daily", "bronze.okta_system_log")),
        ("table", ("One row per authentication event", "user_email", "OPTIMIZE", "bronze.okta_system_log", "Out of band (below)")),
    ],
)  # fmt: skip
def test_a_page_tells_what_is_wrong(troubled: Dash, page: str, texts: tuple[str, ...]):
    told = shown(troubled, LAYOUTS[page])
    for text in texts:
        assert text in told


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("broken", "Nothing is broken"),
        ("quality", "No check has run"),
        ("quarantine", "Nothing waits in quarantine"),
        ("tables", "0 rows in 0 B"),
        ("table", "It has not been made yet."),
    ],
)
def test_a_page_of_an_empty_lake_says_so(quiet: Dash, page: str, text: str):
    assert text in shown(quiet, LAYOUTS[page])


@pytest.mark.parametrize("page", LAYOUTS)
def test_a_page_stays_up_without_a_store_and_never_says_that_all_is_well(
    troubled: Dash, troubled_reader: FakeReader, lake: FakeLake, page: str
):
    troubled_reader.down = lake.down = True
    try:
        told = shown(troubled, LAYOUTS[page])
    finally:
        troubled_reader.down = False
    assert "The store does not answer." in told
    assert "Nothing is broken" not in told
    assert "Every check holds" not in told
    assert '"children": "0"' not in told
    assert "Nothing is made from it" not in told


def test_what_fails_is_told_although_the_lake_does_not_answer(troubled: Dash, lake: FakeLake):
    lake.down = True
    told = shown(troubled, broken.layout)
    assert "stripe_customers" in told
    assert "Not all can be told" in told


@pytest.mark.parametrize("page", LAYOUTS)
def test_raw_text_is_not_sent_unless_asked_for(troubled: Dash, page: str):
    told = shown(troubled, LAYOUTS[page])
    assert "@example.com" not in told
    assert "alternateId" in told or page not in ("quality", "quarantine")


def click(app: Dash, clicked: str, query: dict[str, str]) -> Any:
    """What the callback of a button of the quarantine page answers to a click."""
    key = next(k for k, told in app.callback_map.items() if told["inputs"][0]["id"] == clicked)
    outputs = [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in key.strip(".").split("...")]
    body = {
        "output": key,
        "outputs": outputs if key.startswith("..") else outputs[0],
        "inputs": [{"id": clicked, "property": "n_clicks", "value": 1}],
        "state": [{"id": "quarantine-query", "property": "data", "value": query}],
        "changedPropIds": [f"{clicked}.n_clicks"],
    }
    response = signed_in(app).post("/_dash-update-component", json=body)
    assert response.status_code == 200, response.text
    return response.get_json()["response"]


def done(writer: FakeWriter) -> list[tuple[str, dict[str, Any]]]:
    """What was recorded, but for the sign-in."""
    return [(name, row) for name, row in writer.recorded if row.get("action") != "signed_in"]


def test_raw_text_is_shown_to_who_asks_and_that_is_recorded(troubled: Dash, writer: FakeWriter):
    answer = click(troubled, "quarantine-raw", {"source": "okta", "reason": "event_time.missing"})
    assert all("@example.com" in row["text"] for row in answer["quarantine-grid"]["rowData"])
    ((name, row),) = done(writer)
    assert (name, row["actor"], row["action"]) == ("ops.actions", "admin", "showed_raw")
    assert json.loads(row["detail"]) == {
        "rows": len(answer["quarantine-grid"]["rowData"]),
        "source": "okta",
        "reason": "event_time.missing",
    }


def test_raw_text_is_not_shown_where_that_cannot_be_recorded(troubled: Dash, writer: FakeWriter):
    writer.refuses = True
    answer = click(troubled, "quarantine-raw", {"source": "okta"})
    assert "@example.com" not in json.dumps(answer)
    assert "could not be recorded" in answer["quarantine-raw"]["children"]


def test_the_button_re_processes_what_is_chosen_and_records_it(troubled: Dash, dagster: Dagster, writer: FakeWriter):
    chosen = {"source": "okta", "reason": "event_time.missing", "tenant": "acme"}
    answer = click(troubled, "quarantine-do", chosen)
    (asked,) = dagster.asked
    assert asked["selector"]["jobName"] == "reprocess"
    (op,) = asked["runConfigData"]["ops"].values()
    assert op["config"] == {"source": "okta", "reason": "event_time.missing", "tenant_id": "acme"}
    assert asked["executionMetadata"]["tags"] == [{"key": "lakehouse/trigger", "value": "manual"}]
    assert "run-of-the-page" in json.dumps(answer)
    ((_, row),) = done(writer)
    assert (row["action"], row["target"], json.loads(row["detail"])["run_id"]) == ("reprocessed", "okta", "run-of-the-page")


HELD = {"disposition": "held_back", "source": "provider_events", "tenant": "globex", "batch": "provider_events-0000000412"}


def test_the_button_releases_exactly_one_held_back_slice_and_records_it(troubled: Dash, dagster: Dagster, writer: FakeWriter):
    click(troubled, "quarantine-do", HELD)
    (asked,) = dagster.asked
    assert asked["selector"]["jobName"] == "release"
    wanted = {"source": "provider_events", "batch_id": "provider_events-0000000412", "tenant_id": "globex"}
    assert asked["runConfigData"] == {"ops": {"held_back": {"config": wanted}}}
    assert [(row["action"], row["target"]) for _, row in done(writer)] == [("released", "provider_events-0000000412/globex")]


def test_nothing_is_recorded_as_done_where_dagster_refuses_or_is_down(troubled: Dash, dagster: Dagster, writer: FakeWriter):
    dagster.answer = {"__typename": "PipelineNotFoundError", "message": "no job reprocess"}
    assert "no job reprocess" in json.dumps(click(troubled, "quarantine-do", {"source": "okta"}))
    dagster.stop()
    answer = json.dumps(click(troubled, "quarantine-do", {"source": "okta"}))
    assert "Nothing was started" in answer
    assert "Dagster does not answer" in answer
    assert done(writer) == []


def test_without_a_source_nothing_is_started(troubled: Dash, dagster: Dagster):
    assert "Choose a source first." in json.dumps(click(troubled, "quarantine-do", {"reason": "ip.malformed"}))
    assert dagster.asked == []


def test_the_button_says_when_dagster_is_down():
    told = everything(quarantine.act(Wanted(source="okta"), 7, can_launch=False))
    assert "Dagster does not answer" in told
    assert '"disabled": true' in told
    assert "quarantine-do" not in told


def test_the_question_says_what_the_filters_cannot_narrow():
    told = everything(quarantine.act(Wanted(source="okta", file="a.jsonl"), 7, can_launch=True))
    assert "That is wider than this view: file" in told


def refresh(app: Dash, query: dict[str, str], **older: str) -> dict[str, Any]:
    """What a refresh of the quarantine page changes after it was opened, with fingerprints that are said to have been others."""
    key = next(k for k in app.callback_map if "quarantine-looked" in k)
    page = in_app(app, lambda: quarantine.layout(**query))
    seen = next(part.data for part in page.children if getattr(part, "id", "") == "quarantine-seen")
    names = key.strip(".").split("...")
    body = {
        "output": key,
        "outputs": [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names],
        "inputs": [{"id": "quarantine-every", "property": "n_intervals", "value": 1}],
        "state": [
            {"id": "quarantine-query", "property": "data", "value": query},
            {"id": "quarantine-seen", "property": "data", "value": {**seen, **{n.replace("_", "-"): v for n, v in older.items()}}},
        ],
        "changedPropIds": ["quarantine-every.n_intervals"],
    }
    answer = signed_in(app).post("/_dash-update-component", json=body).get_json()
    return {**answer["response"], **{f"in place: {name}": props for name, props in answer.get("sideUpdate", {}).items()}}


LOOKED = {"quarantine-looked", "quarantine-banner"}


def test_a_refresh_draws_only_the_parts_that_changed(troubled: Dash):
    query = {"reason": "event_time.missing"}
    assert set(refresh(troubled, query)) == LOOKED
    assert set(refresh(troubled, query, head="older")) == {*LOOKED, "quarantine-seen", "quarantine-head"}


def test_new_rows_are_put_into_the_grid_that_is_there(troubled: Dash):
    query = {"reason": "event_time.missing"}
    answer = refresh(troubled, query, quarantine_grid="older", quarantine_pager="older")
    assert set(answer) == {*LOOKED, "quarantine-seen", "in place: quarantine-grid", "in place: quarantine-pager"}
    assert {row["reason_text"] for row in answer["in place: quarantine-grid"]["rowData"]} == {"event_time.missing"}


def test_hostile_text_is_only_ever_text(troubled: Dash):
    for make in LAYOUTS.values():
        page = in_app(troubled, make)
        told = everything(page)
        assert "dangerously_allow_html" not in told
        assert '"Markdown"' not in told
    assert HOSTILE[:20] in shown(troubled, broken.layout)


def test_an_unknown_table_is_said_so(quiet: Dash):
    assert "No table of this name is declared." in shown(quiet, lambda: table.layout(name=HOSTILE))


def test_a_filter_of_the_tables_is_an_address_and_a_second_click_takes_it_away(troubled: Dash):
    told = shown(troubled, lambda: tables.layout(layer="gold"))
    assert '"href": "/tables"' in told
    assert '"href": "/tables?layer=silver"' in told
    rows = in_app(troubled, lambda: tables.draw({"layer": "gold"})).parts["tables"]
    assert '"name": "silver.auth_events"' not in everything(rows)


@pytest.mark.parametrize(
    "junk", [{"page": "-1"}, {"page": "x"}, {"days": "99999999999"}, {"source": ["a", "b"]}, {"page": "٣"}, {"nothing": "1"}]
)
def test_an_address_that_makes_no_sense_shows_everything(troubled: Dash, junk: dict[str, Any]):
    assert "rows wait" in shown(troubled, lambda: quarantine.layout(**junk))
    assert "checks do not hold" in shown(troubled, lambda: quality.layout(**junk))


def test_the_pager_ends_where_the_rows_do():
    seen = Quarantine(total=51)
    assert everything(quarantine._pager(seen, Wanted(page=3))).count("page=2") == 1
    assert "51 to 51 of 51" in everything(quarantine._pager(seen, Wanted(page=3)))
    assert quarantine._pager(Quarantine(total=25), Wanted()) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('{"email": "a1@b.co", "n": 42, "ok": true, "x": null}', '{"email":"x0@x.xx","n":"00","ok":true,"x":null}'),
        ('{"ann@example.com": {"deep": ["Ann"]}}', '{"xxx@xxxxxxx.xxx":{"deep":["xxx"]}}'),
        ('{"email": "ann@exa', '{"xxxxx": "xxx@xxx'),
        ("Nov 27 sshd[12]: Zoë from 10.0.0.7", "xxx 00 xxxx[00]: xxx xxxx 00.0.0.0"),
        ('"ann"', '"xxx"'),
        ("42", "00"),
        (None, ""),
        ("", ""),
    ],
)
def test_a_masked_record_keeps_its_shape_and_says_nothing(raw: str | None, text: str):
    assert masking.masked(raw) == text


@pytest.mark.parametrize(("n", "text"), [(None, "–"), (0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KiB"), (200 * 1024**2, "200 MiB")])
def test_sizes(n: int | None, text: str):
    assert pieces.size(n) == text


def test_a_day_of_the_strip_leads_to_that_day_and_tells_its_counts():
    strip = everything(pieces.day_strip([(20_000, {Tone.BAD: 2, Tone.GOOD: 1}, "/quality?day=20000")], label="x",
                                        words={Tone.BAD: "failed", Tone.GOOD: "passed"}, chosen=0))  # fmt: skip
    assert "/quality?day=20000" in strip
    assert "Fri 4 Oct (UTC): 2 failed, 1 passed" in strip


def test_a_part_is_the_same_as_long_as_it_shows_the_same():
    first, later = (pieces.table_link(name) for name in ("silver.a", "silver.b"))
    assert live.fingerprint(first) == live.fingerprint(pieces.table_link("silver.a"))
    assert live.fingerprint(first) != live.fingerprint(later)
