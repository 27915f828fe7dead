"""The commands that bring data in: what is wrong with a call is said before anything is done, and codes follow the cause."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import typer
from dagster_graphql.schema import create_schema
from graphql import parse, validate
from rich.console import Console

from infra import cli, orchestrator, outcome
from infra.commands import GROUPS, INTERRUPTED, runs
from infra.orchestrator import Launched
from lakehouse import settings as settings_module
from lakehouse.errors import ConfigurationError, DataError, InfrastructureError, LakehouseError
from lakehouse.ledger import Ledger
from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import ENV_PREFIX, SHIPPED_SOURCES, Settings
from lakehouse.sources import load_sources
from lakehouse.store import list_objects, s3_client
from lakehouse.tables import table
from tests.postgres import Database
from tests.pulling import EXAMPLE, NAME, prepare, row

Call = Callable[..., int]
NOWHERE = "http://127.0.0.1:9"
RUN_ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = cli.new_app()
    for group in GROUPS:
        importlib.import_module(f"infra.commands.{group}").register(made)
    return made


@pytest.fixture
def call(app: typer.Typer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Call]:
    """Carries out a command on an instance that is described by the environment.

    Keys of the user's own lie there too; what would go to AWS with them goes nowhere.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    monkeypatch.setenv(f"{ENV_PREFIX}HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own")

    def run(*arguments: str, **environment: str) -> int:
        for name, value in environment.items():
            monkeypatch.setenv(f"{ENV_PREFIX}{name.upper()}", value)
        settings_module.settings.cache_clear()
        return cli.run(app, list(arguments), verbose=False)

    yield run
    settings_module.settings.cache_clear()


@pytest.fixture
def on_store(call: Call, settings: Settings) -> Call:
    """The same on an instance that has a store."""
    assert settings.s3_access_key_id
    assert settings.s3_secret_access_key
    environment = {
        "s3_endpoint": settings.s3_endpoint or "",
        "s3_access_key_id": settings.s3_access_key_id.get_secret_value(),
        "s3_secret_access_key": settings.s3_secret_access_key.get_secret_value(),
        "lake_bucket": settings.lake_bucket, "landing_bucket": settings.landing_bucket, "dagster_url": NOWHERE,
    }  # fmt: skip
    return lambda *arguments: call(*arguments, **environment)


@pytest.fixture
def sample(tmp_path: Path) -> str:
    written = tmp_path / "sample.jsonl"
    written.write_text("{}\n")
    return str(written)


NEEDING_A_STORE = (
    ("land", "provider_events", "SAMPLE", "--tenant", "acme"),
    ("runs",),
    ("runs", "abc"),
    ("tenants", "list"),
    ("tenants", "add", "acme", "--name", "Acme"),
    ("simulate", "--events", "10"),
    ("rebuild",),
    ("release", "provider_events-0000000001", "--tenant", "acme"),
)


@pytest.mark.parametrize("arguments", NEEDING_A_STORE, ids=" ".join)
def test_without_an_instance_nothing_goes_to_a_store_of_someone_else(
    call: Call, sample: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert call(*(sample if a == "SAMPLE" else a for a in arguments)) == 2
    assert "There is no instance" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("run",), ("sources", "preview", "provider_events", "SAMPLE")], ids=" ".join)
def test_without_an_instance_there_is_nothing_to_run_on(
    call: Call, sample: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert call(*(sample if a == "SAMPLE" else a for a in arguments)) == 2
    assert "lakehouse up" in capsys.readouterr().err


@pytest.mark.parametrize("remote", [None, "sc://127.0.0.1:9"])
def test_without_spark_declarations_are_checked_but_for_their_expressions(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], remote: str | None
) -> None:
    known = {"spark_remote": remote} if remote else {}
    right = SHIPPED_SOURCES / "okta_system_log.yaml"
    assert call("sources", "validate", str(right), **known) == 0
    printed = capsys.readouterr()
    assert printed.out == "okta_system_log.yaml: fine\n"
    assert printed.err.startswith("Expressions were not checked: ")
    assert call("sources", "validate", str(right), "--json", **known) == 0
    assert [one["expressions_checked"] for one in json.loads(capsys.readouterr().out)] == [False]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(right.read_text().replace("earliest:", "erliest:"))
    assert call("sources", "validate", str(wrong), **known) == 2
    assert "wrong.yaml:4: erliest: there is no such key; the nearest is 'earliest'" in capsys.readouterr().out


def test_a_scaffold_is_printed_or_written_and_never_over_anything(
    call: Call, sample: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(sample).write_text('{"id": "1", "event": "login"}\n{"id": "2", "event": "logout"}\n')
    assert call("sources", "scaffold", sample, "--name", "mine") == 0
    printed = capsys.readouterr().out
    assert call("sources", "scaffold", sample, "--name", "mine", "--write") == 0
    written = tmp_path / "sources" / "mine.yaml"
    assert written.read_text() == printed
    assert str(written) in capsys.readouterr().out
    assert call("sources", "validate", str(written)) == 0
    assert call("sources", "scaffold", sample, "--name", "mine", "--write") == 2
    assert "there is a source 'mine' already" in capsys.readouterr().err
    assert call("sources", "scaffold", sample, "--table", "silver.nothing") == 2


@pytest.mark.parametrize("arguments", [one for one in NEEDING_A_STORE if one[0] in ("land", "tenants", "release")], ids=" ".join)
def test_a_store_that_is_down_is_named_without_a_stack(
    call: Call, sample: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    known = {"s3_endpoint": NOWHERE, "s3_access_key_id": "key", "s3_secret_access_key": "secret"}
    assert call(*(sample if a == "SAMPLE" else a for a in arguments), **known) == 3
    assert "the store did not answer" in capsys.readouterr().err


def test_what_the_store_refuses_is_a_mistake_in_the_settings(
    on_store: Call, call: Call, sample: str, capsys: pytest.CaptureFixture[str]
) -> None:
    on_store("tenants", "list")
    assert call("land", "provider_events", sample, "--tenant", "acme", landing_bucket="no-such-bucket") == 2
    assert "the store refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--source", "provider_events", "--days", "2026-02-02..2026-02-01"), "2026-02-01 is before 2026-02-02"),
        (("--source", "provider_events", "--days", "2026-02-30"), "'2026-02-30' is no day"),
        (("--source", "provider_events", "--days", "..2026-02-01"), "'' is no day"),
        (("--source", "nobody", "--days", "2026-02-01"), "there is no source 'nobody'"),
        (("--source", "stripe_customers", "--days", "2026-02-01"), "belong to no day"),
        (("--days", "2026-02-01"), "a backfill needs a source"),
    ],
)
def test_days_that_make_no_sense_are_refused_before_a_run_is_launched(
    on_store: Call, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert on_store("run", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_run_that_the_log_does_not_know_is_a_mistake_in_the_call(on_store: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_store("runs", "no-such-run") == 2
    assert "there is no run 'no-such-run'" in capsys.readouterr().err


def test_a_release_of_a_batch_that_is_none_is_a_mistake_in_the_call(
    on_store: Call, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for mistyped in ("provider_events-0000000009", "provider_events", "x-y", ""):
        assert on_store("release", mistyped, "--tenant", "acme") == 2
        assert f"there is no batch {mistyped!r}" in capsys.readouterr().err
    key = "provider_events/date=2026-06-01/tenant=acme/a.jsonl"
    s3_client(settings).put_object(Bucket=settings.landing_bucket, Key=key, Body=b"{}")
    claimed = Ledger(settings, load_sources(settings)["provider_events"], OpsReader(settings), OpsWriter(settings)).claim()
    assert claimed is not None
    assert on_store("release", claimed.batch_id, "--tenant", "acmee") == 2
    assert "holds nothing of tenant 'acmee'" in capsys.readouterr().err


@pytest.fixture
def pulled(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The instance has a source of its own that is pulled, with two rows in its table."""
    prepare(database, monkeypatch, row("a", "10:00"), row("b", "10:01"))
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / EXAMPLE.name).write_text(EXAMPLE.read_text())


@pytest.mark.usefixtures("pulled")
def test_a_source_is_pulled_by_hand(on_store: Call, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    OpsWriter(settings).create_tables()
    assert on_store("sources", "pull", NAME) == 0
    assert "pull 1: 2 rows landed in 1 files, 0 known already; up to 2020-03-02 10:01:00+00" in capsys.readouterr().out
    assert on_store("sources", "pull", NAME, "--since", "2020-03-02 10:01") == 0
    assert "pull 2: 1 rows landed in 1 files" in capsys.readouterr().out
    assert on_store("sources", "pull", NAME, "--whole", "--json") == 0
    (third,) = json.loads(capsys.readouterr().out)
    assert (third["number"], third["rows"], third["landed"]) == (3, 2, 2)


@pytest.mark.usefixtures("pulled")
def test_a_run_pulls_first(on_store: Call, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    OpsWriter(settings).create_tables()
    assert on_store("run", "--source", NAME) == 3
    printed = capsys.readouterr().err
    assert f"{NAME}: 2 rows landed" in printed
    assert "Dagster did not take the run" in printed
    assert on_store("run", "--source", "provider_events") == 3
    assert NAME not in capsys.readouterr().err


@pytest.mark.usefixtures("pulled")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("provider_events",), "provider_events is pulled from no database"),
        ((NAME, "--since", "2020-03-02", "--whole"), "--since and --whole do not go together"),
        ((NAME, "--since", "long ago"), "'long ago' is no timestamp with time zone"),
    ],
)
def test_a_wrong_pull_by_hand_is_refused(
    on_store: Call, settings: Settings, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    OpsWriter(settings).create_tables()
    assert on_store("sources", "pull", *arguments) == 2
    assert said in capsys.readouterr().err
    assert list(list_objects(s3_client(settings), settings.landing_bucket)) == []


def attempt(settings: Settings, name: str, number: int, error: Exception | None) -> None:
    declared = table(name)
    step = Step(OpsWriter(settings), Run(RUN_ID, attempt=number), "provider_events", name, declared.layer.value, declared)
    try:
        with step:
            if error:
                raise error
    except Exception as raised:
        if raised is not error:
            raise


@pytest.mark.parametrize(
    ("attempts", "kind"),
    [
        ([("silver.auth_events", 1, DataError("x"))], DataError),
        ([("silver.auth_events", 1, ConfigurationError("x")), ("bronze.quarantine", 1, DataError("x"))], ConfigurationError),
        ([("silver.auth_events", 1, InfrastructureError("x")), ("silver.auth_events", 2, InfrastructureError("x"))], InfrastructureError),
        ([("silver.auth_events", 1, InfrastructureError("x")), ("silver.auth_events", 2, DataError("x"))], DataError),
        (
            [("silver.auth_events", 1, InfrastructureError("x")), ("silver.auth_events", 2, None), ("gold.auth_daily", 1, DataError("x"))],
            DataError,
        ),
        ([("silver.auth_events", 1, ValueError("x"))], DataError),
        ([], ConfigurationError),
    ],
)  # fmt: skip
def test_a_failed_run_is_an_error_of_what_its_last_attempts_failed_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, attempts: list[tuple[str, int, Exception | None]], kind: type[LakehouseError]
) -> None:
    monkeypatch.setattr(Launched, "error_classes", lambda _self: {"Failure", "ConfigurationError"})
    for name, number, error in attempts:
        attempt(settings, name, number, error)
    launched = Launched(RUN_ID, client=None)  # type: ignore[arg-type]
    assert type(outcome.failure(settings, launched, runs.steps_of(settings, RUN_ID))) is kind


def test_a_run_whose_process_died_failed_for_its_server() -> None:
    died = {"pipeline": "a", "asset": "t", "status": "TERMINATED", "error_class": None}
    assert outcome.cause(outcome.failed_with([died])) is InfrastructureError


def test_the_question_for_the_causes_of_a_failure_is_one_that_dagster_understands() -> None:
    assert validate(create_schema().graphql_schema, parse(orchestrator.FAILURES)) == []


def test_the_causes_of_a_failure_are_all_the_classes_that_dagster_tells() -> None:
    class Client:
        def _execute(self, _query: str, _variables: dict[str, str]) -> dict[str, Any]:
            failed = {"error": {"className": "Failure", "causes": [{"className": "ConfigurationError"}]}}
            return {"runOrError": {"eventConnection": {"events": [{}, failed, {"error": None}]}}}

    assert Launched(RUN_ID, Client()).error_classes() == {"Failure", "ConfigurationError"}  # type: ignore[arg-type]


def test_an_interruption_leaves_the_run_alone_and_says_how_to_see_it(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted(Launched):
        def states(self) -> Iterator[dg.DagsterRunStatus]:
            yield dg.DagsterRunStatus.STARTED
            raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as left:
        outcome.wait(settings, Interrupted(RUN_ID, client=None), Console(quiet=True), shown_as="run")  # type: ignore[arg-type]
    assert left.value.exit_code == INTERRUPTED
    assert f"`lakehouse runs {RUN_ID[: runs.SHORT_ID]}`" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["n", None])
def test_destroy_without_a_yes_deletes_nothing_and_says_so(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str | None
) -> None:
    (tmp_path / "instance.json").write_text('{"version": 1, "id": "abc"}')

    def confirm(_question: str) -> bool:
        if answer is None:
            raise click.Abort
        return False

    monkeypatch.setattr(typer, "confirm", confirm)
    assert call("destroy") == 1
    printed = capsys.readouterr().err
    assert "Nothing was deleted" in printed
    assert "Interrupted" not in printed
    assert (tmp_path / "instance.json").exists()


def test_answers_are_json_on_request(on_store: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: wrong\n")
    assert on_store("tenants", "add", "acme", "--name", "Acme", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"tenant_id": "acme", "name": "Acme", "time_zone": "UTC", "changed": True}
    assert on_store("sources", "validate", str(wrong), "--json") == 2
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["file"], found["mistakes"][0]["line"]) == (str(wrong), 1)


def test_landing_for_a_tenant_that_nobody_declared_says_so(on_store: Call, sample: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_store("tenants", "add", "acme", "--name", "Acme") == 0
    assert on_store("land", "provider_events", sample, "--tenant", "acme") == 0
    assert "is new" not in capsys.readouterr().err
    assert on_store("land", "provider_events", sample, "--tenant", "acmee") == 0
    told = capsys.readouterr().err
    assert "Tenant 'acmee' is new" in told
    assert "known are acme" in told


def test_a_correction_that_would_be_lost_is_refused(on_store: Call, sample: str, capsys: pytest.CaptureFixture[str]) -> None:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    arguments = ("land", "provider_events", sample, "--tenant", "acme", "--date", day)
    assert on_store(*arguments) == 0
    Path(sample).write_text('{"corrected": 1}\n')
    assert on_store(*arguments) == 2
    assert "not in bronze yet" in capsys.readouterr().err
