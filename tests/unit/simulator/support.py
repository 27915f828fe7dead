"""What the simulator's tests share: a small simulation and its records."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import orjson

from jobs.simulator import LandingFile, Manifest, SimConfig, generate, new_manifest

SMALL = SimConfig(events=12_000, seed=11, days=35, anchor=date(2026, 4, 19), late_share=0.02, duplicate_share=0.02, files_per_tenant=5)


def make(config: SimConfig) -> tuple[list[LandingFile], Manifest]:
    manifest = new_manifest(config)
    return list(generate(config, manifest)), manifest


@cache
def small() -> tuple[list[LandingFile], Manifest]:
    return make(SMALL)


def records(file: LandingFile) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.lines.splitlines()]


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
