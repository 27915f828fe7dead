"""Asking Dagster to run something, and waiting for it.

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
from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

from assets.resources import TRIGGER_TAG
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings

POLL_S = 0.5
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
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


def launch(
    settings: Settings, job: str, *, selection: Sequence[str] = (), config: dict[str, Any] | None = None, trigger: str = "cli"
) -> Launched:
    """Have Dagster run a job, or some tables of it.

    Args:
        selection: table names; empty for the whole job.

    Raises InfrastructureError where Dagster does not answer.
    """
    logging.getLogger("gql.transport").setLevel(logging.WARNING)
    if not settings.dagster_url:
        raise ConfigurationError("no Dagster is known", next_step="run `lakehouse up`")
    address = urlsplit(settings.dagster_url)
    try:
        client = DagsterGraphQLClient(address.hostname or "", port_number=address.port, use_https=address.scheme == "https")
        run_id = client.submit_job_execution(
            job,
            run_config=config or {},
            tags={TRIGGER_TAG: trigger},
            asset_selection=[dg.AssetKey(name.split(".")) for name in selection] or None,
        )
    except UNREACHABLE as error:
        raise InfrastructureError(f"Dagster did not take the run: {str(error)[:300]}", next_step="run `lakehouse status`") from error
    return Launched(run_id, client)
