"""The fields of JSON records, their types, and the scalars in them that an expression can name.

Does not belong here: what a field means (lakehouse.scaffold.meanings), or how records are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from lakehouse.tables.bronze import BRONZE_COLUMNS

MAX_FIELDS = 200
MAX_DEPTH = 4
MAX_MEMBERS = 60
"""An object with more members is rather a map, whose keys are data; it is kept as JSON text."""

TAKEN_WHEN_READ = frozenset(("raw", "tenant_id", "landed_on", "_path", "_block", "_number", "_unreadable"))
"""Names that mean the lake's own value in every expression."""
TAKEN_IN_SILVER = TAKEN_WHEN_READ | {column.name for column in BRONZE_COLUMNS} | {"copy"}
"""Names that mean the lake's own value in the mapping."""

Path = tuple[str, ...]
FIRST = "[]"
"""In a path: the first element of an array."""


@dataclass
class Node:
    """What was seen at one place of the records."""

    kinds: set[str] = field(default_factory=set)
    members: dict[str, Node] = field(default_factory=dict)
    element: Node | None = None

    def see(self, value: Any) -> None:
        """Take in a value."""
        if value is None:
            return
        kind = {dict: "an object", list: "an array", str: "a text", bool: "a boolean"}.get(type(value), "a number")
        self.kinds.add(kind)
        if isinstance(value, dict):
            for name, inner in value.items():
                self.members.setdefault(name, Node()).see(inner)
        elif isinstance(value, list):
            self.element = self.element or Node()
            for inner in value:
                self.element.see(inner)


@dataclass
class Shape:
    """The fields of some records.

    Args:
        types: field to Spark SQL type.
        remarks: field to what is to be said of it.
        left_out: fields that are not declared, with the reason.
        paths: of the scalars within the declared types.
        spelled: field to its other spellings in upper and lower case, which Spark does not tell from it.
        count: of the names declared.
    """

    types: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    spelled: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0


def shape_of(records: Iterable[Mapping[str, Any]]) -> Shape:
    """The fields of records: nested ones as structs and arrays, scalars as string, and so is what has several types."""
    top = Node()
    for record in records:
        top.see(dict(record))
    shape = Shape()
    for name, node in top.members.items():
        same = next((known for known in shape.types if known.lower() == name.lower()), None)
        if same is not None:
            shape.spelled.setdefault(same, []).append(name)
        elif not name or UNSPEAKABLE.search(name):
            shape.left_out[name] = "no expression can name it"
        elif shape.count >= MAX_FIELDS:
            shape.left_out[name] = f"only {MAX_FIELDS} fields are declared"
        else:
            shape.count += 1
            shape.types[name] = _type(node, (name,), shape)
    for name, others in shape.spelled.items():
        shape.remarks[name] = f"also spelled {', '.join(others)}, which Spark does not tell apart: read from `raw` where it is needed"
    return shape


UNSPEAKABLE = re.compile(r"[`\x00-\x1f\x7f]")


def _type(node: Node, path: Path, shape: Shape) -> str:
    """The type of a place; the scalars within it are noted in the shape."""
    if node.kinds == {"an object"} and (members := _members(node, path, shape)):
        return f"struct<{members}>"
    if node.kinds == {"an array"} and node.element is not None and node.element.kinds and path.count(FIRST) < 1:
        return f"array<{_type(node.element, (*path, FIRST), shape)}>"
    if len(node.kinds) > 1:
        shape.remarks.setdefault(path[0], f"{_dotted(path)} is {' or '.join(sorted(node.kinds))}: as text")
    shape.paths.append(path)
    return "string"


def _members(node: Node, path: Path, shape: Shape) -> str:
    """The members of a struct, or nothing where it is better a text."""
    usable: dict[str, Node] = {}
    for name, member in node.members.items():
        if name and not UNSPEAKABLE.search(name) and name.lower() not in map(str.lower, usable):
            usable[name] = member
    depth = len([part for part in path if part != FIRST])
    if not usable:
        return ""
    if depth >= MAX_DEPTH or len(usable) > MAX_MEMBERS or shape.count + len(usable) > MAX_FIELDS:
        why = f"nests deeper than {MAX_DEPTH}" if depth >= MAX_DEPTH else f"has {len(usable)} members"
        shape.remarks.setdefault(path[0], f"{_dotted(path)} {why}: as JSON text, read it with get_json_object")
        return ""
    if unusable := [name for name in node.members if name not in usable]:
        shape.remarks.setdefault(path[0], f"{_dotted(path)}: left out {', '.join(map(repr, unusable[:5]))}")
    shape.count += len(usable)
    return ", ".join(f"{quoted(name)} {_type(member, (*path, name), shape)}" for name, member in usable.items())


def _dotted(path: Sequence[str]) -> str:
    return ".".join(path).replace(f".{FIRST}", FIRST)


PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
SQL_WORDS = """
all and any anti array as asc at between both by case cast check collate column constraint create cross current_date current_time
current_timestamp current_user date day default delete desc describe distinct div drop else end escape except exists explain extract
false fetch filter for foreign from full function grant group having hour if ilike in inner insert intersect interval into is join
lateral leading left like limit map minus minute month named_struct natural not null of offset on only or order outer overlaps overlay
partition position primary range references replace right rlike row rows second select semi session_user set some sql struct substr
substring sync system table then time timediff timestamp timestampadd timestampdiff to trailing trim true try_cast type union unique
unknown update use user using values view when where window with within year
"""
WORDS_OF_SQL = frozenset(SQL_WORDS.split())
"""Names that are put in backticks although the grammar may let some of them stand."""


def quoted(name: str) -> str:
    """A name as Spark SQL."""
    return name if PLAIN_NAME.fullmatch(name) and name.lower() not in WORDS_OF_SQL else f"`{name}`"


@dataclass(frozen=True, eq=False)
class Leaf:
    """A scalar of the records.

    Args:
        path: its place.
        sql: how an expression names it.
        values: its values as text, one per record; None where there is none.
    """

    path: Path
    sql: str
    values: Sequence[str | None]

    @property
    def name(self) -> str:
        """Its place, for people."""
        return _dotted(self.path)

    @property
    def words(self) -> str:
        """The words of its place in lower case, with underscores between them."""
        return "_".join(words(part) for part in self.path if part != FIRST)

    @property
    def last_words(self) -> str:
        """The words of its own name."""
        return words(next(part for part in reversed(self.path) if part != FIRST))

    @property
    def present(self) -> list[str]:
        """The values that there are, without empty ones and those that stand for nothing."""
        return [value for value in self.values if value is not None and value.strip() and value.lower() not in NOTHING]

    @property
    def share(self) -> float:
        """Of the records that have a value."""
        return len(self.present) / max(len(self.values), 1)

    @property
    def clean(self) -> str:
        """How an expression names it with null for what stands for nothing."""
        found = dict.fromkeys(value for value in self.values if value is not None and value.lower() in NOTHING)
        sql = f"nullif({self.sql}, '')"
        for value in found:
            sql = f"nullif({sql}, {text_literal(value)})"
        return sql

    @property
    def reaches_silver(self) -> bool:
        """Whether the mapping can name it; otherwise only event_id, event_time and user can."""
        return self.path[0].lower() not in TAKEN_IN_SILVER


NOTHING = frozenset(("-", "null", "none", "n/a", "(null)", "(empty)", "unknown", "(unknown)", "undefined", "nil"))
"""What logs write where they have no value, in lower case."""


def text_literal(text: str) -> str:
    """A text as Spark SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def words(name: str) -> str:
    """The words of a name in lower case: `sourceIPAddress` is source_ip_address."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")


def leaves_of(shape: Shape, records: Sequence[Mapping[str, Any]]) -> Iterator[Leaf]:
    """The scalars that the declared fields reach, in their order."""
    for path in shape.paths:
        if path[0].lower() in TAKEN_WHEN_READ or path[-1] == FIRST:
            continue
        others = [(other, *path[1:]) for other in shape.spelled.get(path[0], []) if all(map(PLAIN_NAME.fullmatch, (other, *path[1:])))]
        also = [f"get_json_object(raw, '$.{'.'.join(other)}')" for other in others]
        sql = f"coalesce({', '.join((_sql(path), *also))})" if also else _sql(path)
        yield Leaf(path, sql, [next(filter(None, (as_text(_at(record, one)) for one in (path, *others))), None) for record in records])


def _sql(path: Path) -> str:
    sql = quoted(path[0])
    for part in path[1:]:
        sql = f"get({sql}, 0)" if part == FIRST else f"{sql}.{quoted(part)}"
    return sql


def _at(value: Any, path: Path) -> Any:
    for part in path:
        if part == FIRST:
            value = value[0] if isinstance(value, list) and value else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def as_text(value: Any) -> str | None:
    """A value of JSON as a field of type string has it."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
