"""What a declaration makes of a file, without writing anything.

Does not belong here: batches, the ledger, or tables.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dq_checks import contract_for
from jobs.bronze import hmac_keys, identify, stage, with_reasons
from jobs.parse import CORRUPT
from jobs.records import EMPTY_RECORDS
from jobs.silver import APPLICABLE, map_to_silver
from lakehouse.landing import BLANK, GZIP_MAGIC, LINE_END
from lakehouse.ledger import Batch
from lakehouse.sources import Format, Source
from lakehouse.spark import checkpoint
from lakehouse.tables import table

TENANT = "preview"


@dataclass(frozen=True)
class Preview:
    """Silver rows; rejected records as (place, reasons, text); how many records are not events of the table."""

    rows: list[dict[str, Any]]
    rejects: list[tuple[int, list[str], str]]
    not_applicable: int


def preview(session: SparkSession, source: Source, file: Path, limit: int) -> Preview:
    """Map the first `limit` records of a local file (plain or gzip)."""
    texts = list(islice(_records(source, file), limit))
    records = session.createDataFrame([(t, file.name, 0, n, None) for n, t in enumerate(texts, 1)], EMPTY_RECORDS)
    keys, batch = hmac_keys(session, {TENANT: b"preview"}), Batch("preview-0", source.name, datetime.now(UTC), ())
    place = session.createDataFrame([(file.name, 0, file.name, 0)], "_path string, _block long, _source_file string, _shift long")
    staged = stage(identify(records.withColumn("tenant_id", F.lit(TENANT)), source, keys), place, source, batch)
    bronze = checkpoint(with_reasons(staged, [(r.name, r.violated) for r in contract_for(source.bronze).row_rules]))
    mapped = map_to_silver(bronze.where("size(_reasons) = 0"), source).withColumn(CORRUPT, F.lit(None).cast("string"))
    silver = checkpoint(with_reasons(mapped, [(r.name, r.violated) for r in contract_for(table(source.silver.table)).row_rules]))
    text = dict(enumerate(texts, 1))
    judged = [*bronze.where("size(_reasons) > 0").collect(), *silver.where(f"{APPLICABLE} and size(_reasons) > 0").collect()]
    good = silver.where(f"{APPLICABLE} and size(_reasons) = 0").drop(APPLICABLE, "_reasons", CORRUPT)
    return Preview(
        [row.asDict() for row in good.collect()],
        [(row["_row"], list(row["_reasons"]), text[row["_row"]]) for row in judged],
        silver.where(f"not {APPLICABLE}").count(),
    )


def _records(source: Source, file: Path) -> Iterator[str]:
    data = file.read_bytes()
    text = (gzip.decompress(data) if data[:2] == GZIP_MAGIC else data).decode("utf-8-sig", errors="replace")
    if source.format is Format.JSON_WRAPPED:
        yield from (json.dumps(record) for record in json.loads(text)[source.records_field])
    elif source.format is Format.CSV:
        yield from (json.dumps(row) for row in csv.DictReader(io.StringIO(text)))
    else:
        yield from (line.removesuffix("\r") for line in text.split(LINE_END) if line.strip(BLANK))
