"""What a job works with: settings, declarations, a Spark session that outlives none of its servers, and the run it belongs to.

Does not belong here: what a job does.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from dq_checks import Verdict
from lakehouse.errors import InfrastructureError, LakehouseError
from lakehouse.ledger import Ledger
from lakehouse.ops.runs import Run, Step
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.sources import Source, load_sources
from lakehouse.spark import abandon, connect, end, is_spark_gone, kept, tune, what_is_missing
from lakehouse.store import store_errors
from lakehouse.tables import Table

log = logging.getLogger("lakehouse")


@dataclass(frozen=True)
class Staged:
    """Rows of a batch that this process has just published to bronze, as silver takes them over, and the frames they are made from."""

    rows: DataFrame
    is_mapped: bool
    """Whether silver's values stand in the place of the parsed fields."""
    frames: ExitStack


@dataclass
class Context:
    """Args:
    settings: of the instance.
    run: that the steps are recorded under.
    """

    settings: Settings
    run: Run
    staged: dict[str, Staged] = field(default_factory=dict)
    """By batch, so that silver need not parse its records again."""
    kept: dict[Hashable, Any] = field(default_factory=dict)
    """What a step has read or found out that further steps of the run need too."""
    verdicts: list[tuple[Table, Verdict]] = field(default_factory=list)
    """What the contracts said during the step, in order."""
    _session: SparkSession | None = None
    _frames: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def writer(self) -> OpsWriter:
        """Appends facts."""
        return OpsWriter(self.settings)

    @cached_property
    def reader(self) -> OpsReader:
        """Reads facts."""
        return OpsReader(self.settings)

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The declared sources by name."""
        return load_sources(self.settings)

    @property
    def session(self) -> SparkSession:
        """The session of this job, connected on first use and anew after its server was lost."""
        if self._session is None:
            self._session = connect(self.settings)
            tune(self._session, 0)
        return self._session

    def keep(self, rows: DataFrame, records: int) -> DataFrame:
        """Rows that further steps read too, computed once; see lakehouse.spark.kept."""
        return self._frames.enter_context(kept(rows, records))

    def unstage(self, batch_id: str) -> None:
        """Silver is done with a batch."""
        if staged := self.staged.pop(batch_id, None):
            staged.frames.close()

    def ledger(self, source: Source) -> Ledger:
        """The file ledger of a source."""
        return Ledger(self.settings, source, self.reader, self.writer)

    def step(self, pipeline: str, declared: Table) -> Step:
        """A recorded attempt at a table."""
        return Step(self.writer, self.run, pipeline, declared.name, declared.layer.value, declared)

    @contextmanager
    def recorded_if_failing(self, pipeline: str, declared: Table) -> Iterator[None]:
        """For looking whether there is anything to do: a step is recorded only where that fails."""
        try:
            with self.infrastructure_errors():
                yield
        except Exception:
            with self.step(pipeline, declared):
                raise

    @contextmanager
    def infrastructure_errors(self) -> Iterator[None]:
        """Turn the loss of a server during a step into an InfrastructureError; a dead Spark session is forgotten."""
        try:
            with store_errors():
                yield
        except LakehouseError:
            raise
        except Exception as error:
            lost = what_is_missing(error)
            if lost is None and is_spark_gone(error):
                lost = "Spark went away"
                self.forget_session()
            if lost is None:
                raise
            raise InfrastructureError(f"{lost} during the step", next_step="nothing: the step is tried again") from error

    def forget_session(self) -> None:
        """Give up a session that has died, with what was staged in it."""
        if self._session is not None:
            abandon(self._session)
        self._frames.pop_all()
        self._clear()

    def close(self) -> None:
        """End the session on the server; staged records are given up there."""
        for batch_id in list(self.staged):
            self.unstage(batch_id)
        self._frames.close()
        if self._session is not None:
            end(self._session)
        self._clear()

    def _clear(self) -> None:
        self._session = None
        self.staged.clear()
        self.kept.clear()
