"""`demo`: the whole lake on this machine, with real and synthetic data in it.

Does not belong here: any step of it; each is a command of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from hashlib import md5
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
import typer
import yaml
from rich.console import Console
from rich.table import Table

from assets.automation import waiting_assets
from assets.rendering import name_of
from infra import stack
from infra.commands.runs import steps_of
from infra.commands.stack import addresses
from infra.credentials import ANALYST_PASSWORD, OPERATIONS_PASSWORD
from infra.first_account import FIRST_ACCOUNT
from infra.landing import land_files
from infra.memory import Peak
from infra.orchestrator import launch
from infra.outcome import failure, wait
from infra.printing import AsJson, answers, in_words, plain_table, print_json, right
from infra.progress import stderr_console
from infra.services.registry import TRINO_CA
from infra.trino_access import ANALYST
from infra.trino_client import query
from jobs.simulator import LANDING_SOURCE, TENANTS, LandingBucketSink, SimConfig, generate
from lakehouse.errors import DataError
from lakehouse.ops.store import OpsReader
from lakehouse.settings import CREDENTIALS_FILE, Settings
from lakehouse.sources import load_sources
from lakehouse.store import list_objects, s3_client
from lakehouse.tenants import Tenant, TenantRegistry

DEMO_DATA = Path(__file__).resolve().parents[2] / "demo_data"
MOST_RUNS = 30
LANDED_ON = date(2026, 6, 30)
SAMPLE_QUERY = """
select tenant_id, sum(attempts) as attempts, round(100.0 * sum(successes) / sum(attempts), 1) as success_percent
from gold.auth_daily group by tenant_id order by attempts desc limit 5
"""
PIPELINES = """
with attempts as (
    select *, status like 'SUCCEEDED%' as good,
           row_number() over (partition by pipeline, asset order by coalesce(started_at, nominal_start) desc, attempt desc) as nth
    from ops.run_log where status not in ('PENDING', 'RUNNING')
)
select pipeline, sum(rows_read) filter (good and layer = 'bronze') as read,
       sum(rows_inserted) filter (good and layer in ('bronze', 'gold')) as published, sum(rows_quarantined) filter (good) as quarantined,
       sum(rows_held_back) filter (good) as held_back, sum(rows_duplicate) filter (good and layer = 'bronze') as duplicate,
       arg_max(status, case status when 'SUCCEEDED' then 0 when 'SUCCEEDED_WITH_WARNINGS' then 1 else 2 end) filter (nth = 1) as status
from attempts group by pipeline order by pipeline
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    events: Annotated[int, typer.Option(help="Synthetic events to land beside the real ones.")] = 50_000,
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Take any free ports instead of the usual ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start everything, land real and synthetic data, bring every table up to date, and say where to look."""
    console = stderr_console() if as_json else answers()
    settings = stack.up(usual_ports=not free_ports, report=lambda name, state: console.print(f"  {name:<18} {state}", highlight=False))
    landed = land_demo_data(settings, SimConfig(events))
    console.print(f"Landed {landed} new files." if landed else "The demo data is landed already.", highlight=False)
    console.print(
        f"Dagster brings every table up to date, which takes minutes the first time; watch it on {settings.dagster_url}", highlight=False
    )
    with Peak(lambda: stack.memory(settings.home)) as peak:
        materialize(settings, console)
    if as_json:
        print_json(summary(settings, landed, peak))
    else:
        report(settings, console, peak)


def land_demo_data(settings: Settings, synthetic: SimConfig, only: Collection[str] = ()) -> int:
    """Declare the demo's tenants and land its data, of the public samples those of all sources or `only` some. Returns the new files."""
    registry, sources = TenantRegistry(settings), load_sources(settings)
    samples = yaml.safe_load((DEMO_DATA / "tenants.yaml").read_text(encoding="utf-8"))
    public = {name: told for name, told in samples.items() if not only or name in only}
    declared = {told["tenant"]: Tenant(told["tenant"], told["name"]) for told in public.values()}
    for tenant in (*declared.values(), *(Tenant(t.tenant_id, t.name, t.zone) for t in TENANTS)):
        registry.declare(tenant)
    new = 0
    for name, told in public.items():
        files = sorted(p for p in (DEMO_DATA / name).iterdir() if not p.name.startswith("LICENSE"))
        new += sum(land_files(settings, sources[name], files, told["tenant"], told.get("landed_on", LANDED_ON)).values())
    return new + _land_synthetic(settings, synthetic)


def _land_synthetic(settings: Settings, config: SimConfig) -> int:
    there = {found.key: found.etag for found in list_objects(s3_client(settings), settings.landing_bucket, f"{LANDING_SOURCE}/")}
    sink = LandingBucketSink(settings)
    changed = [file for file in generate(config) if there.get(file.key) != md5(file.body, usedforsecurity=False).hexdigest()]
    for file in changed:
        sink.put(file)
    return len(changed)


def materialize(settings: Settings, console: Console) -> None:
    """Have Dagster bring every table up to date. Raises the error of a run that fails, or DataError where there is no end of runs.

    Asked for is what waits: a run of every table leaves out those of which one input has nothing new. The sensor may have taken the landed
    files into a run of its own: the last run here, of every table, starts after nothing waits any more.
    """
    for _ in range(MOST_RUNS):
        waiting = waiting_assets(load_sources(settings))
        _run_lake(settings, console, waiting)
        if not waiting:
            return
    raise DataError(f"after {MOST_RUNS} runs there are still files to take in", next_step="see `lakehouse runs`")


def _run_lake(settings: Settings, console: Console, tables: Sequence[dg.AssetKey]) -> None:
    launched = launch(settings, "lake", selection=list(map(name_of, tables)))
    if not wait(settings, launched, console, shown_as="Dagster materialises every table"):
        raise failure(settings, launched, steps_of(settings, launched.run_id))


def summary(settings: Settings, landed: int, peak: Peak) -> dict[str, Any]:
    """What `report` tells, for programs."""
    return {
        "landed": landed,
        "pipelines": OpsReader(settings).rows(PIPELINES),
        "memory_at_peak": peak.highest,
        "addresses": addresses(settings),
        "sign_in": {"user": FIRST_ACCOUNT, "password_variable": OPERATIONS_PASSWORD, "in": settings.home / CREDENTIALS_FILE},
        "sample_query": " ".join(SAMPLE_QUERY.split()),
    }


def report(settings: Settings, console: Console, peak: Peak) -> None:
    """What came in, where to look, and what to do next."""
    console.print(_pipelines(OpsReader(settings).rows(PIPELINES)))
    synthetic = ", ".join(sorted(t.tenant_id for t in TENANTS))
    console.print(f"Synthetic: the provider's events of {synthetic}. All other data are public samples (demo_data/).", highlight=False)
    taken = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in sorted(peak.highest.items(), key=lambda one: -one[1]))
    console.print(f"Memory at the peak of this run, in MB: {peak.total / 1e6:,.0f} ({taken}).", soft_wrap=True)
    for title, address in addresses(settings).items():
        console.print(f"  {title:<12} {address}", soft_wrap=True, highlight=False)
    sign_in = {"operations": (FIRST_ACCOUNT, OPERATIONS_PASSWORD)}
    if settings.trino_ca_file == settings.home / TRINO_CA:
        sign_in["trino"] = (ANALYST, ANALYST_PASSWORD)
        console.print(f"  trino's CA   {settings.trino_ca_file}", soft_wrap=True, highlight=False)
    for title, (user, password) in sign_in.items():
        told = f"  sign-in      {title}: user {user}, password as {password} in {settings.home / CREDENTIALS_FILE}"
        console.print(told, soft_wrap=True, highlight=False)
    console.print(f'\n  lakehouse sql "{" ".join(SAMPLE_QUERY.split())}"', soft_wrap=True, highlight=False)
    answer = query(settings, SAMPLE_QUERY)
    shown = Table(*answer.columns, box=None)
    for row in answer.rows:
        shown.add_row(*map(str, row))
    console.print(shown)
    console.print(
        "\nNext: open the operations page above, or land your own files: `lakehouse land SOURCE FILE... --tenant ID`", highlight=False
    )


def _pipelines(rows: list[dict[str, Any]]) -> Table:
    counts = ["read", "published", "quarantined", "duplicate"]
    if any(row["held_back"] for row in rows):
        counts.append("held_back")
    shown = plain_table("pipeline", *(right(c.replace("_", " ")) for c in counts), "status")
    for row in rows:
        shown.add_row(row["pipeline"], *("" if row[c] is None else f"{int(row[c]):,}" for c in counts), in_words(row["status"]))
    return shown
