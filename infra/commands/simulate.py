"""`simulate`: land synthetic events.

Does not belong here: making events or writing files (jobs.simulator).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from infra.commands import INTERRUPTED
from infra.printing import AsJson, print_json
from infra.progress import Steps, stderr_console
from jobs.simulator import (
    ANCHOR,
    HISTORY_DAYS,
    DirectorySink,
    LandingBucketSink,
    LiveStream,
    SimConfig,
    Sink,
    Written,
    choose_tenants,
    generate,
    new_manifest,
    write,
)
from lakehouse.errors import ConfigurationError
from lakehouse.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    events: Annotated[int, typer.Option(help="Distinct events over all tenants and days; duplicates come on top.")] = 50_000,
    seed: Annotated[int, typer.Option(help="Equal seeds and parameters give equal bytes.")] = 7,
    days: Annotated[int, typer.Option(help="Days of history.")] = HISTORY_DAYS,
    anchor: Annotated[datetime, typer.Option(help="Last day of the history (UTC).", formats=["%Y-%m-%d"])] = datetime(
        ANCHOR.year, ANCHOR.month, ANCHOR.day
    ),
    tenants: Annotated[str, typer.Option(help="all, a number (the largest so many), or ids separated by commas.")] = "all",
    files_per_tenant: Annotated[int | None, typer.Option(help="Files that each tenant's history is cut into.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Write plain JSON lines instead of gzip.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write into this folder instead of the landing bucket.", file_okay=False)] = None,
    live: Annotated[float | None, typer.Option(help="Instead of a history, stream this many events a second at clock time.")] = None,
    for_seconds: Annotated[float | None, typer.Option("--for", help="Stop the stream after this many seconds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Land synthetic events of made-up tenants: a history up to the anchor date, or a running stream."""
    _check_stream(live, for_seconds)
    config = SimConfig(events, seed, days, anchor.date(), choose_tenants(tenants), files_per_tenant=files_per_tenant, plain=plain)
    sink: Sink = DirectorySink(out) if out else LandingBucketSink(settings())
    if live is None:
        _history(config, sink, as_json=as_json)
    else:
        _stream(LiveStream(config, live), sink, for_seconds, as_json=as_json)


def _check_stream(live: float | None, for_seconds: float | None) -> None:
    if live is not None and live <= 0:
        raise ConfigurationError(f"--live {live:g} is no rate.", next_step="give a number of events a second above 0")
    if for_seconds is not None and (live is None or for_seconds <= 0):
        raise ConfigurationError("--for takes seconds above 0, and belongs to --live.", next_step="add --live RATE, or leave --for out")


def _history(config: SimConfig, sink: Sink, *, as_json: bool) -> None:
    manifest, steps = new_manifest(config), Steps(stderr_console())
    with _account_on_failure(sink) as written, steps.shown():
        task = steps.start("Synthetic events", total=config.events, unit="events")
        try:
            for file in write(generate(config, manifest), sink, written):
                steps.advance(task, file.records)
        except KeyboardInterrupt:
            _say_interrupted(sink, written)
            raise typer.Exit(INTERRUPTED) from None
        steps.finish(task)
    _answer(manifest.summary(), sink, written, as_json=as_json)


def _stream(stream: LiveStream, sink: Sink, for_seconds: float | None, *, as_json: bool) -> None:
    console = stderr_console()
    with _account_on_failure(sink) as written:
        if for_seconds is None:
            console.print("Streaming synthetic events; Ctrl-C stops.")
        try:
            for file in write(stream.run(for_seconds), sink, written):
                console.print(f"{file.records:>7,} events  {file.key}", soft_wrap=True, highlight=False)
        except KeyboardInterrupt:
            console.print("Stopped.")
    _answer(stream.manifest.summary(), sink, written, as_json=as_json)


@contextmanager
def _account_on_failure(sink: Sink) -> Iterator[Written]:
    written = Written()
    try:
        yield written
    except Exception:
        if written.files:
            _say_interrupted(sink, written)
        raise


def _say_interrupted(sink: Sink, written: Written) -> None:
    stderr_console().print(
        f"Stopped. Written and whole: {written.files:,} files with {written.records:,} records in {sink.place}. "
        "The same call writes the same files again.",
        soft_wrap=True,
    )


def _answer(summary: dict[str, Any], sink: Sink, written: Written, *, as_json: bool) -> None:
    if as_json:
        print_json({**summary, "place": sink.place, "written": asdict(written)})
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{written.records:,} synthetic records in {written.files:,} files ({written.bytes / 1e6:.1f} MB) in {sink.place}")
    console.print(f"  distinct events  {summary['events']:,}")
    if summary["anchor"]:
        console.print(f"  duplicates       {summary['duplicates']:,} ({summary['duplicates_in_other_file']:,} in another file)")
        console.print(f"  late             {summary['late']:,}")
        console.print(f"  anchor date      {summary['anchor']}, seed {summary['seed']}")
    if summary["first_event"]:
        console.print(f"  event times      {summary['first_event']} to {summary['last_event']}")
    for tenant_id, count in summary["tenants"].items():
        console.print(f"  {tenant_id:<16} {count:,}")
