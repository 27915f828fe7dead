"""Which symptoms have one cause: each group has a root, the symptom nearest to the cause, and what the root explains.

Does not belong here: naming the cause (lakehouse.incidents.causes), or what was known in the round before (lakehouse.incidents.tracker).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lakehouse.incidents.graph import Graph
from lakehouse.incidents.signatures import infrastructure_of
from lakehouse.monitoring.symptoms import Kind, Symptom

INFRASTRUCTURE = 0
NEAREST_FIRST: tuple[tuple[Kind, ...], ...] = (
    (Kind.SERVER_DOWN, Kind.EVALUATOR_DOWN, Kind.CHANNEL_DEAD),
    (Kind.FIELD_DROPPED, Kind.FIELD_CHANGED),
    (Kind.IMPLAUSIBLE,),
    (Kind.REJECTED, Kind.DUPLICATES),
    (Kind.FAILED, Kind.DIED, Kind.MISSING, Kind.LATE),
    (Kind.INPUT_LATE, Kind.INPUT_MISSING),
    (Kind.NOT_APPLICABLE,),
    (Kind.NULLS,),
    (Kind.VALUES,),
    (Kind.VOLUME_LOW, Kind.VOLUME_HIGH),
    (Kind.HELD_BACK,),
    (Kind.SKIPPED,),
    (Kind.SLA,),
)
"""Kinds of symptoms by how near to a cause they are: what is of a later kind may follow from what is of an earlier one."""
NEARNESS = {kind: place for place, kinds in enumerate(NEAREST_FIRST, start=1) for kind in kinds}

STOPPED = frozenset((Kind.FAILED, Kind.DIED, Kind.SKIPPED, Kind.MISSING, Kind.LATE))
NOTHING_COMES = frozenset((Kind.INPUT_LATE, Kind.INPUT_MISSING, Kind.VOLUME_LOW, Kind.SLA))
SERIES = frozenset((Kind.NULLS, Kind.VALUES, Kind.NOT_APPLICABLE, Kind.VOLUME_LOW, Kind.VOLUME_HIGH))
BAD_ROWS = frozenset((Kind.HELD_BACK, Kind.REJECTED, Kind.IMPLAUSIBLE))
FOLLOWS: dict[Kind, frozenset[Kind]] = {
    Kind.FAILED: STOPPED | NOTHING_COMES | {Kind.HELD_BACK},
    Kind.DIED: STOPPED | NOTHING_COMES,
    Kind.MISSING: STOPPED | NOTHING_COMES,
    Kind.LATE: STOPPED | NOTHING_COMES,
    Kind.INPUT_LATE: NOTHING_COMES | {Kind.MISSING},
    Kind.INPUT_MISSING: NOTHING_COMES | {Kind.MISSING},
    Kind.FIELD_DROPPED: SERIES | STOPPED | BAD_ROWS | {Kind.SLA, Kind.FIELD_DROPPED, Kind.FIELD_CHANGED},
    Kind.FIELD_CHANGED: SERIES | STOPPED | BAD_ROWS | {Kind.SLA, Kind.FIELD_DROPPED, Kind.FIELD_CHANGED},
    Kind.IMPLAUSIBLE: SERIES | {Kind.HELD_BACK, Kind.SLA, Kind.REJECTED, Kind.IMPLAUSIBLE},
    Kind.REJECTED: SERIES | STOPPED | {Kind.HELD_BACK, Kind.SLA, Kind.REJECTED},
    Kind.DUPLICATES: SERIES | {Kind.HELD_BACK, Kind.SLA, Kind.REJECTED, Kind.DUPLICATES},
    Kind.NOT_APPLICABLE: SERIES | {Kind.SLA},
    Kind.NULLS: SERIES | {Kind.HELD_BACK},
    Kind.VALUES: SERIES,
    Kind.VOLUME_LOW: NOTHING_COMES | {Kind.VALUES},
    Kind.VOLUME_HIGH: frozenset((Kind.VOLUME_HIGH, Kind.VALUES)),
    Kind.HELD_BACK: frozenset((Kind.VOLUME_LOW, Kind.SLA)),
    Kind.SKIPPED: frozenset((Kind.SKIPPED, Kind.SLA)),
    Kind.SLA: frozenset((Kind.SLA,)),
}
"""What may follow from a symptom of each kind, in the same pipeline or downstream of it."""
STOPPED_BY: dict[str, frozenset[Kind]] = {
    **dict.fromkeys(("store", "metastore", "spark"), STOPPED | NOTHING_COMES),
    "dagster daemon": frozenset((Kind.MISSING, Kind.LATE)) | NOTHING_COMES,
}
"""What may follow from each server that is down; from one that only answers questions, nothing does."""
NOTICED = timedelta(minutes=2)
"""So long before a server is seen to be down it may have been so."""
TOGETHER = timedelta(hours=3)
"""Symptoms that are alike and began within this time of one another have one cause."""
BEFORE = timedelta(hours=26)
"""How long before its root a symptom may seem to have begun: a window of a day tells its own beginning."""
ANYWHERE = frozenset((Kind.MISSING, Kind.NOT_APPLICABLE))
"""What begins in several pipelines at once has one cause: who starts runs, or the code by which all are read."""
MANY = 3
"""From so many tenants on, silence is not their own."""


@dataclass
class Group:
    """Symptoms with one cause.

    Args:
        root: the one nearest to the cause.
        others: what follows from it, and what is like it.
    """

    root: Symptom
    others: list[Symptom] = field(default_factory=list)

    @property
    def symptoms(self) -> list[Symptom]:
        """All of them, the root first."""
        return [self.root, *self.others]

    @property
    def keys(self) -> frozenset[str]:
        """Their names."""
        return frozenset(s.key for s in self.symptoms)

    @property
    def alike(self) -> list[Symptom]:
        """The root, and those of its kind and place."""
        return [s for s in self.symptoms if s.kind is self.root.kind and (s.pipeline == self.root.pipeline or s.kind in ANYWHERE)]

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants that are named by the root and those like it; none where it is of no tenant."""
        return frozenset(s.tenant for s in self.alike if s.tenant) if self.root.tenant else frozenset()

    @property
    def since(self) -> datetime:
        """When it began, at the earliest."""
        return min(s.since for s in self.alike)

    @property
    def until(self) -> datetime:
        """When it began, at the latest."""
        return min(s.began_by for s in self.alike)


def group(symptoms: Iterable[Symptom], graph: Graph) -> list[Group]:
    """Sort symptoms into groups of one cause each."""
    groups: list[Group] = []
    for symptom in sorted(symptoms, key=lambda s: (nearness(s), s.tenant is not None, s.since, s.key)):
        home = next((g for g in groups if _belongs(symptom, g, graph)), None)
        if home:
            home.others.append(symptom)
        else:
            groups.append(Group(symptom))
    return groups


def nearness(symptom: Symptom) -> int:
    """How near to a cause a symptom is; what fails for want of a server, of memory or of a right to it is nearest."""
    return INFRASTRUCTURE if infrastructure_of(symptom) else NEARNESS[symptom.kind]


def _belongs(symptom: Symptom, to: Group, graph: Graph) -> bool:
    return _is_alike(symptom, to.root) or any(_explains(known, symptom, graph) for known in to.alike)


def _is_alike(symptom: Symptom, root: Symptom) -> bool:
    """Whether two symptoms of one kind are the same trouble in different places."""
    if not _began_together(symptom, root):
        return False
    if infrastructure_of(root):
        return infrastructure_of(symptom) == infrastructure_of(root)
    if symptom.kind is not root.kind or root.kind in (Kind.CHANNEL_DEAD, Kind.SERVER_DOWN, Kind.EVALUATOR_DOWN):
        return False
    if root.kind in ANYWHERE or (root.kind is Kind.VOLUME_LOW and root.tenant is None):
        return True
    is_own = root.kind in (Kind.VOLUME_LOW, Kind.VOLUME_HIGH) and symptom.tenant != root.tenant
    return symptom.pipeline == root.pipeline and not is_own


def _began_together(one: Symptom, other: Symptom) -> bool:
    """Whether two symptoms may have begun at one time; what is told by a window may have begun anywhere in it."""
    return one.since <= other.began_by + TOGETHER and other.since <= one.began_by + TOGETHER


def _explains(root: Symptom, symptom: Symptom, graph: Graph) -> bool:
    """Whether a symptom may follow from another one."""
    if root.kind is Kind.SERVER_DOWN:
        return symptom.kind in STOPPED_BY.get(root.table or "", ()) and symptom.began_by >= root.since - NOTICED
    if symptom.since < root.since - BEFORE or root.kind not in FOLLOWS:
        return False
    if infrastructure_of(root):
        return symptom.kind in STOPPED | NOTHING_COMES and symptom.since >= root.since - TOGETHER
    if symptom.kind not in FOLLOWS[root.kind]:
        return False
    of_tenant = root.tenant is None or symptom.tenant in (None, root.tenant)
    return of_tenant and (symptom.pipeline == root.pipeline or graph.leads_to(root.table, symptom.table))


def hits(of: Group, graph: Graph) -> list[str]:
    """The tables that are made from what is broken, nearest first."""
    names: Sequence[str] = sorted({s.table for s in of.alike if s.table})
    return sorted({made for name in names for made in graph.downstream(name)} - set(names), key=_by_layer)


def _by_layer(name: str) -> tuple[int, str]:
    layers = ("landing", "bronze", "silver", "gold")
    layer = name.partition(".")[0]
    return (layers.index(layer) if layer in layers else len(layers), name)
