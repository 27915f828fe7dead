"""What a declaration makes of a file, without writing anything.

Does not belong here: batches, the ledger, or tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dq_checks import contract_for
from jobs.bronze import Split, hmac_keys, identify, places, stage, with_reasons
from jobs.parse import CORRUPT
from jobs.records import EMPTY_RECORDS, PLACED
from jobs.refine import expand
from jobs.silver import APPLICABLE, map_to_silver
from lakehouse.ledger import Batch, BatchFile
from lakehouse.sources import Source
from lakehouse.spark import checkpoint
from lakehouse.splitting import split
from lakehouse.tables import table

TENANT = "preview"


@dataclass(frozen=True)
class Preview:
    """Silver rows; rejected records as (place, reasons, text); how many records are not events of the table."""

    rows: list[dict[str, Any]]
    rejects: list[tuple[int, list[str], str]]
    not_applicable: int


def preview(session: SparkSession, source: Source, file: Path, limit: int) -> Preview:
    """Map the first `limit` records of a local file, as if it were landed today."""
    now = datetime.now(UTC)
    key = f"{source.name}/date={now.date().isoformat()}/tenant={TENANT}/{file.name}"
    with file.open("rb") as opened:
        found = list(islice(split(source, file.name, opened.read), limit))
    text = {record.row: (record.raw or b"").decode("utf-8", "replace") for record in found}
    rows = [(None if record.raw is None else text[record.row], key, PLACED, record.row, record.problem) for record in found]
    records = session.createDataFrame(rows, EMPTY_RECORDS).withColumn("tenant_id", F.lit(TENANT))
    keys, batch = hmac_keys(session, {TENANT: b"preview"}), Batch("preview-0", source.name, now, ())
    content = BatchFile(key, "preview", "", 0, now, now, TENANT, len(found))
    place = places(session, [Split(key, PLACED, 0, len(found))], {key: content})
    staged = stage(identify(records, source, keys), place, source, batch)
    bronze = checkpoint(with_reasons(staged, [(r.name, r.violated) for r in contract_for(source.bronze).row_rules]))
    mapped = map_to_silver(expand(bronze.where("size(_reasons) = 0"), source), source)
    silver = checkpoint(with_reasons(mapped, [(r.name, r.violated) for r in contract_for(table(source.silver.table)).row_rules]))
    judged = [*bronze.where("size(_reasons) > 0").collect(), *silver.where(f"{APPLICABLE} and size(_reasons) > 0").collect()]
    good = silver.where(f"{APPLICABLE} and size(_reasons) = 0").drop(APPLICABLE, "_reasons", CORRUPT)
    return Preview(
        [row.asDict() for row in good.collect()],
        [(row["_row"], list(row["_reasons"]), text[row["_row"]]) for row in judged],
        silver.where(f"not {APPLICABLE}").count(),
    )
