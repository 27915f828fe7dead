"""Asking Dagster to run something or to load its definitions anew, and waiting for it.

Does not belong here: what runs (assets), or how a result is shown.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import requests
from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError, ReloadRepositoryLocationStatus

from lakehouse.dagster_api import LOCATION, TRIGGER_TAG
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings

POLL_S = 0.5
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
FAILURES = """
query Failures($run: ID!) {
  runOrError(runId: $run) {
    ... on Run { eventConnection { events { ... on ExecutionStepFailureEvent { error { className causes { className } } } } } }
  }
}
"""
UNREACHABLE = (DagsterGraphQLClientError, requests.RequestException, OSError)


@dataclass(frozen=True)
class Launched:
    """A run that Dagster has taken."""

    run_id: str
    client: DagsterGraphQLClient

    def states(self) -> Iterator[dg.DagsterRunStatus]:
        """The run's state, again and again until it has finished; a moment without an answer is waited out."""
        while True:
            try:
                state = self.client.get_run_status(self.run_id)
            except UNREACHABLE:
                time.sleep(POLL_S)
                continue
            yield state
            if state in FINISHED:
                return
            time.sleep(POLL_S)

    def error_classes(self) -> set[str]:
        """Names of the classes of the errors, and of their causes, that steps of the run failed with.

        Raises InfrastructureError where Dagster does not answer.
        """
        try:
            found = self.client._execute(FAILURES, {"run": self.run_id})
        except UNREACHABLE as error:
            raise InfrastructureError(f"Dagster does not tell why run {self.run_id} failed: {str(error)[:300]}") from error
        errors = [event["error"] for event in found["runOrError"]["eventConnection"]["events"] if event.get("error")]
        return {one["className"] for error in errors for one in (error, *error["causes"])}


def launch(
    settings: Settings, job: str, *, selection: Sequence[str] = (), config: dict[str, Any] | None = None, trigger: str = "cli"
) -> Launched:
    """Have Dagster run a job, or some tables of it.

    Args:
        selection: table names; empty for the whole job.

    Raises InfrastructureError where Dagster does not answer.
    """
    try:
        client = _client(settings)
        run_id = client.submit_job_execution(
            job,
            run_config=config or {},
            tags={TRIGGER_TAG: trigger},
            asset_selection=[dg.AssetKey(name.split(".")) for name in selection] or None,
        )
    except UNREACHABLE as error:
        raise _without_answer(settings, error, "Dagster did not take the run") from error
    return Launched(run_id, client)


def reload_definitions(settings: Settings) -> None:
    """Have Dagster load its definitions anew, and return when it works with them; runs under way finish with the old ones.

    Raises:
        InfrastructureError: Dagster does not answer.
        ConfigurationError: the definitions cannot be loaded.
    """
    try:
        answer = _client(settings).reload_repository_location(LOCATION)
    except UNREACHABLE as error:
        raise _without_answer(settings, error, "Dagster did not load the definitions") from error
    if answer.status is not ReloadRepositoryLocationStatus.SUCCESS:
        raise ConfigurationError(f"the definitions cannot be loaded: {answer.message}", next_step="see `lakehouse logs dagster-code`")


def _without_answer(settings: Settings, error: Exception, subject: str) -> InfrastructureError:
    if "Failed to establish a new connection" in str(error) or isinstance(error, requests.ConnectionError):
        return InfrastructureError(f"{subject}: nothing answers at {settings.dagster_url}", next_step="run `lakehouse up`, which starts it")
    return InfrastructureError(f"{subject}: {str(error)[:300]}", next_step="run `lakehouse status`")


def _client(settings: Settings) -> DagsterGraphQLClient:
    logging.getLogger("gql.transport").setLevel(logging.WARNING)
    if not settings.dagster_url:
        raise ConfigurationError("no Dagster is known", next_step="run `lakehouse up`")
    address = urlsplit(settings.dagster_url)
    return DagsterGraphQLClient(address.hostname or "", port_number=address.port, use_https=address.scheme == "https")
