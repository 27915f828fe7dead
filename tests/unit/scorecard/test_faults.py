"""Each fault changes what it says, and nothing else.

Does not belong here: what a detector makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache

import pytest

from tests.scorecard.catalogue import CATALOGUE, faults_of
from tests.scorecard.facts import FactStore
from tests.scorecard.faults import DeployFault, Fault, FileFault, StepFault
from tests.scorecard.pipeline import Pipeline, usual_code_version
from tests.scorecard.world import BEGIN, END, HOUR, MAIN_SOURCE, TENANTS, TRAINING, LandedFile, World
from tests.unit.scorecard.lives import live

SEED = 5
SILVER = "silver.auth_events"
OF_FILES = [
    "late_file", "missing_file", "duplicate_batch", "dropped_column", "changed_type", "null_burst", "tenant_silent", "all_down",
    "clock_skew", "poison_records", "bad_deploy", "wrong_values",
]  # fmt: skip
CAUSES = (
    "input_late", "input_missing", "duplicate_input", "schema_dropped", "schema_changed", "null_burst", "tenant_silent", "platform_drop",
    "clock_skew", "poison_input", "code_change", "out_of_memory", "credential_expired", "store_unavailable", "evaluator_down",
    "channel_dead", "values_shifted",
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World(SEED)


@cache
def a_world(seed: int) -> World:
    return World(seed)


@cache
def all_of(seed: int) -> dict[str, Fault]:
    return {fault.name: fault for fault in faults_of(a_world(seed))}


def drawn(world: World, name: str) -> Fault:
    return faults_of(world, [name])[0]


def landed(world: World, faults: list[Fault], begin: datetime, end: datetime) -> Iterator[LandedFile]:
    """All files that land for the hours from one moment to another."""
    pipeline = Pipeline(world, faults, begin)
    for n in range((end - begin) // HOUR):
        for stream in world.streams:
            yield from pipeline._files(stream, begin + HOUR * n)
        yield from (file for fault in faults for file in fault.further(world, begin + HOUR * n))


@cache
def both(name: str, seed: int = SEED) -> tuple[Fault, FactStore, FactStore]:
    """A fault, the facts of its time, and those of its control."""
    fault, world = drawn(a_world(seed), name), a_world(seed)
    begin, end = fault.window[0], fault.ends.replace(minute=0, second=0) + 2 * HOUR
    return fault, live(world, begin, end, [fault]), live(world, begin, end)


def counted(store: FactStore, metric: str, table: str = SILVER, dimension: str | None = None) -> dict[str, float]:
    """A measurement by customer."""
    sql = "select tenant_id, sum(value) as n from ops.metrics where metric = ? and table_name = ? and dimension is not distinct from ? "
    return {row["tenant_id"]: row["n"] for row in store.rows(sql + "and tenant_id is not null group by 1", [metric, table, dimension])}


def test_there_are_seventeen_and_each_has_a_cause_of_the_agreed_names() -> None:
    assert len(CATALOGUE) == 17
    causes = {cause for seed in range(3) for fault in all_of(seed).values() for cause in fault.truth.causes}
    assert causes == set(CAUSES)


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_a_fault_is_drawn_from_the_seed_alone_and_lies_within_a_day_of_the_scored_fortnight(name: str) -> None:
    for seed in range(8):
        fault, again = drawn(a_world(seed), name), all_of(seed)[name]
        assert (fault.begins, fault.ends, fault.detail, fault.truth) == (again.begins, again.ends, again.detail, again.truth)
        assert BEGIN + TRAINING <= fault.begins < fault.ends < END
        assert fault.begins.date() == fault.ends.date()
        assert fault.window[1] < END
        assert fault.truth.tenants <= {t.tenant_id for t in TENANTS}


def test_seeds_draw_other_customers_times_and_kinds() -> None:
    for name in ("null_burst", "poison_records", "out_of_memory", "wrong_values"):
        assert len({all_of(seed)[name].detail for seed in range(8)}) > 4, name


@pytest.mark.parametrize("name", OF_FILES)
def test_a_fault_of_files_touches_the_files_that_it_names_and_no_other(world: World, name: str) -> None:
    fault = drawn(world, name)
    assert isinstance(fault, FileFault)
    first, last = fault.hours[0] - 2 * HOUR, fault.hours[1] + 2 * HOUR
    healthy, hit = list(landed(world, [], first, last)), list(landed(world, [fault], first, last))
    changed = [file for file in healthy if file not in hit] + [file for file in hit if file not in healthy]
    ordinary = [file for file in changed if not file.mark]
    assert {(f.source, f.tenant_id) for f in changed} <= fault.places
    assert changed
    assert all(fault.hours[0] <= f.hour < fault.hours[1] for f in ordinary)
    if fault.truth.tenants:
        assert {f.tenant_id for f in changed} == fault.truth.tenants
    else:
        assert {f.tenant_id for f in changed} >= {"harbor", "meadow"}


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in OF_FILES])
def test_a_fault_of_steps_or_of_the_watch_touches_no_file(world: World, name: str) -> None:
    fault = drawn(world, name)
    first, last = fault.begins.replace(minute=0) - HOUR, fault.begins.replace(minute=0) + 2 * HOUR
    assert list(landed(world, [fault], first, last)) == list(landed(world, [], first, last))


@pytest.mark.parametrize("name", ["late_file", "bad_deploy", "out_of_memory", "store_503", "null_burst"])
def test_facts_before_a_fault_are_those_of_the_control(name: str) -> None:
    fault, hit, healthy = both(name)
    for table in ("ops.run_events", "ops.metrics", "ctl.files", "ops.check_results"):
        before = f"select * from {table} where recorded_at < ? order by all"
        assert hit.query(before, [fault.begins]).equals(healthy.query(before, [fault.begins])), table
    after = "select * from ops.metrics where recorded_at >= ? order by all"
    assert not hit.query(after, [fault.begins]).equals(healthy.query(after, [fault.begins]))


def test_late_files_come_together_and_none_is_lost() -> None:
    fault, hit, healthy = both("late_file")
    [tenant] = fault.truth.tenants
    files = "select path, max(modified_at) as at, max(records) as records from ctl.files where tenant_id = ? and source = ? group by 1"
    about = [tenant, min(fault.truth.pipelines)]
    ours, theirs = ({row["path"]: row for row in store.rows(files, about)} for store in (hit, healthy))
    late = [path for path in theirs if ours[path]["at"] != theirs[path]["at"]]
    assert len(late) in (3, 4)
    assert {ours[path]["at"] for path in late} == {fault.ends}
    assert {path: row["records"] for path, row in ours.items()} == {path: row["records"] for path, row in theirs.items()}


def test_a_missing_file_is_one_file() -> None:
    _, hit, healthy = both("missing_file")
    paths = "select distinct path, records from ctl.files order by 1"
    lost = [row for row in healthy.rows(paths) if row not in hit.rows(paths)]
    assert len(lost) == 1
    assert lost[0]["records"] >= 30


def test_a_duplicate_batch_adds_files_and_no_row() -> None:
    fault, hit, healthy = both("duplicate_batch")
    [tenant], [source] = fault.truth.tenants, fault.truth.pipelines
    assert counted(hit, "rows") == counted(healthy, "rows")
    more = counted(hit, "duplicate_rows", f"bronze.{source}")[tenant] - counted(healthy, "duplicate_rows", f"bronze.{source}").get(
        tenant, 0
    )
    again = hit.rows("select sum(records)::int as n from ctl.files where state = 'published' and path like '%-1.jsonl.gz'")[0]["n"]
    assert more == pytest.approx(again, rel=0.01)
    assert more > 300


@pytest.mark.parametrize(("name", "change"), [("dropped_column", "dropped"), ("changed_type", "type_added")])
def test_drift_is_recorded_once_and_the_column_is_null_meanwhile(name: str, change: str) -> None:
    fault, hit, healthy = both(name)
    drift = "select tenant_id, source, change from ctl.source_fields where change <> 'first_seen' order by recorded_at"
    assert healthy.rows(drift) == []
    changes = hit.rows(drift)
    assert changes[0] == {"tenant_id": min(fault.truth.tenants), "source": min(fault.truth.pipelines), "change": change}
    assert [row["change"] for row in changes[1:]] == (["returned"] if change == "dropped" else [])
    warned = hit.rows("select outcome, observed from ops.check_results where check_name = 'fields.drift'")
    assert warned == [{"outcome": "warned", "observed": 1.0}] * len(changes)


def test_a_null_burst_takes_values_and_no_field() -> None:
    fault, hit, healthy = both("null_burst")
    [tenant] = fault.truth.tenants
    fallen = [c for c in ("user_id", "ip", "country", "user_agent") if _filled(hit, tenant, c) < 0.8 * _filled(healthy, tenant, c)]
    assert len(fallen) == 1
    assert hit.rows("select count(*)::int as n from ctl.source_fields where change <> 'first_seen'") == [{"n": 0}]
    assert counted(hit, "rows") == counted(healthy, "rows")


def _filled(store: FactStore, tenant: str, column: str) -> float:
    return counted(store, "filled_rows", dimension=column)[tenant]


def test_of_a_silent_customer_files_come_without_a_record() -> None:
    fault, hit, _ = both("tenant_silent")
    [tenant] = fault.truth.tenants
    empty = hit.rows(
        "select source, count(*) filter (records = 0)::int as empty from ctl.files where tenant_id = ? and state = 'published' group by 1",
        [tenant],
    )
    assert {row["source"] for row in empty} == fault.truth.pipelines
    assert all(row["empty"] >= 5 for row in empty)


def test_forty_percent_of_all_customers_events_are_missing() -> None:
    fault, hit, healthy = both("all_down")
    within = "select sum(value) as n from ops.metrics where metric = 'rows' and table_name = ? and bucket_start >= ? and bucket_start < ?"
    ours, theirs = (store.rows(within, [SILVER, fault.begins, fault.ends])[0]["n"] for store in (hit, healthy))
    assert 0.57 < ours / theirs < 0.63


def test_a_clock_that_is_ahead_fills_hours_that_have_not_come() -> None:
    fault, hit, healthy = both("clock_skew")
    ahead = "select distinct tenant_id from ops.metrics where bucket_start > recorded_at"
    assert hit.rows(ahead) == [{"tenant_id": min(fault.truth.tenants)}]
    assert healthy.rows(ahead) == []


def test_poison_is_quarantined_and_where_it_is_much_the_slice_is_held_back() -> None:
    for seed in range(SEED, SEED + 3):
        fault, hit, healthy = both("poison_records", seed)
        [tenant], [source] = fault.truth.tenants, fault.truth.pipelines
        bad = counted(hit, "quarantined_rows", f"bronze.{source}")[tenant]
        assert bad > 10 + counted(healthy, "quarantined_rows", f"bronze.{source}").get(tenant, 0)
        share = float(fault.detail.rpartition(": ")[2].partition("%")[0]) / 100
        held = counted(hit, "held_back_rows", f"bronze.{source}")
        assert set(held) == ({tenant} if share > 0.2 else set())


def test_a_bad_deploy_runs_under_a_version_of_its_own_and_drops_a_third() -> None:
    fault, hit, healthy = both("bad_deploy")
    assert isinstance(fault, DeployFault)
    versions = "select code_version as v from ops.run_log group by 1 order by min(started_at)"
    assert [row["v"] for row in hit.rows(versions)] == [fault.bad, fault.mended]
    assert healthy.rows(versions) == [{"v": usual_code_version(SEED, fault.begins)}]
    bad = "select sum(rows_not_applicable) / sum(rows_read) as share from ops.run_log where asset = ? and started_at between ? and ?"
    ours, theirs = (store.rows(bad, [SILVER, fault.begins, fault.ends])[0]["share"] for store in (hit, healthy))
    assert ours - theirs == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize(("name", "message"), [("out_of_memory", "UNABLE_TO_ACQUIRE_MEMORY"), ("expired_credential", "ExpiredToken")])
def test_steps_fail_between_begin_and_end_with_the_message_that_spark_gives(name: str, message: str) -> None:
    fault, hit, healthy = both(name)
    assert isinstance(fault, StepFault)
    failed = hit.rows("select * from ops.run_log where status = 'FAILED' and error_class in ('SparkException', 'UnknownException')")
    assert failed
    assert all(message in row["error_message"] and row["error_fingerprint"] for row in failed)
    assert all(fault.begins <= row["started_at"] < fault.ends for row in failed)
    assert {(row["pipeline"], row["asset"]) for row in failed} <= (fault.steps or {(r["pipeline"], r["asset"]) for r in failed})
    assert counted(hit, "rows") == counted(healthy, "rows"), "all is made up for afterwards"


def test_no_run_begins_while_the_store_answers_503() -> None:
    fault, hit, healthy = both("store_503")
    assert fault.store_down
    begun = (
        "select count(distinct run_id)::int as n from ops.run_events where attempt = 1 and fact = 'start' and started_at between ? and ?"
    )
    within = list(fault.store_down)
    assert hit.rows(begun, within)[0]["n"] <= 1
    assert counted(hit, "rows") == counted(healthy, "rows")


def test_plausible_values_move_in_one_column_of_one_customer() -> None:
    fault, hit, healthy = both("wrong_values")
    [tenant] = fault.truth.tenants
    column = "outcome" if "outcome" in fault.detail else "auth_method"
    by_value = "select dimension, sum(value) as n from ops.metrics where metric = 'value_rows' and tenant_id = ? group by 1"
    ours, theirs = ({row["dimension"]: row["n"] for row in store.rows(by_value, [tenant])} for store in (hit, healthy))
    total = sum(n for name, n in theirs.items() if name.startswith("phase="))
    moved = {
        c: sum(abs(ours.get(v, 0) - n) for v, n in theirs.items() if v.startswith(f"{c}=")) / total for c in ("outcome", "auth_method")
    }
    assert moved[column] > 0.1
    assert min(moved.values()) < 0.05
    assert sum(counted(hit, "rows").values()) == sum(counted(healthy, "rows").values())


def test_what_the_detectors_own_faults_hit(world: World) -> None:
    killed, dead = drawn(world, "killed_evaluator"), drawn(world, "dead_channel")
    assert killed.evaluator_down == (killed.begins, killed.ends)
    assert dead.channel_down == (dead.begins, dead.ends)
    assert isinstance(dead.carrier, StepFault)
    assert dead.begins < dead.carrier.begins < dead.carrier.ends < dead.ends
    assert MAIN_SOURCE not in dead.truth.pipelines
