"""A message says what matters within what a channel takes, and nothing of a channel's address."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lakehouse.alerts.channels import AppriseSender, Channel, ChannelError, Hours, Message, load_channels
from lakehouse.alerts.messages import compose
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings

AT = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


def incident(**changed: Any) -> dict[str, Any]:
    evidence = [{"text": "field ip is gone", "table": "ctl.source_fields", "where": {"field": "ip"}}]
    made = {
        "incident_id": "abc123", "title": "A field of okta from acme is gone: ip", "severity": "major", "owner": "data-team",
        "observed": "field ip is gone", "expected": "fields as they were", "since": AT, "resolved_at": None, "state": "open",
        "causes": json.dumps([{"name": "schema_dropped", "title": "A field is gone", "score": 0.9, "evidence": evidence}]),
        "hit_tables": ["silver.auth_events", "gold.auth_daily"], "hit_tenants": ["acme"], "cause": "schema_dropped", "scope": "tenant",
        "pipeline": "okta", "table_name": "bronze.okta", "tenant_id": "acme",
    }  # fmt: skip
    return {**made, **changed}


def test_a_message_has_all_that_one_needs_to_act() -> None:
    message = compose(incident(), "opened", "abc123.opened.1", "http://127.0.0.1:8050")
    assert message.title == "[major] A field of okta from acme is gone: ip"
    for part in ("field ip is gone", "fields as they were", "silver.auth_events", "acme", "2026-03-02 12:30 UTC", "data-team"):
        assert part in message.body
    assert message.body.endswith("http://127.0.0.1:8050/incidents/abc123")


def test_the_longest_message_fits_and_keeps_its_link() -> None:
    long = "x" * 9000
    huge = incident(title=long, observed=long, expected=long, hit_tables=[long] * 50, hit_tenants=[long] * 500)
    message = compose(huge, "opened", "key", "http://127.0.0.1:8050")
    assert len(message.body) <= 2900
    assert len(message.title) <= 300
    assert message.body.endswith("/incidents/abc123")


def test_a_repeat_says_that_it_is_one() -> None:
    assert compose(incident(), "opened", "key", None, is_repeat=True).title.endswith("(repeat)")


@pytest.mark.parametrize(
    ("told", "is_taken"),
    [
        ({}, True), ({"least_severity": "critical"}, False), ({"owners": ["billing"]}, False), ({"owners": ["data-team"]}, True),
        ({"tags": ["acme"]}, True), ({"tags": ["platform", "zenith"]}, False), ({"tags": ["bronze.okta"]}, True),
    ],
)  # fmt: skip
def test_a_channel_takes_what_it_is_declared_for(told: dict[str, Any], is_taken: bool) -> None:
    assert Channel(name="chat", address="URL", **told).takes(incident()) is is_taken


@pytest.mark.parametrize(
    ("hours", "is_open"),
    [
        ({"from": "09:00", "to": "18:00"}, True), ({"from": "18:00", "to": "09:00"}, False), ({"from": "20:00", "to": "13:00"}, True),
        ({"from": "09:00", "to": "18:00", "days": ["sat", "sun"]}, False),
        ({"from": "09:00", "to": "13:00", "zone": "Europe/Berlin"}, False),
    ],
)  # fmt: skip
def test_a_channel_is_open_in_its_hours(hours: dict[str, Any], is_open: bool) -> None:
    assert Channel(name="chat", address="URL", hours=Hours(**hours)).is_open(AT) is is_open


def test_an_address_in_the_place_of_a_name_is_refused_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "channels.yaml").write_text("channels: [{name: chat, address: 'slack://secret-token/x'}]")
    with pytest.raises(ConfigurationError) as refused:
        load_channels(Settings(home=tmp_path))
    assert "secret-token" not in str(refused.value)
    with pytest.raises(ValidationError):
        Channel(name="chat", address="https://x")


def test_a_channel_that_refuses_tells_neither_address_nor_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_CHANNEL_X", "json://user:hunter22secret@127.0.0.1:9/topsecretpath?+Auth=tokensecret")
    with pytest.raises(ChannelError) as refused:
        AppriseSender(Settings(home=tmp_path))(Channel(name="x", address="LAKEHOUSE_CHANNEL_X"), Message("k", "t", "title", "body"))
    assert not [part for part in ("hunter22secret", "topsecretpath", "tokensecret") if part in str(refused.value)]


def test_a_channel_without_its_variable_says_which(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="LAKEHOUSE_CHANNEL_NONE is not set"):
        AppriseSender(Settings(home=tmp_path))(Channel(name="x", address="LAKEHOUSE_CHANNEL_NONE"), Message("k", "t", "title", "body"))
