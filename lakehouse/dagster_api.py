"""Asking a running Dagster over its GraphQL interface to start a job, from processes that do not load Dagster.

Does not belong here: what a job does (assets), or waiting for it (infra.orchestrator).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings

LOCATION = "lake"
"""Name of the code location in Dagster's workspace."""
REPOSITORY = "__repository__"
"""Dagster's own name of the repository that a module's definitions make."""
TRIGGER_TAG = "lakehouse/trigger"
"""Tag of a run that tells what started it."""
RELEASE, REPROCESS = "release", "reprocess"
CHOICES = {RELEASE: "held_back", REPROCESS: "rejected"}
"""The jobs that publish what waits in quarantine, and the step of each that is told, as its configuration, which rows it is about."""
TAKEN = "LaunchRunSuccess"
CONNECT_S, ANSWER_S, ALIVE_S = 2, 30, 1

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}
"""


def config_of(job: str, asked: Mapping[str, str | None]) -> dict[str, Any]:
    """The run configuration of a job of `CHOICES`; values that are not given are left out."""
    return {"ops": {CHOICES[job]: {"config": {name: value for name, value in asked.items() if value}}}}


def launch_job(settings: Settings, job: str, config: Mapping[str, Any], *, trigger: str = "manual") -> str:
    """Have Dagster run a job. Returns the id of the run.

    Args:
        job: name of the job.
        config: its run configuration.
        trigger: what started it, as `ops.run_log` tells it.

    Raises:
        InfrastructureError: Dagster does not answer, or not as it should.
        ConfigurationError: Dagster does not take the run: there is no such job, or the configuration does not fit it.
    """
    selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "jobName": job}
    tags = [{"key": TRIGGER_TAG, "value": trigger}]
    params = {"selector": selector, "runConfigData": dict(config), "executionMetadata": {"tags": tags}}
    answer = _asked(settings, LAUNCH, {"params": params})["launchRun"]
    if answer["__typename"] != TAKEN:
        raise ConfigurationError(f"Dagster did not take the run of {job}: {_reason(answer)}", next_step="see `lakehouse logs dagster-code`")
    return str(answer["run"]["runId"])


def is_answering(settings: Settings) -> bool:
    """Whether a Dagster is known and answers within a second."""
    if not settings.dagster_url:
        return False
    try:
        return requests.get(f"{_address(settings)}/server_info", timeout=ALIVE_S).ok
    except requests.RequestException:
        return False


def _address(settings: Settings) -> str:
    if not settings.dagster_url:
        raise InfrastructureError("no Dagster is known", next_step="run `lakehouse up`, which starts it")
    return settings.dagster_url.rstrip("/")


def _asked(settings: Settings, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    address = _address(settings)
    try:
        response = requests.post(
            f"{address}/graphql", json={"query": query, "variables": dict(variables)}, timeout=(CONNECT_S, ANSWER_S), allow_redirects=False
        )
        answer = response.json()
    except requests.ConnectionError as error:
        raise InfrastructureError(f"Dagster does not answer at {address}", next_step="run `lakehouse up`, which starts it") from error
    except (requests.RequestException, ValueError) as error:
        raise InfrastructureError(f"Dagster did not answer as it should: {str(error)[:300]}", next_step="run `lakehouse status`") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
        raise InfrastructureError(
            f"Dagster refused what it was asked: {str(answer)[:300]}", next_step="see `lakehouse logs dagster-webserver`"
        )
    return dict(answer["data"])


def _reason(answer: Mapping[str, Any]) -> str:
    errors = answer.get("errors") or [answer]
    return "; ".join(str(error.get("message", "")) for error in errors)[:300]
