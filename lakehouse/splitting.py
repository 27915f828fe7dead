"""Where the records of a file begin and end, format by format: what is counted, and what Spark reads of files that are not lines.

A record that cannot be told from its neighbours is one broken record with its text; those before and after it are whole.

Does not belong here: what a record's fields mean, or anything particular to one source.
"""

from __future__ import annotations

import csv
import io
import math
import re
import tempfile
from ast import literal_eval
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.sources import Format, Source
from lakehouse.unpacking import CHUNK_BYTES, STREAM_ERRORS, Plain, Unreadable, plain

LINE_END = "\n"
"""What ends a line; a carriage return before it belongs to the end, any other is text of the line."""
BLANK = " \t\r"
"""What a line may consist of without being a record: the white space of JSON."""

LINE_FORMATS = (Format.JSON_LINES, Format.TEXT)
"""Formats in which each line that is not blank is a record, so that Spark reads a file as it lies."""

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""A longer record is cut: Spark's parser refuses texts of 20 million characters, and a row must fit into memory several times."""
CUT_BYTES = 64 * 1024
TOO_LONG = f"longer than {MAX_RECORD_BYTES >> 20} MiB: its first {CUT_BYTES >> 10} KiB are here, the whole in the landed file"
CSV_ROW_BYTES = 1024 * 1024
"""How far an open quotation mark in CSV is followed."""
PARQUET_ROWS = 1000
SAMPLE_LINES = 100


@dataclass(frozen=True)
class Record:
    """A record as it lies in its file.

    Args:
        row: its place: line or element, from 1.
        raw: its text; None where only the file as a whole can be spoken of.
        problem: why it cannot be read, where that is known before parsing.
        whole: whether `raw` is all of it.
    """

    row: int
    raw: bytes | None
    problem: str | None = None
    whole: bool = True


def split(source: Source, key: str, read: Callable[[int], bytes]) -> Iterator[Record]:
    """The records of a landed file, given its key and a function that reads on. What cannot be read of it is the last record."""
    row = 0
    try:
        body = plain(key, read).body
        for record in SPLITTERS[source.format](source, body) if body.peek(1) else ():
            row = record.row
            yield record
    except STREAM_ERRORS as error:
        yield Record(row + 1, None, f"the file cannot be read on: {error}", whole=False)
    except Unreadable as error:
        yield Record(row + 1, None, str(error), whole=False)


SAMPLED = 50
"""Records looked at of each piece of a file."""


def count_as_it_lies(key: str, read: Callable[[int], bytes], sample: Callable[[Iterable[bytes]], None]) -> int | None:
    """The records of a file of lines that Spark reads as it lies; None where it cannot. `sample` takes some lines of each piece of it."""
    try:
        text = plain(key, read)
        return _count_lines(text, sample) if text.as_it_lies else None
    except (*STREAM_ERRORS, Unreadable):
        return None


def _count_lines(text: Plain, sample: Callable[[Iterable[bytes]], None]) -> int | None:
    end, blank = LINE_END.encode(), BLANK.encode()
    rest, count = b"", 0
    while chunk := text.body.read(CHUNK_BYTES):
        block, found, rest = (rest + chunk).rpartition(end)
        lines = block.split(end) if found else []
        if len(rest) > MAX_RECORD_BYTES or (len(block) > MAX_RECORD_BYTES and any(len(line) > MAX_RECORD_BYTES for line in lines)):
            return None
        sample(lines[:: max(1, len(lines) // SAMPLED)])
        count += sum(1 for line in lines if line.strip(blank))
    sample([rest])
    return count + (1 if rest.strip(blank) else 0)


def _lines(body: io.BufferedReader) -> Iterator[tuple[bytes, bool]]:
    """Lines without their ends, and whether they had to be cut."""
    end = LINE_END.encode()
    while line := body.readline(MAX_RECORD_BYTES + 2):
        is_cut = not line.endswith(end) and len(line) > MAX_RECORD_BYTES
        if is_cut:
            while (rest := body.readline(CHUNK_BYTES)) and not rest.endswith(end):
                pass
        yield line.removesuffix(end).removesuffix(b"\r"), is_cut


def _split_lines(_source: Source, body: io.BufferedReader) -> Iterator[Record]:
    for row, (line, is_cut) in enumerate(_lines(body), 1):
        if is_cut:
            yield _cut(row, line)
        elif line.strip(BLANK.encode()):
            yield Record(row, line)


def _cut(row: int, text: bytes) -> Record:
    return Record(row, text[:CUT_BYTES], TOO_LONG, whole=False)


def _numbered(texts: Iterable[tuple[bytes, str | None]]) -> Iterator[Record]:
    for row, (text, problem) in enumerate(texts, 1):
        yield _cut(row, text) if len(text) > MAX_RECORD_BYTES or problem == TOO_LONG else Record(row, text, problem)


Found = Iterator[tuple[bytes, str | None]]
"""Texts of records, with what is wrong with each where that is known."""


def _split_array(_source: Source, body: io.BufferedReader) -> Iterator[Record]:
    return _numbered(_by_line(body) if _has_an_element_a_line(body.peek(CHUNK_BYTES)) else _Elements(body, None).all())


def _split_wrapped(source: Source, body: io.BufferedReader) -> Iterator[Record]:
    return _numbered(_Elements(body, source.records_field).all())


ELEMENT_LINE = re.compile(rb"[\s,\[]*\{.*\}[\s,\]]*", re.DOTALL)


ELEMENT_OPENS = re.compile(rb"\[\s*\{")


def _has_an_element_a_line(sample: bytes) -> bool:
    complete = sample.split(b"\n") if len(sample) < CHUNK_BYTES else sample.split(b"\n")[:-1]
    lines = [text for line in complete[:SAMPLE_LINES] if (text := line.strip(b"[] \t\r"))]
    is_cut_here = len(lines) > 1 or any(line.startswith(b"{") and not sample.lstrip().startswith(b"[") for line in lines)
    return is_cut_here and sum(1 for line in lines if ELEMENT_LINE.fullmatch(line)) * 2 > len(lines)


def _by_line(body: io.BufferedReader) -> Found:
    """Of an array with an element a line: each line by itself, so that a broken one harms no other."""
    for line, is_cut in _lines(body):
        text = line.strip(SPACE)
        text = text[1:].lstrip(SPACE) if ELEMENT_OPENS.match(text) else text
        if is_cut:
            yield text, TOO_LONG
        elif text not in (b"", b"[", b"]", b"[]"):
            yield from _of_a_line(text)


def _of_a_line(text: bytes) -> Found:
    for candidate in (text, text.removesuffix(b"]").rstrip(b" \t,")):
        try:
            orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
        yield candidate, None
        return
    among = list(_Elements(io.BufferedReader(io.BytesIO(b"[" + text.removesuffix(b"]") + b"]")), None).all())
    yield from among if len(among) > 1 and all(_is_json(one) for one, _ in among) else [(text, None)]


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
SHALLOW = 6


def _nested(depth: int) -> bytes:
    inner = rb"|" + _nested(depth - 1) if depth > 1 else b""
    return rb'[{\[](?:[^"{}\[\]]++|' + _STRING + inner + rb")*+[}\]]"


BRACKET = re.compile(rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+([{}\[\]])', re.DOTALL)
"""Everything up to the next bracket that is not within a string."""
SEPARATOR = re.compile(rb'[^",{}\[\]]*+(?:' + _STRING + rb'[^",{}\[\]]*+)*+([,{}\[\]])', re.DOTALL)
"""Everything up to the next comma or bracket that is not within a string."""
ELEMENT = re.compile(rb"\s*+(" + _nested(SHALLOW) + rb")\s*+([,\]])", re.DOTALL)
"""An object or array that nests no deeper than most do, and the comma or bracket behind it: in one match, not one a bracket."""
LAST_KEY = re.compile(rb"(" + _STRING + rb")\s*:\s*\Z", re.DOTALL)
SPACE = b" \t\r\n,"
OUTSIDE = "text outside the array"
UNCLOSED = "not closed"


class _Elements:
    """Elements of the JSON arrays of a file, found by their brackets, each with its text as it stands.

    Args:
        body: the file's text.
        field: of the object that holds the array; None where the array is the file's top level.
    """

    def __init__(self, body: io.BufferedReader, field: str | None) -> None:
        self._body = body
        self._field = field
        self._data = b""
        self._start = 0
        self._place = 0
        self._depth = 0
        self._has_found = False

    def all(self) -> Found:
        """Every element, and what else there is that is no white space. Raises Unreadable where no array is found."""
        while (yield from self._enter()):
            yield from self._array()
        if not self._has_found:
            raise Unreadable("not a JSON array" if self._field is None else f"not an object with an array {self._field!r}")

    def _next(self, wanted: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """The next match, reading on as needed; None at the end of the file. Raises _TooLong."""
        while (found := wanted.match(self._data, self._place)) is None:
            if len(self._data) - self._start > MAX_RECORD_BYTES:
                raise _TooLong
            more = self._body.read(CHUNK_BYTES)
            if not more:
                return None
            self._data = self._data[self._start :] + more
            self._place -= self._start
            self._start = 0
        self._place = found.end()
        return found

    def _enter(self) -> Generator[tuple[bytes, str | None], None, bool]:
        """Go behind the bracket that opens the next array; returns whether there is one."""
        try:
            if (yield from self._find_array()):
                return True
            if stray := self._data[self._start :].strip(SPACE):
                self._has_found = True
                yield stray, OUTSIDE
        except _TooLong:
            yield self._data[self._start :], TOO_LONG
        self._drain()
        return False

    def _find_array(self) -> Generator[tuple[bytes, str | None], None, bool]:
        wanted_depth = 0 if self._field is None else 1
        self._start = self._place
        while found := self._next(BRACKET):
            before, mark = found[0][:-1], found[1]
            if self._depth == 0 and (stray := before.strip(SPACE)):
                self._has_found = True
                yield stray, OUTSIDE
            if mark == b"[" and self._depth == wanted_depth and self._is_wanted(before):
                self._has_found = True
                self._start = self._place
                return True
            if self._field is not None:
                self._start = self._place
            elif self._depth == 0:
                self._start = self._place - 1
            self._depth = max(0, self._depth + (1 if mark in b"[{" else -1))
            if self._field is None and self._depth == 0:
                self._has_found = True
                yield self._data[self._start : self._place], OUTSIDE
                self._start = self._place
        return False

    def _is_wanted(self, before: bytes) -> bool:
        if self._field is None:
            return True
        key = LAST_KEY.search(before)
        try:
            return key is not None and orjson.loads(key[1]) == self._field
        except orjson.JSONDecodeError:
            return False

    def _array(self) -> Found:
        depth = 0
        while True:
            if depth == 0 and (found := ELEMENT.match(self._data, self._place)):
                yield found[1], None
                self._start = self._place = found.end()
                if found[2] == b"]":
                    return
                continue
            try:
                found = self._next(BRACKET if depth else SEPARATOR)
            except _TooLong:
                found = None
            if found is None:
                if (yield from self._resume()):
                    depth = 0
                    continue
                return
            mark = found[1]
            if depth == 0 and mark in b",]":
                if text := self._data[self._start : self._place - 1].strip(b" \t\r\n"):
                    yield text, None
                self._start = self._place
                if mark == b"]":
                    return
            else:
                depth = max(0, depth + (1 if mark in b"{[" else -1))

    def _resume(self) -> Generator[tuple[bytes, str | None], None, bool]:
        """Of an element that is never closed: up to the next line that begins one, in the same column; True where there is such a line."""
        text = self._data[self._start :]
        column = re.match(rb"\s*?([ \t]*)\{", text)
        at = text.find(b"\n" + column[1] + b"{", column.end()) if column else -1
        if at > 0:
            yield text[:at].strip(SPACE), UNCLOSED
            self._start = self._place = self._start + at
            return True
        if rest := text.strip(b" \t\r\n"):
            yield rest, TOO_LONG if len(rest) > MAX_RECORD_BYTES else UNCLOSED
        self._drain()
        return False

    def _drain(self) -> None:
        self._data, self._start, self._place = b"", 0, 0
        while self._body.read(CHUNK_BYTES):
            pass


class _TooLong(Exception):
    """No end of a record within MAX_RECORD_BYTES."""


class _CsvLines:
    """Lines of a text for a csv reader, which can be given back from the second one that it took."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._back: list[str] = []
        self.taken: list[str] = []
        self._size = 0

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        if self._size > CSV_ROW_BYTES:
            raise csv.Error(f"a row of more than {CSV_ROW_BYTES >> 20} MiB")
        line = self._back.pop() if self._back else next(self._text)
        self.taken.append(line)
        self._size += len(line)
        return line

    def begin(self) -> None:
        """Forget what was taken."""
        self.taken, self._size = [], 0

    def keep_the_first(self) -> str:
        """Give back all lines but the first of those taken, which is returned without its end."""
        first, *others = self.taken
        self._back += reversed(others)
        return first.rstrip("\r\n")


def _csv_rows(body: io.BufferedReader, delimiter: str) -> Iterator[tuple[list[str], str | None, _CsvLines]]:
    """Rows of cells, blank lines left out; for a row that cannot be told: its first line, and why."""
    csv.field_size_limit(CSV_ROW_BYTES)
    lines = _CsvLines(iter(io.TextIOWrapper(body, encoding="utf-8", errors="replace", newline="")))
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield [lines.keep_the_first()], str(error), lines
            reader = csv.reader(lines, strict=True, delimiter=delimiter)
            continue
        if row:
            yield row, None, lines


def _split_csv(source: Source, body: io.BufferedReader) -> Iterator[Record]:
    rows = _csv_rows(body, source.delimiter)
    header, problem, _ = next(rows, ([], None, None))
    if problem:
        raise Unreadable(f"the header cannot be read: {problem}")
    names = _named(header, source.fields)
    complex_fields = {name for name, kind in source.fields.items() if kind.lower().startswith(("array<", "struct<", "map<"))}
    for number, (cells, problem, lines) in enumerate(rows, 1):
        if problem is None and len(cells) != len(names):
            problem = f"not {len(names)} cells"
            cells = [lines.keep_the_first() if len(lines.taken) > 1 else lines.taken[0].rstrip("\r\n")]
        if problem:
            yield Record(number, cells[0].encode("utf-8", "replace"), problem)
        else:
            record = {name: _cell(cell, name in complex_fields) for name, cell in zip(names, cells, strict=True) if cell != ""}
            yield Record(number, orjson.dumps(record))


def _named(header: list[str], fields: Mapping[str, str]) -> list[str]:
    """Names for the columns of a header: the declared field that it stands for, else as it is written; no name twice."""
    known: dict[str, str] = {}
    for field in fields:
        known.setdefault(simplified(field), field)
    names: list[str] = []
    for number, title in enumerate(header, 1):
        name = title if title in fields else known.get(simplified(title), title)
        name = title if name in names else name
        names.append(name if name and name not in names else f"{name or 'column'}_{number}")
    return names


def simplified(title: str) -> str:
    """The title of a column in lower case, with _ for all but letters and digits: what a declared field may be called instead."""
    return re.sub(r"[^0-9a-z]+", "_", title.strip().lower()).strip("_")


def _cell(text: str, is_complex: bool) -> Any:
    """A cell; where an object or array is declared, the JSON or Python literal that it holds, if it holds one."""
    if not is_complex:
        return text
    for read in (orjson.loads, literal_eval):
        try:
            value = read(text)
            orjson.dumps(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value
    return text


def _split_parquet(_source: Source, body: io.BufferedReader) -> Iterator[Record]:
    with tempfile.TemporaryFile() as copy:
        while data := body.read(CHUNK_BYTES):
            copy.write(data)
        copy.seek(0)
        try:
            file = pq.ParquetFile(copy)
            has_floats = any(pa.types.is_floating(kind) or pa.types.is_nested(kind) for kind in file.schema_arrow.types)
            row = 0
            for batch in file.iter_batches(PARQUET_ROWS):
                for values in _plain_times(batch).to_pylist():
                    row += 1
                    yield Record(row, orjson.dumps(_finite(values) if has_floats else values, default=_as_text))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Unreadable(f"not Parquet that can be read: {str(error).splitlines()[0]}") from error


def _plain_times(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Times in nanoseconds as times in microseconds, which is what Python and Spark have."""
    kinds = [pa.timestamp("us", f.type.tz) if pa.types.is_timestamp(f.type) and f.type.unit == "ns" else f.type for f in batch.schema]
    if kinds == batch.schema.types:
        return batch
    columns = [column.cast(kind, safe=False) for column, kind in zip(batch.columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _finite(value: Any) -> Any:
    """What JSON has no number for, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return b64encode(value).decode()
    return str(value)


SPLITTERS: Mapping[Format, Callable[[Source, io.BufferedReader], Iterator[Record]]] = {
    Format.JSON_LINES: _split_lines,
    Format.TEXT: _split_lines,
    Format.JSON_ARRAY: _split_array,
    Format.JSON_WRAPPED: _split_wrapped,
    Format.CSV: _split_csv,
    Format.PARQUET: _split_parquet,
}
