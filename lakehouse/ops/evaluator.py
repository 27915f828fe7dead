"""The evaluator: at a fixed rhythm it sends what waits in the spool and gives a verdict on what can no longer tell.

Does not belong here: anything that needs Spark, Trino or Dagster.
"""

from __future__ import annotations

import logging
import signal
import threading
from datetime import UTC, datetime
from typing import Any

from lakehouse.errors import InfrastructureError
from lakehouse.ops.event_log import recover
from lakehouse.ops.processes import is_running
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.tables import table
from lakehouse.telemetry import Telemetry

log = logging.getLogger(__name__)

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


def run_forever(settings: Settings) -> None:
    """Evaluate every `evaluation_interval_s` seconds until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    writer, reader = OpsWriter(settings), OpsReader(settings)
    telemetry = Telemetry(settings, reader)
    while not stop.is_set():
        try:
            if found := evaluate_once(reader, writer):
                log.warning("%d steps ended without a word", found)
            telemetry.send(datetime.now(UTC))
        except InfrastructureError as error:
            log.warning("%s", error.message)
        stop.wait(settings.evaluation_interval_s)
