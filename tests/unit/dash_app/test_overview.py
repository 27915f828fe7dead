"""Is everything well? The Overview's answer, the counts beside it, and what is promised of tables.

Does not belong here: one incident (test_incidents), or the frame (test_watch).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient

from dash_app import well
from dash_app.glance_queries import Glance
from dash_app.pages import overview
from dash_app.promise_queries import Promises
from dash_app.pulse import Health
from dash_app.queries import Operations, Overview
from dash_app.statuses import Tone
from dash_app.well import Now
from tests.unit.dash_app.asking import callback, everything, given, in_app, words
from tests.unit.dash_app.facts import NOON, FakeReader, fact, fortnight
from tests.unit.dash_app.troubles import GOLD, Heart, heartbeat, incidents, promise, promises

OPEN = {"state": "open", "severity": "minor", "mark": None}
RAN = Overview(pipelines=[{"pipeline": "okta", "asset": "bronze.okta", "health": "good", "status": "SUCCEEDED"}])
WELL = Now(has_answered=True, health=Health.ALIVE, n_channels=2, runs=RAN)


def failing(health: str) -> Overview:
    """A pipeline whose last attempt was of that health."""
    return Overview(pipelines=[{**RAN.pipelines[0], "health": health}])


@pytest.mark.parametrize(
    ("change", "tone", "text"),
    [
        ({}, Tone.GOOD, "Everything is well"),
        ({"incidents": [OPEN]}, Tone.WARN, "1 incident is open"),
        ({"incidents": [OPEN, {**OPEN, "severity": "critical", "state": "acknowledged"}]}, Tone.BAD, "2 incidents are open"),
        ({"incidents": [{**OPEN, "state": "resolved"}]}, Tone.GOOD, "Everything is well"),
        ({"incidents": [{**OPEN, "mark": "expected"}]}, Tone.GOOD, "Everything is well"),
        ({"incidents": [{**OPEN, "mark": "not_expected"}]}, Tone.WARN, "1 incident is open"),
        ({"health": Health.DEAD}, Tone.BAD, "Nobody is watching"),
        ({"health": Health.UNKNOWN}, Tone.WARN, "Whether anybody watches is not known"),
        ({"dead_channels": ["slack"]}, Tone.WARN, "Messages do not leave as they should"),
        ({"dead_channels": ["slack", "email"]}, Tone.BAD, "Messages do not leave as they should"),
        ({"runs": failing("bad")}, Tone.WARN, "1 pipeline failed last"),
        ({"runs": failing("warn")}, Tone.GOOD, "Everything is well"),
        ({"promises": [{"state": "broken"}]}, Tone.WARN, "1 promise is not kept"),
        ({"promises": [{"state": "kept"}, {"state": "not_judged"}]}, Tone.GOOD, "Everything is well"),
        ({"runs": Overview()}, Tone.NONE, "No run yet"),
        ({"is_down": True}, Tone.BAD, "The store does not answer"),
        ({"is_down": True, "incidents": [OPEN]}, Tone.BAD, "The store does not answer"),
        ({"has_answered": False}, Tone.NONE, "Not read yet"),
        ({"health": Health.DEAD, "incidents": [OPEN]}, Tone.WARN, "1 incident is open"),
    ],
)
def test_the_answer(change: dict[str, Any], tone: Tone, text: str):
    said = well.verdict(replace(WELL, **change))
    assert (said.tone, said.text) == (tone, text)


def test_a_silent_evaluator_is_told_also_where_incidents_are_open():
    said = well.verdict(replace(WELL, health=Health.DEAD, incidents=[OPEN]))
    assert said.detail == "1 minor; nobody is on it yet; the evaluator is silent"


def test_each_count_leads_to_its_rows():
    taken = {**OPEN, "state": "acknowledged", "severity": "critical"}
    tiles = {label: (value, tone, href) for label, value, tone, href in well.tiles(replace(WELL, incidents=[OPEN, taken]))}
    assert tiles["open incidents"] == ("2", Tone.BAD, "/incidents?state=active")
    assert tiles["nobody on it"] == ("1", Tone.WARN, "/incidents?state=open")
    assert tiles["channels"] == ("2 of 2", Tone.NONE, "/alerts")


def test_the_page_shows_open_incidents_first_with_since_when_and_who(own_app: Dash, own_reader: FakeReader):
    now = datetime.now(UTC)
    own_reader.put("ops.run_events", [fact("end", "a", "SUCCEEDED", now)])
    own_reader.put("ops.incident_events", incidents(now))
    own_reader.put("ops.sla_evaluations", promises(now, broken=True))
    page = words(in_app(own_app, overview.layout))
    order = [
        "3 incidents are open",
        "fell by 94 %",
        "changed its type",
        "files of 08:00",
        "Volume of all tenants",
        "gold.auth_hourly",
        "ran out of memory",
    ]
    assert sorted(order, key=page.index) == order
    assert "mara" in page
    assert "130%" in page
    assert '"/rows?table=ops.sla_evaluations&table_name=gold.auth_hourly&promise=fresh_within"' in everything(
        in_app(own_app, overview.layout)
    )


def test_good_news_is_none_where_nobody_watches(own_app: Dash, own_reader: FakeReader, heart: Heart):
    own_reader.put("ops.run_events", [fact("end", "a", "SUCCEEDED", NOON)])
    assert "✓  No incident is open." in words(in_app(own_app, overview.layout))
    heart.body = heartbeat(NOON)
    in_app(own_app, lambda: overview.knowledge_of_this_app().watch._looks.forget("heartbeat"))
    page = words(in_app(own_app, overview.layout))
    assert "✓  No incident" not in page
    assert "Nobody is watching" in page


def test_the_page_looks_again_and_draws_only_what_changed(own_app: Dash, own_client: FlaskClient, own_reader: FakeReader):
    output = next(k for k in own_app.callback_map if "overview-body" in k)
    seen = in_app(own_app, lambda: overview.look().fingerprint)
    tick = given({"overview-every.n_intervals": 1})
    assert set(callback(own_client, output, tick, given({"overview-seen.data": seen}))) == {"overview-looked"}
    assert "overview-body" in callback(own_client, output, tick, given({"overview-seen.data": "older"}))


def test_a_page_without_the_store_says_so_and_how_old_it_is(own_app: Dash, own_reader: FakeReader):
    own_reader.down = True
    page = words(in_app(own_app, overview.layout))
    assert "The store does not answer" in page
    assert "Nothing has been read yet." in page


def test_a_promise_is_broken_since_it_was_last_kept():
    def at(hours: float) -> datetime:
        return NOON - timedelta(hours=hours)

    rows = [
        promise("t", "fresh_within", "broken", at(9), expected="60 min"),
        promise("t", "fresh_within", "kept", at(8), expected="60 min"),
        promise("t", "fresh_within", "broken", at(3), expected="60 min", burnt=0.4),
        promise("t", "fresh_within", "broken", at(1), expected="60 min", observed="2 h old", burnt=1.2),
        promise("t", "complete_by", "kept", at(5), expected="06:00"),
    ]
    broken, kept = Promises(FakeReader({"ops.sla_evaluations": rows})).all().value or []
    assert (broken["state"], broken["observed"], broken["burnt"]) == ("broken", "2 h old", 1.2)
    assert broken["since_ms"] == int(at(3).timestamp() * 1000)
    assert (kept["promise"], kept["state"]) == ("complete_by", "kept")


def test_broken_promises_come_first():
    rows = Promises(FakeReader({"ops.sla_evaluations": promises(NOON, broken=True)})).all().value or []
    assert [row["state"] for row in rows] == ["broken", *["kept"] * 4, "not_judged"]
    assert {row["table_name"] for row in rows} == {*GOLD, "silver.auth_events"}


def statuses(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What both pages tell of each table."""
    names = ("status", "last_status", "last_label", "health", "last_success_ms", "synthetic")
    return {(row["pipeline"], row["asset"]): tuple(row[name] for name in names) for row in rows}


def test_the_overview_and_the_pipelines_page_agree_on_every_table():
    began = NOON - timedelta(hours=3)
    odd = [
        fact("start", "x", "RUNNING", began, asset="killed"),
        fact("verdict", "x", "TERMINATED", NOON, started_at=began, asset="killed"),
        fact("start", "y", "RUNNING", began, asset="late end"),
        fact("verdict", "y", "TERMINATED", began, started_at=began, asset="late end"),
        fact("end", "y", "SUCCEEDED", NOON, started_at=began, asset="late end"),
        fact("verdict", "z", "MISSING", NOON, started_at=None, nominal_start=NOON, asset="missing"),
        fact("end", "z", "SUCCEEDED", began, asset="missing"),
        fact("end", "w", "FAILED", began, started_at=began, attempt=1, asset="retried"),
        fact("end", "w", "SUCCEEDED_WITH_WARNINGS", began, started_at=began, attempt=2, asset="retried"),
        fact("start", "v", "RUNNING", NOON, asset="first"),
    ]
    facts = fortnight(NOON, hours=48)
    facts["ops.run_events"] += odd
    operations = Operations(FakeReader(facts), now=lambda: NOON)
    glance = Glance(FakeReader(facts), operations.synthetic).now().value
    full = operations.overview().value
    assert glance
    assert full
    assert statuses(glance.pipelines) == statuses(full.pipelines)
    assert (glance.health(), glance.running(), glance.recorded_ms) == (full.health(), full.running(), full.recorded_ms)
