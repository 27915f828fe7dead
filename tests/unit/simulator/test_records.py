"""The shape of records: the provider's public one, and every record marked synthetic."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

from jobs.simulator.scripts import ACTIONS, BACKEND
from tests.unit.simulator.support import records, small, small_records

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
IDS = {
    "event_id": "event", "request_id": "request-id", "project_id": "project", "user_id": "user", "member_id": "member",
    "organization_id": "organization", "member_session_id": "member-session", "oauth_config_id": "oauth-config",
    "sso_connection_id": "saml-connection",
}  # fmt: skip
RESERVED = [ip_network(n) for n in ("198.18.0.0/15", "203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "2001:db8::/32")]
DEVICE_FIELDS = {
    "verdict_action",
    "visitor_id",
    "hardware_fingerprint",
    "detected_device_type",
    "telemetry_id",
    "ip_geo_country",
    "asn",
    "asn_network",
}


def test_every_record_is_marked_synthetic() -> None:
    for record in small_records():
        assert record["synthetic"] is True
        assert "synthetic:true" in record["ddtags"].split(",")
        assert "synthetic" in record.get("project_name", "synthetic")


def test_the_three_fields_of_time_agree() -> None:
    for record in small_records():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
        assert round(datetime.fromisoformat(record["time"]).timestamp() * 1000) == record["timestamp"]
        assert record["_timestamp"] == record["timestamp"] * 1000


def test_ids_name_their_kind_and_environment() -> None:
    for record in small_records():
        environment = record["project_id"].split("-")[1]
        assert environment in ("live", "test")
        for field, prefix in IDS.items():
            if record.get(field):
                assert re.fullmatch(f"{prefix}-{environment}-{UUID}", record[field]), field


def test_both_environments_occur_and_share_no_user() -> None:
    users: dict[str, set[str]] = defaultdict(set)
    for record in small_records():
        if record.get("user_id"):
            users[record["project_id"].split("-")[1]].add(record["user_id"][-36:])
    assert users["live"]
    assert users["test"]
    assert not users["live"] & users["test"]


def test_a_start_has_neither_project_name_nor_http_status_nor_user() -> None:
    starts = [r for r in small_records() if r["status"] == "Start"]
    assert starts
    for record in starts:
        assert not record.keys() & {"project_name", "http_status_code", "stytch_api_error", "user_id", "member_id"}


def test_user_agent_is_an_array_and_the_browsers_a_string() -> None:
    for record in small_records():
        if "user_agent" in record:
            assert isinstance(record["user_agent"], list)
            assert all(isinstance(agent, str) for agent in record["user_agent"])
            assert isinstance(record.get("browser_user_agent", ""), str)
        else:
            assert record["action"].endswith("Delivery")


def test_errors_are_nested_and_agree_with_the_http_status() -> None:
    for record in small_records():
        assert (record["status"] == "Error") == ("stytch_api_error" in record)
        if record["status"] == "Error":
            error = record["stytch_api_error"]
            assert error.keys() == {"status_code", "error_type", "error_message", "error_url", "request_id"}
            assert error["status_code"] == record["http_status_code"] >= 400
            assert error["error_url"].endswith(f"{error['status_code']}#{error['error_type']}")
        elif record["status"] == "Success":
            assert record["http_status_code"] == 200


def test_a_request_id_is_in_the_record_or_only_in_its_error() -> None:
    nested = [r for r in small_records() if "request_id" not in r]
    assert nested
    assert {r["stytch_api_error"]["error_type"] for r in nested} == {"internal_server_error"}
    assert all(
        r["stytch_api_error"]["request_id"] == r["request_id"] for r in small_records() if "stytch_api_error" in r and "request_id" in r
    )


def test_deliveries_carry_status_and_whole_seconds_of_latency_with_their_request() -> None:
    sends = {r["request_id"] for r in small_records() if r["status"] == "Success" and not r["action"].endswith("Delivery")}
    deliveries = [r for r in small_records() if r["action"].endswith("Delivery")]
    assert {r["message_status"] for r in deliveries} == {"delivered", "opened", "bounced", "undelivered"}
    for record in deliveries:
        assert isinstance(record["delivery_latency_seconds"], int)
        assert record["request_id"] in sends
        assert record["member_id"] == record["organization_id"] == ""
        assert ("phone_number" in record) == (record["action"] == "SMSDelivery")


def test_a_message_is_either_delivered_or_lost_and_is_opened_only_when_delivered() -> None:
    became: dict[str, set[str]] = defaultdict(set)
    for record in small_records():
        if record["action"].endswith("Delivery"):
            became[record["request_id"]].add(record["message_status"])
    assert {frozenset(statuses) for statuses in became.values()} == {
        frozenset(("delivered",)),
        frozenset(("delivered", "opened")),
        frozenset(("bounced",)),
        frozenset(("undelivered",)),
    }


def test_absent_is_an_empty_string() -> None:
    unknown = [r for r in small_records() if r["status"] == "Error" and r["stytch_api_error"]["error_type"] == "email_not_found"]
    assert unknown
    assert all(r.get("user_id", r.get("member_id")) == "" and r["session_id"] == "" for r in unknown)


def test_consumer_records_name_users_and_b2b_records_members_of_organizations() -> None:
    consumer, b2b = {"bluefin", "kumo", "fjordfit", "sabor"}, {"ledgerly", "atlashr", "chaidesk", "southgrid"}
    for file in small()[0]:
        for record in records(file):
            if file.tenant_id in consumer:
                assert not record.get("member_id")
            if file.tenant_id in b2b:
                assert "user_id" not in record
                assert bool(record.get("member_id")) == bool(record.get("organization_id"))


def test_only_projects_with_fingerprinting_carry_device_and_place() -> None:
    with_device: set[str] = set()
    for file in small()[0]:
        for record in records(file):
            carried = DEVICE_FIELDS & record.keys()
            assert carried in (set(), DEVICE_FIELDS)
            if carried:
                with_device.add(file.tenant_id)
    assert with_device == {"bluefin", "ledgerly", "kumo", "atlashr", "fjordfit", "chaidesk"}


def test_addresses_and_mail_domains_belong_to_nobody() -> None:
    for record in small_records():
        if "network_ip_address" in record:
            address = ip_address(record["network_ip_address"])
            assert any(address in network for network in RESERVED)
        if record.get("email_address"):
            assert record["email_address"].split("@")[1] in ("example.com", "example.org", "example.net")
        if "phone_number" in record:
            assert re.fullmatch(r"\+1\d{3}55501\d\d", record["phone_number"])


def test_every_method_occurs_and_no_action_is_outside_the_catalogue() -> None:
    actions = {r["action"] for r in small_records()}
    catalogue = set().union(*(found for methods in ACTIONS.values() for found in methods.values()))
    assert actions <= catalogue
    for methods in ACTIONS.values():
        for method, of_method in methods.items():
            assert of_method & actions or method in ("oauth_github", "oauth_microsoft"), method
    assert {r["oauth_provider"] for r in small_records() if r.get("oauth_provider")} == {"Google", "Github", "Microsoft"}
    assert ACTIONS["consumer"][BACKEND] == {"SessionsJwks", "GetUser"}  # type: ignore[index]


def test_a_request_is_one_users_and_its_events_are_in_order() -> None:
    requests: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in small_records():
        requests[record.get("request_id") or record["stytch_api_error"]["request_id"]].append(record)
    for events in requests.values():
        assert len({e.get("user_id") or e.get("member_id") for e in events} - {None, ""}) <= 1
        start = [e["timestamp"] for e in events if e["status"] == "Start"]
        if start:
            assert min(e["timestamp"] for e in events) == start[0]


def test_a_code_names_the_address_that_it_was_sent_to() -> None:
    used = [record for record in small_records() if record["action"] == "OTPsAuthenticate"]
    assert used
    assert [record for record in used if not re.match(r"(phone-number|email)-(live|test)-", record.get("method_id", ""))] == []
