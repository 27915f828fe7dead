"""What waits in bronze.quarantine, counted by reason; read without Spark, so that pages and commands can tell it at any time.

Does not belong here: taking rows out of it (jobs), or their text.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import duckdb
from deltalake.exceptions import DeltaError, TableNotFoundError

from lakehouse.delta_rs import open_table
from lakehouse.errors import InfrastructureError
from lakehouse.ledger import Reprocess
from lakehouse.settings import Settings
from lakehouse.tables.bronze import QUARANTINE

COUNTED = """
select layer, disposition, reason, count(*)::bigint as rows, count(distinct _source_file)::bigint as files,
       count(*) filter (not has_text)::bigint as without_text
from (
    select layer, disposition, unnest(reasons) as reason, reasons, _source_file, raw is not null as has_text
    from quarantine
    where source = $source and disposition in ('quarantined', 'conflicting') and (layer = $layer or $layer is null)
      and (tenant_id = $tenant or $tenant is null) and (len($batches) = 0 or list_contains($batches, _batch_id))
      and ($reason is null or list_contains(reasons, $reason))
)
group by layer, disposition, reason order by rows desc, layer, reason
"""


@dataclass(frozen=True)
class Rejected:
    """Rows that one layer keeps out for one reason; a row with several reasons is counted under each.

    Args:
        rows: how many.
        files: of how many landed files.
        without_text: of which only the landed file holds the text.
    """

    layer: str
    disposition: str
    reason: str
    rows: int
    files: int
    without_text: int


def rejected(settings: Settings, source: str, wanted: Reprocess) -> list[Rejected]:
    """The rejected rows of a source that are asked for, by reason, the most frequent first.

    Raises InfrastructureError when the store does not answer.
    """
    asked = {
        "source": source,
        "layer": wanted.layer,
        "tenant": wanted.tenant_id,
        "reason": wanted.reason,
        "batches": list(wanted.batches),
    }
    try:
        columns = ["source", "layer", "disposition", "reasons", "tenant_id", "_batch_id", "_source_file", "raw"]
        quarantine = open_table(settings, QUARANTINE).to_pyarrow_dataset().scanner(columns=columns)
        with duckdb.connect() as connection:
            connection.register("quarantine", quarantine.to_reader())
            return [Rejected(*row) for row in connection.execute(COUNTED, asked).fetchall()]
    except TableNotFoundError:
        return []
    except (DeltaError, OSError, duckdb.IOException) as error:
        raise InfrastructureError(
            f"the store did not answer while reading {QUARANTINE.name}", next_step="run `lakehouse doctor`"
        ) from error


def reasons_of(found: Collection[Rejected]) -> list[str]:
    """The names of the reasons, sorted."""
    return sorted({one.reason for one in found})
