"""The picture of a break: what is in it, where it stands, what is marked.

Does not belong here: reading lineage.
"""

from __future__ import annotations

from dash_app.incident_queries import Incidents
from dash_app.lineage import Lineage, graph
from tests.unit.dash_app.facts import FakeReader
from tests.unit.dash_app.troubles import GOLD, edge, edges

LAKE = Incidents(FakeReader({"ops.lineage_edges": edges()})).edges()


def test_landed_files_are_one_by_source():
    rows = [edge(f"okta/date=2026-11-1{n}/tenant=a/part.jsonl", "bronze.okta") for n in range(3)]
    columns = [{**edge("bronze.okta", "silver.auth_events"), "input_column": "a", "output_column": "b"}]
    assert Incidents(FakeReader({"ops.lineage_edges": rows + columns})).edges() == [("files/okta", "bronze.okta")]


def test_only_what_the_break_is_made_from_and_what_is_made_from_it_is_shown():
    shown = Lineage.around("silver.auth_events", [], LAKE)
    assert set(shown.names) == {
        "files/okta", "files/cloudtrail", "files/provider_events", "bronze.okta", "bronze.cloudtrail", "bronze.provider_events",
        "silver.auth_events", *GOLD,
    }  # fmt: skip
    assert set(Lineage.around("bronze.okta", [], LAKE).names) == {"files/okta", "bronze.okta", "silver.auth_events", *GOLD}


def test_layers_stand_from_left_to_right_and_within_one_what_is_read_before_what_is_made_from_it():
    places = {place.name: place for place in Lineage.around("bronze.okta", [], LAKE).places()}
    columns = [places[name].x for name in ("files/okta", "bronze.okta", "silver.auth_events", "gold.user_days", "gold.auth_daily")]
    assert columns == [0, 1, 2, 3, 4]
    assert places["gold.auth_hourly"].x == 3
    assert len({(place.x, place.y) for place in places.values()}) == len(places)


def test_the_break_and_what_it_hits_are_marked_by_sign_and_colour():
    boxes = {box["name"]: box for box in graph(Lineage.around("silver.auth_events", [], LAKE))["layout"]["annotations"]}
    assert boxes["/tables/silver.auth_events"]["text"] == "✕  silver.auth_events"
    assert boxes["/tables/gold.auth_daily"]["text"] == "!  gold.auth_daily"
    assert boxes["/tables/bronze.okta"]["text"] == "bronze.okta"
    assert boxes["/pipelines?pipeline=okta"]["text"] == "files/okta"


def test_the_way_of_the_break_is_drawn_in_its_colour():
    figure = graph(
        Lineage.around("silver.auth_events", [], [("bronze.okta", "silver.auth_events"), ("silver.auth_events", "gold.user_days")])
    )
    assert [trace["line"]["color"] for trace in figure["data"]] == ["var(--line-strong)", "var(--bad)"]


def test_what_is_hit_is_shown_also_where_no_run_has_told_of_it():
    assert Lineage.around("gold.x", ["gold.y"], []).names == ["gold.x", "gold.y"]
    assert len(graph(Lineage.around("a step", [], []))["layout"]["annotations"]) == 1


def test_tables_that_are_made_from_one_another_do_not_hang_the_page():
    ring = [("gold.a", "gold.b"), ("gold.b", "gold.c"), ("gold.c", "gold.a"), ("gold.a", "gold.a")]
    assert len(Lineage.around("gold.a", [], ring).places()) == 3


def test_names_are_text_also_to_plotly():
    figure = graph(Lineage.around("<a href='javascript:alert(1)'>x</a>", ["<b>y"], []))
    assert all("<" not in box["text"] for box in figure["layout"]["annotations"])
    assert all(box["name"].startswith("/tables/%3C") for box in figure["layout"]["annotations"])
