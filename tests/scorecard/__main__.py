"""`make scorecard`: take the scorecard of a detector on some seeds, print it, and write it into docs/scorecard.md.

Does not belong here: the detector; it is named by its factory, `module:function` (see tests.scorecard.protocol.Make).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lakehouse.ops.runs import code_version
from tests.scorecard.catalogue import CATALOGUE
from tests.scorecard.facts import Clock, FactStore, History
from tests.scorecard.report import REFERENCE_FAULTS, Card, render, write
from tests.scorecard.runs import live_healthy
from tests.scorecard.score import judge, judge_calm
from tests.scorecard.world import END

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scorecard.md"
MOST_SEEDS = 10**6


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line: seeds (one is drawn where none is named), faults, detector, whether the page is written."""
    parser = argparse.ArgumentParser(prog="make scorecard", description=__doc__)
    parser.add_argument("--seeds", default="", help="numbers with commas or spaces between")
    parser.add_argument("--faults", default="", help=f"of {', '.join(CATALOGUE)}")
    parser.add_argument("--detector", required=True, help="its factory, module:function")
    parser.add_argument("--no-page", action="store_true", help="print only")
    found = parser.parse_args(arguments)
    found.seeds = [int(s) for s in found.seeds.replace(",", " ").split()] or [random.SystemRandom().randrange(MOST_SEEDS)]
    found.faults = found.faults.replace(",", " ").split() or list(CATALOGUE)
    if unknown := sorted(set(found.faults) - set(CATALOGUE)):
        parser.error(f"there is no fault {', '.join(unknown)}")
    return found


def take(seed: int, detector: str, faults: Sequence[str]) -> Card:
    """The scorecard of one seed. Faults are judged side by side, one for each core."""
    with tempfile.TemporaryDirectory() as folder:
        healthy = live_healthy(seed, detector, Path(folder) / "healthy.duckdb", faults)
        with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
            outcomes = tuple(pool.map(judge, [healthy.for_fault(name) for name in faults], faults))
        calm = judge_calm(healthy, FactStore(Clock(END), history=History(healthy.facts, END)))
    return Card(seed, outcomes, calm)


def main() -> int:
    """Take it, print it, write it."""
    wanted, cards = options(), []
    for seed in wanted.seeds:
        print(f"seed {seed} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        cards.append(take(seed, wanted.detector, wanted.faults))
        print(f"seed {seed}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    generated = render(cards, wanted.detector, code_version())
    print(generated)
    if len(wanted.faults) == REFERENCE_FAULTS and not wanted.no_page:
        write(PAGE, generated)
    return 0


if __name__ == "__main__":
    sys.exit(main())
