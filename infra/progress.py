"""Progress of long steps: bars on a terminal, a line now and then elsewhere.

Does not belong here: what is being done.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY_SECONDS = 15.0


class _Amount(ProgressColumn):
    """`12.3/821.0 MB` for bytes, `312/1100 packages` for anything else."""

    def render(self, task: Task) -> Text:
        return Text(amount(task.completed, task.total, str(task.fields.get("unit", "bytes"))))


def amount(done: float, total: float | None, unit: str) -> str:
    """A quantity of work in words."""
    if unit != "bytes":
        return f"{done:.0f}/{total:.0f} {unit}" if total else f"{done:.0f} {unit}"
    return f"{done / 1e6:.1f}/{total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"


class Cancelled(Exception):
    """Raised inside a piece of work once nobody waits for it any longer."""


class Steps:
    """Several pieces of work that go on side by side."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = Lock()
        self._cancelled = Event()
        self._printed: dict[TaskID, float] = {}
        self._bars = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            _Amount(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def start(self, title: str, *, total: float | None = None, unit: str = "bytes") -> TaskID:
        """Announce a piece of work."""
        return self._bars.add_task(title, total=total, unit=unit)

    def cancel(self) -> None:
        """Let every piece of work stop the next time it records something."""
        self._cancelled.set()

    def advance(self, task: TaskID, by: float) -> None:
        """Record work done."""
        self._heed_cancellation()
        self._bars.advance(task, by)
        self._print_line(task)

    def set(self, task: TaskID, done: float, total: float | None = None) -> None:
        """Record how much is done altogether, and of how much."""
        self._heed_cancellation()
        self._bars.update(task, completed=done, total=total)
        self._print_line(task)

    def finish(self, task: TaskID) -> None:
        """Record that all is done."""
        work = self._bars._tasks[task]
        self._bars.update(task, total=work.total or work.completed, completed=work.total or work.completed)
        if not self._console.is_terminal:
            self._console.print(f"{work.description}: done in {work.elapsed or 0:.0f} s")

    @contextmanager
    def shown(self) -> Iterator[Steps]:
        """Show the bars while the block runs."""
        with self._bars:
            yield self

    def _heed_cancellation(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _print_line(self, task: TaskID) -> None:
        if self._console.is_terminal:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._printed.setdefault(task, now) < LINE_EVERY_SECONDS:
                return
            self._printed[task] = now
        work = self._bars._tasks[task]
        left = f", {work.time_remaining:.0f} s left" if work.time_remaining else ""
        self._console.print(f"{work.description}: {amount(work.completed, work.total, str(work.fields['unit']))}{left}")


@contextmanager
def service_board(console: Console) -> Iterator[Callable[[str, str], None]]:
    """What has become of each service: a line each that moves on a terminal, a line per change elsewhere.

    Yields:
        a function to be told a service's name and its state.
    """
    board = Progress(
        SpinnerColumn(), TextColumn("{task.description:<18} {task.fields[state]}"), console=console, disable=not console.is_terminal
    )
    tasks: dict[str, TaskID] = {}

    def report(name: str, state: str) -> None:
        if not console.is_terminal:
            console.print(f"{name:<18} {state}")
            return
        if name not in tasks:
            tasks[name] = board.add_task(name, total=1, state=state)
        board.update(tasks[name], state=state, completed=float(state.startswith("ready")))

    with board:
        yield report


def stderr_console() -> Console:
    """Where progress goes: never into the output that a script reads."""
    return Console(file=sys.stderr)
