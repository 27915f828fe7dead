"""Publishing what waits in quarantine: a slice that a threshold held back, and rejected rows that pass now that a declaration is mended.

Either is claimed as a numbered batch of its own, which goes through bronze and silver as any other: what breaks off goes on with the
next run, and publishes once.

Does not belong here: silver's part (jobs.refine), or how rows leave quarantine (jobs.waiting).
"""

from __future__ import annotations

from functools import partial

from jobs.context import Context
from jobs.ingest import publish
from jobs.measure import tell_released
from jobs.waiting import files_of, parts_of
from lakehouse.ledger import Batch, Release, Reprocess, Waiting
from lakehouse.sources import Source


def release(context: Context, source: Source, wanted: Release) -> list[Batch]:
    """Publish to bronze the slice that an earlier batch held back, its thresholds waived; silver's part follows in jobs.refine.refine.

    Returns the batches that took up rows: none where nothing is held back. What an earlier attempt has claimed is finished first.
    """
    done = [*_finish(context, source), *_take_up(context, source, wanted)]
    tell_released(context, source.name, source.bronze, wanted)
    return done


def reprocess(context: Context, source: Source, asked: Reprocess) -> list[Batch]:
    """Publish to bronze those of the rejected rows asked for that pass now; silver's part follows as with `release`.

    What still fails stays in quarantine, with its reasons of now. Returns the batches that took up rows, as `release` does.
    """
    done = _finish(context, source)
    with context.recorded_if_failing(source.name, source.bronze):
        parts = parts_of(context, source, asked)
    return [*done, *(batch for part in parts for batch in _take_up(context, source, part))]


def _finish(context: Context, source: Source) -> list[Batch]:
    """Publish what is claimed already."""
    with context.recorded_if_failing(source.name, source.bronze):
        claimed = [batch for batch in context.ledger(source).unfinished() if batch.takes_out]
    for batch in claimed:
        publish(context, source, batch)
    return claimed


def _take_up(context: Context, source: Source, wanted: Waiting) -> list[Batch]:
    """Claim and publish; what another process claims meanwhile is finished before."""
    done: list[Batch] = []
    while not done or done[-1].takes_out != wanted:
        with context.recorded_if_failing(source.name, source.bronze):
            batch = context.ledger(source).claim_waiting(wanted, partial(files_of, context, source, wanted))
        if batch is None:
            break
        publish(context, source, batch)
        done.append(batch)
    return done
