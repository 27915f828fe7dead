"""One round of the watch: what is wrong now, which incidents that makes, and who is told.

Everything is judged from the tables at the moment of the round: what an evaluator has missed while it was dead, the next round sees.

Does not belong here: any of the judging itself, or the process that has rounds made (lakehouse.evaluator).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from lakehouse.alerts.delivery import Delivery
from lakehouse.alerts.drill import FireDrill
from lakehouse.alerts.store_down import StoreDown
from lakehouse.errors import InfrastructureError
from lakehouse.incidents.graph import Graph
from lakehouse.incidents.tracker import Change, Tracker
from lakehouse.monitoring import attempts, inputs, promises, verdicts
from lakehouse.monitoring.feedback import marked_as_expected
from lakehouse.monitoring.series import Anomaly, SeriesWatch, as_symptom
from lakehouse.monitoring.symptoms import Symptom
from lakehouse.ops.store import Reader, Row, Writer
from lakehouse.sources import Source

EVALUATOR = "evaluator"

Beat = Callable[[datetime, Sequence[Symptom]], None]
"""Takes the time of a round (UTC) and the channels that are dead."""
Look = Callable[[datetime], Iterable[Symptom]]
"""Looks at something that the tables do not tell, at a time (UTC)."""


class Watch:
    """Makes rounds.

    Args:
        reader, writer: of the ops tables.
        sources: of the instance.
        delivery, drill: who is told, and the proof that they are.
        store_down: tells of the store's own outage.
        beat: shows a sign of life after a round that went well.
        host: this machine and instance.
        looks: at what the tables do not tell.
        waiting: since when landed files wait for a run.
        since: when the evaluator began its work for the first time (UTC).
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        sources: Mapping[str, Source],
        delivery: Delivery,
        drill: FireDrill,
        store_down: StoreDown,
        beat: Beat,
        host: str,
        since: datetime,
        *,
        looks: Sequence[Look] = (),
        waiting: verdicts.Waiting = lambda _: {},
    ) -> None:
        self.sources = sources
        self._reader, self._writer = reader, writer
        self._delivery, self._drill, self._store_down, self._beat = delivery, drill, store_down, beat
        self._host, self._since = host, since
        self._looks, self._waiting = looks, waiting
        self._series = SeriesWatch(reader)
        self._tracker = Tracker(reader, writer, Graph(sources))

    def round(self, now: datetime) -> list[Change]:
        """Judge, follow, tell; returns what changed of incidents.

        Raises InfrastructureError when the store does not answer; people are told of that nevertheless.
        """
        try:
            changes = self._judge(now)
            self._beat(now, self._delivery.dead_channels(now))
        except InfrastructureError as error:
            self._store_down.seen(error.message, now)
            raise
        self._store_down.over(now)
        return changes

    def _judge(self, now: datetime) -> list[Change]:
        self._give_verdicts(now)
        changes = self._tracker.round(self._symptoms(now), now)
        self._delivery.round(now)
        return changes

    def _symptoms(self, now: datetime) -> list[Symptom]:
        self._writer.append("ops.anomalies", marked_as_expected(self._reader, now))
        anomalies = [a for a in self._series.judge(now) if self._may_be_told(a)]
        self._writer.append("ops.anomalies", self._new(anomalies, now))
        evaluations = promises.evaluate(promises.Facts.read(self._reader, now), self.sources)
        self._writer.append("ops.sla_evaluations", promises.changes(self._reader, evaluations))
        return [
            *attempts.standing(self._reader, now),
            *inputs.overdue_files(self._reader, self.sources, now),
            *inputs.changed_fields(self._reader, now),
            *inputs.held_back(self._reader, now),
            *inputs.times_ahead(self._reader, now),
            *map(as_symptom, anomalies),
            *promises.stale(evaluations),
            *self._delivery.dead_channels(now),
            *self._drill.round(now, self._since),
            *(symptom for look in self._looks for symptom in look(now)),
        ]

    def _may_be_told(self, anomaly: Anomaly) -> bool:
        """Silence tells something only of a source that says how often it should come."""
        is_silence = anomaly.metric == "rows" and anomaly.direction == "low"
        source = self.sources.get(anomaly.pipeline)
        return not is_silence or bool(source and source.expected_every_minutes)

    def _give_verdicts(self, now: datetime) -> None:
        expected = [
            *verdicts.by_schedule(self._since, now),
            *verdicts.by_pull(self._reader, self.sources),
            *verdicts.by_landing(self._reader, self.sources, self._waiting, now),
        ]
        rows = [*verdicts.late(self._reader, now), *verdicts.missing(self._reader, expected, now, self._host)]
        self._writer.append("ops.run_events", rows)

    def _new(self, anomalies: Sequence[Anomaly], now: datetime) -> list[Row]:
        """The anomalies that have not been recorded yet, as rows of ops.anomalies: one for each series and bucket."""
        known = {tuple(row.values()) for row in self._reader.rows(RECORDED, [now])}
        found = [a for a in anomalies if (a.pipeline, a.table_name, a.tenant_id, a.metric, a.dimension, a.bucket_start) not in known]
        left_out = ("since", "run_id")
        return [
            {**{k: v for k, v in asdict(a).items() if k not in left_out}, "verdict": "anomalous", "actor": EVALUATOR, "judged_at": now}
            for a in found
        ]


RECORDED = """
select pipeline, table_name, tenant_id, metric, dimension, bucket_start from ops.anomalies
where bucket_start > $1::timestamptz - interval 5 days and actor = 'evaluator'
"""
