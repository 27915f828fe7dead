"""Recorded attempts as OpenLineage events: valid by its schemas, and what the run log says."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from openlineage.client.serde import Serde

from lakehouse.lineage.attempts import EVER, attempts
from lakehouse.lineage.datasets import DataSets
from lakehouse.lineage.openlineage import ENDED, run_events
from lakehouse.settings import Settings
from lakehouse.tables import TABLES, bronze_table, table
from lakehouse.tables.ops import RUN_STATUSES
from tests.unit.dash_app.facts import FakeReader
from tests.unit.lineage.facts import BRONZE, FILES, FIRST, GOLD, ROOT, SECOND, SILVER, at, check, edge, reader, step
from tests.unit.lineage.schemas import broken

Event = dict[str, Any]
LAKE = "s3://lake"


def exported(facts: FakeReader, since: datetime = EVER, run_id: str = "", **settings: Any) -> list[Event]:
    datasets = DataSets(Settings(**settings), [bronze_table("okta", "data-team"), *TABLES.values()])
    found = attempts(facts, since=since, run_id=run_id)
    return [Serde.to_dict(event) for attempt in found for event in run_events(attempt, "here", datasets)]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return exported(reader(), metastore_uri="thrift://meta:9083")


def only(events: list[Event], job: str, state: str, number: int = 0) -> Event:
    return [e for e in events if e["job"]["name"] == job and e["eventType"] == state][number]


def test_every_event_is_valid_by_openlineages_own_schemas(events: list[Event]) -> None:
    assert len(events) > 15
    assert [problem for event in events for problem in broken(event)] == []


def test_the_schemas_find_what_is_wrong(events: list[Event]) -> None:
    wrong = {**only(events, f"okta.{SILVER}", "COMPLETE"), "eventType": "DONE"}
    wrong["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] = "many"
    assert len(broken(wrong)) == 2
    wrong["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] = 82


def test_each_attempt_begins_and_ends_once_in_the_words_of_openlineage(events: list[Event]) -> None:
    told = [(e["job"]["name"], e["eventType"], e["eventTime"][11:16]) for e in events if not e["job"]["name"].endswith(".checks")]
    assert told == [
        (f"okta.{BRONZE}", "START", "09:00"), (f"okta.{BRONZE}", "COMPLETE", "09:01"),
        (f"okta.{SILVER}", "START", "09:01"), (f"okta.{SILVER}", "COMPLETE", "09:02"),
        (f"gold.{GOLD}", "START", "09:02"), (f"gold.{GOLD}", "COMPLETE", "09:03"),
        (f"okta.{SILVER}", "START", "10:01"), (f"okta.{SILVER}", "COMPLETE", "10:02"),
        (f"gold.{GOLD}", "START", "10:02"), (f"gold.{GOLD}", "FAIL", "10:03"),
        ("gold.gold.user_days", "ABORT", "10:03"),
        (f"okta.{BRONZE}", "START", "11:00"),
        (f"okta.{BRONZE}", "START", "11:10"), (f"okta.{BRONZE}", "ABORT", "11:10"),
        (f"okta.{BRONZE}", "ABORT", "11:25"),
        ("okta.dagster.runs", "START", "11:40"), ("okta.dagster.runs", "COMPLETE", "11:41"),
    ]  # fmt: skip
    assert all(e["eventTime"].endswith("Z") for e in events)
    assert set(RUN_STATUSES) - set(ENDED) == {"PENDING", "RUNNING", "LATE"}


def test_landed_files_are_the_folder_of_their_source_and_which_files_of_it(events: list[Event]) -> None:
    [read] = only(events, f"okta.{BRONZE}", "COMPLETE")["inputs"]
    assert (read["namespace"], read["name"]) == ("s3://landing", "okta")
    assert read["inputFacets"]["subset"]["inputCondition"] == {"type": "location", "locations": [f"s3://landing/{name}" for name in FILES]}
    assert read["inputFacets"]["inputStatistics"]["fileCount"] == 2
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 100


def test_tables_are_their_place_in_the_bucket_with_versions_and_their_name_in_the_catalog(events: list[Event]) -> None:
    event = only(events, f"okta.{SILVER}", "COMPLETE")
    [read], [written] = event["inputs"], event["outputs"]
    assert [(d["namespace"], d["name"], d["facets"]["version"]["datasetVersion"]) for d in (read, written)] == [
        (LAKE, "bronze/okta", "4"),
        (LAKE, "silver/auth_events", "7"),
    ]
    assert written["facets"]["symlinks"]["identifiers"] == [{"namespace": "hive://meta:9083", "name": SILVER, "type": "TABLE"}]
    assert [f["name"] for f in written["facets"]["schema"]["fields"]] == list(table(SILVER).column_names)
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 82


def test_a_schema_that_was_another_when_the_table_was_written_is_not_told(events: list[Event]) -> None:
    assert "schema" not in only(events, f"gold.{GOLD}", "COMPLETE")["outputs"][0]["facets"]


def test_columns_are_told_apart_from_those_that_decide_which_rows_there_are(events: list[Event]) -> None:
    found = only(events, f"okta.{SILVER}", "COMPLETE")["outputs"][0]["facets"]["columnLineage"]
    fields = {
        made: [(f["name"], f["field"], f["transformations"][0]["type"]) for f in read["inputFields"]]
        for made, read in found["fields"].items()
    }
    assert fields == {
        "outcome": [("bronze/okta", "raw", "DIRECT")],
        "tenant_id": [("bronze/okta", "tenant_id", "DIRECT")],
    }
    assert [(f["field"], f["transformations"][0]["type"]) for f in found["dataset"]] == [("raw", "INDIRECT")]


def test_column_edges_hold_until_they_are_told_anew() -> None:
    facts = reader()
    edges = [*facts.rows("select * from ops.lineage_edges"), edge("third", SILVER, 9, BRONZE, 5, 200.9)]
    facts.put("ops.lineage_edges", [*edges, edge("third", SILVER, 9, BRONZE, 5, 200.9, "raw", "action")])
    facts.put("ops.run_events", [*facts.rows("select * from ops.run_events"), *step("third", SILVER, 200, version_after=9)])
    made = [
        set(only(exported(facts), f"okta.{SILVER}", "COMPLETE", n)["outputs"][0]["facets"]["columnLineage"]["fields"]) for n in range(3)
    ]
    assert made == [{"outcome", "tenant_id"}, {"outcome", "tenant_id"}, {"action"}]


def test_checks_are_a_job_that_reads_the_table(events: list[Event]) -> None:
    event = only(events, f"okta.{SILVER}.checks", "COMPLETE")
    assert event["outputs"] == []
    assert event["run"]["facets"]["parent"]["job"]["name"] == f"okta.{SILVER}"
    [looked_at] = event["inputs"]
    assert (looked_at["name"], looked_at["facets"]["version"]["datasetVersion"]) == ("silver/auth_events", "7")
    first, second = looked_at["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {name: first[name] for name in ("assertion", "success", "column", "severity", "expected", "actual")} == {
        "assertion": "missing", "success": True, "column": "user_key", "severity": "error", "expected": "0 rows", "actual": "0",
    }  # fmt: skip
    assert (second["name"], second["actual"], "column" in second) == ("share", "0.25", False)


def test_a_broken_contract_fails_its_checks_and_publishes_no_version(events: list[Event]) -> None:
    assert (
        only(events, f"gold.{GOLD}.checks", "FAIL")["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0]["success"]
        is False
    )
    event = only(events, f"gold.{GOLD}", "FAIL")
    assert event["run"]["facets"]["errorMessage"]["message"] == "DataError: nothing published"
    assert [(d["name"], d["facets"]["version"]["datasetVersion"]) for d in event["inputs"]] == [("silver/auth_events", "8")]
    assert "version" not in event["outputs"][0]["facets"]
    assert event["outputs"][0]["outputFacets"] == {}


def test_a_warning_does_not_fail_the_checks() -> None:
    facts = reader()
    facts.put("ops.check_results", [check(FIRST, SILVER, 1.5, "warned", "warn"), check(FIRST, SILVER, 1.5, "failed", "row")])
    event = only(exported(facts), f"okta.{SILVER}.checks", "COMPLETE")
    assert [a["severity"] for a in event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]] == ["warn", "warn"]


def test_checks_of_another_attempt_in_the_same_run_are_not_an_attempts_own() -> None:
    facts = reader()
    again = step(SECOND, GOLD, 65, attempt=2, version_after=3)
    facts.put("ops.run_events", [*facts.rows("select * from ops.run_events"), *again])
    facts.put("ops.check_results", [*facts.rows("select * from ops.check_results"), check(SECOND, GOLD, 65.5)])
    checks = [e for e in exported(facts, run_id=SECOND) if e["job"]["name"] == f"gold.{GOLD}.checks" and e["eventType"] != "START"]
    assert [e["eventType"] for e in checks] == ["FAIL", "COMPLETE"]
    assert [len(e["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]) for e in checks] == [1, 1]


def test_a_run_has_the_orchestrators_as_its_parent_and_when_it_was_due(events: list[Event]) -> None:
    facets = only(events, f"okta.{BRONZE}", "START")["run"]["facets"]
    assert (facets["parent"]["run"]["runId"], facets["parent"]["root"]["run"]["runId"]) == (FIRST, ROOT)
    assert facets["processing_engine"]["version"] == "4f1c2ab"
    due = only(events, f"okta.{BRONZE}", "ABORT", 1)["run"]["facets"]["nominalTime"]
    assert (due["nominalStartTime"][11:16], due["nominalEndTime"][11:16]) == ("11:25", "11:29")


def test_ids_are_the_same_whenever_they_are_told_and_others_for_each_attempt(events: list[Event]) -> None:
    again = exported(reader(), metastore_uri="thrift://meta:9083")
    assert again == events
    runs = {e["run"]["runId"] for e in events}
    assert len(runs) == 10 + 2
    assert all(str(UUID(run)) == run for run in runs)


def test_only_runs_of_which_something_was_recorded_since_are_told() -> None:
    assert {e["run"]["facets"]["parent"]["run"]["runId"] for e in exported(reader(), at(61)) if "checks" not in e["job"]["name"]} & {
        FIRST, SECOND,
    } == {SECOND}  # fmt: skip
    assert exported(reader(), at(10_000)) == []
    assert {e["eventTime"][11:13] for e in exported(reader(), run_id=SECOND[:36])} == {"10"}


def test_what_is_no_table_is_no_data_set(events: list[Event]) -> None:
    event = only(events, "okta.dagster.runs", "COMPLETE")
    assert (event["inputs"], event["outputs"]) == ([], [])
