"""In which format a file is: each one is tried on its first records, and the first that reads them is taken.

Does not belong here: where records begin and end (lakehouse.splitting), or what a line of text consists of (lakehouse.scaffold.lines).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from lakehouse.errors import ConfigurationError
from lakehouse.sources import Format, Source
from lakehouse.splitting import Record, split
from lakehouse.unpacking import CHUNK_BYTES, STREAM_ERRORS, Unreadable, plain

RECORDS_READ = 500
"""Enough to see most fields; a record of 1 KB makes that half a megabyte."""
READ_SHARE = 0.5
"""Of the records; the rest may be broken."""
WRAPPED_SHARE = 0.8
"""Of the text that an array holds from which the object around it is a wrapper, and not a record that has a list; half of it is enough
where the object holds a few scalars besides."""
FEW_BESIDES = 5
HEADER_SHARE = 0.9
"""Of the rows that have as many cells as the header, where it is one."""
PARQUET_MAGIC = b"PAR1"
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Reading:
    """How a file reads.

    Args:
        keys: what a declaration says of it: `format`, and what belongs to that format.
        why: the reason, in words.
        texts: its first records that can be read, as text.
        values: the same as JSON objects; empty for text.
        broken: how many of the first records cannot be read.
        columns: of CSV, its header.
    """

    keys: Mapping[str, str]
    why: str
    texts: list[str]
    values: list[dict[str, Any]]
    broken: int
    columns: list[str] = field(default_factory=list)


def read(file: Path) -> Reading:
    """How a file reads. Raises ConfigurationError where it is nothing that records can be read from."""
    head = _head(file)
    best: Reading | None = None
    for keys, why in _candidates(head):
        found = _tried(file, keys, why)
        if keys["format"] == Format.CSV:
            found = replace(found, columns=cells(head.decode("utf-8", "replace").lstrip().splitlines()[0], keys.get("delimiter", ",")))
            best = max((one for one in (best, found) if one and _is_table(one)), key=lambda one: len(one.columns), default=None)
        elif len(found.values) >= READ_SHARE * (len(found.values) + found.broken) and found.values:
            return found
    if best:
        return best
    if head.lstrip()[:1] == b"{" and _is_pretty(head):
        raise ConfigurationError(f"{file.name} holds JSON objects over several lines", next_step="put one on each line: `jq -c . FILE`")
    return _text(file)


def _head(file: Path) -> bytes:
    """The first bytes of a file's text; of Parquet, of the file."""
    with file.open("rb") as opened:
        if opened.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            return PARQUET_MAGIC
    with file.open("rb") as opened:
        try:
            head = plain(file.name, opened.read).body.read(CHUNK_BYTES)
        except (*STREAM_ERRORS, Unreadable) as error:
            raise ConfigurationError(
                f"{file.name} cannot be read: {error}", next_step="see `Formats` in docs/how-to/add-a-source.md"
            ) from error
    if not head.strip():
        raise ConfigurationError(f"{file.name} holds no records", next_step="use a file that does")
    return head


def _candidates(head: bytes) -> Iterator[tuple[dict[str, str], str]]:
    """Formats that a file that begins so may have, the likelier first."""
    if head == PARQUET_MAGIC:
        yield {"format": Format.PARQUET}, "the file says so itself"
        return
    opening = head.lstrip()[:1]
    if opening == b"[":
        yield {"format": Format.JSON_ARRAY}, "the file is one JSON array of objects"
    if opening == b"{":
        if field := _wrapping_field(head):
            yield {"format": Format.JSON_WRAPPED, "records_field": field}, f"the file is a JSON object whose {field!r} holds the records"
        yield {"format": Format.JSON_LINES}, "each line is a JSON object"
    for delimiter in DELIMITERS:
        if delimiter.encode() in head.lstrip().partition(b"\n")[0]:
            why = "the first line names the columns, and the others have as many cells"
            yield {"format": Format.CSV, **({} if delimiter == "," else {"delimiter": delimiter})}, why


OPENS_ARRAY = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:\s*\[\s*\{')


def _wrapping_field(head: bytes) -> str | None:
    """The field of an object that is a wrapper of records: its array holds nearly all of the text."""
    names = dict.fromkeys(match[1] for match in OPENS_ARRAY.finditer(head[: CHUNK_BYTES // 4]))
    for name in islice(names, 20):
        field = name.decode("utf-8", "replace")
        source = _provisional({"format": Format.JSON_WRAPPED, "records_field": field})
        held = b"".join(record.raw or b"" for record in split(source, "", io.BytesIO(head).read) if record.problem is None)
        share = len(b"".join(held.split())) / len(b"".join(head.split()))
        if share > WRAPPED_SHARE or (share > READ_SHARE and _has_few_besides(head, field)):
            return field
    return None


def _has_few_besides(head: bytes, field: str) -> bool:
    for text in (head, head.lstrip().partition(b"\n")[0]):
        try:
            others = {name: value for name, value in orjson.loads(text).items() if name != field}
        except (orjson.JSONDecodeError, AttributeError):
            continue
        return len(others) <= FEW_BESIDES and not any(isinstance(value, dict | list) for value in others.values())
    return False


def _provisional(keys: Mapping[str, str]) -> Source:
    """A declaration of which only the format is known."""
    known: dict[str, Any] = {"delimiter": ",", "records_field": None, "fields": {}, "pattern": None, **keys}
    return Source.model_construct(**known)


def _tried(file: Path, keys: dict[str, str], why: str) -> Reading:
    with file.open("rb") as opened:
        records = list(islice(split(_provisional(keys), file.name, opened.read), RECORDS_READ))
    values = [(text, value) for text, value in map(_object, records) if value is not None]
    return Reading(keys, why, [text for text, _ in values], [value for _, value in values], len(records) - len(values))


def _object(record: Record) -> tuple[str, dict[str, Any] | None]:
    text = (record.raw or b"").decode("utf-8", "replace")
    try:
        value = orjson.loads(record.raw or b"") if record.problem is None else None
    except orjson.JSONDecodeError:
        value = None
    return text, value if isinstance(value, dict) else None


HEADER_CELL = re.compile(r"[A-Za-z_@][A-Za-z0-9_ .()/-]{0,59}")


def _is_table(found: Reading) -> bool:
    """Whether the first line of what was read as CSV is a header: names, each once, none of them a value of its column."""
    if not found.values or len(found.values) < HEADER_SHARE * (len(found.values) + found.broken):
        return False
    names = found.columns
    values = {(name, cell) for value in found.values for name, cell in value.items()}
    are_names = all(HEADER_CELL.fullmatch(name) and (name, name) not in values for name in names)
    return len(set(names)) == len(names) > 1 and are_names


def _is_pretty(head: bytes) -> bool:
    first = head.lstrip().partition(b"\n")[0].strip()
    return not first.endswith(b"}") and len(head.splitlines()) > 1 and re.match(rb'\{\s*\n?\s*"', head.lstrip()) is not None


def _text(file: Path) -> Reading:
    with file.open("rb") as opened:
        source = _provisional({"format": Format.TEXT})
        records = list(islice(split(source, file.name, opened.read), RECORDS_READ))
    texts = [record.raw.decode("utf-8", "replace") for record in records if record.raw and record.problem is None]
    if not any(is_printable(text) for text in texts):
        raise ConfigurationError(f"{file.name} is neither text nor Parquet", next_step="see `Formats` in docs/how-to/add-a-source.md")
    return Reading({"format": Format.TEXT}, "the lines are neither JSON nor cells below a header", texts, [], len(records) - len(texts))


def is_printable(text: str) -> bool:
    """Whether a line is text rather than bytes of something else."""
    odd = sum(1 for sign in text[:1000] if sign == "\ufffd" or (ord(sign) < 32 and sign not in "\t\x1b"))
    return odd * 10 <= min(len(text), 1000)


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line, as CSV has them; one where it cannot be told."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [line])
    except csv.Error:
        return [line]
