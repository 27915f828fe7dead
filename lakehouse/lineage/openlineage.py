"""Recorded attempts as OpenLineage run events, for tools that gather lineage: Marquez, DataHub, OpenMetadata.

A step of a pipeline is a job, an attempt at it a run of that job, with the orchestrator's run as its parent. The checks of an attempt are a
run of a job of their own, which reads the table: OpenLineage knows assertions of what is read only. Ids follow from the facts, so that to
export an attempt again changes nothing. Source: https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets beside it.

Does not belong here: reading the facts (lakehouse.lineage.attempts), data sets (lakehouse.lineage.datasets), or sending (.sending).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import InputDatasetFacet, OutputDatasetFacet, RunFacet
from openlineage.client.generated import parent_run
from openlineage.client.generated.data_quality_assertions_dataset import Assertion, DataQualityAssertionsDatasetFacet
from openlineage.client.generated.error_message_run import ErrorMessageRunFacet
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.nominal_time_run import NominalTimeRunFacet
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet
from openlineage.client.generated.processing_engine_run import ProcessingEngineRunFacet
from openlineage.client.uuid import generate_static_uuid

from lakehouse.lineage.attempts import Attempt, Row
from lakehouse.lineage.datasets import DataSets
from lakehouse.tables import Layer

PRODUCER = "urn:clearlake"
ENDED = {
    "SUCCEEDED": RunState.COMPLETE,
    "SUCCEEDED_WITH_WARNINGS": RunState.COMPLETE,
    "FAILED": RunState.FAIL,
    "TERMINATED": RunState.ABORT,
    "SKIPPED_UPSTREAM": RunState.ABORT,
    "MISSING": RunState.ABORT,
}
"""What a status of the run log is to OpenLineage; with any other the attempt is not over."""
ORCHESTRATED = "run"
"""Job of the orchestrator's runs: the run log does not tell which of its jobs one was of."""
STOPS_THE_STEP = ("block", "slice")
"""Severities of checks that keep data from being published."""

set_producer(PRODUCER)


def run_events(attempt: Attempt, namespace: str, datasets: DataSets) -> Iterator[RunEvent]:
    """The events of an attempt and of its checks in the order of time: START if it began, and how it ended if it has.

    Args:
        namespace: of the jobs, one for each instance.
    """
    yield from _Told(attempt, namespace, datasets).events()


class _Told:
    def __init__(self, attempt: Attempt, namespace: str, datasets: DataSets) -> None:
        self._attempt, self._facts = attempt, attempt.facts
        self._namespace, self._datasets = namespace, datasets
        self._job = f"{self._facts['pipeline']}.{self._facts['asset']}"
        self._run_id = str(self._id(self._job))

    def events(self) -> Iterator[RunEvent]:
        facts, end = self._facts, ENDED.get(self._facts["status"])
        begun = facts["started_at"]
        if begun:
            yield self._event(RunState.START, begun, self._job, self._run_id, self._about(ended=False), "TASK")
        if self._attempt.checks:
            yield from self._checks(self._attempt.checks)
        if end:
            at = facts["ended_at"] or begun or facts["nominal_start"]
            read, written = self._inputs(), self._outputs(is_published=end is RunState.COMPLETE)
            yield self._event(end, at, self._job, self._run_id, self._about(ended=True), "TASK", read, written)

    def _id(self, job: str) -> UUID:
        """The same for the same attempt, and later ones sort behind it."""
        facts = self._facts
        at = facts["started_at"] or facts["nominal_start"] or datetime.fromtimestamp(0, UTC)
        return generate_static_uuid(at, f"{self._namespace}/{facts['run_id']}/{job}/{facts['attempt']}".encode())

    def _event(
        self,
        state: RunState,
        at: datetime,
        job: str,
        run_id: str,
        facets: Mapping[str, RunFacet],
        kind: str,
        inputs: Sequence[InputDataset] = (),
        outputs: Sequence[OutputDataset] = (),
    ) -> RunEvent:
        told = Job(self._namespace, job, {"jobType": JobTypeJobFacet("BATCH", "CLEARLAKE", kind)})
        return RunEvent(
            eventTime=_utc(at), eventType=state, run=Run(run_id, dict(facets)), job=told, inputs=list(inputs), outputs=list(outputs)
        )

    def _about(self, *, ended: bool) -> dict[str, RunFacet]:
        facts = self._facts
        told: dict[str, RunFacet] = {"parent": self._parent()}
        if facts["nominal_start"]:
            due = facts["expected_end"]
            told["nominalTime"] = NominalTimeRunFacet(_utc(facts["nominal_start"]), _utc(due) if due else None)
        if facts["code_version"]:
            told["processing_engine"] = ProcessingEngineRunFacet(facts["code_version"], "Clearlake")
        if ended and facts["error_message"]:
            named = ": ".join(filter(None, (facts["error_class"], facts["error_message"])))
            told["errorMessage"] = ErrorMessageRunFacet(named, "PYTHON")
        return told

    def _parent(self) -> parent_run.ParentRunFacet:
        facts, root = self._facts, None
        if facts["parent_run_id"]:
            run = parent_run.RootRun(self._orchestrated(facts["parent_run_id"]))
            root = parent_run.Root(run, parent_run.RootJob(self._namespace, ORCHESTRATED))
        run_id = self._orchestrated(facts["run_id"])
        return parent_run.ParentRunFacet(parent_run.Run(run_id), parent_run.Job(self._namespace, ORCHESTRATED), root)

    def _orchestrated(self, run_id: str) -> str:
        """The id of a run of the orchestrator's, which is a UUID; one outside it may have any other name."""
        try:
            return str(UUID(run_id))
        except ValueError:
            return str(uuid5(NAMESPACE_URL, f"{PRODUCER}/{self._namespace}/{run_id}"))

    def _inputs(self) -> list[InputDataset]:
        return self._datasets.inputs(self._attempt.inputs, self._facts["rows_read"])

    def _outputs(self, *, is_published: bool) -> list[OutputDataset]:
        facts = self._facts
        if facts["layer"] not in list(Layer):
            return []
        if not is_published:
            return [self._datasets.output(facts["asset"], version=None, schema=facts["schema_hash"])]
        return [
            self._datasets.output(
                facts["asset"],
                version=facts["version_after"],
                schema=facts["schema_hash"],
                columns=self._attempt.columns,
                measured=_written(facts),
            )
        ]

    def _checks(self, checks: Sequence[Row]) -> Iterator[RunEvent]:
        job = f"{self._job}.checks"
        run_id = str(self._id(job))
        above = parent_run.ParentRunFacet(parent_run.Run(self._run_id), parent_run.Job(self._namespace, self._job), self._parent().root)
        assertions: dict[str, InputDatasetFacet] = {
            "dataQualityAssertions": DataQualityAssertionsDatasetFacet([_assertion(check) for check in checks])
        }
        looked_at = [self._datasets.table(self._facts["asset"], self._facts["version_after"], assertions)]
        has_failed = any(check["outcome"] in ("failed", "not_evaluated") and check["severity"] in STOPS_THE_STEP for check in checks)
        end = RunState.FAIL if has_failed else RunState.COMPLETE
        about: dict[str, RunFacet] = {"parent": above}
        yield self._event(RunState.START, checks[0]["recorded_at"], job, run_id, about, "TEST")
        yield self._event(end, checks[-1]["recorded_at"], job, run_id, about, "TEST", looked_at)


def _assertion(check: Row) -> Assertion:
    return Assertion(
        assertion=check["check_type"],
        success=check["outcome"] == "passed",
        column=check["column_name"],
        severity="error" if check["severity"] in STOPS_THE_STEP else "warn",
        name=check["check_name"],
        expected=check["expected"],
        actual=None if check["observed"] is None else f"{check['observed']:g}",
        params=_known({name: check[name] for name in ("outcome", "rows_tested", "rows_failed")}),
    )


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _written(facts: Row) -> dict[str, OutputDatasetFacet]:
    counts = [facts[name] for name in ("rows_inserted", "rows_updated") if facts[name] is not None]
    rows, size, files = sum(counts) if counts else None, facts["bytes_written"], facts["files_written"]
    if rows is None and size is None and files is None:
        return {}
    return {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows, size=size, fileCount=files)}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
