"""Jobs are started over Dagster's GraphQL interface: in its own words, and with errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from lakehouse.dagster_api import CHOICES, LAUNCH, config_of, is_answering, launch_job
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings
from tests.dagster_stand_in import Dagster

NOBODY = Settings(dagster_url="http://127.0.0.1:9")


@pytest.fixture
def dagster() -> Iterator[Dagster]:
    made = Dagster()
    yield made
    made.stop()


def test_what_is_asked_is_valid_in_dagsters_own_schema():
    assert validate(create_schema().graphql_schema, parse(LAUNCH)) == []


def test_a_job_is_asked_for_by_its_name_with_its_configuration_and_what_started_it(dagster: Dagster):
    settings = Settings(dagster_url=f"{dagster.url}/")
    assert launch_job(settings, "release", config_of("release", {"source": "okta", "tenant_id": ""})) == "run-of-the-page"
    (asked,) = dagster.asked
    assert asked["selector"] == {"repositoryLocationName": "lake", "repositoryName": "__repository__", "jobName": "release"}
    assert asked["runConfigData"] == {"ops": {CHOICES["release"]: {"config": {"source": "okta"}}}}
    assert asked["executionMetadata"] == {"tags": [{"key": "lakehouse/trigger", "value": "manual"}]}


def test_a_refusal_is_told_in_dagsters_words(dagster: Dagster):
    dagster.answer = {
        "__typename": "RunConfigValidationInvalid",
        "errors": [{"message": "no field sauce"}, {"message": "source is missing"}],
    }
    with pytest.raises(ConfigurationError, match="no field sauce; source is missing"):
        launch_job(Settings(dagster_url=dagster.url), "reprocess", {})


def test_no_answer_and_no_address_say_what_starts_it():
    for settings in (NOBODY, Settings(dagster_url=None)):
        with pytest.raises(InfrastructureError) as told:
            launch_job(settings, "release", {})
        assert "lakehouse up" in told.value.next_step
        assert not is_answering(settings)
