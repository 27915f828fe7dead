"""What the simulator's tests share: a small simulation and its records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import orjson

from jobs.simulator import LandingFile, Manifest, SimConfig, generate, new_manifest

SMALL = SimConfig(events=13_000, seed=11, days=21, anchor=date(2026, 4, 19), late_share=0.03, duplicate_share=0.03, files_per_tenant=5)
ONE_TENANT = replace(SMALL, events=600, days=8, tenants=("bluefin",))


def make(config: SimConfig) -> tuple[list[LandingFile], Manifest]:
    manifest = new_manifest(config)
    return list(generate(config, manifest)), manifest


@cache
def small() -> tuple[list[LandingFile], Manifest]:
    return make(SMALL)


def records(file: LandingFile) -> list[dict[str, Any]]:
    return _parsed(file.lines)


@cache
def _parsed(lines: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in lines.splitlines()]


@cache
def small_records() -> list[dict[str, Any]]:
    return [record for file in small()[0] for record in records(file)]


def distinct(all_records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({record["event_id"]: record for record in all_records}.values())


def tenant_in(key: str) -> str:
    return key.split("tenant=")[1].split("/")[0]


def last_day_in(key: str) -> date:
    return date.fromisoformat(key.split("date=")[1][:10])


def first_day_in(key: str) -> date:
    return date.fromisoformat(key.rsplit("-", 3)[1])


@cache
def of_tenant(tenant_id: str) -> list[dict[str, Any]]:
    return distinct([record for file in small()[0] if file.tenant_id == tenant_id for record in records(file)])
