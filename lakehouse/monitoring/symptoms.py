"""What a symptom is.

Does not belong here: finding one, or its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

CANARY = "canary"
"""The pipeline that fails on purpose, to prove that a failure is told."""
EVALUATOR = "evaluator"
"""Who judges, where a person could."""


class Kind(StrEnum):
    """What is seen of a trouble."""

    FAILED = "failed"
    DIED = "died"
    SKIPPED = "skipped"
    MISSING = "missing"
    LATE = "late"
    INPUT_LATE = "input_late"
    INPUT_MISSING = "input_missing"
    HELD_BACK = "held_back"
    FIELD_DROPPED = "field_dropped"
    FIELD_CHANGED = "field_changed"
    VOLUME_LOW = "volume_low"
    VOLUME_HIGH = "volume_high"
    NULLS = "nulls"
    VALUES = "values"
    DUPLICATES = "duplicates"
    REJECTED = "rejected"
    NOT_APPLICABLE = "not_applicable"
    IMPLAUSIBLE = "implausible"
    SLA = "sla"
    SERVER_DOWN = "server_down"
    CHANNEL_DEAD = "channel_dead"
    EVALUATOR_DOWN = "evaluator_down"


GROWS_INTO = {Kind.INPUT_LATE: Kind.INPUT_MISSING, Kind.DIED: Kind.FAILED}
"""What is the same trouble under another name: a file that is late until it is missing, a step that dies and fails in turn."""


@dataclass(frozen=True)
class Symptom:
    """Something that is not as it should be at the moment of a round.

    Args:
        kind: what is seen.
        since: when it began (UTC), as far as the facts tell.
        observed, expected: in words.
        pipeline, table, tenant: where; `table` may be a step or a server. None for tenant: all of them, or it has none.
        dimension: column, or `column=value`, of a series.
        run_id: run in which it shows.
        until: the newest moment at which it may have begun (UTC), where it is told by a window; None where `since` is certain.
        facts: what rules about causes look at.
    """

    kind: Kind
    since: datetime
    observed: str
    expected: str
    pipeline: str | None = None
    table: str | None = None
    tenant: str | None = None
    dimension: str | None = None
    run_id: str | None = None
    until: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def began_by(self) -> datetime:
        """The newest moment at which it may have begun (UTC)."""
        return self.until or self.since

    @property
    def key(self) -> str:
        """Names the symptom from round to round."""
        kind = GROWS_INTO.get(self.kind, self.kind)
        return "|".join(part or "" for part in (kind, self.pipeline, self.table, self.tenant, self.dimension))
