"""What the records tell when they are counted: rhythm, funnels, users, attacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.simulator import TENANT_BY_ID, TENANTS, AttackKind, SimConfig, attacks, choose_tenants
from jobs.simulator.rhythm import SLOTS, allocate, offsets_ms, slot_weights
from jobs.simulator.world import PHONES
from lakehouse.errors import ConfigurationError
from tests.unit.simulator.support import SMALL, distinct, make, of_tenant, small_records, tenant_in


def _times(tenant_id: str, zone: str) -> list[datetime]:
    return [datetime.fromtimestamp(r["timestamp"] / 1000, ZoneInfo(zone)) for r in of_tenant(tenant_id)]


@pytest.mark.parametrize("tenant", [t for t in TENANTS if t.vertical == "b2b"], ids=lambda t: t.tenant_id)
def test_business_tenants_work_by_day_in_their_own_zone(tenant) -> None:  # type: ignore[no-untyped-def]
    hours = Counter(at.hour for at in _times(tenant.tenant_id, tenant.zone))
    assert sum(hours[h] for h in range(8, 18)) > 0.7 * sum(hours.values())
    assert sum(hours[h] for h in range(6)) < 0.08 * sum(hours.values())


@pytest.mark.parametrize("tenant", [t for t in TENANTS if t.vertical == "consumer"], ids=lambda t: t.tenant_id)
def test_consumer_tenants_peak_in_their_own_evening(tenant) -> None:  # type: ignore[no-untyped-def]
    hours = Counter(at.hour for at in _times(tenant.tenant_id, tenant.zone))
    assert sum(hours[h] for h in range(18, 23)) > 3 * sum(hours[h] for h in range(1, 6))


def test_in_utc_the_tenants_peak_at_different_hours() -> None:
    peaks = {t.tenant_id: int(np.argmax(slot_weights(t, date(2026, 3, 4)))) // 2 for t in TENANTS}
    assert len(set(peaks.values())) >= 6
    assert (peaks["bluefin"] - peaks["kumo"]) % 24 == 14


def test_weekends_are_quiet_at_work_and_busy_at_home() -> None:
    for tenant_id, quiet in (("ledgerly", True), ("atlashr", True), ("bluefin", False)):
        days = Counter(at.weekday() for at in _times(tenant_id, TENANT_BY_ID[tenant_id].zone))
        weekend, workday = (days[5] + days[6]) / 2, sum(days[d] for d in range(5)) / 5
        assert (weekend < 0.4 * workday) == quiet


def test_the_zone_is_followed_through_a_change_of_clocks() -> None:
    assert sorted(set(offsets_ms("Europe/Berlin", date(2026, 3, 29)).tolist())) == [3_600_000, 7_200_000]
    assert set(offsets_ms("Europe/Berlin", date(2026, 3, 30)).tolist()) == {7_200_000}
    assert offsets_ms("Asia/Kolkata", date(2026, 3, 29)).tolist() == [19_800_000] * SLOTS


def test_sizes_fall_like_a_power_of_the_rank_and_allocation_is_exact() -> None:
    counts = allocate(SimConfig(events=123_457), 123_457)
    totals = [int(counts[t.tenant_id].sum()) for t in TENANTS]
    assert sum(totals) == 123_457
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > 8 * totals[-1]


def test_funnels_only_narrow() -> None:
    for steps in (
        ("MagicLinksEmailLoginOrCreate", "EmailDelivery", "MagicLinksAuthenticate"),
        ("OTPsSMSLoginOrCreate", "SMSDelivery", "OTPsAuthenticate"),
    ):
        send, delivery, use = steps
        tenant = {"EmailDelivery": "bluefin", "SMSDelivery": "sabor"}[delivery]
        found = of_tenant(tenant)
        accepted = {r["request_id"] for r in found if r["action"] == send and r["status"] == "Success"}
        delivered = {
            r["request_id"] for r in found if r["action"] == delivery and r["message_status"] == "delivered" and r["request_id"] in accepted
        }
        started = sum(r["action"] == send and r["status"] == "Start" for r in found)
        completed = sum(r["action"] == use and r["status"] == "Success" for r in found)
        assert started >= len(accepted) >= len(delivered) > completed > 0.4 * started


def test_most_attempts_succeed_and_some_fail_for_several_reasons() -> None:
    finished = [r for r in distinct(small_records()) if r["action"].endswith("Authenticate") and r["status"] != "Start"]
    failed = [r["stytch_api_error"]["error_type"] for r in finished if r["status"] == "Error"]
    assert 0.02 < len(failed) / len(finished) < 0.2
    assert len(set(failed)) >= 8


def test_users_are_the_same_people_on_the_same_devices_day_after_day() -> None:
    days: dict[str, set[int]] = defaultdict(set)
    devices: dict[str, set[str]] = defaultdict(set)
    mails: dict[str, set[str]] = defaultdict(set)
    for record in small_records():
        if record.get("user_id") and record.get("visitor_id"):
            days[record["user_id"]].add(record["timestamp"] // 86_400_000)
            devices[record["user_id"]].add(record["visitor_id"])
            if record.get("email_address"):
                mails[record["user_id"]].add(record["email_address"])
    regulars = [user for user, seen in days.items() if len(seen) >= 5]
    assert len(regulars) > 20
    assert np.median([len(devices[user]) for user in regulars]) <= 2
    assert max(len(found) for found in mails.values()) == 1


def test_a_method_of_the_phone_is_used_on_the_phone() -> None:
    used = [r for r in small_records() if r["action"] == "BiometricsAuthenticate" and r["status"] == "Success"]
    assert used
    assert {r["detected_device_type"] for r in used} <= {device.detected for device in PHONES}


def test_the_ground_truth_finds_each_attack_in_the_records() -> None:
    found = attacks(SMALL)
    assert {attack.kind for attack in found} == set(AttackKind)
    by_ip: dict[str, list[dict[str, object]]] = defaultdict(list)
    for record in distinct(small_records()):
        by_ip[record.get("network_ip_address", "")].append(record)
    for attack in found:
        first, last = attack.started_at - timedelta(seconds=1), attack.ended_at + timedelta(minutes=20)
        inside = [r for ip in attack.ips for r in by_ip[ip] if first <= datetime.fromtimestamp(r["timestamp"] / 1000, UTC) <= last]  # type: ignore[operator]
        assert attack.started_at.date() == attack.ended_at.date() == SMALL.day(attack.day)
        starts = sum(r["status"] == "Start" for r in inside)
        assert starts == (1 if attack.kind is AttackKind.IMPOSSIBLE_TRAVEL else attack.attempts)
        assert {r["email_address"] for r in inside} <= set(attack.emails)


def test_attacks_are_not_labelled_and_stay_a_small_part() -> None:
    assert not any(kind in str(sorted(r.items())) for r in small_records()[:2000] for kind in AttackKind)
    found = attacks(SMALL)
    for tenant in TENANTS:
        attacked = sum(a.events for a in found if a.tenant_id == tenant.tenant_id)
        assert attacked <= 0.04 * SMALL.expected_events(tenant)


def test_honest_users_never_change_country_within_a_day() -> None:
    attacked = {user for attack in attacks(SMALL) for user in attack.user_ids}
    places: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for record in small_records():
        user = record.get("user_id") or record.get("member_id")
        if user and record.get("ip_geo_country") and user not in attacked and "-live-" in user:
            places[user].append((record["timestamp"], record["ip_geo_country"]))
    moves = 0
    for seen in places.values():
        ordered = sorted(seen)
        for (before, here), (after, there) in pairwise(ordered):
            if here != there:
                moves += 1
                assert after - before >= 86_400_000
    assert moves > 3


def test_a_choice_of_tenants_is_a_number_a_list_or_all() -> None:
    assert choose_tenants("all") == tuple(t.tenant_id for t in TENANTS)
    assert choose_tenants("2") == ("bluefin", "ledgerly")
    assert choose_tenants("kumo, sabor") == ("kumo", "sabor")
    for wrong in ("9", "0", "nobody", "kumo,kumo", ""):
        with pytest.raises(ConfigurationError):
            choose_tenants(wrong)


def test_only_chosen_tenants_are_made() -> None:
    files, manifest = make(SimConfig(events=600, days=5, tenants=("kumo", "sabor")))
    assert {tenant_in(f.key) for f in files} == {"kumo", "sabor"} == set(manifest.by_tenant())
