"""One round of the watch: what is wrong now, which incidents that makes, and who is told.

Everything is judged from the tables at the moment of the round: what an evaluator has missed while it was dead, the next round sees.

Does not belong here: any of the judging itself, or the process that has rounds made (lakehouse.evaluator).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from lakehouse.alerts.delivery import Delivery
from lakehouse.alerts.drill import FireDrill
from lakehouse.alerts.store_down import StoreDown
from lakehouse.errors import InfrastructureError
from lakehouse.incidents.graph import Graph
from lakehouse.incidents.tracker import Change, Tracker
from lakehouse.monitoring import attempts, inputs, promises, verdicts
from lakehouse.monitoring.feedback import marked_as_expected
from lakehouse.monitoring.series import Anomaly, SeriesWatch, as_symptom
from lakehouse.monitoring.symptoms import EVALUATOR, Kind, Symptom
from lakehouse.monitoring.unjudged import Unjudged
from lakehouse.ops.store import Reader, Row, Writer
from lakehouse.sources import Source

log = logging.getLogger("lakehouse")

HOUR = timedelta(hours=1)
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
        self._series, self._unjudged = SeriesWatch(reader), Unjudged(reader)
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
        symptoms = [symptom for name, judge in self._judges().items() for symptom in _judged(name, judge, now)]
        changes = self._tracker.round(symptoms, now, self._store_down.incidents())
        self._delivery.round(now)
        return changes

    def _judges(self) -> dict[str, Look]:
        """Everything that looks for symptoms, by name; verdicts come first, since they are facts for the others."""
        return {
            "verdicts": self._give_verdicts,
            "attempts": lambda now: attempts.standing(self._reader, now),
            "files": lambda now: inputs.overdue_files(self._reader, self.sources, now),
            "fields": lambda now: inputs.changed_fields(self._reader, now),
            "held_back": lambda now: inputs.held_back(self._reader, now),
            "times": lambda now: inputs.times_ahead(self._reader, now),
            "series": self._series_out_of_band,
            "promises": self._broken_promises,
            "channels": self._delivery.dead_channels,
            "store": lambda _: self._store_down.symptoms(),
            "drill": lambda now: self._drill.round(now, self._since),
            **{f"look_{number}": look for number, look in enumerate(self._looks, start=1)},
        }

    def _series_out_of_band(self, now: datetime) -> list[Symptom]:
        self._writer.append("ops.anomalies", marked_as_expected(self._reader, now))
        anomalies = self._told(self._series.judge(now), now)
        self._writer.append("ops.anomalies", [*self._new(anomalies, now), *self._unjudged.changes(self._series.unjudged(), now)])
        return [as_symptom(anomaly) for anomaly in anomalies]

    def _broken_promises(self, now: datetime) -> list[Symptom]:
        evaluations = promises.evaluate(promises.Facts.read(self._reader, now), self.sources)
        self._writer.append("ops.sla_evaluations", promises.changes(self._reader, evaluations))
        return promises.stale(evaluations)

    def _told(self, anomalies: Sequence[Anomaly], now: datetime) -> list[Anomaly]:
        """Without silence that tells nothing: that of a source without a rhythm, or of a tenant whose file is still to come."""
        came = inputs.newest_files(self._reader, now) if any(map(_is_silence, anomalies)) else {}
        return [a for a in anomalies if not _is_silence(a) or (self._has_rhythm(a.pipeline) and _has_come(a, came))]

    def _has_rhythm(self, pipeline: str) -> bool:
        source = self.sources.get(pipeline)
        return bool(source and source.expected_every_minutes)

    def _give_verdicts(self, now: datetime) -> list[Symptom]:
        """Record what should have run and did not, and what takes too long; it is seen among the attempts."""
        expected = [
            *verdicts.by_schedule(self._since, now),
            *verdicts.by_pull(self._reader, self.sources),
            *verdicts.by_landing(self._reader, self.sources, self._waiting, now),
        ]
        rows = [*verdicts.late(self._reader, now), *verdicts.missing(self._reader, expected, now, self._host)]
        self._writer.append("ops.run_events", rows)
        return []

    def _new(self, anomalies: Sequence[Anomaly], now: datetime) -> list[Row]:
        """The anomalies that have not been recorded yet, as rows of ops.anomalies: one for each series and bucket."""
        known = {tuple(row.values()) for row in self._reader.rows(RECORDED, [now])}
        found = [a for a in anomalies if (a.pipeline, a.table_name, a.tenant_id, a.metric, a.dimension, a.bucket_start) not in known]
        left_out = ("since", "run_id")
        return [
            {**{k: v for k, v in asdict(a).items() if k not in left_out}, "verdict": "anomalous", "actor": EVALUATOR, "judged_at": now}
            for a in found
        ]


def _is_silence(anomaly: Anomaly) -> bool:
    return anomaly.metric == "rows" and anomaly.direction == "low"


def _has_come(silence: Anomaly, came: Mapping[tuple[str, str], datetime]) -> bool:
    """Whether the file has come that tells of the newest hour of a silence; a tenant that sends no files is told of by rows alone."""
    told_from = silence.bucket_start + HOUR
    return came.get((silence.pipeline, silence.tenant_id or ""), told_from) >= told_from


def _judged(name: str, judge: Look, now: datetime) -> list[Symptom]:
    """What a judge sees; that it fails is a symptom too. Raises InfrastructureError when the store does not answer."""
    try:
        return list(judge(now))
    except InfrastructureError:
        raise
    except Exception as error:
        log.exception("the evaluator cannot judge %s", name)
        observed = f"judging {name} failed: {type(error).__name__}"
        return [Symptom(Kind.EVALUATOR_DOWN, now, observed, "every judge does its work", table=f"evaluator.{name}")]


RECORDED = """
select pipeline, table_name, tenant_id, metric, dimension, bucket_start from ops.anomalies
where bucket_start > $1::timestamptz - interval 5 days and verdict = 'anomalous'
"""
