"""Putting the guesses together as YAML, with the reason for each and what is left to decide.

Does not belong here: guessing (the other modules of lakehouse.scaffold).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml

from lakehouse.errors import ConfigurationError
from lakehouse.scaffold.lines import lines_of
from lakehouse.scaffold.meanings import Guess, applicable_of, columns_of, event_id_of, users_of
from lakehouse.scaffold.reading import Reading, read
from lakehouse.scaffold.shapes import TAKEN_IN_SILVER, Leaf, Shape, leaves_of, shape_of
from lakehouse.scaffold.times import TimeGuess, time_of
from lakehouse.settings import Settings
from lakehouse.sources import IDENTIFIER, Format, source_files
from lakehouse.splitting import simplified
from lakehouse.tables import Layer, Table, table

WIDTH = 120
NAME = re.compile(IDENTIFIER)
KEY = re.compile(r"^ *\w+: ")
NAMES_SHOWN = 12
YEARS_BACK = 5
"""How far `earliest` reaches back where the times name no year."""
HOW_TO = "docs/how-to/add-a-source.md"


@dataclass(frozen=True)
class Scaffold:
    """A first declaration.

    Args:
        name: of the source.
        text: YAML.
    """

    name: str
    text: str


def scaffold_of(file: Path, name: str | None, table_name: str) -> Scaffold:
    """A first declaration, guessed from a file. Raises ConfigurationError where it cannot be read, or the call is mistaken."""
    declared = table(table_name)
    if declared.layer is not Layer.SILVER:
        raise ConfigurationError(f"{table_name} is not a silver table", next_step="use one such as silver.auth_events")
    wanted = _name_of(file) if name is None else name
    if not NAME.fullmatch(wanted):
        raise ConfigurationError(f"{wanted!r} is no name of a source", next_step="use lower-case letters, digits and _, a letter first")
    found = read(file)
    parts = _of_text(found) if found.keys["format"] == Format.TEXT else _of_json(_with_usable_names(found))
    return Scaffold(wanted, "\n".join(_lines(file, wanted, found, parts, declared)) + "\n")


def write_scaffold(settings: Settings, made: Scaffold) -> Path:
    """Write it to the instance's own sources; returns where. Raises ConfigurationError where there is a source of that name."""
    target = settings.home / "sources" / f"{made.name}.yaml"
    if any(path.stem == made.name for path in (*source_files(settings), target) if path.exists()):
        raise ConfigurationError(f"there is a source {made.name!r} already", next_step="choose another --name; nothing is written over")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.write_text(made.text, encoding="utf-8")
    return target


def _name_of(file: Path) -> str:
    """A name from the words of a file's name, without dates, numbers and endings."""
    found = [
        word for word in re.split(r"[^a-z0-9]+", file.name.lower()) if re.fullmatch("[a-z]{2,}[0-9]{0,2}", word) and word not in ENDINGS
    ]
    return "_".join(found[:4])[:63] or "my_source"


ENDINGS = ("json", "jsonl", "ndjson", "log", "csv", "tsv", "txt", "parquet", "gz", "zst", "gzip")


@dataclass(frozen=True)
class Parts:
    """What the records consist of.

    Args:
        keys: of the declaration, that say how a file reads, each with the reason.
        shape: the fields; those of a pattern are not declared.
        leaves: the scalars that expressions can name.
        texts: the records that their values are of.
        derived: name to expression, for scalars that are within a text.
        spoken: name to expression, for scalars that take more words to name; those that are used become derived values.
    """

    keys: Mapping[str, tuple[str, Sequence[str]]]
    shape: Shape
    leaves: list[Leaf]
    texts: Sequence[str]
    derived: Mapping[str, str]
    spoken: Mapping[str, str]


def _of_text(found: Reading) -> Parts:
    lines = lines_of(found.texts)
    keys: dict[str, tuple[str, Sequence[str]]] = {
        "format": (Format.TEXT, [found.why]),
        "pattern": (lines.pattern, [lines.why, *lines.remarks]),
    }
    return Parts(keys, Shape(), lines.leaves, lines.texts, lines.derived, {})


def _of_json(found: Reading) -> Parts:
    shape = shape_of([dict.fromkeys(found.columns), *found.values])
    if not shape.types:
        raise ConfigurationError("the records have no field that an expression can name", next_step="use a file with other records")
    broken = [f"{found.broken} of the first {found.broken + len(found.values)} records cannot be read, and would go to quarantine"]
    keys = {key: (value, [found.why, *(broken if found.broken else [])] if key == "format" else []) for key, value in found.keys.items()}
    leaves = list(leaves_of(shape, found.values))
    named = _named(leaves, {name.lower() for name in shape.types})
    short = [replace(leaf, sql=named[leaf]) if leaf in named else leaf for leaf in leaves]
    return Parts(keys, shape, short, found.texts, {}, {named[leaf]: leaf.sql for leaf in named})


def _named(leaves: Sequence[Leaf], taken: set[str]) -> dict[Leaf, str]:
    """A name for each scalar that it takes a call to name."""
    names: dict[Leaf, str] = {}
    for leaf in leaves:
        name = leaf.last_words if leaf.last_words not in taken | TAKEN_IN_SILVER | set(names.values()) else leaf.words
        while name in taken | TAKEN_IN_SILVER | set(names.values()) or not NAME.fullmatch(name):
            name = f"value_{name}"[:63]
        if leaf.sql.startswith("coalesce("):
            names[leaf] = name
    return names


def _with_usable_names(found: Reading) -> Reading:
    """CSV with a name for each column that an expression can name plainly; the header is recognised by it."""
    if not found.columns:
        return found
    names = {title: title if NAME.fullmatch(title) else simplified(title) for title in found.columns}
    usable = {title: name if NAME.fullmatch(name) and [*names.values()].count(name) == 1 else title for title, name in names.items()}
    values = [{usable[title]: cell for title, cell in value.items()} for value in found.values]
    return replace(found, values=values, columns=[*usable.values()])


def _lines(file: Path, name: str, found: Reading, parts: Parts, declared: Table) -> Iterator[str]:
    yield from _comment(
        f"A first guess from {len(found.texts)} records of {file.name}. What says `decide` is yours to settle; look at the rest, too."
    )
    yield from _comment(f"How to go on: {HOW_TO}")
    yield f"name: {name}"
    yield f"description: {_scalar(f'Records such as those of {file.name}.')}"
    for key, (value, reasons) in parts.keys.items():
        yield from (line for reason in reasons for line in _comment(reason))
        yield f"{key}: {_scalar(value)}"
    time = time_of(parts.leaves)
    yield from _earliest(time)
    yield from _fields(parts.shape)
    event_id, why = event_id_of(parts.leaves, parts.texts)
    others = [leaf for leaf in parts.leaves if leaf is not event_id]
    derived, columns = columns_of(declared, others)
    identity = [*_event_id(event_id, why), *_event_time(time), *_user(users_of(others))]
    silver = list(_silver(declared, applicable_of(declared, others), columns))
    expressions = [KEY.sub("", line) for line in (*identity, *silver) if not line.lstrip().startswith("#")]
    used = set(re.findall(r"\w+", "\n".join([*expressions, *(guess.sql for guess in derived.values())])))
    spoken = {name: Guess(sql) for name, sql in {**parts.derived, **parts.spoken}.items() if name in used or name in parts.derived}
    yield from _derived({**spoken, **derived})
    yield from (*identity, *silver)


def _earliest(time: TimeGuess | None) -> Iterator[str]:
    year = time.year if time and time.year else datetime.now(UTC).year - YEARS_BACK
    seen = f"the oldest time seen is of {year}" if time and time.year else "no year is known"
    yield from _comment(f"{seen}. decide: older times are flagged, and left out of gold")
    yield f"earliest: {year}-01-01"


def _fields(shape: Shape) -> Iterator[str]:
    if not shape.types:
        return
    yield ""
    yield "fields:"
    for name, type_ in shape.types.items():
        remark = shape.remarks.get(name)
        yield from _comment(remark, 2) if remark else ()
        yield from _entry(name, type_, 2)
    for reason in dict.fromkeys(shape.left_out.values()):
        names = [name for name, why in shape.left_out.items() if why == reason]
        shown = ", ".join(" ".join(name.split()) or "''" for name in names[:NAMES_SHOWN])
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        yield from _comment(f"left out, since {reason}: {shown}{more}. They are in `raw`: get_json_object(raw, '$.name')", 2)


def _derived(derived: Mapping[str, Guess]) -> Iterator[str]:
    if derived:
        yield ""
        yield "derived:"
        for name, guess in derived.items():
            yield from _guessed(name, guess, 2)


def _event_id(leaf: Leaf | None, why: str) -> Iterator[str]:
    yield ""
    if leaf:
        yield from _guessed("event_id", Guess(f"coalesce(nullif({leaf.sql}, ''), sha2(raw, 256))", why), 0)
    else:
        told = "An event is told by its file and its place in it, so that the same record in two files counts twice."
        yield from _comment(f"No event_id: {why}. {told}")


def _event_time(time: TimeGuess | None) -> Iterator[str]:
    if time is None:
        none = Guess("cast(landed_on as timestamp)", "", "no field looks like a time; the day of landing stands here")
        yield from _guessed("event_time", none, 0)
    elif isinstance(time.value, str):
        yield from _guessed("event_time", Guess(time.value, time.why, "; ".join(time.decide)), 0)
    else:
        yield from _comment("; ".join((time.why, *(f"decide: {one}" for one in time.decide))))
        yield "event_time:"
        yield from (f"  {key}: {_scalar(value)}" for key, value in time.value.items())


def _user(expressions: Sequence[str]) -> Iterator[str]:
    if expressions:
        yield from _guessed("user", Guess(expressions[0] if len(expressions) == 1 else f"coalesce({', '.join(expressions)})"), 0)
    else:
        yield from _comment("decide: no `user`, since no field is known that says who it was; then no user_key, and nobody is counted")


def _silver(declared: Table, applicable: Guess | None, columns: Mapping[str, Guess]) -> Iterator[str]:
    yield from ("", "silver:", f"  table: {declared.name}", "  version: 1")
    if applicable:
        yield from _guessed("applicable", applicable, 2)
    yield "  columns:"
    for name, guess in columns.items():
        yield from _guessed(name, guess, 4)


def _guessed(key: str, guess: Guess, indent: int) -> Iterator[str]:
    said = "; ".join((guess.why, *([f"decide: {guess.decide}"] if guess.decide else []))).strip("; ")
    if said:
        yield from _comment(said, indent)
    yield from _entry(key, guess.sql, indent)


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    before = f"{' ' * indent}# "
    readable = "".join(sign if sign.isprintable() else " " for sign in text)
    yield from wrap(readable, WIDTH, initial_indent=before, subsequent_indent=before, break_on_hyphens=False)


def _entry(key: str, text: str, indent: int) -> Iterator[str]:
    """A key with a text: on one line where it fits, else folded."""
    before = " " * indent
    line = f"{before}{_scalar(key)}: {_scalar(text)}"
    if not text.replace("\n", "").isprintable() or ("\n" not in text and (len(line) <= WIDTH or "  " in text)):
        yield line
        return
    yield f"{before}{_scalar(key)}: >-"
    first, *others = text.split("\n")
    yield from _folded(first, f"{before}  ")
    for other in others:
        yield from _folded(other, f"{before}    ")


def _folded(text: str, before: str) -> Iterable[str]:
    if "  " in text:
        return [before + text]
    return wrap(text, WIDTH, initial_indent=before, subsequent_indent=before, break_long_words=False, break_on_hyphens=False)


def _scalar(text: Any) -> str:
    """A text as YAML on one line; there are line ends and spaces that YAML takes for such, and escapes in double quotes only."""
    if not str(text).isprintable():
        return str(yaml.safe_dump(str(text), width=1_000_000_000, default_style='"')).strip()
    dumped = yaml.safe_dump(str(text), width=1_000_000_000, allow_unicode=True).removesuffix("...\n").strip()
    has_own = "'" in text and not {'"', "\\"} & set(text)
    return f'"{text}"' if dumped.startswith("'") and has_own else dumped
