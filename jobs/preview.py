"""What a declaration makes of a file, without writing anything.

Does not belong here: batches, the ledger, or tables; or how it is shown (infra.preview_text).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from dq_checks import REASONS, Check, Severity, contract_for
from jobs.bronze import Split, broken, hmac_keys, identify, stage, with_places
from jobs.parse import CORRUPT, TYPE_CONFLICT
from jobs.records import EMPTY_RECORDS, PLACED
from jobs.refine import expand
from jobs.silver import APPLICABLE, map_to_silver
from lakehouse.ledger import Batch, BatchFile
from lakehouse.sources import Source
from lakehouse.spark import checkpoint, tune
from lakehouse.splitting import Record, split
from lakehouse.tables import Table, table

TENANT = "preview"


@dataclass(frozen=True)
class Reject:
    """A record that is no good row.

    Args:
        record: its place in the file.
        reasons: names of the rules that it breaks.
        why: the same in words, with the values that break them.
        text: the record.
    """

    record: int
    reasons: list[str]
    why: str
    text: str


@dataclass(frozen=True)
class Preview:
    """What came of the records.

    Args:
        records: how many were read.
        rows: good silver rows, in the order of their records.
        rejects: records that would go to quarantine.
        not_applicable: how many records are no rows of the table.
        repeated: how many good rows have the key of an earlier one.
        unnamed: fields of the records that the declaration does not name, with the number of records that have them.
        empty: columns that are null in all rows.
    """

    records: int
    rows: list[dict[str, Any]]
    rejects: list[Reject]
    not_applicable: int
    repeated: int
    unnamed: dict[str, int]
    empty: list[str]

    @property
    def rejected_by_reason(self) -> dict[str, int]:
        """How many records each reason keeps out; a record can have several."""
        return dict(Counter(reason for reject in self.rejects for reason in reject.reasons).most_common())


def preview(session: SparkSession, source: Source, file: Path, limit: int) -> Preview:
    """Map the first `limit` records of a local file, as if it were landed today."""
    with file.open("rb") as opened:
        found = list(islice(split(source, file.name, opened.read), limit))
    tune(session, len(found))
    declared = table(source.silver.table)
    bronze = checkpoint(_staged(session, source, file.name, found))
    rows = map_to_silver(expand(bronze.where(f"size({REASONS}) = 0"), source), source, contract_for(declared).row_rules).collect()
    bad = bronze.where(f"size({REASONS}) > 0").select("_row", REASONS, CORRUPT).collect()
    text = {record.row: (record.raw or b"").decode("utf-8", "replace") for record in found}
    fields: Any = session.createDataFrame([], source.fields_ddl).schema
    good = sorted((row for row in rows if row[APPLICABLE] and not row[REASONS]), key=lambda row: (row["_row"], str(row[declared.key[-1]])))
    unread = [_unread(row, text[row["_row"]], fields) for row in bad]
    unfit = [_unfit(row, text[row["_row"]], declared) for row in rows if row[APPLICABLE] and row[REASONS]]
    return Preview(
        records=len(found),
        rows=[{name: row[name] for name in declared.column_names} for row in good],
        rejects=sorted((*unread, *unfit), key=lambda reject: reject.record),
        not_applicable=sum(not row[APPLICABLE] for row in rows),
        repeated=len(good) - len({tuple(row[name] for name in declared.key) for row in good}),
        unnamed=_unnamed([] if source.pattern else text.values(), fields),
        empty=[name for name in declared.column_names if good and all(row[name] is None for row in good)],
    )


def _staged(session: SparkSession, source: Source, name: str, found: Sequence[Record]) -> DataFrame:
    now = datetime.now(UTC)
    key = f"{source.name}/date={now.date().isoformat()}/tenant={TENANT}/{name}"
    rows = [(r.raw and r.raw.decode("utf-8", "replace"), key, PLACED, r.row, r.problem) for r in found]
    records = session.createDataFrame(rows, EMPTY_RECORDS).withColumn("tenant_id", F.lit(TENANT))
    content = BatchFile(key, "preview", "", 0, now, now, TENANT, len(found))
    identified = identify(records, source, hmac_keys(session, {TENANT: b"preview"}))
    batch = Batch("preview-0", source.name, now, ())
    placed = with_places(stage(identified, source, batch), [Split(key, PLACED, 0, len(found))], {key: content}, source, batch)
    return placed.withColumn(REASONS, broken(contract_for(source.bronze).row_rules))


def _unread(row: Row, text: str, fields: DataType) -> Reject:
    """A record that bronze rejects; where the type of a field is not as declared, with the fields."""
    corrupt = row[CORRUPT]
    if corrupt is None:
        return Reject(row["_row"], row[REASONS], "", text)
    conflicts = [path for kind, path in _compared(_parsed(text), fields) if kind == TYPE_CONFLICT] if corrupt == TYPE_CONFLICT else []
    return Reject(row["_row"], row[REASONS], f"{corrupt}{(conflicts and ': ') or ''}{', '.join(dict.fromkeys(conflicts))}", text)


def _unfit(row: Row, text: str, declared: Table) -> Reject:
    """A record whose row breaks rules of the silver table, with the values that do."""
    checks: Mapping[str, Check] = {check.name: check for check in contract_for(declared).checks if check.severity is Severity.ROW}
    broken = [checks[reason] for reason in row[REASONS]]
    why = [f"{check.column} = {row[check.column]!r}" for check in broken if check.column and row[check.column] is not None]
    return Reject(row["_row"], row[REASONS], ", ".join(why), text)


def _unnamed(texts: Any, fields: DataType) -> dict[str, int]:
    found: Counter[str] = Counter()
    for text in texts:
        found.update({path for kind, path in _compared(_parsed(text), fields) if kind == UNNAMED})
    return dict(found.most_common())


UNNAMED = "unnamed"


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _compared(value: Any, type_: DataType, path: str = "") -> Iterator[tuple[str, str]]:
    """Where a value of JSON departs from its declared type: `unnamed` or `type_conflict`, and the path."""
    if isinstance(type_, StructType) and isinstance(value, dict):
        for name, inner in value.items():
            below = f"{path}.{name}" if path else name
            if name in type_.names:
                yield from _compared(inner, type_[name].dataType, below)
            else:
                yield UNNAMED, below
    elif isinstance(type_, ArrayType) and isinstance(value, list):
        for inner in value:
            yield from _compared(inner, type_.elementType, f"{path}[]")
    elif (isinstance(type_, StructType | ArrayType | MapType) and value is not None and not isinstance(value, dict)) or (
        isinstance(type_, ArrayType) and isinstance(value, dict)
    ):
        yield TYPE_CONFLICT, path
