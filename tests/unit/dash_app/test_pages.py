"""The operations pages without a browser: what is served, what a layout holds, what a callback answers.

Does not belong here: queries, or signing in.
"""

from __future__ import annotations

import re

import pytest
from dash import Dash
from flask.testing import FlaskClient

from dash_app import components as ui
from dash_app import figures, links
from dash_app.pages import pipelines, run
from dash_app.queries import Overview
from tests.unit.dash_app.asking import callback, everything, in_app
from tests.unit.dash_app.facts import NOON, FakeReader, fact


@pytest.mark.parametrize(
    "path", ["/assets/definitions.py", "/assets/__init__.py", "/assets/sources/okta.yaml", "/assets/../operations.py", "/static/app.js"]
)
def test_the_repositorys_python_is_not_served(client: FlaskClient, path: str):
    response = client.get(path)
    assert response.status_code == 404 or "react-entry-point" in response.text
    if path.startswith("/assets/"):
        assert response.status_code == 404


def test_nothing_is_loaded_from_elsewhere(client: FlaskClient):
    page = client.get("/pipelines").text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert client.get(asset).status_code == 200, asset


def test_the_frame_is_served_to_who_signed_in(client: FlaskClient):
    assert client.get("/").status_code == 200
    layout = client.get("/_dash-layout").text
    assert "Sign out" in layout
    assert "ColorSchemeToggle" in layout


def test_the_pipelines_page_holds_what_the_facts_say(app: Dash):
    page = everything(in_app(app, pipelines.layout))
    for name in ("okta", "bronze.okta", "1 pipeline is failing", "stripe_customers", "newest fact"):
        assert name in page


def test_the_address_chooses_a_pipeline(app: Dash):
    page = everything(in_app(app, lambda: pipelines.layout(pipeline="okta", table="bronze.okta", utm_source="x")))
    assert "okta › bronze.okta" in page
    assert pipelines.chosen_in("?pipeline=okta&table=bronze.okta") == ("okta", "bronze.okta")
    assert pipelines.chosen_in("") == pipelines.chosen_in(None) == (None, None)
    assert links.pipeline("okta") == "/pipelines?pipeline=okta"


def test_an_empty_lake_says_what_to_do(own_app: Dash):
    page = everything(in_app(own_app, pipelines.layout))
    assert "No run yet" in page
    assert "lakehouse run" in page
    assert "No failed run in the last 30 days." in page


def test_a_store_that_never_answered_is_said_so(own_app: Dash, own_reader: FakeReader):
    own_reader.down = True
    page = everything(in_app(own_app, pipelines.layout))
    assert "The store does not answer." in page
    assert "lakehouse doctor" in page
    assert "The store does not answer." in everything(in_app(own_app, lambda: run.layout("abc")))


def test_a_run_page_shows_steps_checks_lineage_and_log(app: Dash, reader: FakeReader):
    run_id = reader.query("select run_id from ops.run_log where status = 'FAILED' limit 1").to_pylist()[0]["run_id"]
    page = everything(in_app(app, lambda: run.layout(run_id)))
    for text in ("DataError", "Rows read", "event_id is unique", "Traceback", "Read and written"):
        assert text in page


def test_an_unknown_run_is_said_so(app: Dash):
    assert "No run with this id" in everything(in_app(app, lambda: run.layout("nothing")))


def test_a_run_that_failed_before_its_first_step_shows_its_log(own_app: Dash, own_reader: FakeReader):
    line = {"run_id": "r", "level": "ERROR", "logger": "dagster.engine", "message": "the worker <b>died</b>", "logged_at": NOON}
    own_reader.put("ops.event_log", [line])
    page = everything(in_app(own_app, lambda: run.layout("r")))
    for text in ("No step of this run has begun", "Failed", "Dagster", "the worker <b>died</b>"):
        assert text in page
    assert "No run with this id" not in page


def test_a_running_run_has_no_end(own_app: Dash, own_reader: FakeReader):
    own_reader.put("ops.run_events", [fact("start", "r", "RUNNING", NOON), fact("end", "r", "FAILED", NOON, asset="silver.auth_events")])
    page = everything(in_app(own_app, lambda: run.layout("r")))
    assert "Running" in page
    assert "Failed" in page


LOOK = "..looked.children...banner.children...seen.data.."


def test_looking_again_changes_nothing_until_facts_change(app: Dash, client: FlaskClient):
    seen = in_app(app, lambda: pipelines.fingerprint(pipelines.facts_of_this_app().overview()))
    tick, before = [{"id": "every", "property": "n_intervals", "value": 1}], [{"id": "seen", "property": "data", "value": seen}]
    assert "seen" not in callback(client, LOOK, tick, before)
    assert callback(client, LOOK, tick, [{**before[0], "value": "older"}])["seen"]["data"] == seen


def test_choosing_filters_trend_and_failures(app: Dash, client: FlaskClient):
    output = next(k for k in app.callback_map if "failures-grid.rowData" in k)
    answer = callback(
        client,
        output,
        [{"id": "seen", "property": "data", "value": "x"}, {"id": "view", "property": "search", "value": "?pipeline=stripe_customers"}],
    )
    rows = answer["failures-grid"]["rowData"]
    assert rows
    assert {row["pipeline"] for row in rows} == {"stripe_customers"}
    assert len(answer["trend-data"]["data"]["layout"]["annotations"]) == 1


def test_the_trend_has_a_panel_for_each_pipeline_and_a_bar_for_each_layer():
    days = [
        {"pipeline": "okta", "layer": layer, "asset": f"{layer}.x", "day": 20000, "rows_inserted": n, "failed": failed}
        for layer, n, failed in (("bronze", 5, 1), ("silver", 4, 0))
    ] + [{"pipeline": "<b>gold", "layer": "gold", "asset": "gold.y", "day": 20001, "rows_inserted": 7, "failed": 0}]
    figure = figures.trend(days, first_day=19999, n_days=3)
    bars = {(bar["name"], bar["xaxis"]): bar["y"] for bar in figure["data"] if bar["type"] == "bar"}
    assert bars == {("gold", "x"): [0, 0, 7], ("bronze", "x2"): [0, 5, 0], ("silver", "x2"): [0, 4, 0]}
    assert figure["layout"]["annotations"][0]["text"].startswith("<b>&lt;b&gt;gold</b>")
    (crosses,) = [trace for trace in figure["data"] if trace["name"] == "failed"]
    assert (crosses["x"], crosses["customdata"]) == (["2024-10-04"], [1])


def test_the_trend_of_one_table_is_one_panel():
    days = [{"pipeline": "okta", "layer": None, "asset": "x", "day": 20000, "rows_inserted": 5, "failed": 0}]
    figure = figures.trend(days, first_day=20000, n_days=1, title="okta › x")
    assert [bar["name"] for bar in figure["data"]] == ["other"]
    assert figure["layout"]["annotations"][0]["text"].startswith("<b>okta › x</b>")


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.04, "0.0 s"), (9.96, "10.0 s"), (59, "59 s"), (61, "1m 01s"), (3725, "1h 02m")]
)
def test_durations(value: float | None, text: str):
    assert ui.seconds(value) == text


def test_only_web_addresses_become_links():
    assert ui.outside_link("javascript:alert(1)") == "javascript:alert(1)"
    assert everything(ui.outside_link("https://x/y")).startswith('{"props"')


def test_a_status_is_never_shown_by_colour_alone():
    shown = everything(ui.headline(Overview()))
    assert "No run yet" in shown
    for tone, sign in ui.SIGNS.items():
        assert sign, tone
