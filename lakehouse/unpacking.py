"""A landed file's bytes as the UTF-8 text that they stand for: unpacked and transcoded, in bounded memory.

Does not belong here: where records begin and end (lakehouse.splitting), or reading from the store.
"""

from __future__ import annotations

import codecs
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

CHUNK_BYTES = 4 * 1024 * 1024
PACKED_BYTES = 64 * 1024
SAMPLE_BYTES = 4096

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW_BITS = 31
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ARCHIVES = {
    b"PK\x03\x04": "a zip archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"BZh91AY&SY": "packed with bzip2",
    b"\xfd7zXZ\x00": "packed with xz",
    b"\x04\x22\x4d\x18": "packed with lz4",
}
"""What a file begins with that holds what cannot be read as it is."""

SPARK_CODECS = {".gz": GZIP_MAGIC, ".zst": ZSTD_MAGIC, ".bz2": None, ".deflate": None, ".lz4": None, ".snappy": None}
"""Endings, in lower case, of names whose content Spark would unpack, with what it must begin with where that is read here, too."""
SPARK_SKIPS = ("_", ".")
"""Beginnings of names that Spark takes for files of its own and does not read."""
SPARK_SKIPS_ENDING = "._copying_"

BOMB_BYTES = 1024**3
BOMB_RATIO = 200
"""Real logs unpack to 10 to 50 times their size; deflate's limit is 1,032."""

ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; the one of UTF-32-LE begins like that of UTF-16-LE."""
UTF16_NULS = 0.4
"""Share of NUL bytes in every second place from which a text without a mark is UTF-16: text in Latin letters has them nearly all."""

STREAM_ERRORS = (EOFError, OSError, zlib.error)
"""What a packed stream raises that is cut or spoilt."""


class Unreadable(Exception):
    """The file, or the rest of it, is nothing that records can be read from."""


@dataclass(frozen=True)
class Plain:
    """A file as text in UTF-8, without byte order mark.

    Args:
        body: the text's bytes.
        as_it_lies: whether Spark, which goes by the file's name, reads the same bytes.
    """

    body: io.BufferedReader
    as_it_lies: bool


class Stream(io.RawIOBase):
    """A raw stream over a function that returns at most so many bytes, none at the end."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def plain(key: str, read: Callable[[int], bytes]) -> Plain:
    """A landed file, given its key and a function that reads on, as text.

    Raises Unreadable, and on reading Unreadable or one of STREAM_ERRORS.
    """
    packed = _Counted(read)
    body = _buffered(packed.read)
    start = body.peek(SAMPLE_BYTES)
    for magic, what in ARCHIVES.items():
        if start.startswith(magic):
            raise Unreadable(f"{what}; unpack it before landing it")
    magic = next((m for m in (GZIP_MAGIC, ZSTD_MAGIC) if start.startswith(m)), b"")
    if magic:
        unpacked = _gunzip(body.read) if magic == GZIP_MAGIC else _unzstd(body)
        body = _buffered(_guarded(unpacked, packed))
    encoding = _encoding(body.peek(SAMPLE_BYTES))
    as_it_lies = encoding in ("", "utf-8-sig") and _spark_unpacks(key) == (magic or b"")
    if encoding == "utf-8-sig":
        body.read(len(codecs.BOM_UTF8))
    elif encoding:
        body = _buffered(_transcoded(body.read, encoding))
    return Plain(body, as_it_lies)


def _buffered(read: Callable[[int], bytes]) -> io.BufferedReader:
    return io.BufferedReader(Stream(read), CHUNK_BYTES)


class _Counted:
    """Counts the bytes that are read through it."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.count = 0

    def read(self, size: int) -> bytes:
        data = self._read(size)
        self.count += len(data)
        return data


def _spark_unpacks(key: str) -> bytes | None:
    """What Spark expects the content of a file of this name to begin with: nothing for plain text; None where it cannot be read there."""
    name = key.rpartition("/")[2].lower()
    if name.startswith(SPARK_SKIPS) or name.endswith(SPARK_SKIPS_ENDING):
        return None
    return next((magic for ending, magic in SPARK_CODECS.items() if name.endswith(ending)), b"")


def _gunzip(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """The content of gzip members that follow each other. What else follows a member, padding too, is an error, as it is to Spark."""
    member = zlib.decompressobj(GZIP_WINDOW_BITS)

    def read_on(size: int) -> bytes:
        nonlocal member
        while True:
            rest = member.unused_data if member.eof else member.unconsumed_tail
            packed = rest or read(PACKED_BYTES)
            if member.eof:
                if not packed:
                    return b""
                member = zlib.decompressobj(GZIP_WINDOW_BITS)
            data = member.decompress(packed, size)
            if data:
                return data
            if not packed and not member.eof:
                raise EOFError("the gzip content ends too early")

    return read_on


def _unzstd(body: io.BufferedReader) -> Callable[[int], bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(body, mode="r"), "zstd")
    return lambda size: bytes(stream.read(size))


def _guarded(read: Callable[[int], bytes], packed: _Counted) -> Callable[[int], bytes]:
    total = 0

    def read_on(size: int) -> bytes:
        nonlocal total
        data = read(size)
        total += len(data)
        if total > BOMB_BYTES and total > BOMB_RATIO * packed.count:
            raise Unreadable(f"it unpacks to more than {BOMB_RATIO} times its size, over {BOMB_BYTES >> 30} GiB")
        return data

    return read_on


def _encoding(sample: bytes) -> str:
    """The encoding of a text by its first bytes; empty for UTF-8 without a mark."""
    marked = next((name for mark, name in ENCODINGS.items() if sample.startswith(mark)), "")
    if marked or len(sample) < 2 or b"\0" not in sample:
        return marked
    pairs = len(sample) // 2
    nuls = [sample[place::2].count(0) / pairs for place in (0, 1)]
    if nuls[0] < UTF16_NULS <= nuls[1]:
        return "utf-16-le"
    return "utf-16-be" if nuls[1] < UTF16_NULS <= nuls[0] else ""


def _transcoded(read: Callable[[int], bytes], encoding: str) -> Callable[[int], bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    left = b""

    def read_on(size: int) -> bytes:
        nonlocal left
        while not left:
            data = read(size)
            left = decoder.decode(data, final=not data).encode("utf-8", "replace")
            if not data:
                break
        out, left = left[:size], left[size:]
        return out

    return read_on
