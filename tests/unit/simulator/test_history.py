"""Files and counts: the same call writes the same bytes, the volume is exact, and the manifest counts what is there."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.simulator import TENANT_BY_ID, TENANTS, SimConfig, generate
from jobs.simulator import history as history_module
from jobs.simulator.history import tenant_histories
from jobs.simulator.population import Population
from lakehouse.errors import ConfigurationError
from lakehouse.landing import tenant_of
from tests.unit.simulator.support import (
    ONE_TENANT,
    SMALL,
    distinct,
    first_day_in,
    last_day_in,
    make,
    records,
    small,
    small_records,
    tenant_in,
)


def test_the_same_parameters_write_the_same_bytes() -> None:
    config = replace(SMALL, days=5, events=2_000)
    once, again = make(config), make(config)
    assert [(file.key, file.body) for file in once[0]] == [(file.key, file.body) for file in again[0]]
    assert once[1] == again[1]


@cache
def _event_ids(config: SimConfig) -> set[str]:
    return {record["event_id"] for file in make(config)[0] for record in records(file)}


@pytest.mark.parametrize("changed", [{"seed": 12}, {"events": 601}, {"days": 9}, {"anchor": date(2026, 4, 20)}], ids=str)
def test_other_parameters_share_no_event_id_so_that_bodies_never_conflict(changed: dict[str, Any]) -> None:
    assert not _event_ids(replace(ONE_TENANT, **changed)) & _event_ids(ONE_TENANT)


@pytest.mark.parametrize("changed", [{"files_per_tenant": 2}, {"late_share": 0.2}, {"plain": True}], ids=str)
def test_another_delivery_has_the_same_events_under_other_names(changed: dict[str, Any]) -> None:
    other = replace(ONE_TENANT, **changed)
    assert _event_ids(other) == _event_ids(ONE_TENANT)
    assert not {file.key for file in make(other)[0]} & {file.key for file in make(ONE_TENANT)[0]}


def test_another_volume_keeps_the_users_who_they_are() -> None:
    few, many = (Population(replace(SMALL, events=events), TENANTS[0]) for events in (1_000, 20_000))
    users = np.arange(few.size)
    assert few.size < many.size
    assert few.user_ids(users) == many.user_ids(users)
    assert few.emails(users) == many.emails(users)
    assert few.home.tolist() == many.home[users].tolist()


@pytest.mark.parametrize("events", [1, 7, 999, 4_001])
def test_the_volume_is_exact_and_duplicates_come_on_top(events: int) -> None:
    files, manifest = make(replace(SMALL, days=6, events=events, tenants=("bluefin", "atlashr", "sabor")))
    written = [record for file in files for record in records(file)]
    assert len({record["event_id"] for record in written}) == events == manifest.events
    assert len(written) == manifest.records == events + manifest.duplicates == sum(file.records for file in files)


def test_a_full_history_has_at_most_60_files_at_50_000_events_and_200_at_a_million() -> None:
    for events, limit in ((50_000, 60), (1_000_000, 200)):
        config = SimConfig(events=events)
        assert -(-config.days // config.days_per_file) * len(config.tenants) <= limit


def test_a_long_file_is_cut_so_that_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = make(ONE_TENANT)
    monkeypatch.setattr(history_module, "MAX_RECORDS_PER_FILE", 50)
    files, manifest = make(ONE_TENANT)
    assert max(file.records for file in files) == 50
    assert len({file.key for file in files}) == len(files) == manifest.files > len(whole)
    assert b"".join(file.lines for file in files) == b"".join(file.lines for file in whole)


def test_a_day_does_not_depend_on_the_days_before_it() -> None:
    one, other = tenant_histories(SMALL)[1], tenant_histories(SMALL)[1]
    for index in range(5):
        one.day(index)
    assert one.day(5).lines == other.day(5).lines


def test_a_tenants_day_does_not_depend_on_how_history_is_cut_into_files_or_delivered() -> None:
    recut = replace(SMALL, files_per_tenant=1, late_share=0.3, duplicate_share=0.0)
    assert tenant_histories(recut)[0].day(9).lines == tenant_histories(SMALL)[0].day(9).lines


def test_files_are_laid_out_as_landing_expects_in_order_of_their_dates() -> None:
    keys = [file.key for file in small()[0]]
    assert len(set(keys)) == len(keys)
    assert {tenant_of("provider_events", key) for key in keys} == set(TENANT_BY_ID)
    assert [last_day_in(key) for key in keys] == sorted(last_day_in(key) for key in keys)
    assert last_day_in(keys[-1]) == SMALL.anchor
    assert all("anchor20260419" in key and "seed11" in key for key in keys)


def test_a_file_says_in_its_metadata_what_it_is() -> None:
    file = small()[0][0]
    assert file.metadata == {"synthetic": "true", "seed": "11", "anchor": "2026-04-19", "records": str(file.records)}


def test_gzip_carries_no_time() -> None:
    file = small()[0][0]
    assert file.body[4:8] == b"\0\0\0\0"
    assert gzip.decompress(file.body) == file.lines


def test_plain_files_are_the_lines_themselves() -> None:
    files, _ = make(replace(ONE_TENANT, plain=True))
    assert all(file.key.endswith(".jsonl") and file.body == file.lines for file in files)


def test_every_event_lies_in_the_history_and_in_no_file_before_it_happened() -> None:
    for file in small()[0]:
        days = {_day(record) for record in records(file)}
        assert min(days) >= SMALL.first_day
        assert max(days) <= last_day_in(file.key)


def test_late_events_are_as_many_as_the_manifest_says_and_at_most_30_days_late() -> None:
    files, manifest = small()
    seen: set[str] = set()
    late = 0
    for file in files:
        for record in records(file):
            if record["event_id"] not in seen and _day(record) < first_day_in(file.key):
                late += 1
                assert first_day_in(file.key) - _day(record) <= timedelta(days=30)
            seen.add(record["event_id"])
    assert late == manifest.late
    assert 0.3 * 0.03 < late / manifest.events < 0.03


def test_duplicates_are_exact_lines_and_as_many_as_the_manifest_says() -> None:
    files, manifest = small()
    first_file: dict[bytes, str] = {}
    same = other = 0
    for file in files:
        for line in file.lines.splitlines():
            known = first_file.setdefault(line, file.key) if line in first_file else None
            first_file.setdefault(line, file.key)
            same += known == file.key
            other += known is not None and known != file.key
    assert len(first_file) == manifest.events == len({record["event_id"] for record in small_records()})
    assert (same, other) == (manifest.duplicates_in_same_file, manifest.duplicates_in_other_file)
    assert same > 20
    assert other > 20
    assert abs(manifest.duplicates / manifest.events - 0.03) < 0.006


def test_the_manifest_counts_by_tenant_and_day_in_utc_and_in_the_tenants_zone() -> None:
    files, manifest = small()
    utc: Counter[tuple[str, date]] = Counter()
    local: Counter[tuple[str, date]] = Counter()
    seen: set[str] = set()
    for file in files:
        tenant_id = tenant_in(file.key)
        for record in records(file):
            if record["event_id"] in seen:
                continue
            seen.add(record["event_id"])
            utc[tenant_id, _day(record)] += 1
            local[tenant_id, datetime.fromtimestamp(record["timestamp"] / 1000, ZoneInfo(TENANT_BY_ID[tenant_id].zone)).date()] += 1
    assert utc == manifest.by_utc_day
    assert local == manifest.by_local_day
    assert sum(manifest.by_tenant().values()) == manifest.events


def test_the_manifest_counts_by_action_and_status() -> None:
    manifest = small()[1]
    totals: Counter[tuple[str, str]] = Counter()
    for (_, action, status), count in manifest.by_action.items():
        totals[action, status] += count
    assert totals == Counter((r["action"], r["status"]) for r in distinct(small_records()))


def test_generate_needs_no_manifest_and_makes_files_one_by_one() -> None:
    assert next(generate(SMALL)).key == small()[0][0].key


@pytest.mark.parametrize(
    "wrong",
    [{"events": 0}, {"days": 0}, {"seed": -1}, {"tenants": ("nobody",)}, {"tenants": ()}, {"late_share": 0.9}, {"files_per_tenant": 0}],
)
def test_impossible_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        replace(SMALL, **wrong)


def _day(record: dict[str, Any]) -> date:
    return datetime.fromtimestamp(record["timestamp"] / 1000, UTC).date()
