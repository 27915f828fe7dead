"""`release`, `reprocess`: publish what waits in quarantine.

Does not belong here: what becomes of the rows (jobs.release), or pages that show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape

from infra.commands.data import finish, outcome_of, source_named
from infra.commands.runs import SHORT_ID, steps_table
from infra.loaded_sources import folder, with_loaded_sources
from infra.orchestrator import launch
from infra.printing import AsJson, answers, plain_table, print_json, right
from lakehouse.dagster_api import RELEASE, REPROCESS, config_of
from lakehouse.errors import ConfigurationError
from lakehouse.ledger import Reprocess
from lakehouse.ops.store import OpsReader
from lakehouse.quarantine import Rejected, reasons_of, rejected
from lakehouse.settings import settings
from lakehouse.sources import Source, load_sources
from lakehouse.tables.bronze import QUARANTINE

BATCH_TENANTS = "select distinct tenant_id from ctl.files where batch_id = ?"


class RejectedBy(StrEnum):
    """A layer that rejects rows."""

    BRONZE = "bronze"
    SILVER = "silver"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(RELEASE)(release_slice)
    app.command(REPROCESS)(reprocess_rows)


def release_slice(
    batch: Annotated[str, typer.Argument(help="Batch that was held back, as in bronze.quarantine.")],
    tenant: Annotated[str, typer.Option(help="Tenant whose slice to publish.")],
    as_json: AsJson = False,
) -> None:
    """Publish the slice of a batch that a threshold had held back."""
    source = _source_of_batch(batch, tenant)
    config = config_of(RELEASE, {"source": source.name, "batch_id": batch, "tenant_id": tenant})
    finish(launch(settings(), RELEASE, config=config), as_json)


def _source_of_batch(batch: str, tenant: str | None) -> Source:
    tenants = [row["tenant_id"] for row in OpsReader(settings()).rows(BATCH_TENANTS, [batch])]
    if not tenants:
        raise ConfigurationError(f"there is no batch {batch!r}", next_step="take it from _batch_id in bronze.quarantine: <source>-<number>")
    if tenant is not None and tenant not in tenants:
        raise ConfigurationError(f"batch {batch} holds nothing of tenant {tenant!r}", next_step=f"use one of {', '.join(sorted(tenants))}")
    return source_named(batch.rsplit("-", 1)[0])


def reprocess_rows(
    source: Annotated[str, typer.Argument(help="Source whose declaration was mended and applied.")],
    batch: Annotated[str | None, typer.Option(help="Only rows that this batch left in quarantine.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason among theirs.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only rows of this tenant.")] = None,
    layer: Annotated[RejectedBy | None, typer.Option(help="Only rows that this layer rejected.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a source's rejected rows again under its declaration of now; those that pass move on, the others stay with their reasons."""
    declared = source_named(source)
    if batch and _source_of_batch(batch, tenant) != declared:
        raise ConfigurationError(f"batch {batch} is not of {source}", next_step="leave --batch out, or name its source")
    wanted = Reprocess((batch,) if batch else (), tenant, reason, layer.value if layer else None)
    if not rejected(settings(), source, wanted):
        _tell_nothing_waits(declared, as_json)
        return
    _require_applied(declared)
    asked = {"source": source, "batch_id": batch, "tenant_id": tenant, "reason": reason, "layer": wanted.layer}
    launched = launch(settings(), REPROCESS, config=config_of(REPROCESS, asked))
    steps, error = outcome_of(launched, as_json)
    told = {"run_id": launched.run_id, **moved(declared, steps), "steps": steps}
    _show(declared, told, rejected(settings(), source, wanted), as_json)
    if error:
        raise error


def _tell_nothing_waits(declared: Source, as_json: bool) -> None:
    """Say that no rejected row is asked for. Raises ConfigurationError where others of the source wait."""
    others = rejected(settings(), declared.name, Reprocess())
    if others:
        raise ConfigurationError(
            f"of the rejected rows of {declared.name} none are asked for", next_step=f"their reasons are {', '.join(reasons_of(others))}"
        )
    if as_json:
        print_json({"run_id": None, **moved(declared, ()), "still_rejected": [], "steps": []})
    else:
        answers().print(f"No row of {declared.name} is rejected: nothing to do")


def _require_applied(declared: Source) -> None:
    """Raises ConfigurationError where Dagster works with another declaration than the one that was mended."""
    if folder(settings().home).is_dir() and load_sources(with_loaded_sources(settings())).get(declared.name) != declared:
        raise ConfigurationError(
            f"the declaration of {declared.name} was changed and is not applied", next_step="`lakehouse sources apply`, then this again"
        )


def moved(declared: Source, steps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What became of rejected rows, from the steps of the run that judged them again.

    Returns: batches that took them up, rows that left quarantine, rows published by table, and those that were published already.
    """
    done = [step for step in steps if str(step["status"]).startswith("SUCCEEDED")]
    tables = (declared.bronze.name, declared.silver.table)
    return {
        "batches": sorted({step["batch_id"] for step in done if step["asset"] == declared.bronze.name and step["batch_id"]}),
        "left_quarantine": _sum(done, (QUARANTINE.name,), ("rows_deleted",)),
        "published": {name: _sum(done, (name,), ("rows_inserted", "rows_updated")) for name in tables},
        "published_already": _sum(done, tables, ("rows_duplicate",)),
    }


def _sum(steps: Iterable[Mapping[str, Any]], assets: Sequence[str], counts: Sequence[str]) -> int:
    return sum(step[count] or 0 for step in steps if step["asset"] in assets for count in counts)


def _show(declared: Source, told: dict[str, Any], left: Sequence[Rejected], as_json: bool) -> None:
    if as_json:
        print_json({**told, "still_rejected": [asdict(one) for one in left]})
        return
    console = answers()
    console.print(steps_table(told["steps"]))
    published = ", ".join(f"{rows:,} to {name}" for name, rows in told["published"].items())
    known = f"; {told['published_already']:,} were published already" if told["published_already"] else ""
    console.print(f"{told['left_quarantine']:,} rows left quarantine: {published}{known}", soft_wrap=True)
    for step in told["steps"]:
        if step["error_message"]:
            console.print(f"{step['asset']}: {escape(step['error_message'])}", soft_wrap=True)
    if left:
        console.print(_table(left))
    for line in _where_to_look(declared, told["run_id"], left):
        console.print(line, soft_wrap=True, markup=False)


def _table(left: Sequence[Rejected]) -> Any:
    shown = plain_table("still rejected", "by", "as", *map(right, ("rows", "files")))
    for one in left:
        shown.add_row(one.reason, one.layer, one.disposition, f"{one.rows:,}", f"{one.files:,}")
    return shown


def _where_to_look(declared: Source, run_id: str, left: Sequence[Rejected]) -> Iterable[str]:
    if any(one.without_text for one in left):
        yield "Of some only the landed file has the text, and it is not there or cannot be read: land it again."
    if left:
        query = f"select reasons, _source_file, _row, raw from {QUARANTINE.name} where source = '{declared.name}'"
        yield f'The rows: `lakehouse sql "{query}"`'
    yield f"The steps: `lakehouse runs {run_id[:SHORT_ID]}`. The books of each file: ctl.files"
