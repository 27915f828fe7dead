"""The results as Markdown: ratios with their bars, medians by part, and where the seconds of a run go.

Does not belong here: measuring.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version

import psutil

from lakehouse.ops.runs import code_version
from tests.bench.comparisons import ALL, PROFILE, Comparison
from tests.bench.record import WHOLE, Record

TOOLS = ("pyspark", "delta-spark", "deltalake", "polars", "dlt", "duckdb")
HOW = """\
* Input: the simulator's events as JSON lines in files of up to 64 MB, eight tenants, half a year, some up to 30 days late.
* Clearlake: the product's functions as one run calls them, from a new session to the end, on empty tables.
* Plain Spark: the same files, columns and expressions in the same layout; `from_json` with the declared schema, each layer read back
  from Delta; nothing checked, recorded or idempotent.
* polars + delta-rs, dlt + DuckDB: landed files to the silver table, the mapping rendered from the same declaration; dlt extracts pages
  of records and loads Parquet.
* 1 % new: the newest hundredth of the events on top of all older ones, five times, newest by when they happened or, with some that are
  up to 30 days late, by when they arrived; the orchestrator's start comes on top.
* One core: Spark with `local[1]`, and Spark, store, metastore and client kept on one core.
* Own starts: each server alone in a new home, as its maker has it start: without the AOT cache that Clearlake has recorded before.
* Peak memory: proportional share of store, metastore, Spark and the run, together, at the worst moment; Spark is started anew before.
* Evaluator: a log of a million attempts in 30 days and the hourly measurements of 500 tenants; before each round, a quarter of the
  tenants and two attempts have told something new, since pipelines run every few minutes. The first look at the log comes on top, once.
* Overview: from the address to the verdict in headless Chromium, signed in, by a server that has been asked before.
* Equal output: each table's rows and a hash of them without regard to order, all columns but those of lineage (`_...`).
"""

SHOWN_SHARE = 0.01
"""Of a profile, steps that take less are summed up."""


def render(record: Record) -> str:
    """Everything that the record has."""
    sizes = sorted({timing.size for timing in record.timings})
    parts = ["# Benchmarks\n", _about(), HOW, "## Ratios\n", _table(RATIO_HEAD, _ratios(record, sizes))]
    parts += ["## Medians\n", _table(MEDIAN_HEAD, _medians(record, sizes))]
    for size in sizes:
        if rows := list(_profile(record, size)):
            parts += [f"## Where the seconds go at {size:,} events\n", _table(PROFILE_HEAD, rows)]
    return "\n".join(parts)


def _about() -> str:
    memory = psutil.virtual_memory().total / 2**30
    tools = ", ".join(f"{name} {version(name)}" for name in TOOLS)
    return (
        f"Code {code_version()}; {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}; {tools}. Medians over the rounds; contestants take turns in the same warm servers.\n"
    )


RATIO_HEAD = ("comparison", "events", "over", "under", "ratio", "bar", "")


def _ratios(record: Record, sizes: Iterable[int]) -> Iterator[Sequence[str]]:
    for comparison in ALL:
        for size in sizes:
            ratio = comparison.ratio(record, size)
            if ratio is None or (comparison.needs and not all(record.of(what, size) for what in comparison.needs)):
                continue
            bar = comparison.bar if size in comparison.barred else ""
            verdict = "" if not bar else "missed" if comparison.is_missed(record, size) else "held"
            yield (comparison.title, _count(size), *_values(comparison, record, size), f"{ratio:.3f}", bar, verdict)


def _values(comparison: Comparison, record: Record, size: int) -> tuple[str, str]:
    over, under = (measure(record, size) or 0.0 for measure in (comparison.over, comparison.under))
    in_bytes = over > 1e6
    first, second = (f"{value / 1e6:,.0f} MB" if in_bytes else f"{value:.2f} s" for value in (over, under))
    return first, second


MEDIAN_HEAD = ("what", "events", "part", "median s", "least", "most", "rows/s", "rounds")


def _medians(record: Record, sizes: Iterable[int]) -> Iterator[Sequence[str]]:
    for size in sizes:
        kinds = dict.fromkeys((t.what, t.part) for t in record.timings if t.size == size and t.what != PROFILE)
        for what, part in kinds:
            timings = record.of(what, size, part)
            taken = [t.seconds for t in timings]
            middle = statistics.median(taken)
            rate = _count(round(statistics.median(t.rows for t in timings) / middle)) if size and middle else ""
            yield (what, _count(size), part, f"{middle:.2f}", f"{min(taken):.2f}", f"{max(taken):.2f}", rate, str(len(taken)))


PROFILE_HEAD = ("part", "seconds", "share", "step")


def _profile(record: Record, size: int) -> Iterator[Sequence[str]]:
    """The last profile of a size: steps in order of their cost within each part, and what is left of it."""
    timings = record.of(PROFILE, size, WHOLE)
    if not timings:
        return
    whole, number = timings[-1].seconds, timings[-1].round
    steps: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for timing in record.timings:
        if (timing.what, timing.size, timing.round) == (PROFILE, size, number) and timing.part != WHOLE:
            part, _, step = timing.part.partition(": ")
            steps[part].append((timing.seconds, step))
    for part, found in steps.items():
        yield (f"**{part}**", f"{sum(seconds for seconds, _ in found):.2f}", f"{sum(s for s, _ in found) / whole:.1%}", "")
        for seconds, step in sorted(found, reverse=True):
            if seconds >= SHOWN_SHARE * whole:
                yield ("", f"{seconds:.2f}", f"{seconds / whole:.1%}", step)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
