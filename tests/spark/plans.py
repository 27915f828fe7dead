"""What a frame is made from, read off the plan that Spark has analysed of it, which names every column with an id of its own.

Does not belong here: what it should be made from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame

Columns = frozenset[tuple[str, str]]
"""Inputs and columns of theirs."""
NONE: Columns = frozenset()
DEFINED = re.compile(r" AS (\S+)#(\d+)L?$")
ID = re.compile(r"#(\d+)")
NAMED = re.compile(r"(\w+)#(\d+)L?$")
BY_NAME = re.compile(r"lateralAliasReference\(`?(\w+)`?\)")
"""A column that is defined before in the same select may stand in a plan without its id."""
WIDE = "spark.sql.debug.maxToStringFields"


@dataclass
class MadeFrom:
    """Args:
    columns: column of the frame to the columns that its value is computed from.
    rows: the columns that filters, groups, joins, windows and explosions look at.
    """

    columns: dict[str, Columns]
    rows: Columns


@dataclass
class _Node:
    depth: int
    text: str
    children: list[_Node] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return re.split(r"[ \[]", self.text, maxsplit=1)[0]


def made_from(frame: DataFrame, inputs: Mapping[str, tuple[str, ...]]) -> MadeFrom:
    """What a frame over empty local frames is made from.

    Args:
        inputs: name of each input to the names of its columns, by which its frame is known.
    """
    frame.sparkSession.conf.set(WIDE, "100000")
    plan = frame._explain_string(mode="extended")  # type: ignore[operator]
    lines = plan.split("== Analyzed Logical Plan ==\n")[1].split("\n\n")[0].splitlines()[1:]
    return _Reading(inputs).read(_tree(lines))


def _tree(lines: list[str]) -> _Node:
    above: list[_Node] = []
    for line in lines:
        text = re.sub(r"^[ :]*?[+:]- ", "", line)
        node = _Node(len(line) - len(text), text)
        while above and above[-1].depth >= node.depth:
            above.pop()
        if above:
            above[-1].children.append(node)
        above.append(node)
    return above[0]


class _Reading:
    def __init__(self, inputs: Mapping[str, tuple[str, ...]]) -> None:
        self._inputs = {columns: name for name, columns in inputs.items()}
        self._from: dict[str, Columns] = {}
        self._named: dict[str, Columns] = {}
        self._rows: Columns = NONE

    def read(self, root: _Node) -> MadeFrom:
        self._visit(root)
        names = [NAMED.search(item) for item in _split(_lists(root.text)[-1])]
        return MadeFrom({found[1]: self._from.get(found[2], NONE) for found in names if found}, self._rows)

    def _of(self, text: str) -> Columns:
        named = (self._named[name] for name in BY_NAME.findall(text))
        return NONE.union(*(self._from.get(number, NONE) for number in ID.findall(text)), *named)

    def _visit(self, node: _Node) -> list[str]:
        """Note what the columns of a node are made from. Returns their ids in order."""
        below = [self._visit(child) for child in node.children]
        lists = _lists(node.text)
        if node.kind == "LocalRelation":
            return self._leaf(lists[-1])
        if node.kind == "Union":
            return self._united(below)
        if node.kind in ("Project", "Aggregate", "Window"):
            return self._listed(node.kind, lists, below)
        if node.kind == "Generate":
            return self._generated(node.text, lists[-1], below[0])
        if node.kind in ("Filter", "Join", "Deduplicate"):
            self._rows |= self._of(node.text)
        elif node.kind not in ("SubqueryAlias", "ResolvedHint", "RepartitionByExpression"):
            raise AssertionError(f"a node that is not known here: {node.text[:200]}")
        is_half = node.kind == "Join" and re.match(r"Join Left(Semi|Anti)", node.text)
        return [number for ids in (below[:1] if is_half else below) for number in ids]

    def _leaf(self, listed: str) -> list[str]:
        pairs = [(found[1], found[2]) for item in _split(listed) if (found := NAMED.search(item))]
        name = self._inputs.get(tuple(column for column, _ in pairs))
        self._from |= {number: frozenset({(name, column)}) if name else NONE for column, number in pairs}
        return [number for _, number in pairs]

    def _united(self, below: list[list[str]]) -> list[str]:
        for others in zip(*below, strict=True):
            self._from[others[0]] = NONE.union(*(self._from[number] for number in others))
        return below[0]

    def _listed(self, kind: str, lists: list[str], below: list[list[str]]) -> list[str]:
        made = lists[1] if kind == "Aggregate" else lists[0]
        looked_at = {"Project": [], "Aggregate": lists[:1], "Window": lists[1:]}[kind]
        self._rows |= NONE.union(*map(self._of, looked_at))
        ids = [self._defined(item) for item in _split(made)]
        return [*below[0], *ids] if kind == "Window" else ids

    def _defined(self, item: str) -> str:
        found = DEFINED.search(item)
        if found is None:
            return ID.findall(item)[-1]
        self._from[found[2]] = self._named[found[1]] = self._of(_without_windows(item[: found.start()]))
        return found[2]

    def _generated(self, text: str, listed: str, below: list[str]) -> list[str]:
        read = self._of(text.removesuffix(f"[{listed}]"))
        ids = ID.findall(listed)
        self._rows |= read
        self._from |= dict.fromkeys(ids, read)
        return [*below, *ids]


def _without_windows(text: str) -> str:
    """An expression without the windows that it is computed over."""
    while (begin := text.find("windowspecdefinition(")) >= 0:
        text = text[:begin] + text[_end(text, text.index("(", begin)) + 1 :]
    return text


def _lists(text: str) -> list[str]:
    """The contents of the lists in square brackets that stand outside of all other brackets."""
    found, at = [], 0
    while at < len(text):
        if text[at] in "([":
            end = _end(text, at)
            found += [text[at + 1 : end]] if text[at] == "[" else []
            at = end
        at += 1
    return found


def _split(text: str) -> list[str]:
    """The items of a list."""
    items, begin, at = [], 0, 0
    while at < len(text):
        if text[at] in "([":
            at = _end(text, at)
        elif text[at] == ",":
            items.append(text[begin:at].strip())
            begin = at + 1
        at += 1
    return [*items, text[begin:].strip()]


def _end(text: str, begin: int) -> int:
    """Where the bracket ends that begins there."""
    depth = 0
    for at in range(begin, len(text)):
        depth += (text[at] in "([") - (text[at] in ")]")
        if depth == 0:
            return at
    raise AssertionError(f"brackets that do not match: {text[begin : begin + 200]}")
