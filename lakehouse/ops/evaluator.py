"""What processes leave behind: facts in the spool, logs of steps that were killed, starts without an end.

Does not belong here: judging what lives (lakehouse.watch), or anything that needs Spark, Trino or Dagster.
"""

from __future__ import annotations

from typing import Any

from lakehouse.ops.event_log import recover
from lakehouse.ops.processes import is_running
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.tables import table

UNENDED = """
select * exclude (fact, recorded_at, recorded_date) from ops.run_events as started
where fact = 'start' and split_part(host, '/', 2) = split_part(?, '/', 2)
  and not exists (
      select 1 from ops.run_events as ended
      where ended.fact in ('end', 'verdict') and ended.run_id = started.run_id
        and ended.pipeline = started.pipeline and ended.asset = started.asset
        and ended.attempt = started.attempt and ended.started_at = started.started_at
  )
"""


def evaluate_once(reader: OpsReader, writer: OpsWriter) -> int:
    """One round: recover and send the spool, then record TERMINATED for each start whose process is gone.

    Returns how many verdicts were recorded. Raises InfrastructureError when the store does not answer.
    """
    writer.recover_interrupted()
    if writer.waiting():
        writer.flush()
    recover(writer)
    verdicts = [_terminated(start) for start in reader.rows(UNENDED, [writer.host]) if not is_running(start["process"])]
    writer.append("ops.run_events", verdicts)
    return len(verdicts)


def _terminated(start: dict[str, Any]) -> dict[str, Any]:
    known = {name: start[name] for name in start if name in table("ops.run_events").column_names}
    return {
        **known,
        "fact": "verdict",
        "status": "TERMINATED",
        "error_class": "ProcessTerminated",
        "error_message": f"process {start['process'].partition('@')[0]} ended without a word",
    }
