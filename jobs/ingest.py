"""Landing to bronze: a batch is claimed, read, identified, checked, published once, and recorded.

Does not belong here: how a row is made (jobs.bronze), how a file is read (jobs.records).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from dq_checks import REASONS, Stage, contract_for
from jobs.audit import audit, failing_slices, judge_published, lineage, view_of
from jobs.books import agree, balance_bronze
from jobs.bronze import (
    KEY,
    STAGED,
    askable,
    broken,
    hmac_keys,
    identify,
    known_early,
    repeats_in,
    splits_of,
    stage,
    with_disposition,
    with_duplicates,
    with_places,
)
from jobs.commits import is_mine_to_tell
from jobs.context import Context, Staged
from jobs.days import at_least_on
from jobs.drift import SCHEMA_DRIFT, Seen, look, tell, undeclared_fields
from jobs.measure import Measurements, in_buckets
from jobs.quarantine import quarantine_rows
from jobs.records import key_of, read_records, tenant_in
from jobs.silver import can_map_early, map_early
from jobs.waiting import as_committed, records_of, require_own, settle_bronze, settled_counts, with_counted_records, with_files_read_again
from lakehouse import failpoints
from lakehouse.delta import Commit, DeltaLog, append
from lakehouse.errors import DataError
from lakehouse.ledger import Batch, FileCounts, State
from lakehouse.ops.runs import Facts
from lakehouse.sources import Drift, Source
from lakehouse.spark import is_small, kept, tune
from lakehouse.tables import table
from lakehouse.tables.bronze import QUARANTINE
from lakehouse.tenants import TenantRegistry, tenant_key


def ingest(context: Context, source: Source) -> list[Batch]:
    """Publish to bronze what a source has pending: batches that an earlier run left, then the newly landed files as one more.

    Returns the batches that were published. Raises DataError once all have had their turn, where one of them could not be
    published for its data: it waits, and holds up no other. Raises any other LakehouseError at once; what was published stays so.
    """
    ledger = context.ledger(source)
    with context.recorded_if_failing(source.name, source.bronze):
        left, has_landed = ledger.unfinished(), bool(ledger.pending())
    published: list[Batch] = []
    refused: DataError | None = None
    for batch in left:
        try:
            publish(context, source, batch)
            published.append(batch)
        except DataError as error:
            refused = refused or error
    if has_landed:
        with context.step(source.name, source.bronze) as facts, context.infrastructure_errors():
            claimed = ledger.claim()
            taken = _publish(context, source, claimed, facts) if claimed else None
        if claimed and taken:
            _record(context, source, taken)
            published.append(claimed)
    if refused:
        raise refused
    return published


def publish(context: Context, source: Source, batch: Batch) -> None:
    """Publish one claimed batch to bronze as a step, then have the ledger move on."""
    with context.step(source.name, source.bronze) as facts, context.infrastructure_errors():
        done = _publish(context, source, batch, facts)
    _record(context, source, done)


@dataclass(frozen=True)
class Published:
    """A batch that is in bronze, less the files that were overwritten before they were read, and what became of each file's records."""

    batch: Batch
    counts: Mapping[str, FileCounts]


def _record(context: Context, source: Source, done: Published) -> None:
    """Have the ledger move on. Only once the run log has the step's end: what dies in between is found by the next run."""
    with context.recorded_if_failing(source.name, source.bronze):
        ledger = context.ledger(source)
        ledger.record(done.batch, State.BRONZE, done.counts)
        ledger.remove_copies(done.batch)
    failpoints.reached(failpoints.RECORDED)


def _publish(context: Context, source: Source, batch: Batch, facts: Facts) -> Published:
    """Publish one batch to bronze, whatever an earlier attempt at it has done already."""
    facts.batch_id = batch.batch_id
    log = DeltaLog(context.settings, source.bronze)
    batch, settled = _with_what_is_there(context, source, batch, log)
    facts.rows_read = batch.records
    tune(context.session, batch.records)
    was_committed = settled is not None if batch.takes_out else log.commit_of(batch.batch_id) is not None
    seen = look(context, source, batch)
    counts, days = (settled or {}, []) if was_committed else _publish_staged(context, source, batch, seen, log, facts)
    log = DeltaLog(context.settings, source.bronze)
    commit = log.commit_of(batch.batch_id)
    if not batch.takes_out and (was_committed or (commit and commit.facts["run_id"] != context.run.run_id)):
        counts = _recount(context, source, batch)
    failpoints.reached(failpoints.PUBLISHED)
    if commit:
        judge_published(context, source.name, source.bronze, facts, log, commit.version - 1, _where_repeats_are(days))
    tell(context, source, batch, seen, facts)
    if commit and not is_mine_to_tell(context, source.name, source.bronze, commit, was_found=was_committed):
        _fill(context, source, batch, {path: c.found_again() for path, c in counts.items()}, None, facts)
    else:
        _fill(context, source, batch, counts, commit, facts)
    return Published(batch, counts)


def _with_what_is_there(context: Context, source: Source, batch: Batch, log: DeltaLog) -> tuple[Batch, dict[str, FileCounts] | None]:
    """The batch with the files and numbers of records that there are; and its counts, where it has settled what it takes out."""
    if not batch.takes_out:
        return _without_overwritten(context, source, batch, log), None
    if settled := settled_counts(context, batch):
        return with_counted_records(batch, settled), settled
    return with_files_read_again(context, source, batch), None


def _with_frozen(held: dict[str, list[str]], source: Source, seen: Mapping[str, Seen]) -> dict[str, list[str]]:
    """Slices to hold back, with those of tenants whose records have changed where the source is frozen."""
    frozen = [tenant for tenant, found in seen.items() if source.drift is Drift.FREEZE and found.drift]
    return held | {tenant: [*held.get(tenant, []), SCHEMA_DRIFT] for tenant in frozen}


def _publish_staged(
    context: Context, source: Source, batch: Batch, seen: Mapping[str, Seen], log: DeltaLog, facts: Facts
) -> tuple[dict[str, FileCounts], Sequence[date]]:
    """What became of each file's records, and the days of their events."""
    if batch.takes_out and not batch.records:
        return {}, []
    with ExitStack() as frames:
        contract = contract_for(source.bronze)
        staged = stage(_identified(context, source, batch), source, batch)
        rules = [*contract.row_rules, *undeclared_fields(source)]
        of_the_record, of_the_batch = askable(rules, set(source.bronze.column_names) - known_early(source))
        read = staged.withColumn(REASONS, broken(of_the_record))
        is_large = not is_small(batch.records)
        is_mapped = is_large and can_map_early(source) and not batch.takes_out
        if is_mapped:
            read = map_early(read, source, contract_for(table(source.silver.table)).row_rules)
        elif is_large:
            read = read.select(*STAGED, REASONS)
        read = frames.enter_context(kept(read, batch.records))
        failpoints.reached(failpoints.READING)
        splits, days = splits_of(read)
        files = {s.path: batch.by_path[key_of(context.settings, s.path, s.block)] for s in splits}
        judged = with_places(read, splits, files, source, batch).withColumn(REASONS, F.concat(REASONS, broken(of_the_batch)))
        repeats = repeats_in(judged, _published_keys(context, source, batch, log, days), KEY)
        marked = with_duplicates(judged, repeats, KEY)
        was_committed = log.transaction(batch.batch_id) is not None
        held = {} if was_committed else _slices_to_hold(context, source, batch, marked, seen, facts)
        disposed = with_disposition(marked, held)
        if batch.takes_out and was_committed:
            disposed = as_committed(context, source, batch, disposed)
        counts = _count(context, source, disposed, batch, facts)
        balance_bronze(batch, counts)
        failpoints.reached(failpoints.STAGED)
        _commit(context, source, batch, disposed, _reasons_of(held), counts, was_committed=was_committed)
        if not batch.takes_out and (is_mapped or not is_large):
            context.staged[batch.batch_id] = Staged(disposed.where("_disposition = 'published'"), is_mapped, frames.pop_all())
    return counts, days


def _slices_to_hold(
    context: Context, source: Source, batch: Batch, marked: DataFrame, seen: Mapping[str, Seen], facts: Facts
) -> dict[str, list[str]]:
    """Tenants whose slice waits, with the reasons; of what is taken out of quarantine, thresholds hold nothing back once more."""
    contract = contract_for(source.bronze)
    view, variables = view_of(marked, source.bronze), {"max_rejected_share": str(source.max_rejected_share)}
    verdict = audit(context, source.name, source.bronze, view, Stage.BATCH, facts, variables)
    if batch.release:
        return {}
    failing = {} if batch.takes_out else failing_slices(context, verdict, contract, view, variables)
    return _with_frozen(failing, source, seen)


def _reasons_of(held: Mapping[str, Sequence[str]]) -> list[str]:
    return sorted({name for names in held.values() for name in names})


def _identified(context: Context, source: Source, batch: Batch) -> DataFrame:
    tenants = {f.tenant_id for f in batch.files}
    TenantRegistry(context.settings).ensure(tenants)
    keys = hmac_keys(context.session, {t: tenant_key(context.settings, t) for t in tenants})
    if batch.takes_out:
        records = records_of(context, source, batch)
    else:
        context.ledger(source).restore_copies(batch)
        records = read_records(context.session, context.settings, source, batch).withColumn("tenant_id", tenant_in("_path"))
    return identify(records, source, keys)


def _without_overwritten(context: Context, source: Source, batch: Batch, log: DeltaLog) -> Batch:
    """The batch less the files whose claimed content was overwritten or removed before it was read; these are recorded."""
    ledger = context.ledger(source)
    known = ledger.rejected_in(batch)
    batch = replace(batch, files=tuple(f for f in batch.files if f.path not in known))
    if log.transaction(batch.batch_id):
        return batch
    gone = ledger.changed_since_claim(batch)
    if gone:
        ledger.record(replace(batch, files=tuple(gone)), State.REJECTED, {}, reason="overwritten or removed before it was read")
    return replace(batch, files=tuple(f for f in batch.files if f not in gone))


def _published_keys(context: Context, source: Source, batch: Batch, log: DeltaLog, days: Sequence[date]) -> DataFrame | None:
    if not days or not log.row_count():
        return None
    published = context.session.table(source.bronze.name).where(_where_repeats_are(days))
    return published.where(F.col("_batch_id") != batch.batch_id).select(*KEY)


def _where_repeats_are(days: Sequence[date]) -> str:
    """Which published rows can have a key of a batch whose events are of these days: what says the same is of the same day."""
    return at_least_on("event_date", days) if days else "true"


def _count(context: Context, source: Source, disposed: DataFrame, batch: Batch, facts: Facts) -> dict[str, FileCounts]:
    """What became of each file's records; the same by tenant and bucket is recorded."""
    time = F.col("event_time")
    rows = (
        disposed.groupBy("_source_file", "tenant_id", "_disposition", in_buckets(disposed))
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.min(time).alias("earliest"),
            F.max(time).alias("latest"),
            F.avg(time.cast("double")).alias("mean"),
            F.count_if(F.col("time_quality") != "plausible").alias("implausible"),
        )
        .collect()
    )
    published = [row for row in rows if row["_disposition"] == "published"]
    # Of a row that an earlier attempt has published, the declaration of now may not read the time.
    times = [t for row in published for t in (row["earliest"], row["latest"]) if t]
    facts.event_time_min, facts.event_time_max = min(times, default=None), max(times, default=None)
    counted: dict[str, Counter[str]] = {f.path: Counter() for f in batch.files}
    for row in rows:
        counted.setdefault(row["_source_file"], Counter())[row["_disposition"]] += row["rows"]
    _measure(context, source, rows, batch, facts)
    return {path: FileCounts(**counts) for path, counts in counted.items()}


def _measure(context: Context, source: Source, rows: Sequence[Row], batch: Batch, facts: Facts) -> None:
    measured = Measurements(context, source.name, source.bronze, facts)
    for row in rows:
        is_published = row["_disposition"] == "published"
        measured.add(row, "rows" if is_published else f"{row['_disposition']}_rows", row["rows"])
        if is_published:
            measured.add(row, "implausible_rows", row["implausible"])
            measured.add_times(row["mean"], row["rows"])
    measured.of_batch("rows", sum(row["rows"] for row in rows if row["_disposition"] == "published"))
    measured.record(batch.created_at)


def _commit(
    context: Context,
    source: Source,
    batch: Batch,
    disposed: DataFrame,
    held: Sequence[str],
    counts: Mapping[str, FileCounts],
    *,
    was_committed: bool,
) -> None:
    published = sum(c.published for c in counts.values())
    kept_out = sum(c.quarantined + c.held_back for c in counts.values())
    about = {"transaction": batch.batch_id, "run_id": context.run.run_id}
    if kept_out and not batch.takes_out:
        append(quarantine_rows(disposed, source.name, "bronze", held), context.settings, QUARANTINE, batch.batch_id, about)
    if published:
        append(disposed.where("_disposition = 'published'"), context.settings, source.bronze, batch.batch_id, about)
    if batch.takes_out:
        if not was_committed:
            require_own(context, DeltaLog(context.settings, source.bronze).commit_of(batch.batch_id))
        settle_bronze(context, source, batch, disposed, held, counts)


def _recount(context: Context, source: Source, batch: Batch) -> dict[str, FileCounts]:
    """Counts of a batch that an earlier attempt committed to bronze: from the tables; the rest of each file were duplicates."""
    session = context.session
    published = session.table(source.bronze.name).where(F.col("_batch_id") == batch.batch_id)
    kept_out = session.table(QUARANTINE.name).where((F.col("_batch_id") == batch.batch_id) & (F.col("layer") == "bronze"))
    rows = published.select("_source_file", F.lit("published").alias("disposition")).union(kept_out.select("_source_file", "disposition"))
    counted: dict[str, dict[str, int]] = {f.path: {} for f in batch.files}
    for row in rows.groupBy("_source_file", "disposition").count().collect():
        counted[row["_source_file"]][row["disposition"]] = row["count"]
    return {file.path: FileCounts(**counted[file.path], duplicate=file.records - sum(counted[file.path].values())) for file in batch.files}


def _fill(context: Context, source: Source, batch: Batch, counts: Mapping[str, FileCounts], commit: Commit | None, facts: Facts) -> None:
    published = sum(c.published for c in counts.values())
    facts.rows_inserted, facts.rows_updated, facts.rows_deleted = published, 0, 0
    facts.rows_quarantined = sum(c.quarantined for c in counts.values())
    facts.rows_held_back = sum(c.held_back for c in counts.values())
    facts.rows_duplicate = sum(c.duplicate for c in counts.values())
    if commit is None:
        return
    facts.version_before, facts.version_after = commit.version - 1, commit.version
    facts.bytes_written, facts.files_written = commit.count("numOutputBytes"), commit.count("numFiles")
    agree(f"{source.bronze.name}, batch {batch.batch_id}", published, commit.count("numOutputRows"))
    inputs = {QUARANTINE.name: DeltaLog(context.settings, QUARANTINE).version} if batch.takes_out else {f.path: None for f in batch.files}
    lineage(context, source.bronze.name, commit.version, inputs)
