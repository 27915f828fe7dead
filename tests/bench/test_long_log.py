"""What a long run log costs: a round of the evaluator, the Overview, and `lakehouse runs`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page

from dash_app.accounts import set_password, users_path
from infra.buckets import ensure_buckets
from infra.memory import proportional
from lakehouse.alerts.claims import LocalClaims
from lakehouse.alerts.delivery import Delivery
from lakehouse.alerts.drill import FireDrill
from lakehouse.alerts.store_down import StoreDown
from lakehouse.ops.mirror import Mirror
from lakehouse.ops.store import OpsReader, OpsWriter, Reader
from lakehouse.settings import Settings
from lakehouse.sources import load_sources
from lakehouse.watch import Watch
from tests.bench.comparisons import LISTED, LONG_LOG, MILLION, OPENED, OVERVIEW, ROUND, ROUND_ANEW, RUNS, SHORT_LOG, WATCHED
from tests.bench.contestants import Outcome
from tests.bench.lakes import remove_bucket
from tests.bench.long_log import PIPELINES, write_long_log
from tests.bench.race import keep
from tests.bench.record import Record
from tests.bench.test_bench import hold
from tests.pages.conftest import PASSWORD, served, sign_in

TENANTS = 500
NEVER = "0 0 29 2 *"


@contextmanager
def lake_with(store: Settings, home: Path, attempts: int, tenants: int = 0) -> Iterator[Settings]:
    """Settings of a lake with a log of that length and nothing else."""
    name = f"bench-log-{attempts}"
    made = store.model_copy(update={"home": home, "lake_bucket": name, "landing_bucket": f"{name}-landing"})
    ensure_buckets(made)
    OpsWriter(made).create_tables()
    write_long_log(made, attempts, tenants)
    try:
        yield made
    finally:
        for bucket in (made.lake_bucket, made.landing_bucket):
            remove_bucket(store, bucket)


def test_round(store_alone: Settings, tmp_path: Path, record: Record, rounds: int) -> None:
    if all(record.has(what, MILLION, number) for what in (ROUND, ROUND_ANEW) for number in range(1, rounds + 1)):
        return
    with lake_with(store_alone, tmp_path, MILLION, TENANTS) as lake:
        ways = {ROUND: _watch(lake, Mirror(lake)), ROUND_ANEW: _watch(lake, OpsReader(lake))}
        for what, watch in ways.items():
            took = _timed_round(watch)
            print(f"the first look of the {what}: {took:.1f} s")
        for number in range(1, rounds + 1):
            for what, watch in ways.items():
                _tell_something(lake, number)
                keep(record, Outcome(what, MILLION, _timed_round(watch)), MILLION, number, proportional(psutil.Process()))
    hold(WATCHED, record, MILLION)


def _watch(lake: Settings, reader: Reader) -> Watch:
    writer, host, now = OpsWriter(lake), "bench/bench", datetime.now(UTC)
    delivery = Delivery(reader, writer, [], lambda _channel, _message: None, LocalClaims(lake.home / "claims"), host, None)
    drill, down = FireDrill(reader, writer, [], NEVER, host), StoreDown(lake.home, writer, [], lambda _channel, _message: None, host, None)
    return Watch(reader, writer, load_sources(lake), delivery, drill, down, lambda _at, _dead: None, host, now)


def _timed_round(watch: Watch) -> float:
    began = time.monotonic()
    watch.round(datetime.now(UTC))
    return time.monotonic() - began


def _tell_something(lake: Settings, number: int) -> None:
    """What comes between two rounds: measurements of every tenant, and an attempt."""
    writer, now = OpsWriter(lake), datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    about = {"run_id": f"new-{number}", "table_name": "silver.auth_events", "batch_id": f"new-{number}", "metric": "rows", "value": 100.0}
    where = [
        {"pipeline": f"pipeline_{n % PIPELINES}", "tenant_id": f"tenant_{n:04}", "bucket_start": hour, "bucket_s": 3600}
        for n in range(TENANTS)
    ]
    writer.append("ops.metrics", [{**about, **place} for place in where])
    begun = {"run_id": f"new-{number}", "attempt": 1, "pipeline": "pipeline_0", "asset": "gold.logins_daily", "started_at": now}
    ended = {**begun, "fact": "end", "status": "SUCCEEDED", "ended_at": now}
    writer.append("ops.run_events", [{**begun, "fact": "start", "status": "RUNNING"}, ended])


def test_overview_and_list_of_runs(store_alone: Settings, browser: Browser, tmp_path: Path, record: Record, rounds: int) -> None:
    with ExitStack() as stack:
        lakes = {n: stack.enter_context(lake_with(store_alone, tmp_path / str(n), n)) for n in (SHORT_LOG, LONG_LOG)}
        pages = {n: _signed_in(lake, browser, stack) for n, lake in lakes.items()}
        for number in range(1, rounds + 1):
            for n in lakes if number % 2 else reversed(lakes):
                keep(record, Outcome(OVERVIEW, n, _opened(pages[n])), n, number)
                keep(record, Outcome(RUNS, n, _listed(lakes[n])), n, number)
    hold(OPENED, record, LONG_LOG)
    hold(LISTED, record, LONG_LOG)


def _signed_in(lake: Settings, browser: Browser, stack: ExitStack) -> Page:
    set_password(users_path(lake), "admin", PASSWORD)
    address = stack.enter_context(served(lake))
    page = sign_in(browser.new_context(base_url=address))
    _opened(page)
    return page


def _opened(page: Page) -> float:
    time.sleep(5)
    began = time.monotonic()
    page.goto("/")
    page.wait_for_selector("#verdict")
    return time.monotonic() - began


def _listed(lake: Settings) -> float:
    keys = {name: getattr(lake, name) for name in ("s3_endpoint", "lake_bucket", "landing_bucket")}
    secrets = {name: getattr(lake, name).get_secret_value() for name in ("s3_access_key_id", "s3_secret_access_key")}
    told = {f"LAKEHOUSE_{name.upper()}": str(value) for name, value in {**keys, **secrets, "home": lake.home}.items()}
    command = [str(Path(sys.executable).with_name("lakehouse")), "runs"]
    began = time.monotonic()
    shown = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=True).stdout
    took = time.monotonic() - began
    assert "run-" in shown
    return took
