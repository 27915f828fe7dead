"""The evaluator as a process of its own: it needs neither Spark nor Trino nor Dagster.

Does not belong here: what it evaluates (lakehouse.ops).
"""

from __future__ import annotations

from infra.services.base import Context


def serve(context: Context) -> None:
    """Evaluate until told to stop."""
    from lakehouse.ops.evaluator import run_forever

    run_forever(context.settings)
