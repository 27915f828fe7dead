"""Secrets and values of the data that errors and log lines carry are in no fact; what helps to find the fault is."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest
from pydantic import SecretStr

from assets import resources
from assets.engine_log import Place, harvest
from assets.resources import Lake
from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import USER_FILE, Settings
from lakehouse.tenants import tenant_key
from tests.store.test_engine_log import later

VALUE = "Zaphod O'Brien"
CAST = f'[CAST_INVALID_INPUT] The value \'{VALUE}\' of the type "STRING" cannot be cast to "INT". SQLSTATE: 22018'
ODD = "p@ss/w:ord 1"
DATABASE = f"postgresql://reader:{quote(ODD, safe='')}@db.example.com/billing"
SLACK = "https://hooks.slack.example/services/T0000AAAA/B0000BBBB/abcdefSECRETghijkl"
MESSAGE = "select run_id, message as text from ops.event_log"
ERROR = "select run_id, concat_ws(' ', error_class, error_message) as text from ops.run_events where error_class is not null"
log = logging.getLogger("lakehouse.drill")


@pytest.fixture
def seeded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An instance with a secret of each kind."""
    made = settings.model_copy(update={"trino_service_password": SecretStr("trino-service-pw")})
    (made.home / USER_FILE).write_text(f"BILLING_DATABASE_URL='{DATABASE}'\n")
    monkeypatch.setenv("LAKEHOUSE_ONCALL_URL", SLACK)
    monkeypatch.setattr(resources, "settings", lambda: made)
    monkeypatch.setattr(resources, "RETRY_WAIT_S", 0)
    OpsWriter(made).create_tables()
    return made


def secrets_of(seeded: Settings) -> dict[str, str]:
    return {
        "setting": "trino-service-pw",
        "store": seeded.s3_secret_access_key.get_secret_value() if seeded.s3_secret_access_key else "",
        "database": DATABASE,
        "password": ODD,
        "encoded password": quote(ODD, safe=""),
        "channel": SLACK,
        "token": "abcdefSECRETghijkl",
        "tenant's key": tenant_key(seeded, "acme").hex(),
    }


def everything(seeded: Settings) -> str:
    """All secrets in one text."""
    return " | ".join(secrets_of(seeded).values())


def chained(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


def assert_clean(seeded: Settings, *helpful: str) -> None:
    """No secret and no value is recorded anywhere, and these words are."""
    reader = OpsReader(seeded)
    told = "\n".join(str(row) for table in ("ops.event_log", "ops.run_events") for row in reader.rows(f"select * from {table}"))
    leaked = {name for name, secret in secrets_of(seeded).items() if secret and secret in told}
    assert leaked == set()
    assert "Zaphod" not in told
    assert "Brien" not in told
    assert [words for words in helpful if words not in told] == []


WAYS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "line": (lambda all_: log.info("connecting to %s", all_), ("connecting to ***",)),
    "error in a line": (lambda _: log.warning("left out: %s", KeyError(VALUE)), ("left out: KeyError: …",)),
    "error of Spark in a line": (lambda _: log.warning("left out: %s", RuntimeError(CAST)), ("[CAST_INVALID_INPUT] SQLSTATE: 22018",)),
    "error beside a line": (
        lambda all_: log.error("failed for %s", all_, exc_info=chained(ValueError(f"bad: '{VALUE}'"), KeyError(VALUE))),
        ("failed for ***", "ValueError: bad: …", "caused by KeyError: …"),
    ),
}


@pytest.mark.parametrize(("way", "helpful"), WAYS.values(), ids=WAYS.keys())
def test_log_lines_are_clean(seeded: Settings, way: Callable[[str], object], helpful: tuple[str, ...]) -> None:
    with Step(OpsWriter(seeded), Run("r"), "p", "bronze.orders"):
        way(everything(seeded))
    assert_clean(seeded, *helpful)


ERRORS: dict[str, tuple[Callable[[str], Exception], tuple[str, ...]]] = {
    "key": (lambda _: KeyError(VALUE), ("KeyError: …",)),
    "cast": (lambda _: RuntimeError(CAST), ("RuntimeError: [CAST_INVALID_INPUT] SQLSTATE: 22018",)),
    "secrets": (lambda all_: RuntimeError(f"no answer from {all_}"), ("RuntimeError: no answer from ***",)),
    "secrets of ours": (lambda all_: ConfigurationError(f"refused: {all_}", next_step="mend it"), ("ConfigurationError: refused: ***",)),
    "cause": (
        lambda all_: chained(ConfigurationError("the mapping fails", next_step="mend it"), chained(ValueError(all_), KeyError(VALUE))),
        ("ConfigurationError: the mapping fails Next: mend it", "caused by ValueError", "caused by KeyError: …"),
    ),
}


@pytest.mark.parametrize(("make", "helpful"), ERRORS.values(), ids=ERRORS.keys())
def test_errors_of_a_step_are_clean_and_tell_class_place_and_cause(
    seeded: Settings, make: Callable[[str], Exception], helpful: tuple[str, ...]
) -> None:
    with pytest.raises(Exception, match=r"."), Step(OpsWriter(seeded), Run("r"), "p", "bronze.orders"):
        raise make(everything(seeded))
    assert_clean(seeded, *helpful, f'File "{__file__}"')


def test_a_secret_that_is_cut_off_leaves_no_part(seeded: Settings) -> None:
    for length in range(960, 1000, 7):
        with pytest.raises(RuntimeError), Step(OpsWriter(seeded), Run("r"), "p", "bronze.orders"):
            raise RuntimeError("x" * length + " " + SLACK)
    messages = [row["text"] for row in OpsReader(seeded).rows(ERROR)]
    assert messages
    assert not [text for text in messages if "hooks" in text or "services" in text]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as made:
        yield made


def test_what_dagster_tells_of_failures_and_retries_is_clean(seeded: Settings, instance: dg.DagsterInstance) -> None:
    all_ = everything(seeded)
    errors: list[Exception] = [
        chained(InfrastructureError(f"no answer from {all_}"), RuntimeError(f"{CAST} {all_}")),
        chained(ValueError(f"bad: '{VALUE}' {all_}"), KeyError(VALUE)),
    ]

    @dg.asset(name="bronze__orders")
    def made(context: dg.AssetExecutionContext, lake: Lake) -> None:
        context.log.info(f"engine line {all_}")
        with lake.step(context) as work, Step(work.writer, work.run, "orders", "bronze.orders"):
            raise errors.pop(0)

    dg.materialize([made], instance=instance, resources={"lake": Lake()}, raise_on_error=False)
    launched = instance.create_run_for_job(nothing)
    instance.report_engine_event(f"launch failed for {all_}", launched)
    instance.report_run_failed(launched, f"launch failed for {all_}")
    harvest(instance, OpsReader(seeded), OpsWriter(seeded), {}, Place(), later())
    assert errors == []
    engine = " ".join(row["text"] for row in OpsReader(seeded).rows(f"{MESSAGE} where logger = 'dagster.engine'"))
    wanted = (
        "engine line ***", "InfrastructureError: no answer from ***", "RuntimeError: [CAST_INVALID_INPUT] SQLSTATE: 22018",
        "ValueError: bad: …", "KeyError: …", "launch failed for ***", f'File "{__file__}"',
    )  # fmt: skip
    assert [words for words in wanted if words not in engine] == []
    assert_clean(seeded)


@dg.job
def nothing() -> Any:
    """A job that never begins."""


def test_facts_that_others_append_are_clean_too(seeded: Settings) -> None:
    identity = Step(OpsWriter(seeded), Run("r"), "p", "a").identity()
    verdict = {**identity, "fact": "verdict", "status": "FAILED", "error_class": "X", "error_message": everything(seeded)}
    OpsWriter(seeded).append("ops.run_events", [verdict])
    OpsWriter(seeded.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})).append("ops.run_events", [verdict])
    waiting = [path.read_text() for path in OpsWriter(seeded).spool.glob("*/*.json")]
    assert len(waiting) == 1
    assert not [secret for secret in secrets_of(seeded).values() if secret in waiting[0]]
    assert_clean(seeded)
