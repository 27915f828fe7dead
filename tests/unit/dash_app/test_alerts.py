"""Messages: which are noise, which arrived, and how the last fire drill went.

Does not belong here: sending any.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dash import Dash
from flask.testing import FlaskClient

from dash_app import alert_parts
from dash_app.alert_queries import Alerts, Sent
from dash_app.pages import alerts
from tests.unit.dash_app.asking import callback, everything, given, in_app, words
from tests.unit.dash_app.facts import NOON, FakeReader
from tests.unit.dash_app.troubles import Heart, deliveries, delivery, event, heartbeat

WEEK = timedelta(weeks=1)


def sent(rows: list[dict[str, Any]], marks: list[dict[str, Any]] | None = None) -> Sent:
    """What is known of messages."""
    reader = FakeReader({"ops.alert_deliveries": rows, "ops.incident_events": marks or []})
    return Alerts(reader, now=lambda: NOON).sent().value or Sent()


def test_a_message_counts_once_in_its_week_however_often_it_was_tried():
    rows = [
        delivery("opened", "slack", NOON, alert_key="a", outcome="failed"),
        delivery("opened", "slack", NOON, alert_key="a", attempt=2),
        delivery("opened", "slack", NOON, alert_key="a", attempt=3, is_repeat=True),
        delivery("resolved", "slack", NOON, alert_key="b"),
        delivery("opened", "email", NOON, alert_key="a"),
        delivery("opened", "slack", NOON - WEEK, alert_key="c"),
    ]
    known = sent(rows)
    assert known.weeks[-2:] == ["2026-11-02", "2026-11-09"]
    assert [known.messages("slack", week) for week in known.weeks[-2:]] == [1, 2]
    assert known.messages("email", "2026-11-09") == 1


def test_what_did_not_arrive_and_rehearsals_are_no_noise():
    rows = [
        delivery(kind, "slack", NOON, outcome) for kind, outcome in (("drill", "delivered"), ("test", "delivered"), ("opened", "gave_up"))
    ]
    assert sent(rows).noise == []


def test_the_share_marked_useful_is_of_the_messages_whose_incident_was_rated_by_its_last_rating():
    rows = [delivery("opened", "slack", NOON, incident_id=name) for name in ("a", "b", "c", "d")]
    marks = [
        event("a", "marked", NOON, mark="not_useful"),
        event("a", "marked", NOON + WEEK / 7, mark="useful"),
        event("b", "marked", NOON, mark="not_useful"),
        event("c", "marked", NOON, mark="expected"),
    ]
    (row,) = sent(rows, marks).useful
    assert (row["messages"], row["marked"], row["useful"]) == (4, 2, 1)


def test_a_channel_tells_its_last_message_and_the_counts_of_a_week():
    rows = [
        delivery("opened", "slack", NOON - timedelta(days=9), alert_key="old"),
        delivery("opened", "slack", NOON - timedelta(days=2), alert_key="new"),
        delivery("resolved", "slack", NOON - timedelta(days=1), "failed", error="429"),
    ]
    (row,) = sent(rows).channels
    assert (row["delivered"], row["failed"], row["last"]["outcome"], row["last"]["error"]) == (1, 1, "failed", "429")


def test_the_last_drill_of_each_channel_is_told():
    rows = [
        delivery("drill", "slack", NOON - timedelta(days=2)),
        delivery("drill", "slack", NOON - timedelta(days=1), "gave_up", error="no route"),
        delivery("drill", "email", NOON - timedelta(days=1)),
    ]
    email, slack = sent(rows).drills
    assert (email["channel"], email["outcome"]) == ("email", "delivered")
    assert (slack["outcome"], slack["error"]) == ("gave_up", "no route")
    assert slack["delivered_ms"] == int((NOON - timedelta(days=2)).timestamp() * 1000)


def test_filters_leave_the_attempts_that_have_all_of_them():
    known = sent(deliveries(NOON))
    failed = known.chosen({"channel": "webhook", "outcome": "failed"})
    assert [row["incident_id"] for row in failed] == ["inc-0412"]
    assert {row["week"] for row in known.chosen({"week": "2026-11-02"})} == {"2026-11-02"}
    assert {row["incident_id"] for row in known.chosen({"incident": "inc-0411"})} == {"inc-0411"}


def test_the_page_tells_channels_drills_noise_and_messages(own_app: Dash, own_reader: FakeReader, heart: Heart):
    now = datetime.now(UTC)
    own_reader.put("ops.alert_deliveries", deliveries(now))
    heart.body = heartbeat(now, interval_s=3600, dead={"webhook": "refused"}, alive=("slack", "email", "pagerduty"))
    page = in_app(own_app, lambda: alerts.layout(channel="webhook"))
    said = words(page)
    for text in ("Works", "Dead", "pagerduty", "none yet", "did not arrive", "2.4 s", "none rated", "of 67 attempts"):
        assert text in said, text
    assert '"/alerts?channel=slack&week=' in everything(page), "each count of a week leads to its messages"


def test_an_empty_page_says_so(own_app: Dash, heart: Heart):
    heart.body = None
    said = words(in_app(own_app, alerts.layout))
    for text in ("No channel is set", "There was no fire drill yet.", "No message was sent"):
        assert text in said


def test_the_page_looks_again_and_draws_only_what_changed(own_app: Dash, own_client: FlaskClient, own_reader: FakeReader):
    own_reader.put("ops.alert_deliveries", deliveries(datetime.now(UTC)))
    output = next(k for k in own_app.callback_map if "deliveries-grid.rowData" in k)
    seen = in_app(own_app, lambda: alerts._fingerprint(*alerts._look()))
    tick, asked = given({"alerts-every.n_intervals": 1}), {"alerts-asked.data": {"channel": "webhook", "kind": "opened"}}
    assert set(callback(own_client, output, tick, given({"alerts-seen.data": seen, **asked}))) == {"alerts-looked"}
    rows = callback(own_client, output, tick, given({"alerts-seen.data": "older", **asked}))["deliveries-grid"]["rowData"]
    assert [row["outcome"] for row in rows] == ["gave_up", "failed"]


def test_the_noise_figure_has_a_bar_for_each_channel_and_shows_names_as_text():
    rows = [delivery("opened", name, NOON) for name in ("slack", "<b>x")]
    figure = alert_parts.noise_figure(sent(rows))
    assert {bar["name"]: bar["y"][-1] for bar in figure["data"]} == {"&lt;b&gt;x": 1, "slack": 1}
    assert figure["data"][0]["x"][-1] == "9 Nov"
