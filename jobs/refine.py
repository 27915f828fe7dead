"""Bronze to silver: the rows of a batch are mapped, checked, told from what is there already, published once, and recorded.

Does not belong here: what a source's fields mean (assets/sources), or how a row is mapped (jobs.silver).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, date

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from dq_checks import REASONS, RowRule, Stage, contract_for
from jobs.audit import audit, failing_slices, judge_published, lineage, view_of
from jobs.books import SilverCounts, agree, balance_silver
from jobs.bronze import first_of_repeated
from jobs.commits import is_mine_to_tell
from jobs.context import Context
from jobs.days import around
from jobs.fill import filled, record_fill
from jobs.measure import Measurements, in_buckets, tell_released, value_counts
from jobs.parse import CORRUPT, derive, parse_fields
from jobs.quarantine import Settlement, is_settled, quarantine_rows, settle, waiting
from jobs.silver import APPLICABLE, map_to_silver, mapped_to_silver
from jobs.waiting import require_own, told_as_committed
from lakehouse import failpoints
from lakehouse.delta import TRANSACTION_VERSION, Commit, DeltaLog, append, identifier, qualified, quoted, replace, run_once
from lakehouse.errors import ConfigurationError
from lakehouse.ledger import Batch, State
from lakehouse.lineage.columns import columns_of_silver
from lakehouse.ops.runs import Facts
from lakehouse.sources import COPY, Source
from lakehouse.spark import checkpoint, computed_once, kept, show, tune
from lakehouse.tables import Table, table
from lakehouse.tables.bronze import QUARANTINE

LINEAGE_COLUMNS = ("_source_file", "_row", "_batch_id", "_ingested_at", "mapping_version")
PLACE = ("_batch_id", "_source_file", "_row")
"""Of a record, also where a file was landed again under its name; in the order of these, the earlier record counts."""


@dataclass(frozen=True)
class Portion:
    """Bronze rows that go to silver in one commit: a batch, or the slice of one that silver had held back."""

    transaction: str
    batch_id: str
    rows: DataFrame
    rows_read: int
    is_mapped: bool = False
    """Whether silver's values stand in the place of the parsed fields."""
    thresholds: bool = True
    replaces: str | None = None
    """Predicate on the silver rows that the portion takes the place of."""
    kept_out: DataFrame | None = None
    """The rows of quarantine that the portion takes up, where it is what silver kept out before."""

    @property
    def settlement(self) -> str:
        """Transaction id of what the portion changes in quarantine."""
        return f"{self.transaction}.silver"


def refine_each(context: Context, sources: Iterable[Source]) -> tuple[list[Batch], Exception | None]:
    """Refine several sources of one table; one that fails does not hold up the others. Returns the batches, and the first error."""
    batches: list[Batch] = []
    failed: Exception | None = None
    for source in sources:
        try:
            batches += refine(context, source)
        except Exception as error:  # noqa: BLE001 - whatever one source's step raises, the next one is not its affair
            failed = failed or error
    return batches, failed


def refine(context: Context, source: Source) -> list[Batch]:
    """Publish to silver the batches of a source that bronze has and silver has not. Returns them."""
    ledger = context.ledger(source)
    with context.recorded_if_failing(source.name, table(source.silver.table)):
        batches = ledger.awaiting_silver()
    for batch in batches:
        if waited := _kept_out_before(context, source, batch):
            with context.step(source.name, table(source.silver.table)) as facts, context.infrastructure_errors():
                _publish(context, source, waited, facts)
            if batch.release:
                tell_released(context, source.name, table(source.silver.table), batch.release)
        with context.step(source.name, table(source.silver.table)) as facts, context.infrastructure_errors():
            _publish(context, source, _portion_of(context, source, batch), facts)
        # Once the run log has the step's end: what dies in between is found by the next run.
        with context.recorded_if_failing(source.name, table(source.silver.table)):
            ledger.advance(batch, State.PUBLISHED)
        failpoints.reached(failpoints.RECORDED)
        context.unstage(batch.batch_id)
    return batches


def backfill(context: Context, source: Source, first: date, last: date) -> None:
    """Map the bronze rows of some event days again, and put them in the place of the silver rows of this source and these days.

    What silver has not taken in yet is taken in first. A slice that is held back stays so; one that was released stays published.

    Args:
        first, last: days of the event time (UTC), both included.

    Raises ConfigurationError for a table of entities, which has no days.
    """
    declared = table(source.silver.table)
    if declared.latest_by:
        raise ConfigurationError(f"{declared.name} has no days to backfill", next_step="choose a source of events")
    refine(context, source)
    begin, end = f"date'{first.isoformat()}'", f"date'{last.isoformat()}'"
    in_days = f"event_date >= {begin} and event_date <= {end}"
    transaction = f"backfill.{context.run.run_id}"
    with context.step(source.name, declared) as facts, context.infrastructure_errors():
        facts.partition = f"{first}..{last}"
        rows = _taken_in(context, source).where(in_days)
        replaced = f"source = {quoted(source.name)} and {in_days}"
        portion = Portion(transaction, transaction, parse_fields(rows, source), rows.count(), thresholds=False, replaces=replaced)
        if not DeltaLog(context.settings, declared).transaction(transaction):
            run_once(
                context.session,
                f"delete from {qualified(QUARANTINE)} where layer = 'silver' and disposition != 'held_back' "
                f"and source = {quoted(source.name)} and to_date(event_time) between {begin} and {end}",
                f"{transaction}.quarantine",
                {"transaction": f"{transaction}.quarantine"},
            )
        _publish(context, source, portion, facts)


def _taken_in(context: Context, source: Source) -> DataFrame:
    """The bronze rows of a source that silver has taken in, less those that it holds back."""
    batches = [(batch_id,) for batch_id in context.ledger(source).taken_in()]
    held = context.session.table(QUARANTINE.name).where(
        (F.col("layer") == "silver") & (F.col("disposition") == "held_back") & (F.col("source") == source.name)
    )
    published = context.session.table(source.bronze.name)
    known = F.broadcast(context.session.createDataFrame(batches, "_batch_id string"))
    return published.join(known, "_batch_id", "left_semi").join(held.select(*PLACE), list(PLACE), "left_anti")


def _portion_of(context: Context, source: Source, batch: Batch) -> Portion:
    staged = context.staged.get(batch.batch_id)
    return Portion(
        batch.batch_id,
        batch.batch_id,
        staged.rows if staged else _bronze_rows(context, source, batch.batch_id),
        context.ledger(source).published_rows(batch),
        is_mapped=staged is not None and staged.is_mapped,
    )


def _bronze_rows(context: Context, source: Source, batch_id: str) -> DataFrame:
    published = context.session.table(source.bronze.name).where(F.col("_batch_id") == batch_id)
    return parse_fields(published, source)


def _kept_out_before(context: Context, source: Source, batch: Batch) -> Portion | None:
    """What a batch takes up of the rows that silver kept out; None where that is nothing, or settled. Thresholds hold none back again."""
    if batch.takes_out is None:
        return None
    with context.recorded_if_failing(source.name, table(source.silver.table)):
        transaction = f"{batch.batch_id}.waiting"
        kept_out = checkpoint(waiting(context.session, source.name, "silver", batch.takes_out))
        places = checkpoint(kept_out.select(*PLACE).distinct())
        count = places.count()
        if not count or is_settled(context, f"{transaction}.silver"):
            return None
        tune(context.session, count)
        batches = [row["_batch_id"] for row in places.select("_batch_id").distinct().collect()]
        published = context.session.table(source.bronze.name).where(F.col("_batch_id").isin(batches))
        rows = parse_fields(published.join(places, list(PLACE), "left_semi"), source)
    return Portion(transaction, batch.batch_id, rows, count, thresholds=False, kept_out=kept_out)


def _publish(context: Context, source: Source, portion: Portion, facts: Facts) -> None:
    declared = table(source.silver.table)
    facts.batch_id = portion.batch_id
    read = DeltaLog(context.settings, source.bronze).version
    facts.input_versions = json.dumps({source.bronze.name: read})
    log = DeltaLog(context.settings, declared)
    is_committed = portion.kept_out is None and log.commit_of(portion.transaction) is not None
    counts = SilverCounts() if is_committed else _publish_staged(context, source, declared, portion, log, facts)
    failpoints.reached(failpoints.PUBLISHED)
    _fill(context, source, declared, portion, counts, facts, was_found=is_committed)
    if facts.version_after is not None:
        lineage(context, declared.name, facts.version_after, {source.bronze.name: read}, columns_of_silver(source))


def _publish_staged(context: Context, source: Source, declared: Table, portion: Portion, log: DeltaLog, facts: Facts) -> SilverCounts:
    if not portion.rows_read:
        return SilverCounts()
    tune(context.session, portion.rows_read)
    contract = contract_for(declared)
    with _mapped(portion, source, contract.row_rules) as mapped:
        whole = _overview(mapped, declared)
        judged = mapped.where(APPLICABLE).drop(APPLICABLE)
        if declared.latest_by:
            compared = checkpoint(compare_entities(context, judged, declared))
        else:
            compared = compare_events(context, judged, declared, portion, log, whole.days)
        if portion.kept_out is not None:
            compared = _as_published(context, source, declared, portion, compared, log)
        view, variables = view_of(compared, declared), {"max_rejected_share": str(source.max_rejected_share)}
        verdict = audit(context, source.name, declared, view, Stage.BATCH, facts, variables)
        held = failing_slices(context, verdict, contract, view, variables) if portion.thresholds else {}
        is_held = F.col("tenant_id").isin(list(held)) & F.col("_disposition").isin("inserted", "updated") if held else F.lit(False)
        disposed = compared.withColumn("_disposition", F.when(is_held, "held_back").otherwise(F.col("_disposition")))
        rows = _by_disposition(disposed, declared)
        counts = _count(whole, rows, portion, source)
        balance_silver(portion.transaction, counts)
        _measure(context, source, declared, whole, rows, portion, facts)
        failpoints.reached(failpoints.STAGED)
        _commit(context, source, declared, portion, disposed, sorted({name for names in held.values() for name in names}), counts)
    return counts


def _mapped(portion: Portion, source: Source, rules: Sequence[RowRule]) -> AbstractContextManager[DataFrame]:
    """Rows that several queries can read; those that were mapped early are kept already."""
    if portion.is_mapped:
        return nullcontext(mapped_to_silver(portion.rows, source, rules))
    return kept(map_to_silver(expand(portion.rows, source), source, rules), portion.rows_read)


MOST_COPIES = 10_000
"""For how many events a record may stand; more than any daemon folds into one line, and few enough for one row's array."""
TOO_MANY_COPIES = f"stands for more than {MOST_COPIES} events"


def expand(rows: DataFrame, source: Source) -> DataFrame:
    """One row per event that a record stands for, with its number as `copy`; from the second one on `#n` is behind the event id.

    A record that claims more than MOST_COPIES is one row, and `_corrupt` says why it cannot be used.
    """
    if source.silver.expand is None:
        return rows
    too_many = F.when(_told_copies(source.silver.expand) > MOST_COPIES, TOO_MANY_COPIES)
    marked = rows.withColumn(CORRUPT, F.coalesce(CORRUPT, too_many))
    numbered = marked.withColumn(COPY, F.explode(F.sequence(F.lit(1), _copies(source.silver.expand))))
    copies = derive(numbered, source) if source.derives_by_copy else numbered
    return copies.withColumn("event_id", F.when(F.col(COPY) > 1, F.concat_ws("#", "event_id", COPY)).otherwise(F.col("event_id")))


@dataclass(frozen=True)
class Overview:
    """What was mapped of a portion: rows, those that are applicable, their days where the table has such, and counts of values.

    Args:
        parts: collected rows, one for each tenant and bucket.
    """

    parts: Sequence[Row]

    @property
    def rows(self) -> int:
        """Rows in all."""
        return self.total("_rows")

    @property
    def applicable(self) -> int:
        """Those that are rows of the table."""
        return self.total("_applicable")

    @property
    def days(self) -> frozenset[date]:
        """Event days of the applicable ones."""
        return frozenset(day for part in self.parts for day in part["_days"])

    def total(self, name: str) -> int:
        """A count, over all parts."""
        return sum(part[name] for part in self.parts)


def _overview(mapped: DataFrame, declared: Table) -> Overview:
    """Look at the mapped rows as a whole, once."""
    day = F.col("event_date") if "event_date" in declared.column_names else F.lit(None).cast("date")
    counted = mapped.groupBy("tenant_id", in_buckets(mapped)).agg(
        F.count(F.lit(1)).alias("_rows"),
        F.count_if(APPLICABLE).alias("_applicable"),
        F.collect_set(F.when(F.col(APPLICABLE), day)).alias("_days"),
        *filled(declared, F.col(APPLICABLE)),
        *value_counts(declared, F.col(APPLICABLE)),
    )
    return Overview(counted.collect())


def _measure(
    context: Context, source: Source, declared: Table, whole: Overview, disposed: Sequence[Row], portion: Portion, facts: Facts
) -> None:
    """Record what was counted of a portion, unless it is counted a second time."""
    if portion.replaces:
        return
    measured = Measurements(context, source.name, declared, facts)
    for part in whole.parts:
        for name in (name for name in part.asDict() if not name.startswith("_") and name != "tenant_id"):
            measured.add(part, "value_rows" if "=" in name else "filled_rows", part[name], name)
        measured.add(part, "not_applicable_rows", part["_rows"] - part["_applicable"])
    for row in disposed:
        is_published = row["_disposition"] in ("inserted", "updated")
        measured.add(row, "rows" if is_published else f"{row['_disposition']}_rows", row["rows"])
        if is_published:
            measured.add_times(row["mean"], row["rows"])
    record_fill(context, source, declared, whole, measured, facts)
    if disposed:
        measured.record(disposed[0]["ingested"].replace(tzinfo=UTC))


def compare_events(
    context: Context, judged: DataFrame, declared: Table, portion: Portion, log: DeltaLog, days: Collection[date]
) -> DataFrame:
    """Add `_disposition` to events: the first under a key is inserted; a later one is a duplicate if it says the same, else conflicting.

    Args:
        judged: staged rows with `_reasons`.
        log: of the table, as it is before the portion.
        days: all event days of the rows.
    """
    key = list(declared.key)
    said = [c.name for c in declared.columns if c.name not in LINEAGE_COLUMNS]
    rows = judged.withColumn("_content", F.xxhash64(F.to_json(F.struct(*said))))
    good = rows.where(F.size(REASONS) == 0)
    repeated = first_of_repeated(good, key, F.struct(*PLACE, "_content"))
    known = _published_events(context, declared, good, said, portion, log, days)
    marked, first = rows, F.lit(None).cast("long")
    if repeated is not None:
        marked = marked.join(repeated, key, "left")
        first = F.when(F.struct(*PLACE) != F.struct(*(f"_first.{name}" for name in PLACE)), F.col("_first._content"))
    if known is not None:
        marked = marked.join(known, key, "left")
        first = F.coalesce("_known", first)
    return marked.withColumn(
        "_disposition",
        F.when(F.size(REASONS) > 0, "quarantined")
        .when(first.isNull(), "inserted")
        .when(first == F.col("_content"), "duplicate")
        .otherwise("conflicting"),
    ).drop("_first", "_known", "_content")


def _published_events(
    context: Context, declared: Table, good: DataFrame, said: Sequence[str], portion: Portion, log: DeltaLog, days: Collection[date]
) -> DataFrame | None:
    """Key and content hash of published rows that the good rows repeat; these days, give or take a week, are searched."""
    key = list(declared.key)
    searched = sorted(around(days, SAME_ID_WITHIN_DAYS, SAME_ID_WITHIN_DAYS))
    if not log.row_count(searched):
        return None
    stays = f"not ({portion.replaces})" if portion.replaces else "true"
    published = context.session.table(declared.name).where(F.col("event_date").isin(searched)).where(stays)
    repeated = published.join(good.select(*key).distinct(), key, "left_semi")
    return computed_once(repeated.select(*key, F.xxhash64(F.to_json(F.struct(*said))).alias("_known")))


SAME_ID_WITHIN_DAYS = 7
"""How far from its day an event's id is looked for: a repeat whose time changed by more is found by the uniqueness check instead."""


def _as_published(context: Context, source: Source, declared: Table, portion: Portion, compared: DataFrame, log: DeltaLog) -> DataFrame:
    """Dispositions of rows that silver kept out, where it has rows of the same records: those that a record expands to beside the ones
    that were kept out, and those of an earlier attempt."""
    is_committed = log.transaction(portion.transaction) is not None
    if not is_committed and source.silver.expand is None:
        return compared
    places = portion.rows.select(*PLACE).distinct()
    own = [*PLACE, *declared.key]
    there = context.session.table(declared.name).join(places, list(PLACE), "left_semi").select(*own, F.lit(True).alias("_there"))
    marked = compared.join(there.distinct(), own, "left")
    return checkpoint(told_as_committed(marked, "duplicate", ("inserted", "updated") if is_committed else ()).drop("_there"))


def compare_entities(context: Context, judged: DataFrame, declared: Table) -> DataFrame:
    """Add `_disposition` to states of entities: only the newest of the batch counts, and only where it is newer than what is published."""
    key, by = list(declared.key), str(declared.latest_by)
    rank = F.struct(by, *PLACE)
    newest = judged.where(F.size(REASONS) == 0).groupBy(*key).agg(F.max(rank).alias("_newest"))
    published = context.session.table(declared.name).select(*key, F.col(by).alias("_published"))
    marked = judged.join(newest, key, "left").join(published, key, "left")
    return marked.withColumn(
        "_disposition",
        F.when(F.size(REASONS) > 0, "quarantined")
        .when(rank != F.col("_newest"), "duplicate")
        .when(F.col("_published").isNull(), "inserted")
        .when(F.col("_published") < F.col(by), "updated")
        .otherwise("duplicate"),
    ).drop("_newest", "_published")


def _by_disposition(disposed: DataFrame, declared: Table) -> list[Row]:
    """How many rows of each tenant and bucket became what, with their mean event time (epoch seconds), and how many of them are late."""
    is_late, mean = F.lit(False), F.lit(None).cast("double")
    if "event_date" in disposed.columns:
        is_late = F.date_add("event_date", CLOSED_AFTER_DAYS) < F.to_date("_ingested_at")
    if "event_time" in declared.column_names:
        mean = F.avg(F.col("event_time").cast("double"))
    grouped = disposed.groupBy("tenant_id", "_disposition", in_buckets(disposed))
    ingested = F.max("_ingested_at").alias("ingested")
    return grouped.agg(F.count(F.lit(1)).alias("rows"), F.count_if(is_late).alias("late"), mean.alias("mean"), ingested).collect()


def _count(whole: Overview, disposed: Sequence[Row], portion: Portion, source: Source) -> SilverCounts:
    counted: Counter[str] = Counter()
    for row in disposed:
        counted[row["_disposition"]] += row["rows"]
    return SilverCounts(
        read=portion.rows_read,
        expanded=_expanded(portion, source),
        not_applicable=whole.rows - whole.applicable,
        late=sum(row["late"] for row in disposed if row["_disposition"] == "inserted"),
        **counted,
    )


CLOSED_AFTER_DAYS = 1
"""A row is late that is ingested (UTC) after this many whole days have followed its event day."""


def _expanded(portion: Portion, source: Source) -> int:
    return int(portion.rows.agg(F.sum(_copies(source.silver.expand) - 1)).collect()[0][0] or 0) if source.silver.expand else 0


def _told_copies(expression: str) -> Column:
    """How many events a record says that it stands for: a double, which holds a number of any length."""
    return F.expr(expression).try_cast("double")


def _copies(expression: str) -> Column:
    told = _told_copies(expression)
    return F.when(told.between(1, MOST_COPIES), told).otherwise(1).cast("int")


def _commit(
    context: Context, source: Source, declared: Table, portion: Portion, disposed: DataFrame, held: Sequence[str], counts: SilverCounts
) -> None:
    about = {"transaction": portion.transaction, "run_id": context.run.run_id, "counts": asdict(counts)}
    if portion.kept_out is not None:
        _settle(context, source, declared, portion, disposed, counts, about)
        return
    if counts.quarantined + counts.conflicting + counts.held_back:
        append(_kept_out(source, portion, disposed, held), context.settings, QUARANTINE, portion.settlement, about)
    accepted = disposed.where(F.col("_disposition").isin("inserted", "updated"))
    if portion.replaces:
        ordered = _by_day(accepted, portion.rows_read)
        replace(ordered, context.settings, declared, portion.replaces, portion.transaction, TRANSACTION_VERSION, about)
    elif counts.inserted + counts.updated:
        _add(context, declared, portion, accepted, about)


def _kept_out(source: Source, portion: Portion, disposed: DataFrame, held: Sequence[str]) -> DataFrame:
    raw = portion.rows.select(*PLACE, "raw", "_ingest_date")
    rows = disposed.where(F.col("_disposition").isin("quarantined", "conflicting", "held_back")).join(raw, list(PLACE))
    return quarantine_rows(rows, source.name, "silver", held)


def _settle(
    context: Context,
    source: Source,
    declared: Table,
    portion: Portion,
    disposed: DataFrame,
    counts: SilverCounts,
    about: Mapping[str, object],
) -> None:
    """Publish what passes of the rows that silver kept out, then settle them; an attempt that published before settles only."""
    assert portion.kept_out is not None
    if DeltaLog(context.settings, declared).transaction(portion.transaction) is None and counts.inserted + counts.updated:
        _add(context, declared, portion, disposed.where(F.col("_disposition").isin("inserted", "updated")), about)
        require_own(context, DeltaLog(context.settings, declared).commit_of(portion.transaction))
    failpoints.reached(failpoints.PUBLISHED)
    after = _kept_out(source, portion, disposed, ())
    settle(context, Settlement(source.name, portion.batch_id, portion.kept_out, after, portion.settlement, {}))
    failpoints.reached(failpoints.TAKEN_OUT)


def _add(context: Context, declared: Table, portion: Portion, accepted: DataFrame, about: Mapping[str, object]) -> None:
    if declared.latest_by is None:
        ordered = _by_day(accepted, portion.rows_read) if declared.partition_by else accepted
        append(ordered, context.settings, declared, portion.transaction, about)
    else:
        _merge(context, declared, portion, accepted, about)


ROWS_PER_TASK = 60_000
"""Rows that a writing task sorts by their day: four times as many fill the heap that the embedded Spark has, and take twice as long."""


def _by_day(rows: DataFrame, count: int) -> DataFrame:
    """Rows with those of a day together, so that a day is one file."""
    return rows.repartition(max(1, count // ROWS_PER_TASK), "event_date")


def _merge(context: Context, declared: Table, portion: Portion, accepted: DataFrame, about: Mapping[str, object]) -> None:
    show(accepted.select(*declared.column_names), "accepted")
    matching = " and ".join(f"known.{identifier(k)} = accepted.{identifier(k)}" for k in declared.key)
    run_once(
        context.session,
        f"merge into {qualified(declared)} as known using accepted on {matching} "
        "when matched then update set * when not matched then insert *",
        portion.transaction,
        about,
    )


def _fill(
    context: Context, source: Source, declared: Table, portion: Portion, counts: SilverCounts, facts: Facts, *, was_found: bool
) -> None:
    log = DeltaLog(context.settings, declared)
    commit = log.commit_of(portion.transaction)
    if commit:
        counts = SilverCounts(**commit.facts["counts"])
    if commit and not is_mine_to_tell(context, source.name, declared, commit, was_found=was_found):
        counts, commit = SilverCounts(read=counts.read, expanded=counts.expanded, duplicate=counts.read + counts.expanded), None
    facts.rows_read, facts.rows_expanded = counts.read, counts.expanded
    facts.rows_inserted, facts.rows_updated, facts.rows_deleted = counts.inserted, counts.updated, 0
    facts.rows_late = counts.late
    facts.rows_quarantined, facts.rows_held_back = counts.quarantined, counts.held_back
    facts.rows_duplicate, facts.rows_conflicting, facts.rows_not_applicable = counts.duplicate, counts.conflicting, counts.not_applicable
    if commit is None:
        return
    facts.version_before, facts.version_after = commit.version - 1, commit.version
    facts.rows_deleted = commit.count("numDeletedRows")
    facts.bytes_written = commit.count("numOutputBytes") or commit.count("numTargetBytesAdded")
    facts.files_written = commit.count("numFiles") or commit.count("numTargetFilesAdded")
    judge_published(context, source.name, declared, facts, log, commit.version - 1)
    agree(f"{declared.name}, {portion.transaction}", counts.inserted + counts.updated, _rows_committed(commit))


def _rows_committed(commit: Commit) -> int:
    return (
        commit.count("numOutputRows")
        if "numFiles" in commit.metrics
        else commit.count("numTargetRowsInserted") + commit.count("numTargetRowsUpdated")
    )
