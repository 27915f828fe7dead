"""A dead evaluator and a dead channel are told on every page; a store that does not answer is neither.

Does not belong here: beating (the evaluator).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from dash import Dash
from flask.testing import FlaskClient

from dash_app import frame, pulse
from dash_app.pulse import Health, StoredHeartbeat, Watch, pulse_of
from lakehouse.errors import InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import s3_client
from tests.unit.dash_app.asking import callback, given, in_app, words
from tests.unit.dash_app.facts import NOON, FakeReader
from tests.unit.dash_app.troubles import Heart, heartbeat, incidents

FRAME = "..watch.children...alarm.children...open-incidents.children...frame-seen.data.."


def health(body: bytes | None, now: datetime = NOON) -> Health:
    """What a heartbeat says at a moment."""
    watch = Watch(Heart(body), now=lambda: now)
    return watch.health(watch.look())


def test_the_evaluator_is_dead_when_two_intervals_have_passed_without_a_beat():
    beat = heartbeat(NOON, interval_s=60)
    assert [health(beat, NOON + timedelta(seconds=s)) for s in (0, 61, 120, 120.5)] == [*[Health.ALIVE] * 3, Health.DEAD]


def test_an_evaluator_that_was_stopped_is_dead_at_once():
    assert health(heartbeat(NOON).replace(b"{", b'{"is_stopped": true, ', 1)) is Health.DEAD


def test_a_short_interval_is_taken_for_ten_seconds_since_a_round_may_last():
    beat = heartbeat(NOON, interval_s=1)
    assert [health(beat, NOON + timedelta(seconds=s)) for s in (19, 21)] == [Health.ALIVE, Health.DEAD]


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"not json",
        b"[]",
        b'{"beat_at": "2026-11-12T12:00:00"}',
        b'{"beat_at": "yesterday", "interval_s": 60}',
        b'{"beat_at": "2026-11-12T12:00:00Z", "interval_s": 0}',
        b'{"beat_at": "2026-11-12T12:00:00Z", "interval_s": 60, "channels": {"slack": true}}',
    ],
)
def test_no_heartbeat_or_one_that_cannot_be_understood_is_a_dead_evaluator(body: bytes | None):
    assert health(body) is Health.DEAD
    assert pulse_of(body).fault


def test_a_store_that_does_not_answer_says_nothing_of_the_evaluator():
    heart = Heart(heartbeat(NOON))
    watch = Watch(heart, ttl_s=0, now=lambda: NOON)
    assert watch.health(watch.look()) is Health.ALIVE
    heart.down = True
    assert watch.health(watch.look()) is Health.UNKNOWN


def page(app: Dash) -> str:
    """What a reader reads of the frame."""
    return in_app(
        app, lambda: words(frame._Watched(frame.knowledge_of_this_app()).sign() + frame._Watched(frame.knowledge_of_this_app()).alarm())
    )


def test_all_is_told_in_a_few_words_when_all_is_well(own_app: Dash):
    assert page(own_app).startswith("✓ Watched")
    assert page(own_app).endswith("✓ 2 channels")


def test_a_dead_evaluator_is_told_with_its_last_beat(own_app: Dash, heart: Heart):
    heart.body = heartbeat(datetime.now(UTC) - timedelta(hours=1), interval_s=60)
    assert "Not watched" in page(own_app)
    assert "Nobody is watching: the evaluator is silent. It last looked" in page(own_app).replace("  ", " ")


def test_an_evaluator_that_has_never_beaten_is_told(own_app: Dash, heart: Heart):
    heart.body = None
    assert "the evaluator has never beaten" in page(own_app)


def test_an_evaluator_that_was_stopped_is_told(own_app: Dash, heart: Heart):
    heart.body = heartbeat(datetime.now(UTC)).replace(b"{", b'{"is_stopped": true, ', 1)
    assert "the evaluator was stopped" in page(own_app)


def test_a_dead_channel_is_told_with_its_reason(own_app: Dash, heart: Heart):
    heart.body = heartbeat(datetime.now(UTC), dead={"pagerduty": "403 key revoked"})
    said = page(own_app)
    assert "2 of 3 channels" in said
    assert "No message leaves by  pagerduty" in said
    assert "403 key revoked" in said


def test_the_frame_is_told_anew_within_one_look(own_app: Dash, own_client: FlaskClient, own_reader: FakeReader, heart: Heart):
    seen = in_app(own_app, lambda: frame._Watched(frame.knowledge_of_this_app()).fingerprint)
    tick = given({"frame-every.n_intervals": 1})
    assert not callback(own_client, FRAME, tick, given({"frame-seen.data": seen}))
    heart.body = heartbeat(datetime.now(UTC) - timedelta(hours=1), interval_s=60)
    own_reader.put("ops.incident_events", incidents(datetime.now(UTC)))
    in_app(own_app, lambda: frame.knowledge_of_this_app().incidents.look_anew("x"))
    in_app(own_app, lambda: frame.knowledge_of_this_app().watch._looks.forget("heartbeat"))
    answer = callback(own_client, FRAME, tick, given({"frame-seen.data": seen}))
    assert answer
    assert "Nobody is watching" in str(answer["alarm"]["children"])
    assert answer["open-incidents"]["children"]["props"]["children"] == "3"


@pytest.mark.parametrize("path", ["/", "/incidents", "/pipelines", "/alerts", "/rows", "/nothing"])
def test_every_page_is_in_the_frame(own_client: FlaskClient, heart: Heart, path: str):
    heart.body = None
    assert own_client.get(path).status_code == 200
    layout = own_client.get("/_dash-layout").text
    for name in ("Overview", "Incidents", "Still broken", "Pipelines", "Tables", "Quality", "Quarantine", "Alerts", "Nobody is watching"):
        assert name in layout


SETTINGS = {"s3_endpoint": "http://127.0.0.1:9", "s3_access_key_id": "a", "s3_secret_access_key": "b"}


def stored(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, code: str, status: int) -> StoredHeartbeat:
    """The heartbeat in a store that answers with an error."""
    settings = Settings(home=tmp_path, **SETTINGS)
    client = s3_client(settings)
    stubber = Stubber(client)
    stubber.add_client_error("get_object", code, http_status_code=status)
    stubber.activate()
    monkeypatch.setattr(pulse, "s3_client", lambda _: client)
    monkeypatch.setattr(stubber, "deactivate", stubber.deactivate)
    return StoredHeartbeat(settings)


def test_a_missing_object_is_no_heartbeat(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    assert stored(tmp_path, monkeypatch, "NoSuchKey", 404).read() is None


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("AccessDenied", 403)])
def test_a_store_that_refuses_is_no_missing_heartbeat(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, code: str, status: int):
    with pytest.raises(InfrastructureError):
        stored(tmp_path, monkeypatch, code, status).read()


def test_without_a_store_nothing_is_known(tmp_path: Any):
    with pytest.raises(InfrastructureError):
        StoredHeartbeat(Settings(home=tmp_path)).read()
