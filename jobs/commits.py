"""Which attempt tells of a commit in the run log: the one that made it or, where that died first, the next one that finds it.

Does not belong here: making commits (lakehouse.delta), or the run log itself (lakehouse.ops.runs).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jobs.context import Context
from lakehouse.delta import Commit, DeltaLog
from lakehouse.ops.processes import is_running
from lakehouse.ops.store import Reader
from lakehouse.tables import Table

GOLD = "gold"
"""Name of the pipeline of the gold tables."""
TOLD = """
select run_id, status, host, process
from ops.run_log
where pipeline = ? and asset = ? and (version_after = ? or (run_id = ? and status = 'RUNNING'))
"""
TOLD_INPUTS = f"""
select asset, arg_max(input_versions, version_after) as input_versions
from ops.run_events
where pipeline = '{GOLD}' and fact = 'end' and status like 'SUCCEEDED%'
group by asset
"""


def is_mine_to_tell(context: Context, pipeline: str, declared: Table, commit: Commit, *, was_found: bool) -> bool:
    """Whether this attempt tells of a commit: it has made it, or nobody else tells of it.

    Args:
        was_found: the commit was there when the attempt began.
    """
    run_id = context.run.run_id
    has_made_it = not was_found and commit.facts.get("run_id") == run_id
    return has_made_it or not is_told(context.reader, context.writer.host, run_id, pipeline, declared, commit)


def is_told(reader: Reader, host: str, run_id: str | None, pipeline: str, declared: Table, commit: Commit) -> bool:
    """Whether the run log has a commit already, or the attempt that made it goes on and will tell of it.

    Args:
        host: this machine and instance, as facts tell it.
        run_id: of the attempt that asks, which is not waited for; None outside of a run.
    """
    rows = reader.rows(TOLD, [pipeline, declared.name, commit.version, commit.facts.get("run_id")])
    goes_on = [row for row in rows if row["status"] == "RUNNING" and row["run_id"] != run_id and _goes_on(row, host)]
    return bool(goes_on) or any(row["status"].startswith("SUCCEEDED") for row in rows)


def _goes_on(attempt: Mapping[str, Any], host: str) -> bool:
    """Whether an attempt without an end goes on; on another machine as long as that one's evaluator has not judged it."""
    is_here = str(attempt["host"]).partition("/")[2] == host.partition("/")[2]
    return is_running(attempt["process"]) if is_here else True


def told_inputs(reader: Reader) -> dict[str, int]:
    """By gold table, the sum of its inputs' versions as of the newest commit that the run log tells of."""
    rows = reader.rows(TOLD_INPUTS)
    return {row["asset"]: sum(json.loads(row["input_versions"] or "{}").values()) for row in rows}


def untold_commit(
    reader: Reader, host: str, run_id: str | None, log: DeltaLog, declared: Table, transaction: str, told: Mapping[str, int]
) -> Commit | None:
    """The last commit of a gold table where no attempt has told of it and none will. Where all is well, its history is not read.

    Args:
        host, run_id: see `is_told`.
        log: of the table.
        transaction: id of the table's commits.
        told: what `told_inputs` says.
    """
    done = log.transaction(transaction)
    if done is None or told.get(declared.name) == done:
        return None
    commit = log.commit_of(transaction, done)
    return None if commit is None or is_told(reader, host, run_id, GOLD, declared, commit) else commit
