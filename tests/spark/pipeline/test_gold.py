"""Gold: examples worked by hand, late events, and incremental against full."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest

from jobs.aggregate import aggregate, compute
from jobs.reach import Work, taken_in
from lakehouse.delta import DeltaLogs
from lakehouse.errors import ConfigurationError
from lakehouse.tables import table
from lakehouse.tenants import Tenant, TenantRegistry
from tests.geoip import write_database
from tests.lake import GOLD, TestLake, event

pytestmark = pytest.mark.long


def gold(lake: TestLake, name: str, tenant: str, columns: str, order: str) -> list[tuple[object, ...]]:
    return [tuple(r.values()) for r in lake.rows(f"select {columns} from {name} where tenant_id = '{tenant}' order by {order}")]


FIRST = date(2025, 1, 1)
LATE_DAYS = [FIRST + timedelta(days=n) for n in range(0, 60, 5)]
EARLIER = [day.replace(year=2022) for day in LATE_DAYS]
FILES = "select distinct day, input_file_name() as file from gold.{0} where day between '{1}-01-01' and '{1}-03-05'"
WATCHED = {"auth_daily": 2025, "user_features_daily": 2022}
"""Tables that are partitioned by day, and the year of the late event whose reach is looked at."""
SUBSCRIPTIONS = "stripe_subscriptions"
ZONES = ("Pacific/Kiritimati", "America/Los_Angeles", "UTC")


@dataclass(frozen=True)
class Rounds:
    """The lake after three runs, with the files that some gold tables had after the first, and what the second recomputed."""

    lake: TestLake
    files_before: dict[str, set[tuple[date, str]]]
    second: dict[str, Work | None]

    def recomputed(self, name: str, year: int) -> set[date]:
        """Periods of a year that the second run recomputed of a gold table."""
        work = self.second[f"gold.{name}"]
        assert work is not None
        assert work.periods is not None
        return {period for period in work.periods if period.year == year}


SHUFFLES = 50
EVENTS_EACH = 48
SHUFFLED_DAYS = (0, 1, 6, 7, 8, 29, 30, 31, 44)
"""Around the edges of the windows of a week and of a month; each further day makes further files."""
SHUFFLED_HOURS = (0, 1, 3, 5, 9, 12, 21, 22, 23)
"""Around the midnights of UTC and of the tenants' zones, and closer together and farther apart than a flow may stretch."""
STEPS: tuple[dict[str, object], ...] = (
    {},
    {"action": "MagicLinksEmailLoginOrCreate"},
    {"action": "EmailDelivery", "message_status": "delivered"},
    {"action": "MagicLinksAuthenticate"},
)


def arrivals(number: int) -> list[list[dict[str, object]]]:
    """A tenant's events in an order of arrival of its own, cut at two random places into what lands in each of three runs.

    Half of them are spread; half are attempts, most of them failures, of one user or of many around a midnight, from one address.
    """
    rng, tenant = random.Random(number), f"shuffled{number}"
    attack = datetime(2024, 1, 2) + timedelta(hours=rng.choice((-14, 0, 8)), minutes=-10)
    users, seconds = (1, 1200) if number % 2 else (14, 3600)
    drawn = []
    for n in range(EVENTS_EACH):
        day = datetime(2024, 1, 1) + timedelta(days=rng.choice(SHUFFLED_DAYS))
        spread = day + timedelta(hours=rng.choice(SHUFFLED_HOURS), minutes=rng.randrange(60))
        at, user, ok, fields = spread, rng.randrange(5), 0.7, {**rng.choice(STEPS), "request_id": f"request-id-live-{rng.randrange(12)}"}
        if n % 2:
            at, user, ok, fields = attack + timedelta(seconds=rng.randrange(seconds)), rng.randrange(users), 0.2, {}
        drawn.append(
            event(
                n, tenant, f"{at:%Y-%m-%d}", time=f"{at:%H:%M:%S}", ok=rng.random() < ok, user=user,
                user_agent=[rng.choice(("Firefox/1", "Chrome/2", "okhttp/3"))], ip_geo_country=rng.choice(("SE", "US", "")),
                network_ip_address="192.0.2.9" if n % 2 else rng.choice(("192.0.2.129", "192.0.2.99", "")), **fields,
            )
        )  # fmt: skip
    rng.shuffle(drawn)
    first, second = sorted(rng.randrange(EVENTS_EACH) for _ in range(2))
    return [drawn[:first], drawn[first:second], drawn[second:]]


def land_part(lake: TestLake, part: int) -> None:
    for number in range(SHUFFLES):
        if arrived := arrivals(number)[part]:
            lake.land(f"shuffled{number}", f"{part}.jsonl", arrived)


def files_of(lake: TestLake) -> dict[str, set[tuple[date, str]]]:
    return {name: {(r["day"], r["file"]) for r in lake.rows(FILES.format(name, year))} for name, year in WATCHED.items()}


@pytest.fixture(scope="module")
def placing(lake: TestLake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestLake]:
    """The lake as of an operator who has brought a GeoIP database."""
    database = write_database(tmp_path_factory.mktemp("geoip") / "places.mmdb")
    made = TestLake(lake.settings.model_copy(update={"geoip_database": database}))
    yield made
    made.close()


@pytest.fixture(scope="module")
def rounds(placing: TestLake) -> Rounds:
    lake = placing
    registry = TenantRegistry(lake.settings)
    registry.declare(Tenant("newyork", "New York", "America/New_York"))
    for number in range(SHUFFLES):
        registry.declare(Tenant(f"shuffled{number}", f"Shuffle {number}", ZONES[number % len(ZONES)]))
    lake.land("newyork", "a.jsonl", [
        event(1, "newyork", "2026-07-02", time="03:30:00", ok=False),
        event(2, "newyork", "2026-07-02", time="03:31:00", ok=True),
    ])  # fmt: skip
    lake.land("hours", "a.jsonl", [
        event(1, "hours", time="09:59:59", ok=False),
        event(2, "hours", time="10:00:00", ok=True),
    ])  # fmt: skip
    active = [("2026-03-01", 1), ("2026-03-05", 1), ("2026-03-08", 2), ("2026-03-15", 3)]
    lake.land("active", "a.jsonl", [event(n, "active", day, user=user) for n, (day, user) in enumerate(active)])
    lake.land("late", "a.jsonl", [event(n, "late", day.isoformat(), user=1) for n, day in enumerate(LATE_DAYS)])
    users = [*((n, 1) for n in range(len(EARLIER))), *((n, 2) for n in (1, 5, 9))]
    lake.land("earlier", "a.jsonl", [event(i, "earlier", EARLIER[n].isoformat(), user=user) for i, (n, user) in enumerate(users)])
    lake.land("only", "a.jsonl", [
        event(1, "only"),
        event(2, "only", project_id="project-test-only"),
        event(3, "only", "1999-01-01"),
        event(4, "only", "2999-01-01"),
    ])  # fmt: skip
    land_part(lake, 0)
    lake.run()
    before = files_of(lake)
    lake.land("late", "b.jsonl", [event(99, "late", LATE_DAYS[2].isoformat(), user=2)])
    lake.land("earlier", "b.jsonl", [event(99, "earlier", EARLIER[3].isoformat(), user=2)])
    subscribed = "id,_fivetran_synced,customer_id,status,quantity,start_date"
    lake.land("active", "a.csv", [subscribed, "s1,2026-03-20 10:00:00,c,active,3,2026-03-02 00:00:00"], source=SUBSCRIPTIONS)
    lake.run(source=SUBSCRIPTIONS, gold=False)
    land_part(lake, 1)
    lake.run(gold=False)
    second = {declared.name: aggregate(lake.context, declared) for declared in GOLD}
    land_part(lake, 2)
    lake.run()
    return Rounds(lake, before, second)


def test_a_days_edge_is_the_tenants_midnight(rounds: Rounds) -> None:
    assert gold(rounds.lake, "gold.user_days", "newyork", "day, time_zone, auth_methods, attempts, successes", "day") == [
        (date(2026, 7, 1), "America/New_York", ["password"], 2, 1)
    ]


def test_an_hours_edge_is_utc(rounds: Rounds) -> None:
    rows = gold(rounds.lake, "gold.auth_hourly", "hours", "hour(hour), attempts, successes, failures, users", "hour")
    assert rows == [(9, 1, 0, 1, 1), (10, 1, 1, 0, 1)]


def test_active_users_follow_the_windows_worked_by_hand(rounds: Rounds) -> None:
    columns = "day(day), daily_active_users, weekly_active_users, monthly_active_users"
    rows = gold(rounds.lake, "gold.active_users_daily", "active", columns, "day")
    assert rows == [(1, 1, 1, 1), (5, 1, 1, 1), (8, 1, 2, 2), (15, 1, 1, 3)]


def test_a_late_event_updates_the_days_it_reaches_and_leaves_others_files(rounds: Rounds) -> None:
    now = files_of(rounds.lake)
    changed = {name: {period for period, _ in now[name] - rounds.files_before[name]} for name in now}
    hit = LATE_DAYS[2]
    assert changed["auth_daily"] == {hit}
    assert rounds.recomputed("active_users_daily", hit.year) == {hit + timedelta(days=n) for n in range(30)}
    monthly = dict(gold(rounds.lake, "gold.active_users_daily", "late", "day, monthly_active_users", "day"))
    assert [monthly[day] for day in LATE_DAYS] == [1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]


def test_a_late_event_updates_the_later_days_of_its_user_and_leaves_those_of_others(rounds: Rounds) -> None:
    now = files_of(rounds.lake)
    changed = {name: {period for period, _ in now[name] - rounds.files_before[name]} for name in now}
    assert changed["user_features_daily"] == {EARLIER[n] for n in (3, 5, 9)}
    rows = gold(rounds.lake, "gold.user_features_daily", "earlier", "user_key, day, days_since_previous_success", "user_key, day")
    second = min({row[0] for row in rows}, key=lambda user: sum(row[0] == user for row in rows))
    assert [row[1:] for row in rows if row[0] == second] == [(EARLIER[1], None), (EARLIER[3], 10), (EARLIER[5], 10), (EARLIER[9], 20)]


def test_a_late_event_updates_its_week_and_all_after_it(rounds: Rounds) -> None:
    mondays = {day - timedelta(days=day.weekday()) for day in EARLIER}
    late = EARLIER[3] - timedelta(days=EARLIER[3].weekday())
    assert rounds.recomputed("retention_weekly", late.year) == {monday for monday in mondays if monday >= late}


def test_a_subscription_is_billed_in_the_months_of_its_tenant(rounds: Rounds) -> None:
    columns = "month, monthly_active_users, attempts, tenant_subscriptions, tenant_quantity"
    assert gold(rounds.lake, "gold.usage_and_billing_monthly", "active", columns, "month") == [(date(2026, 3, 1), 3, 4, 1, 3)]


def test_incremental_equals_full_after_fifty_shuffles_of_late_arrivals(rounds: Rounds) -> None:
    assert_incremental_equals_full(rounds.lake)


def test_the_shuffles_have_signals_of_every_kind(rounds: Rounds) -> None:
    found = rounds.lake.rows("select distinct signal from gold.security_signals where tenant_id like 'shuffled%'")
    assert {row["signal"] for row in found} == set(table("gold.security_signals").column("signal").values)


def test_the_shuffles_have_journeys_by_coordinates_and_by_country(rounds: Rounds) -> None:
    found = rounds.lake.rows("select distinct speed_reason from gold.security_signals where signal = 'impossible_travel'")
    assert {row["speed_reason"] for row in found} == {None, "no_coordinates"}


def test_a_country_is_the_sources_else_the_databases(rounds: Rounds) -> None:
    found = rounds.lake.rows(
        "select country, count_if(country_reason is not null) as unknown from gold.places_and_devices_daily "
        "where tenant_id like 'shuffled%' group by country"
    )
    assert {row["country"]: row["unknown"] > 0 for row in found} == {"SE": False, "US": False, None: True}


def assert_incremental_equals_full(lake: TestLake) -> None:
    for declared in GOLD:
        everything = Work(declared, {}, None, taken_in(lake.settings, declared), DeltaLogs(lake.settings))
        whole = compute(lake.context, everything).select(*declared.column_names)
        kept = lake.context.session.table(declared.name).select(*declared.column_names)
        assert whole.exceptAll(kept).count() == 0, declared.name
        assert kept.exceptAll(whole).count() == 0, declared.name


def test_gold_counts_only_live_plausible_attempts(rounds: Rounds) -> None:
    assert rounds.lake.count("silver.auth_events", "tenant_id = 'only'") == 4
    assert gold(rounds.lake, "gold.auth_daily", "only", "attempts", "day") == [(1,)]


def test_a_table_that_has_taken_in_its_input_has_nothing_to_do(rounds: Rounds) -> None:
    assert {t.name: aggregate(rounds.lake.context, t) for t in GOLD} == dict.fromkeys(t.name for t in GOLD)


def test_a_new_definition_starts_afresh(lake: TestLake) -> None:
    declared = table("gold.auth_daily")
    assert declared.definition
    raised = replace(declared, definition=replace(declared.definition, version=declared.definition.version + 1))
    assert taken_in(lake.settings, raised) != taken_in(lake.settings, declared)


def test_the_first_database_of_places_starts_the_tables_afresh_that_are_made_from_places(lake: TestLake, placing: TestLake) -> None:
    moved = {t.name for t in GOLD if taken_in(lake.settings, t) != taken_in(placing.settings, t)}
    assert moved == {"gold.places_and_devices_daily", "gold.security_signals"}


def test_the_zone_of_a_tenant_is_fixed_once_its_data_have_come(lake: TestLake) -> None:
    registry = TenantRegistry(lake.settings)
    lake.land("nobody", "a.jsonl", [event(1, "nobody", "2026-07-02", time="23:30:00")])
    lake.run(gold=False)
    aggregate(lake.context, table("gold.auth_daily"))
    with pytest.raises(ConfigurationError, match="has days in UTC"):
        registry.declare(Tenant("nobody", "Nobody", "Europe/Berlin"))
    assert registry.declare(Tenant("nobody", "Nobody"))
    assert gold(lake, "gold.auth_daily", "nobody", "day, time_zone", "day") == [(date(2026, 7, 2), "UTC")]
