"""Which fields a source's records have and of which JSON types, told from samples, and what has changed since.

Does not belong here: what becomes of records that have changed (jobs.ingest), or reading files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

MAX_FIELDS = 1000
"""Fields told apart in a sample; the further ones of a record with more are left out."""
LEAST_RECORDS = 50
"""Records that a sample must have for a field that is in none of them to be called dropped."""
JSON_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}


@dataclass
class Sample:
    """What was seen in a sample of records.

    Args:
        records: how many were looked at.
        fields: of each field, in how many it was and the types that it had. A field within another has a path with dots.
    """

    records: int = 0
    fields: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def take(self, texts: Iterable[bytes], declared: Mapping[str, str]) -> None:
        """Look at records; what is no JSON object is passed over. Only fields that are declared as structures are looked into."""
        for text in texts:
            try:
                record = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict):
                self.records += 1
                for path, value in _leaves(record, declared, ""):
                    self._see(path, JSON_TYPES.get(type(value)))

    def _see(self, path: str, kind: str | None) -> None:
        if path not in self.fields and len(self.fields) >= MAX_FIELDS:
            return
        count, kinds = self.fields.get(path, (0, []))
        self.fields[path] = (count + 1, sorted({*kinds, kind}) if kind else kinds)

    def add(self, other: Sample) -> None:
        """Take in another sample of the same source and tenant."""
        self.records += other.records
        for path, (count, kinds) in other.fields.items():
            mine, my_kinds = self.fields.get(path, (0, []))
            self.fields[path] = (mine + count, sorted({*my_kinds, *kinds}))


def _leaves(record: Mapping[str, Any], declared: Mapping[str, str], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        yield f"{prefix}{name}", value
        inner = members(declared.get(name, "")) if isinstance(value, dict) else {}
        if inner:
            yield from _leaves(value, inner, f"{prefix}{name}.")


def members(kind: str) -> dict[str, str]:
    """The members of a type `struct<...>`, with their types; none of any other type."""
    text = kind.strip()
    if not re.match(r"struct\s*<", text, re.IGNORECASE) or not text.endswith(">"):
        return {}
    found: dict[str, str] = {}
    depth, start = 0, 0
    body = text[text.index("<") + 1 : -1] + ","
    for place, mark in enumerate(body):
        depth += (mark in "<(") - (mark in ">)")
        if mark == "," and depth == 0:
            name, _, rest = body[start:place].strip().replace(":", " ", 1).partition(" ")
            found[name.strip("`")] = rest.strip()
            start = place + 1
    return found


def is_declared(path: str, declared: Mapping[str, str]) -> bool:
    """Whether a field, or one within a declared structure, is declared."""
    first, _, rest = path.partition(".")
    return first in declared and (not rest or is_declared(rest, members(declared[first])))


class Kind(StrEnum):
    """What has changed of a field."""

    FIRST_SEEN = "first_seen"
    ADDED = "added"
    TYPE_ADDED = "type_added"
    DROPPED = "dropped"
    RETURNED = "returned"


DRIFT = frozenset(Kind) - {Kind.FIRST_SEEN}


@dataclass(frozen=True)
class Known:
    """What is known of a field of a source and tenant: the types that it has had, whether all records had it, and whether it is gone."""

    types: frozenset[str]
    is_always: bool
    is_dropped: bool = False


@dataclass(frozen=True)
class Change:
    """A change of a field.

    Args:
        path: of the field.
        kind: what has changed.
        types: all types that it has had.
        is_always: whether all records sampled so far had it.
        is_declared: whether the declaration names it.
        detail: for a person.
    """

    path: str
    kind: Kind
    types: tuple[str, ...]
    is_always: bool
    is_declared: bool
    detail: str | None = None


def changes(sample: Sample, known: Mapping[str, Known], declared: Mapping[str, str]) -> list[Change]:
    """What a sample shows that was not known, in the order of the fields' names.

    The first sample of a tenant tells what there is; nothing in it has changed.
    """
    found = [*_appeared(sample, known, declared), *_dropped(sample, known, declared)]
    return sorted(_with_renames(found), key=lambda change: (change.path, change.kind))


def _appeared(sample: Sample, known: Mapping[str, Known], declared: Mapping[str, str]) -> Iterator[Change]:
    for path, (count, kinds) in sample.fields.items():
        before = known.get(path)
        is_always = count == sample.records and (before is None or before.is_always)
        types = tuple(sorted({*kinds, *(before.types if before else ())}))
        if before is None:
            kind = Kind.ADDED if known else Kind.FIRST_SEEN
        elif before.is_dropped:
            kind = Kind.RETURNED
        elif set(kinds) - before.types and before.types:
            kind = Kind.TYPE_ADDED
        else:
            continue
        detail = f"was {', '.join(sorted(before.types))}" if before and kind is Kind.TYPE_ADDED else None
        yield Change(path, kind, types, is_always, is_declared(path, declared), detail)


def _dropped(sample: Sample, known: Mapping[str, Known], declared: Mapping[str, str]) -> Iterator[Change]:
    if sample.records < LEAST_RECORDS:
        return
    for path, before in known.items():
        parent = path.rpartition(".")[0]
        if path not in sample.fields and before.is_always and not before.is_dropped and (not parent or parent in sample.fields):
            yield Change(path, Kind.DROPPED, tuple(sorted(before.types)), True, is_declared(path, declared))


def _with_renames(found: list[Change]) -> Iterator[Change]:
    """Of one field dropped and one of the same types added within the same structure: perhaps one was renamed to the other."""
    for change in found:
        others = [c for c in found if {change.kind, c.kind} == {Kind.ADDED, Kind.DROPPED} and _alike(change, c)]
        if len(others) == 1 and len([c for c in found if c.kind is change.kind and _alike(c, others[0])]) == 1:
            said = "perhaps renamed to" if change.kind is Kind.DROPPED else "perhaps the new name of"
            yield Change(change.path, change.kind, change.types, change.is_always, change.is_declared, f"{said} {others[0].path}")
        else:
            yield change


def _alike(one: Change, other: Change) -> bool:
    return one.types == other.types and one.path.rpartition(".")[0] == other.path.rpartition(".")[0]
