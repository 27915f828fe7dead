"""What is wrong in a declaration, in words and with the line.

Does not belong here: what a declaration must be (lakehouse.sources), or what Spark says of an expression (jobs.expressions).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

Location = tuple[str, ...]
"""Keys from the top of a declaration to a value in it."""


class Mistake(BaseModel):
    """One mistake in a declaration, with its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    line: int
    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.where}: {self.problem}"


class Misplaced(ValueError):
    """What is wrong at several places of a part of a declaration.

    Args:
        problems: keys from the part to the place, and what is wrong there.
    """

    def __init__(self, *problems: tuple[Location, str]) -> None:
        super().__init__("; ".join(problem for _, problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Wrong:
    """A mistake by its keys.

    Args:
        location: keys from the top to the value.
        problem: what is wrong, in words.
        ink: how many characters of the value that are no white space precede the place; None where all of it is meant.
    """

    location: Location
    problem: str
    ink: int | None = None


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that a name most likely stands for, upper and lower case alike; empty where none is near."""
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else ""


def hint(name: str, known: Collection[str]) -> str:
    """The nearest known name, as the end of a sentence; else all of them where they are few."""
    if near := nearest(name, known):
        return f"; the nearest is {near!r}"
    return f"; there are {', '.join(sorted(known))}" if 0 < len(known) <= FEW else ""


FEW = 12


class Text:
    """The text of a declaration file, which knows the line of each of its values."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()
        loader = QuickLoader(text)
        self._tree: yaml.Node | None = loader.get_single_node()
        self.content: Any = loader.construct_document(self._tree) if self._tree else None

    def mistakes(self, wrong: Sequence[Wrong]) -> list[Mistake]:
        """Mistakes with their lines, in the order of these."""
        placed = [
            Mistake(path=self._path, line=self._line(one), where=".".join(one.location) or "declaration", problem=one.problem)
            for one in wrong
        ]
        return sorted(placed, key=lambda mistake: mistake.line)

    def repeated(self) -> list[Mistake]:
        """Keys that stand twice in one place, of which YAML would take the last without a word."""
        said = "stands here a second time"
        return [Mistake(path=self._path, line=line, where=where, problem=said) for line, where in _repeated(self._tree, ())]

    def _line(self, wrong: Wrong) -> int:
        line, node = (self._tree.start_mark.line + 1 if self._tree else 1), self._tree
        for key in wrong.location:
            found = next((pair for pair in _pairs(node) if key in _spellings(pair[0])), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        return line if wrong.ink is None or node is None else self._line_within(node, wrong.ink)

    def _line_within(self, node: yaml.Node, ink: int) -> int:
        """The line of a place in a text of several lines, which YAML folds: only white space changes then."""
        first, last = node.start_mark.line, max(node.end_mark.line, node.start_mark.line)
        opening = self._lines[first][node.start_mark.column :]
        left = ink + (len("".join(opening.split())) if opening[:1] in ("|", ">") else 0)
        for number in range(first, min(last + 1, len(self._lines))):
            written = self._lines[number][node.start_mark.column if number == first else 0 :]
            left -= len("".join(written.split()))
            if left < 0:
                return number + 1
        return first + 1


QuickLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _spellings(key: yaml.Node) -> tuple[str, str]:
    """A key as it is written, and as what YAML takes it for: `no` is False."""
    written = str(key.value)
    return written, str(yaml.safe_load(written)) if key.tag.endswith((":bool", ":null", ":int", ":float")) else written


def _repeated(node: yaml.Node | None, location: Location) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for key, value in _pairs(node) if len(location) < DEEPEST else []:
        place = (*location, str(key.value))
        if key.value in seen:
            yield key.start_mark.line + 1, ".".join(place)
        seen.add(str(key.value))
        yield from _repeated(value, place)


DEEPEST = 10
"""No key of a declaration lies deeper; an alias of YAML's can contain itself."""

QUOTED_WHOLLY = "what begins with a quotation mark ends with it: put the whole text in double quotes, or on the next line after >-"
YAML_HINTS = {
    "cannot start any token": "a text that begins with `, @, % or a tab is put in quotes, or on the next line after >-",
    "mapping values are not allowed": "a text with a colon and a space in it is put in quotes, or on the next line after >-",
    "did not find expected comment": QUOTED_WHOLLY,
    "did not find expected key": f"{QUOTED_WHOLLY}; and keys of one part begin in the same column",
    "could not find expected ':'": "each line is `key: value`, indented with spaces",
}
"""What helps, by what the YAML parser says."""


def in_yaml(path: Path, error: yaml.YAMLError) -> Mistake:
    """What is no YAML, as a mistake."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error).splitlines()[0]
    help_ = next((help_ for said, help_ in YAML_HINTS.items() if said in problem), "")
    return Mistake(path=path, line=mark.line + 1 if mark else 1, where="YAML", problem=f"{problem}{help_ and ': '}{help_}")


def in_model(error: ValidationError, models: Mapping[Location, type[BaseModel]]) -> list[Wrong]:
    """What pydantic found, in words.

    Args:
        models: the model of each part of a declaration, by the keys that lead to it.
    """
    found: list[Wrong] = []
    for told in error.errors():
        at = tuple(str(key) for key in told["loc"])
        location = tuple(key for key in at if key not in MARKS)
        if at[-1:] == ("[key]",):
            location = (*location[:-1], str(told["input"]))
        misplaced = told.get("ctx", {}).get("error")
        if isinstance(misplaced, Misplaced):
            found += [Wrong((*location, *place), problem) for place, problem in misplaced.problems]
        else:
            found.append(Wrong(location, _in_words(told, at, models)))
    return found


MARKS = ("[key]", "SQL", "TimeText")
"""Parts of pydantic's places that are no keys of the declaration."""


def _in_words(told: Mapping[str, Any], at: Location, models: Mapping[Location, type[BaseModel]]) -> str:
    model = models.get(tuple(key for key in at[:-1] if key not in MARKS))
    keys = model.model_fields if model else {}
    phrase = KEY_PHRASES.get(told["type"]) if at[-1:] == ("[key]",) else None
    phrase = phrase or PHRASES.get(told["type"])
    if phrase is None:
        return str(told["msg"]).removeprefix("Value error, ")
    description = keys[at[-1]].description if at and at[-1] in keys else ""
    return phrase({**told, "keys": tuple(keys), "name": at[-1] if at else "", "description": description, "ctx": told.get("ctx", {})})


def _one_of(told: Mapping[str, Any]) -> str:
    values = str(told["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
    near = nearest(str(told["input"]), values)
    return f"{told['input']!r} is none of {', '.join(values)}{near and f'; the nearest is {near!r}'}"


NO_NAME = "a name is lower-case letters, digits and _, begins with a letter, and has at most 63 characters"
PHRASES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda told: f"is missing: {told['description'] or 'it is needed'}",
    "extra_forbidden": lambda told: f"there is no such key{hint(told['name'], told['keys'])}",
    "enum": _one_of,
    "string_type": lambda told: "is empty" if told["input"] is None else f"must be a text, and {told['input']!r} is none: put it in quotes",
    "string_too_short": lambda _: "is empty",
    "string_pattern_mismatch": lambda told: f"{told['input']!r} is no name: {NO_NAME}",
    "date_from_datetime_parsing": lambda told: f"{told['input']!r} is no day, such as 2020-01-31",
    "date_type": lambda told: f"{told['input']!r} is no day, such as 2020-01-31",
    "model_type": lambda _: "must be keys with their values",
    "mapping_type": lambda _: "must be keys with their values",
    "model_attributes_type": lambda _: "must be keys with their values",
}
KEY_PHRASES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": lambda told: f"YAML reads this key as {told['input']!r}: put it in quotes",
    "string_pattern_mismatch": lambda told: f"{told['input']!r} is no name: {NO_NAME}",
}
