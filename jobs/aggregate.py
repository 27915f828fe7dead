"""To gold: each gold table recomputes the periods that its inputs' new versions reach, and no others.

The inputs' versions are the transaction version of the gold commit: what a table has taken in stands in its own log.

Does not belong here: formulas (jobs.gold), or which periods are reached (jobs.reach).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dq_checks import Stage
from jobs.audit import audit, judge_published, lineage, view_of
from jobs.commits import GOLD, is_mine_to_tell, told_inputs, untold_commit
from jobs.context import Context
from jobs.gold import TRANSFORMS
from jobs.gold.sign_ins import USER, located, sign_ins
from jobs.places import places_of
from jobs.reach import AUTH_EVENTS, Work, days_of, days_to_read, plan, taken_in, zones
from lakehouse import failpoints
from lakehouse.delta import Commit, DeltaLog, DeltaLogs, replace
from lakehouse.lineage.columns import columns_of_gold
from lakehouse.ops.runs import Facts
from lakehouse.spark import checkpoint, tune
from lakehouse.tables import Table, table

PIPELINE = GOLD
TOLD = "told inputs"
ROWS_PER_RECORD = 4
"""Rows of a table that are as dear to read as one record to parse."""


def aggregate(context: Context, declared: Table) -> Work | None:
    """Bring a gold table up to its inputs' versions, and tell of what an attempt that died after its commit has left untold.

    Returns what was recomputed, None where nothing had changed.
    """
    logs = DeltaLogs(context.settings)
    with context.recorded_if_failing(PIPELINE, declared):
        commit = _left_untold(context, logs[declared], declared)
    found = _tell_of(context, logs, declared, commit) if commit else None
    with context.recorded_if_failing(PIPELINE, declared):
        work = plan(context, logs, declared)
    if work is None:
        return found
    with context.step(PIPELINE, declared) as facts, context.infrastructure_errors():
        _publish(context, work, facts)
    return work


def _left_untold(context: Context, log: DeltaLog, declared: Table) -> Commit | None:
    transaction = taken_in(context.settings, declared)
    # Asked once in a run: where it is out of date, the commit is looked for in the run log itself.
    if TOLD not in context.kept:
        context.kept[TOLD] = told_inputs(context.reader)
    return untold_commit(context.reader, context.writer.host, context.run.run_id, log, declared, transaction, context.kept[TOLD])


def _tell_of(context: Context, logs: DeltaLogs, declared: Table, commit: Commit) -> Work:
    """Record the commit of an attempt that died before it could; a step of its own."""
    with context.step(PIPELINE, declared) as facts, context.infrastructure_errors():
        facts.rows_read, facts.partition = commit.facts.get("rows_read"), commit.facts.get("partition")
        judge_published(context, PIPELINE, declared, facts, logs[declared], commit.version - 1)
        _fill(context, declared, commit, facts)
    periods = commit.facts.get("periods")
    reached = None if periods is None else frozenset(map(date.fromisoformat, periods))
    return Work(declared, commit.facts["inputs"], reached, commit.facts["transaction"], logs)


def compute(context: Context, work: Work) -> DataFrame:
    """The rows of a gold table for the periods of the work."""
    declared = work.declared
    rows = TRANSFORMS[declared.name](*(_rows(context, work, table(name)) for name in declared.inputs))
    return _only(rows, declared.recomputed_by, work.periods)


def _rows(context: Context, work: Work, source: Table) -> DataFrame:
    """The rows of an input that the periods of the work are made from; of the auth events those of sign-ins."""
    days = days_to_read(work, source)
    if source.name == AUTH_EVENTS:
        signed_in = _sign_ins(context, work.logs, work.versions.get(source.name), days)
        is_located = work.declared.definition and work.declared.definition.is_located
        return located(signed_in, places_of(context, signed_in)) if is_located else signed_in
    rows = context.session.table(source.name)
    if days is not None:
        rows = _only(rows, source.partition_by[0], days)
    elif work.periods is not None and source.partition_by:
        rows = rows.where(F.col(source.partition_by[0]) <= max(days_of(work.declared, max(work.periods))))
    if work.declared.reach.of_users and work.periods is not None:
        concerned = _only(rows, source.partition_by[0], work.periods).select(*USER).distinct()
        rows = rows.join(concerned, list(USER), "left_semi")
    return rows


@dataclass(frozen=True)
class SignIns:
    """The events of sign-ins of some days (None: all), read from a version of the auth events for all tables of a run."""

    version: int
    days: frozenset[date] | None
    rows: DataFrame

    def cover(self, version: int | None, days: set[date] | None) -> bool:
        """Whether a table that reads these days at this version can do with them."""
        return self.version == version and (self.days is None or (days is not None and days <= self.days))


def _sign_ins(context: Context, logs: DeltaLogs, version: int | None, days: set[date] | None) -> DataFrame:
    """The events of sign-ins of some days, read once in a run; all for None."""
    source = table(AUTH_EVENTS)
    known = context.kept.get(SignIns)
    if known and known.cover(version, days):
        return _only(known.rows, source.partition_by[0], days)
    rows = sign_ins(_only(context.session.table(source.name), source.partition_by[0], days), zones(context))
    if version is None:
        return rows
    read = SignIns(version, None if days is None else frozenset(days), context.keep(rows, logs[source].row_count(days) // ROWS_PER_RECORD))
    context.kept[SignIns] = read
    return read.rows


def _only(rows: DataFrame, column: str, days: Collection[date] | None) -> DataFrame:
    """Rows of the given days; all rows for None."""
    return rows if days is None else rows.where(F.col(column).isin(sorted(days)))


def _rows_to_read(work: Work) -> int:
    """Rows of the inputs in the partitions that the work reads."""
    return sum(work.logs[source].row_count(days_to_read(work, source)) for source in map(table, work.declared.inputs))


def _laid_out(rows: DataFrame, declared: Table) -> DataFrame:
    """Rows as they are written: a file for each partition, or few files that each hold neighbouring periods."""
    by = F.col(declared.recomputed_by)
    return rows.repartition(by) if declared.partition_by else rows.repartitionByRange(by)


def _publish(context: Context, work: Work, facts: Facts) -> None:
    declared = work.declared
    facts.rows_read = _rows_to_read(work)
    tune(context.session, facts.rows_read // ROWS_PER_RECORD)
    facts.input_versions = json.dumps(dict(work.versions))
    facts.partition = "all days" if work.periods is None else f"{min(work.periods)}..{max(work.periods)}"
    computed = checkpoint(compute(context, work))
    view = view_of(computed, declared)
    audit(context, PIPELINE, declared, view, Stage.BATCH, facts, {})
    failpoints.reached(failpoints.STAGED)
    rows = _laid_out(computed, declared)
    replace(rows, context.settings, declared, work.where, work.transaction, work.version, _about(context, work, facts))
    failpoints.reached(failpoints.PUBLISHED)
    after = DeltaLog(context.settings, declared)
    commit = after.commit_of(work.transaction, work.version)
    audit(context, PIPELINE, declared, view, Stage.TABLE, facts, {})
    if commit and is_mine_to_tell(context, PIPELINE, declared, commit, was_found=False):
        _fill(context, declared, commit, facts)
    else:
        facts.add(rows_inserted=0, rows_updated=0, rows_deleted=0)


def _about(context: Context, work: Work, facts: Facts) -> dict[str, object]:
    """What a commit says of itself, so that another attempt can tell of it."""
    return {
        "transaction": work.transaction,
        "version": work.version,
        "inputs": dict(work.versions),
        "run_id": context.run.run_id,
        "rows_read": facts.rows_read,
        "partition": facts.partition,
        "periods": None if work.periods is None else [period.isoformat() for period in sorted(work.periods)],
    }


def _fill(context: Context, declared: Table, commit: Commit, facts: Facts) -> None:
    facts.input_versions = json.dumps(commit.facts["inputs"])
    facts.version_before, facts.version_after = commit.version - 1, commit.version
    inserted = commit.count("numOutputRows") - commit.count("numCopiedRows")
    facts.add(rows_inserted=inserted, rows_updated=0, rows_deleted=commit.count("numDeletedRows"))
    facts.bytes_written, facts.files_written = commit.count("numOutputBytes"), commit.count("numFiles")
    lineage(context, declared.name, commit.version, commit.facts["inputs"], columns_of_gold(declared))
