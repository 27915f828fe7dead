"""What Dagster itself tells of each run that has ended, put into ops.event_log: also of runs whose worker died, or never began.

Runs are read from Dagster's own storage once they have ended, by a sensor, so that nothing depends on the worker. Dagster keeps no line of
the project's own loggers; those are lakehouse.ops.event_log's to keep.

Does not belong here: log lines of steps, or what is forgotten of Dagster's history (assets.automation).
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy.exc import SQLAlchemyError

from assets.rendering import name_of
from assets.resources import pipelines_of, run_of
from lakehouse.errors import LakehouseError
from lakehouse.ops.error_text import heading, java_frames, without_values
from lakehouse.ops.event_log import line
from lakehouse.ops.runs import record_skipped
from lakehouse.ops.store import OpsReader, OpsWriter, Reader
from lakehouse.settings import settings
from lakehouse.sources import Source, declared_tables
from lakehouse.store import store_errors

INTERVAL_S = 30
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
SETTLED = timedelta(seconds=20)
"""How long after its end a run is read: its process tells of its own end a moment after the run's."""
OVERLAP = timedelta(minutes=10)
"""How far back from the newest run that was read others are looked for, that ended before it and were stored after it."""
MOST_RUNS = 40
"""Runs of one tick; with those of the last tick's overlap, a fraction of a second of reading."""
ENGINE = "dagster.engine"
"""Logger of these lines, by which it is known of a run whether they are there."""
THERE = f"select distinct run_id from ops.event_log where logger = '{ENGINE}' and recorded_date >= ? and run_id in (select unnest(?))"


Event = dg.DagsterEventType
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """How far runs have been read: the newest end, and when each of the runs ended that were read within the overlap before it."""

    upto: datetime = BEGINNING
    read: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: str | None) -> Place:
        """The place that a cursor tells; the beginning where there is none."""
        told = json.loads(cursor) if cursor else None
        if not told:
            return cls()
        return cls(datetime.fromisoformat(told["upto"]), {run: datetime.fromisoformat(at) for run, at in told["read"].items()})

    def after(self, records: Sequence[dg.RunRecord]) -> Place:
        """The place once these runs are read too."""
        read = {**self.read, **{r.dagster_run.run_id: r.update_timestamp for r in records}}
        upto = max([self.upto, *read.values()])
        return Place(upto, {run: at for run, at in read.items() if at > upto - OVERLAP})

    def __str__(self) -> str:
        return json.dumps({"upto": self.upto.isoformat(), "read": {run: at.isoformat() for run, at in self.read.items()}})


def engine_log_sensor(sources: Mapping[str, Source]) -> dg.SensorDefinition:
    """The sensor that reads runs once they have ended."""

    @dg.sensor(minimum_interval_seconds=INTERVAL_S, default_status=dg.DefaultSensorStatus.RUNNING)
    def engine_log(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Put what Dagster tells of runs that have ended into ops.event_log. It asks for no run."""
        reader, writer, place = OpsReader(settings()), OpsWriter(settings()), Place.of(context.cursor)
        try:
            with store_errors():
                place, runs = harvest(context.instance, reader, writer, sources, place, datetime.now(UTC))
        except LakehouseError as error:
            return dg.SkipReason(f"tried again at the next tick: {error.message}")
        if runs:
            context.update_cursor(str(place))
        return dg.SkipReason(f"what Dagster tells of {runs} runs is recorded" if runs else "no further run has ended")

    return engine_log


def harvest(
    instance: dg.DagsterInstance, reader: Reader, writer: OpsWriter, sources: Mapping[str, Source], place: Place, now: datetime
) -> tuple[Place, int]:
    """Append what Dagster tells of the runs that have ended since a place, in one commit, and return the place after them and their number.

    The tables that a run was to make and did not come to, since its worker died or it was stopped, are recorded in the run log.
    Proof against dying in between: a run whose lines are there is passed over. Raises InfrastructureError where the store does not answer.
    """
    records = _ended(instance, place, now)
    if not records:
        return place, 0
    run_ids = [record.dagster_run.run_id for record in records]
    since = min(record.create_timestamp for record in records).date()
    there = {row["run_id"] for row in reader.rows(THERE, [since, run_ids])}
    rows = [row for run_id in run_ids if run_id not in there for row in lines_of(instance, writer, run_id)]
    if rows:
        writer.append_now("ops.event_log", rows)
    for record in records:
        if record.dagster_run.status is not dg.DagsterRunStatus.SUCCESS:
            _record_untried(instance, reader, writer, sources, record.dagster_run)
    return place.after(records), len(records)


def _ended(instance: dg.DagsterInstance, place: Place, now: datetime) -> list[dg.RunRecord]:
    """The next runs that have ended and were not read, those that ended first before the others."""
    wanted = dg.RunsFilter(statuses=ENDED, updated_after=max(place.upto - OVERLAP, BEGINNING), updated_before=now - SETTLED)
    found = instance.get_run_records(wanted, limit=MOST_RUNS + len(place.read), order_by="update_timestamp", ascending=True)
    return [record for record in found if record.dagster_run.run_id not in place.read]


TRIED = "select distinct asset from ops.run_events where run_id = ?"


def _record_untried(
    instance: dg.DagsterInstance, reader: Reader, writer: OpsWriter, sources: Mapping[str, Source], run: dg.DagsterRun
) -> None:
    """Record the tables of a run that no step of it was begun for; one that is recorded twice is one row of the run log."""
    looked_for = {Event.ASSET_MATERIALIZATION_PLANNED, Event.STEP_START, Event.STEP_SKIPPED}
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=looked_for) if entry.dagster_event]
    planned = {event.asset_key for event in events if event.asset_key and event.event_type is Event.ASSET_MATERIALIZATION_PLANNED}
    begun = {asset_of(event.step_key) for event in events if event.event_type is not Event.ASSET_MATERIALIZATION_PLANNED}
    missing = {name_of(key) for key in planned} - begun
    if not missing:
        return
    missing -= {row["asset"] for row in reader.rows(TRIED, [run.run_id])}
    tables = [declared for declared in declared_tables(sources) if declared.name in missing]
    steps = [(pipeline, declared) for declared in tables for pipeline in pipelines_of(sources, declared, planned)]
    record_skipped(writer, run_of(run), steps, "the run")


def lines_of(instance: dg.DagsterInstance, writer: OpsWriter, run_id: str) -> list[dict[str, Any]]:
    """What Dagster tells of a run, as rows of ops.event_log; where it cannot be read any more, a line that says so."""
    try:
        entries = [entry for entry in instance.all_logs(run_id) if _is_telling(entry)]
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 - one run that Dagster cannot read must not keep back all that come after it
        told = f"What Dagster tells of this run cannot be read: {type(error).__name__}"
        return [line(writer.redact, run_id, None, "ERROR", ENGINE, told, datetime.now(UTC))]
    step_failed = any(entry.dagster_event and entry.dagster_event.is_step_failure for entry in entries)
    return [
        line(writer.redact, run_id, asset_of(entry.step_key), level_of(entry), ENGINE, message_of(entry, step_failed), _time_of(entry))
        for entry in entries
    ]


LEFT_OUT = frozenset({
    Event.ASSET_MATERIALIZATION_PLANNED, Event.ASSET_CHECK_EVALUATION_PLANNED, Event.ASSET_CHECK_EVALUATION, Event.STEP_INPUT,
    Event.STEP_OUTPUT, Event.HANDLED_OUTPUT, Event.LOADED_INPUT, Event.LOGS_CAPTURED, Event.RESOURCE_INIT_STARTED,
    Event.RESOURCE_INIT_SUCCESS,
})  # fmt: skip
"""Dagster's own bookkeeping, and checks, which ops.check_results has."""
ERRORS = frozenset({Event.STEP_FAILURE, Event.RUN_FAILURE, Event.RESOURCE_INIT_FAILURE, Event.HOOK_ERRORED})
WARNINGS = frozenset({Event.STEP_UP_FOR_RETRY, Event.STEP_SKIPPED, Event.RUN_CANCELING, Event.RUN_CANCELED})
ODD = re.compile(r"unexpected|crash|timed out|marking run|terminat|no longer|interrupt", re.IGNORECASE)
"""Words of engine events, which Dagster all logs at one level, that tell of a worker or a run that did not end as it should."""
WORDS = {
    Event.RUN_ENQUEUED: "The run waits in the queue.",
    Event.RUN_DEQUEUED: "The run has left the queue.",
    Event.RUN_STARTING: "The run is being launched.",
    Event.RUN_CANCELING: "The run was asked to stop.",
    Event.RUN_CANCELED: "The run was stopped before its end.",
    Event.RUN_SUCCESS: "The run succeeded.",
    Event.RUN_FAILURE: "The run failed.",
}
"""For events to which Dagster itself says nothing."""


def _is_telling(entry: dg.EventLogEntry) -> bool:
    return entry.dagster_event is None or entry.dagster_event.event_type not in LEFT_OUT


def level_of(entry: dg.EventLogEntry) -> str:
    """The level of a line: Dagster's own for log lines; of events by what they tell."""
    event = entry.dagster_event
    if event is None:
        return logging.getLevelName(entry.level)
    if event.event_type in ERRORS or _error_of(event):
        return "WARNING" if event.event_type in WARNINGS else "ERROR"
    is_odd = event.event_type is Event.ENGINE_EVENT and ODD.search(event.message or "")
    return "WARNING" if event.event_type in WARNINGS or is_odd else "INFO"


def message_of(entry: dg.EventLogEntry, step_failed: bool) -> str:
    """The text of a line: what Dagster says, and the error with its stack; a run's failure tells that only where no step does."""
    event = entry.dagster_event
    if event is None:
        return entry.user_message
    said = event.message or WORDS.get(event.event_type, event.event_type_value)
    error = None if step_failed and event.is_run_failure else _error_of(event)
    return f"{said}{_when_again(event)}" + (f"\n{told(error)}" if error else "")


def _when_again(event: dg.DagsterEvent) -> str:
    wait = event.step_retry_data.seconds_to_wait if event.event_type is Event.STEP_UP_FOR_RETRY else None
    return f" It is tried again in {wait:g} s." if wait else ""


def _error_of(event: dg.DagsterEvent) -> SerializableErrorInfo | None:
    error = getattr(event.event_specific_data, "error", None)
    return error if isinstance(error, SerializableErrorInfo) else None


def _time_of(entry: dg.EventLogEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp, UTC)


def asset_of(step_key: str | None) -> str | None:
    """The table or step of a step's key: `gold__auth_daily` is `gold.auth_daily`."""
    layers = ("landing", "bronze", "silver", "gold")
    layer, double, name = (step_key or "").partition("__")
    return f"{layer}.{name}" if double and layer in layers else step_key


WRAPPERS = ("Failure", "RetryRequested")
"""With these a step ends; what went wrong stands in their cause."""
QUALIFIED = re.compile(r"([\w.]+\.)?(\w+)(?:: |$)")


def told(error: SerializableErrorInfo) -> str:
    """An error as Dagster keeps it, with its causes, outermost first, without values of the data."""
    return "\ncaused by ".join(f"{_headline(one)}\n{_frames(one)}".rstrip() for one in _chain(error))


def _chain(error: SerializableErrorInfo) -> Iterator[SerializableErrorInfo]:
    current: SerializableErrorInfo | None = error
    while current is not None:
        yield current
        current = current.cause or current.context


def _headline(error: SerializableErrorInfo) -> str:
    name = error.cls_name or "Error"
    if name in WRAPPERS and (error.cause or error.context):
        return name
    found = QUALIFIED.match(error.message)
    module, text = (found.group(1) or "", error.message[found.end() :]) if found and found.group(2) == name else ("", error.message)
    return heading(name, text.strip() if _is_told_by_us(module.rstrip("."), name) else without_values(text, name))


def _is_told_by_us(module: str, name: str) -> bool:
    """Whether an error, of which Dagster keeps the name alone, is a LakehouseError."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and issubclass(kind, LakehouseError)


def _frames(error: SerializableErrorInfo) -> str:
    return "".join(error.stack) + java_frames(error.message)
