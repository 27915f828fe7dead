"""How each of the seventeen faults is drawn: with whom, when, how strong. None is so weak that no person could tell.

Does not belong here: what faults have in common (tests.scorecard.faults).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from lakehouse.tables.silver import AUTH_EVENTS
from tests.scorecard.faults import DeployFault, Draw, Fault, FileFault, StepFault, Truth, hit, lasting, of_stream, of_streams
from tests.scorecard.ledger import short_hash
from tests.scorecard.pipeline import GOLD, GOLD_PIPELINE
from tests.scorecard.steps import Failure
from tests.scorecard.world import HOUR, MAIN_SOURCE, LandedFile, Rates, Rng, World

LATE_OR_MISSING = ("input_late", "input_missing")
"""A file that has not come yet and one that never will look the same until it comes: both names are right for both."""

FIELDS = {
    "provider_events": {"network_ip_address": ("ip",), "ip_geo_country": ("country",), "user_id": ("user_id",)},
    "okta_system_log": {"actor": ("user_id", "user_email"), "client": ("ip", "country", "latitude", "longitude", "user_agent")},
    "auth0_logs": {"data.ip": ("ip",), "data.location_info": ("country", "latitude", "longitude"), "data.user_id": ("user_id",)},
}
"""Fields that records always have, and the columns of silver that are null without them or where they have another type."""
BURSTING = ("user_id", "ip", "country", "user_agent")

# Where the heap itself is used up, the embedded Spark exits (infra.jvm), and the step says no more than that Spark went away. This is
# what Spark 4.2 says where a task gets no memory for its work and Spark lives on: condition UNABLE_TO_ACQUIRE_MEMORY.
OUT_OF_MEMORY = Failure(
    "SparkException",
    "Job aborted due to stage failure: Task 1 in stage 87.0 failed 1 times, most recent failure: "
    "Lost task 1.0 in stage 87.0 (TID 214) (localhost executor driver): org.apache.spark.memory.SparkOutOfMemoryError: "
    "[UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 65536 bytes of memory, got 0. SQLSTATE: 53200",
    40.0,
    retries=False,
)
EXPIRED = Failure(
    "UnknownException",
    "(java.nio.file.AccessDeniedException) s3a://lake/ctl: getFileStatus on s3a://lake/ctl: "
    "software.amazon.awssdk.services.s3.model.S3Exception: The provided token has expired. "
    "(Service: S3, Status Code: 403, Request ID: 7C2A41D09B3E5F68):ExpiredToken",
    3.0,
    retries=False,
)
SERVICE_UNAVAILABLE = Failure(
    "InfrastructureError",
    "the store did not answer: An error occurred (503) when calling the ListObjectsV2 operation (reached max retries: 2): "
    "Service Unavailable",
    6.0,
    retries=True,
)
UNRESOLVED = Failure(
    "AnalysisException",
    "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `placed_by` cannot be resolved. "
    "Did you mean one of the following? [`country`, `device`]. SQLSTATE: 42703",
    2.0,
    retries=False,
)


def late_file(draw: Draw) -> Fault:
    """A customer's delivery stalls: the files of some hours come together."""
    hours = draw.one_of((3, 4))
    stream, first = draw.busy(hours + 1, 40)
    ends = first + HOUR * (hours + 1) + draw.minutes(10, 30)
    detail = f"{stream.source} of {stream.tenant.tenant_id}: the files of {hours} hours come together, {hours} h late"
    begins = draw.world.lands_at(stream, first)
    put = partial(_delayed, until=ends)
    return FileFault("late_file", begins, ends, of_stream(stream, *LATE_OR_MISSING), detail, **hit([stream], first, hours), replaced=put)


def _delayed(file: LandedFile, until: datetime) -> list[LandedFile]:
    return [replace(file, landed_at=max(file.landed_at, until))]


def missing_file(draw: Draw) -> Fault:
    """One file never comes; the next ones do."""
    stream, first = draw.busy(2, 60)
    begins, ends = draw.world.lands_at(stream, first), draw.world.lands_at(stream, first + HOUR)
    detail = f"{stream.source} of {stream.tenant.tenant_id}: one hour's file never comes"
    truth = of_stream(stream, *LATE_OR_MISSING)
    return FileFault("missing_file", begins, ends, truth, detail, **hit([stream], first, 1), replaced=_nothing)


def _nothing(file: LandedFile) -> list[LandedFile]:
    return []


def duplicate_batch(draw: Draw) -> Fault:
    """Files of some hours are landed again under other names."""
    hours = draw.one_of((6, 8, 12))
    stream, first = draw.busy(hours, 60)
    last = first + HOUR * (hours - 1)
    begins = last + HOUR + draw.minutes(15, 50)
    files = tuple(_again(draw.world.file(stream, first + HOUR * n), begins + timedelta(seconds=2 * n)) for n in range(hours))
    detail = f"{stream.source} of {stream.tenant.tenant_id}: the files of {hours} hours are landed again under other names"
    about = hit([stream], last, 1)
    return FileFault("duplicate_batch", begins, begins + HOUR, of_stream(stream, "duplicate_input"), detail, **about, again=files)


def _again(file: LandedFile, at: datetime) -> LandedFile:
    return replace(file, landed_at=at, mark="-1", parts=tuple(part.as_duplicates() for part in file.parts))


def dropped_column(draw: Draw) -> Fault:
    """A field that all records had is gone."""
    stream, first = draw.busy(5, 90)
    name = draw.one_of(list(FIELDS[stream.source]))
    without = partial(_less_filled, columns=FIELDS[stream.source][name], lost=1.0)
    detail = f"{stream.source} of {stream.tenant.tenant_id}: records come without {name}"
    how = {"change": without, "replaced": partial(_dropping, name=name)}
    return lasting("dropped_column", [stream], first, 5, of_stream(stream, "schema_dropped"), detail, **how)


def _dropping(file: LandedFile, name: str) -> list[LandedFile]:
    return [replace(file, dropped=(name,))]


def _less_filled(rates: Rates, columns: tuple[str, ...], lost: float) -> Rates:
    return replace(rates, filled={c: share * (1 - lost) if c in columns else share for c, share in rates.filled.items()})


def changed_type(draw: Draw) -> Fault:
    """A field has another type than before, so that nothing can be read out of it."""
    stream, first = draw.busy(5, 90)
    name = draw.one_of(list(FIELDS[stream.source]))
    kind = draw.one_of(("array", "integer"))
    without = partial(_less_filled, columns=FIELDS[stream.source][name], lost=1.0)
    detail = f"{stream.source} of {stream.tenant.tenant_id}: {name} is now of type {kind}"
    how = {"change": without, "replaced": partial(_retyping, name=name, kind=kind)}
    return lasting("changed_type", [stream], first, 5, of_stream(stream, "schema_changed"), detail, **how)


def _retyping(file: LandedFile, name: str, kind: str) -> list[LandedFile]:
    return [replace(file, retyped={name: kind})]


def null_burst(draw: Draw) -> Fault:
    """A field is there, and null in most records."""
    stream, first = draw.busy(5, 60)
    column, lost = draw.one_of(BURSTING), draw.between(0.6, 0.95)
    detail = f"{stream.source} of {stream.tenant.tenant_id}: {lost:.0%} of the values of {column} become null"
    change = partial(_less_filled, columns=(column,), lost=lost)
    return lasting("null_burst", [stream], first, 5, of_stream(stream, "null_burst"), detail, change=change)


def tenant_silent(draw: Draw) -> Fault:
    """A customer's files come, and no event is in them."""
    stream, first = draw.busy(5, 30, [s for s in draw.world.streams if s.source == MAIN_SOURCE])
    streams = [s for s in draw.world.streams if s.tenant == stream.tenant]
    detail = f"{stream.tenant.tenant_id}: the files of all its sources are empty"
    return lasting("tenant_silent", streams, first, 5, of_streams(streams, "tenant_silent"), detail, kept=0.0)


def all_down(draw: Draw) -> Fault:
    """All customers have two fifths fewer events."""
    first = draw.start(6)
    truth = replace(of_streams(draw.world.streams, "platform_drop"), tenants=frozenset())
    return lasting("all_down", draw.world.streams, first, 6, truth, "all customers: 40 % of the events are missing", kept=0.6)


def clock_skew(draw: Draw) -> Fault:
    """A customer's clock is three hours ahead."""
    stream, first = draw.busy(5, 60)
    detail = f"{stream.source} of {stream.tenant.tenant_id}: the clock is 3 h ahead"
    return lasting("clock_skew", [stream], first, 5, of_stream(stream, "clock_skew"), detail, replaced=_ahead)


def _ahead(file: LandedFile) -> list[LandedFile]:
    return [replace(file, parts=tuple(replace(part, hour=part.hour + 3 * HOUR) for part in file.parts))]


def poison_records(draw: Draw) -> Fault:
    """Many records cannot be read."""
    stream, first = draw.busy(4, 80)
    share = draw.between(*draw.one_of(((0.08, 0.15), (0.3, 0.6))))
    detail = f"{stream.source} of {stream.tenant.tenant_id}: {share:.0%} of the records cannot be read"
    change = partial(_poisoned, share=share)
    return lasting("poison_records", [stream], first, 4, of_stream(stream, "poison_input"), detail, change=change)


def _poisoned(rates: Rates, share: float) -> Rates:
    return replace(rates, unreadable=share)


def bad_deploy(draw: Draw) -> Fault:
    """New code takes a third of the records for no events."""
    first = draw.start(6)
    begins, ends = first + timedelta(minutes=1), first + timedelta(hours=5, minutes=1)
    # The bad code runs when files are taken in, so that it meets first the file of the hour before.
    about = hit(draw.world.streams, first - HOUR, 5)
    versions = {which: short_hash(draw.world.seed, "code", which)[:12] for which in ("bad", "mended")}
    truth = replace(of_streams(draw.world.streams, "code_change"), tenants=frozenset())
    detail = "all customers: a new code version drops a third of the events as not applicable"
    return DeployFault("bad_deploy", begins, ends, truth, detail, **about, **versions, change=_a_third_less)


def _a_third_less(rates: Rates) -> Rates:
    return replace(rates, not_applicable=rates.not_applicable + (1 - rates.not_applicable) / 3)


def out_of_memory(draw: Draw) -> Fault:
    """A step needs more memory than Spark has, each time it is tried."""
    pipeline, asset = draw.one_of(((MAIN_SOURCE, AUTH_EVENTS.name), *((GOLD_PIPELINE, t.name) for t in GOLD)))
    begins = draw.start(5) + draw.minutes(1, 59)
    truth = Truth(("out_of_memory",), frozenset({pipeline}), frozenset({asset}))
    about = {"fails": OUT_OF_MEMORY, "steps": frozenset({(pipeline, asset)})}
    return StepFault("out_of_memory", begins, begins + draw.minutes(90, 180), truth, f"{asset} ({pipeline}): out of memory", **about)


def expired_credential(draw: Draw) -> Fault:
    """The key with which Spark comes to the store has expired."""
    begins = draw.start(5) + draw.minutes(1, 59)
    truth = Truth(("credential_expired",))
    detail = "the store answers Spark 403 ExpiredToken"
    return StepFault("expired_credential", begins, begins + draw.minutes(90, 180), truth, detail, fails=EXPIRED)


def store_503(draw: Draw) -> Fault:
    """The store answers 503, to the pipeline and to the detector."""
    begins = draw.start(5) + draw.minutes(1, 59)
    ends = begins + draw.minutes(20, 60)
    detail, down = "the store answers 503", (begins, ends)
    return StepFault("store_503", begins, ends, Truth(("store_unavailable",)), detail, store_down=down, fails=SERVICE_UNAVAILABLE)


def killed_evaluator(draw: Draw) -> Fault:
    """The detector is killed and started again later."""
    begins = draw.start(5) + draw.minutes(1, 59)
    ends = begins + draw.minutes(20, 60)
    return Fault(
        "killed_evaluator", begins, ends, Truth(("evaluator_down",), by_cause=True), "no rounds are held", evaluator_down=(begins, ends)
    )


def dead_channel(draw: Draw) -> Fault:
    """One channel takes no message, while there is one to send."""
    begins = draw.start(5) + draw.minutes(1, 59)
    ends = begins + draw.minutes(120, 180)
    asset = draw.one_of([t.name for t in GOLD])
    broken = Truth(("step_failed",), frozenset({GOLD_PIPELINE}), frozenset({asset}))
    about = {"fails": UNRESOLVED, "steps": frozenset({(GOLD_PIPELINE, asset)})}
    carrier = StepFault("carrier", begins + timedelta(minutes=5), ends - HOUR / 2, broken, f"{asset} fails", **about)
    detail = f"the first channel refuses what it is sent, while {asset} fails"
    truth = Truth(("channel_dead",), by_cause=True)
    return Fault("dead_channel", begins, ends, truth, detail, channel_down=(begins, ends), carrier=carrier)


def wrong_values(draw: Draw) -> Fault:
    """Values are plausible one by one, and their shares are others."""
    stream, first = draw.busy(5, 100)
    column = draw.one_of(("outcome", "auth_method"))
    moved = draw.between(0.3, 0.45)
    detail = f"{stream.source} of {stream.tenant.tenant_id}: {moved:.0%} of the rows have another {column}"
    change = partial(_moved, column=column, moved=moved)
    return lasting("wrong_values", [stream], first, 5, of_stream(stream, "values_shifted"), detail, change=change)


def _moved(rates: Rates, column: str, moved: float) -> Rates:
    """That share of all rows goes from the commonest value to a rare one: failure, or the least common method."""
    shares = dict(rates.shares[column])
    commonest, rarest = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    to = "failure" if column == "outcome" else rarest
    moved = min(moved, shares[commonest])
    shares[commonest] -= moved
    shares[to] += moved
    return replace(rates, shares={**rates.shares, column: shares})


CATALOGUE: Mapping[str, Callable[[Draw], Fault]] = {
    drawn.__name__: drawn
    for drawn in (
        late_file, missing_file, duplicate_batch, dropped_column, changed_type, null_burst, tenant_silent, all_down, clock_skew,
        poison_records, bad_deploy, out_of_memory, expired_credential, store_503, killed_evaluator, dead_channel, wrong_values,
    )
}  # fmt: skip


def faults_of(world: World, names: Sequence[str] | None = None) -> list[Fault]:
    """The faults of a world, all or the named ones. Raises KeyError for an unknown name."""
    return [CATALOGUE[name](Draw(world, name, _chance(world.seed, name))) for name in (names or CATALOGUE)]


def _chance(seed: int, name: str) -> Rng:
    return np.random.default_rng([seed, int(short_hash(name)[:8], 16)])
