"""Each fact leaves as points with its name, unit, value, time and attributes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from lakehouse.settings import Settings
from lakehouse.tables import table
from lakehouse.telemetry import Telemetry
from lakehouse.telemetry.cursor import micros
from lakehouse.telemetry.instruments import ALL, MEASURED, TOLD_BY_ATTEMPTS
from tests.otlp import Backend
from tests.unit.telemetry.memory import NOW, Facts, attempt, measured

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "export-metrics.md"
HOUR = timedelta(hours=1)
WHERE = {"clearlake.pipeline": "okta", "clearlake.table": "silver.auth_events"}


def without_incidents(backend: Backend) -> list[tuple[str, str, float, dict[str, str]]]:
    return [(p.name, p.unit, p.value, p.attributes) for p in backend.points if p.name != "clearlake.incident.open"]


def test_an_attempt_leaves_with_its_counts_at_the_time_of_its_end(telemetry: Telemetry, facts: Facts, backend: Backend) -> None:
    ended = NOW - timedelta(minutes=7, microseconds=3)
    row = attempt("SUCCEEDED", ended_at=ended, duration_s=2.5, rows_inserted=40, rows_quarantined=0, bytes_written=1000, checks_passed=3)
    facts.append("ops.run_events", NOW, row)
    telemetry.send(NOW)
    about = {**WHERE, "clearlake.status": "SUCCEEDED"}
    assert sorted(without_incidents(backend), key=lambda told: told[0]) == [
        ("clearlake.step.attempts", "{attempt}", 1, about),
        ("clearlake.step.bytes_written", "By", 1000, about),
        ("clearlake.step.checks_passed", "{check}", 3, about),
        ("clearlake.step.duration", "s", 2.5, about),
        ("clearlake.step.rows_inserted", "{row}", 40, about),
        ("clearlake.step.rows_quarantined", "{row}", 0, about),
    ]
    assert {p.time_us for p in backend.points if p.name.startswith("clearlake.step")} == {micros(ended)}


def test_a_failed_attempt_tells_the_class_of_its_error_and_no_message(telemetry: Telemetry, facts: Facts, backend: Backend) -> None:
    facts.append("ops.run_events", NOW, attempt("FAILED", error_class="DataError", error_message="secret words"))
    telemetry.send(NOW)
    assert without_incidents(backend) == [
        ("clearlake.step.attempts", "{attempt}", 1, {**WHERE, "clearlake.status": "FAILED", "error.type": "DataError"})
    ]


def test_a_verdict_is_of_when_it_was_given_and_a_missing_run_of_when_it_was_due(
    telemetry: Telemetry, facts: Facts, backend: Backend
) -> None:
    told = NOW - timedelta(minutes=1)
    verdict = {"fact": "verdict", "ended_at": None}
    missing = [attempt("MISSING", **verdict, expected_end=NOW - n * HOUR) for n in (1, 2)]
    facts.append("ops.run_events", told, attempt("TERMINATED", **verdict, started_at=NOW - HOUR), *missing)
    telemetry.send(NOW)
    times = {(p.attributes.get("clearlake.status"), p.time_us) for p in backend.points if p.name == "clearlake.step.attempts"}
    assert times == {("TERMINATED", micros(told)), ("MISSING", micros(NOW - HOUR)), ("MISSING", micros(NOW - 2 * HOUR))}


def test_what_has_only_started_or_is_late_does_not_leave(telemetry: Telemetry, facts: Facts, backend: Backend) -> None:
    facts.append("ops.run_events", NOW, attempt("RUNNING", fact="start"), attempt("LATE", fact="verdict"))
    telemetry.send(NOW)
    assert without_incidents(backend) == []


def test_a_tenants_buckets_add_up_under_another_name_than_the_batch_as_a_whole(
    telemetry: Telemetry, facts: Facts, backend: Backend
) -> None:
    hours = [{"tenant_id": "acme", "bucket_start": NOW - n * HOUR, "bucket_s": 3600} for n in (1, 2)]
    facts.append(
        "ops.metrics", NOW,
        measured("rows", 12.0), measured("rows", 5.0, **hours[0]), measured("rows", 4.0, **hours[1]),
        measured("value_rows", 3.0, **hours[0], dimension="outcome=failure"), measured("freshness_s", 61.5),
    )  # fmt: skip
    telemetry.send(NOW)
    acme = {**WHERE, "clearlake.tenant": "acme"}
    assert sorted(without_incidents(backend), key=lambda told: told[0]) == [
        ("clearlake.batch.freshness", "s", 61.5, WHERE),
        ("clearlake.batch.rows", "{row}", 12, WHERE),
        ("clearlake.tenant.rows", "{row}", 9, acme),
        ("clearlake.tenant.value_rows", "{row}", 3, {**acme, "clearlake.dimension": "outcome=failure"}),
    ]
    assert {p.time_us for p in backend.points} == {micros(NOW)}


def test_a_measurement_that_this_version_does_not_know_stays(telemetry: Telemetry, facts: Facts, backend: Backend) -> None:
    facts.append("ops.metrics", NOW, measured("of_a_later_version", 1.0), measured("rows", 2.0))
    telemetry.send(NOW)
    assert [told[0] for told in without_incidents(backend)] == ["clearlake.batch.rows"]


def incident(name: str, event: str, **more: object) -> dict[str, object]:
    return {"incident_id": name, "event": event, "happened_at": NOW, "actor": "evaluator", "severity": "major", **more}


def test_open_incidents_are_counted_by_severity_once_a_minute(telemetry: Telemetry, facts: Facts, backend: Backend) -> None:
    facts.append("ops.incident_events", NOW, incident("one", "opened"), incident("two", "opened"))
    later = [NOW + timedelta(seconds=seconds) for seconds in (0, 59, 60)]
    assert telemetry.send(later[0]) == 3
    facts.append("ops.incident_events", later[1], incident("one", "resolved", happened_at=later[1]))
    assert [telemetry.send(now) for now in later[1:]] == [0, 3]
    told = [(p.time_us, p.value) for p in backend.points if p.attributes == {"clearlake.severity": "major"}]
    assert told == [(micros(later[0]), 2), (micros(later[2]), 1)]
    assert sum(p.value for p in backend.points) == 3


def test_the_resource_says_which_instance_it_is(settings: Settings, facts: Facts, backend: Backend) -> None:
    (settings.home / "instance.json").write_text('{"id": "i7"}')
    Telemetry(settings, facts).send(NOW)
    resource = backend.points[0].resource
    assert {name: resource[name] for name in ("service.name", "service.instance.id")} == {
        "service.name": "clearlake",
        "service.instance.id": "i7",
    }
    assert set(resource) == {"service.name", "service.instance.id", "service.version"}


def test_each_measurement_leaves_or_is_told_by_attempts() -> None:
    declared = next(column.values for column in table("ops.metrics").columns if column.name == "metric")
    assert {*MEASURED, *TOLD_BY_ATTEMPTS} == set(declared)


def test_names_are_unique_and_written_as_the_conventions_say() -> None:
    names = [instrument.name for instrument in ALL]
    assert len(set(names)) == len(names)
    assert [name for name in names if not name.replace(".", "").replace("_", "").islower() or name.count(".") != 2] == []


def test_the_page_has_just_the_metrics_that_leave() -> None:
    page = PAGE.read_text(encoding="utf-8").split("| attribute |")[0]
    lines = [line for line in page.splitlines() if line.startswith("| `clearlake.")]
    assert lines == [f"| `{i.name}` | `{i.unit}` | {i.description} |" for i in ALL], "take over what is printed here"
