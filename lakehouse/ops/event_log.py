"""The log lines of a step: kept in a local file as they come, and put into ops.event_log when the step ends.

Does not belong here: run facts (lakehouse.ops.runs), or deciding what is worth a log line.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from lakehouse.errors import LakehouseError
from lakehouse.ops.error_text import heading, stack_of, words_of
from lakehouse.ops.processes import is_running, this_process
from lakehouse.ops.redaction import Redact
from lakehouse.ops.store import OpsWriter

FOLDER = "step_logs"
LOGGERS = ("lakehouse", "jobs", "dq_checks", "dagster")
MESSAGE_LIMIT = 8000
"""Characters of a line; cut once secrets are replaced, so that no part of one is left."""


def line(redact: Redact, run_id: str, asset: str | None, level: str, logger: str, message: str, at: datetime) -> dict[str, Any]:
    """A row of ops.event_log, of a time in UTC; secrets are replaced in its message."""
    told = redact(message)[:MESSAGE_LIMIT]
    return {"run_id": run_id, "asset": asset, "level": level, "logger": logger, "message": told, "logged_at": at}


class StepLog(logging.Handler):
    """Collects the log lines of this process while a step runs, as a context.

    A process that is killed leaves its file behind; `recover` puts it into the table. What the disk does not take stays in memory.
    """

    def __init__(self, writer: OpsWriter, run_id: str, asset: str) -> None:
        super().__init__(logging.INFO)
        self._writer = writer
        self._run_id, self._asset = run_id, asset
        self._in_memory: list[str] = []
        self._path = writer.spool / FOLDER / f"{run_id}.{asset}.{this_process()}.jsonl"

    def __enter__(self) -> StepLog:
        self._file = _opened(self._path)
        self._levels = {name: logging.getLogger(name).level for name in LOGGERS}
        for logger in map(logging.getLogger, LOGGERS):
            logger.addHandler(self)
            logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._write("ERROR", "lakehouse", stack_of(error), datetime.now(UTC))
        for name, level in self._levels.items():
            logging.getLogger(name).removeHandler(self)
            logging.getLogger(name).setLevel(level)
        if self._file:
            self._file.close()
        if self._path.exists():
            send(self._writer, self._path)
        self._writer.append("ops.event_log", [_parsed(text) for text in self._in_memory])

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._write(record.levelname, record.name, message_of(record), datetime.fromtimestamp(record.created, UTC))

    def _write(self, level: str, logger: str, message: str, at: datetime) -> None:
        kept = line(self._writer.redact, self._run_id, self._asset, level, logger, message, at)
        text = json.dumps({**kept, "logged_at": at.isoformat()})
        if not (self._file and _written(self._file, f"{text}\n".encode())):
            self._file = None
            self._in_memory.append(text)


def message_of(record: logging.LogRecord) -> str:
    """The text of a log record; errors in it are told without values of the data, and one that it was logged with has its stack."""
    values = record.args
    safe: Any = {name: _safe(value) for name, value in values.items()} if isinstance(values, Mapping) else tuple(map(_safe, values or ()))
    text = str(_safe(record.msg))
    with suppress(TypeError, ValueError, KeyError):
        text = text % safe if safe else text
    error = record.exc_info[1] if record.exc_info else None
    return f"{text}\n{stack_of(error)}" if error else text


def _safe(value: object) -> object:
    if not isinstance(value, BaseException):
        return value
    return str(value) if isinstance(value, LakehouseError) else heading(type(value).__name__, words_of(value))


def _opened(path: Path) -> FileIO | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileIO(path, "a")
    except OSError:
        return None


def _written(file: FileIO, line: bytes) -> bool:
    """Whether the disk took a line, whole; the file is closed where it did not."""
    try:
        taken = file.write(line) == len(line)
    except OSError:
        taken = False
    if not taken:
        file.close()
    return taken


def send(writer: OpsWriter, path: Path) -> None:
    """Put the lines of a finished step into ops.event_log; the file stays where they can be kept nowhere else."""
    lines = [_parsed(text) for text in path.read_text(encoding="utf-8").splitlines() if _is_whole(text)]
    if writer.append("ops.event_log", lines):
        path.unlink()


def _is_whole(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _parsed(text: str) -> dict[str, Any]:
    row = json.loads(text)
    return {**row, "logged_at": datetime.fromisoformat(row["logged_at"])}


def recover(writer: OpsWriter) -> int:
    """Send the lines of steps whose process is gone. Returns of how many steps."""
    left = [p for p in (writer.spool / FOLDER).glob("*.jsonl") if not is_running(p.name.removesuffix(".jsonl").rsplit(".", 1)[-1])]
    for path in left:
        send(writer, path)
    return len(left)
