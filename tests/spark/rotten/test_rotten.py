"""Whatever is landed: no run dies of it, its good records load, the others are kept with their reason, and the books balance."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from jobs.catalog import ensure_catalog
from lakehouse import unpacking
from lakehouse.splitting import CUT_BYTES
from tests.lake import TestLake
from tests.spark.rotten.bodies import ARRAY, CSV, LINES, PARQUET, TEXT, WRAPPED, Rotten, all_files

FORMATS = {
    LINES: "json_lines", ARRAY: "json_array", WRAPPED: "json_wrapped\nrecords_field: Records", CSV: "csv", PARQUET: "parquet",
    TEXT: "text\npattern: '(?<at>[^ ]+) (?<id>.+)'",
}  # fmt: skip
FIELDS = "fields: {id: string, at: string, n: double, b: bigint, s: 'struct<x string>', a: array<string>}"
DECLARATION = """\
name: {name}
description: Rotten files.
format: {format}
{fields}
earliest: 2020-01-01
event_id: id
event_time: try_to_timestamp(case when at like '____-__-___%' then at end)
max_rejected_share: 1
silver:
  table: silver.auth_events
  version: 1
  columns: {{project_id: "'p'", environment: "'live'", action: "'a'", activity: "'sign_in'", auth_method: "'password'",
    phase: "'completed'", outcome: "'success'", device: "'unknown'", user_id: id}}
"""
MOST_MEMORY = 700 * 1024
"""KiB that this process may take in addition: four files at a time, each with a record at its limit and a group of rows."""
LEAST_FILES = 300
Ledger = Mapping[tuple[str, str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def files() -> list[Rotten]:
    return all_files()


@pytest.fixture(scope="module")
def declared(lake: TestLake) -> Iterator[TestLake]:
    """The lake with a source for each format."""
    folder = lake.settings.home / "sources"
    folder.mkdir(exist_ok=True)
    for name, format_ in FORMATS.items():
        text = DECLARATION.format(name=name, format=format_, fields="" if name == TEXT else FIELDS)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    own = TestLake(lake.settings)
    try:
        ensure_catalog(own.context)
        yield own
    finally:
        own.close()
        for name in FORMATS:
            (folder / f"{name}.yaml").unlink()


@pytest.fixture(scope="module")
def taken_in(declared: TestLake, files: list[Rotten]) -> Ledger:
    """What the ledger says of each file, by source and name, after one run over all of them."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for file in files:
        key = f"{file.source}/date=2026-06-01/tenant=rotten-files/{file.name}"
        declared.store.put_object(Bucket=declared.settings.landing_bucket, Key=key, Body=file.body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "BOMB_BYTES", 64 * 1024 * 1024)
        for source in FORMATS:
            declared.run(source=source, gold=False)
    rows = declared.context.reader.rows("select * from ctl.files where tenant_id = 'rotten-files' and state = 'published'")
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < MOST_MEMORY, f"{taken >> 10} MiB"
    return {(row["source"], row["path"].split("/tenant=rotten-files/")[1]): row for row in rows}


def test_there_are_enough_of_them(files: list[Rotten]) -> None:
    assert len(files) == len({(f.source, f.name) for f in files}) >= LEAST_FILES


def test_each_files_good_records_are_published_and_the_others_quarantined(taken_in: Ledger, files: list[Rotten]) -> None:
    said = {(f.source, f.name): (f.good, f.bad) for f in files}
    found = {place: (row["published"] + row["duplicate"], row["quarantined"]) for place, row in taken_in.items()}
    assert found.keys() == said.keys()
    assert {place: (found[place], "wanted", counts) for place, counts in said.items() if found[place] != counts} == {}


def test_each_files_books_balance(taken_in: Ledger) -> None:
    told = ("published", "quarantined", "duplicate", "held_back")
    assert [place for place, row in taken_in.items() if row["records"] != sum(row[name] for name in told)] == []


def test_what_is_quarantined_says_where_it_was_and_why(declared: TestLake, taken_in: Ledger) -> None:
    rows = declared.rows(
        "select source, _source_file, _row, reasons, detail, raw from bronze.quarantine "
        "where layer = 'bronze' and tenant_id = 'rotten-files'"
    )
    assert len(rows) == sum(row["quarantined"] for row in taken_in.values())
    assert [row for row in rows if not row["reasons"] or row["_row"] < 1 or not row["_source_file"]] == []
    by_name = {(row["source"], row["_source_file"].split("/tenant=rotten-files/")[1]): row for row in rows}
    assert "unpacks to more than 200 times" in by_name[LINES, "bomb.jsonl.gz"]["detail"]
    assert "a zip archive; unpack it" in by_name[LINES, "archive.zip"]["detail"]
    assert by_name[LINES, "cut.jsonl.gz"]["_row"] == 4
    assert (by_name[LINES, "long.jsonl"]["_row"], len(by_name[LINES, "long.jsonl"]["raw"])) == (2, CUT_BYTES)
    assert by_name[CSV, "r7-plain.csv"]["detail"] == "not 3 cells"


def test_a_file_of_which_not_all_is_in_a_table_says_so_and_is_kept(taken_in: Ledger) -> None:
    kept = {name for (source, name), row in taken_in.items() if source == LINES and row["reason"]}
    assert kept == {"cut.jsonl.gz", "head.jsonl.gz", "padded.jsonl.gz", "noise.zst", "archive.zip", "bomb.jsonl.gz", "long.jsonl"}


def test_a_second_run_finds_nothing_to_do_and_no_copies_are_left(declared: TestLake, taken_in: Ledger) -> None:
    before = declared.versions()
    for source in FORMATS:
        declared.run(declared.new_run(), source=source, gold=False)
    assert declared.versions() == before
    left = declared.store.list_objects_v2(Bucket=declared.settings.lake_bucket, Prefix="ctl/split/")
    assert [found["Key"] for found in left.get("Contents", []) if "/rotten_" in found["Key"]] == []


def test_a_time_that_cannot_be_is_kept_and_flagged(declared: TestLake, taken_in: Ledger) -> None:
    bronze = declared.rows("select distinct year(event_time) as y, time_quality from bronze.rotten_lines where time_quality <> 'plausible'")
    assert {(row["y"], row["time_quality"]) for row in bronze} == {(1970, "too_early"), (9999, "too_late")}
