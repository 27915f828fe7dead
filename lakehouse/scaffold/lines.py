"""What a line of text consists of: a named pattern, cells between delimiters, or a beginning that all lines share.

Does not belong here: named patterns themselves (lakehouse.patterns), or what the parts mean (lakehouse.scaffold.meanings).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lakehouse.patterns import PATTERNS, compiled
from lakehouse.scaffold.reading import cells
from lakehouse.scaffold.shapes import TAKEN_IN_SILVER, Leaf, as_text, quoted, text_literal, words

MATCHING_SHARE = 0.8
"""Of the lines from which a named pattern is taken for theirs."""
STEP_SHARE = 0.9
"""Of the lines that must go on alike for another part of them to be told apart."""
MAX_PARTS = 12
MAX_DERIVED = 40

TIMES = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?",
    r"[A-Z][a-z]{2} +[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}",
    r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)?",
    r"[0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)?(?: [+-][0-9]{4})?",
    r"[A-Z][a-z]{2} [A-Z][a-z]{2} +[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)? [0-9]{4}",
    r"1[0-9]{9}(?:[.][0-9]+|[0-9]{3})?",
)
IP = (r"(?:[0-9]{1,3}[.]){3}[0-9]{1,3}", r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
PARTS: Mapping[str, tuple[str, ...]] = {
    "time": TIMES,
    "ip": IP,
    "level": ("TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|ALERT|EMERG",),
    "number": ("-?[0-9]+(?:[.][0-9]+)?",),
    "word": (r"[A-Za-z_][A-Za-z0-9_.$/-]*",),
}
"""What a line may begin with, by what it is called, the more particular first, in all its forms; then what separates it from the rest."""
QUOTES = {'"': ('"', '"', r'(?:[^"\\]|\\.)*+'), "[": (r"\[", r"\]", r"[^\]]*"), "(": (r"\(", r"\)", r"[^)]*"), "'": ("'", "'", "[^']*")}
"""What may stand around a part: its opening and closing signs, and what it may then be. Choices are repeated without going back (`*+`):
Java would go one level deeper with each sign, and fail on a long line."""
SEPARATOR = re.compile(r"[ \t]*[:,;|-]?[ \t]*")
WORDS_PER_COLUMN = 0.2
"""Distinct words over lines, below which a column of words is one; else it is the beginning of prose."""
NAMES_OF_CELLS: Mapping[str, str] = {
    "time": "|".join(TIMES),
    "ip": "|".join(IP),
    "address": r"(?:[0-9]{1,3}[.]){3}[0-9]{1,3}:[0-9]+",
    "email": r"[^@\s]+@[^@\s]+[.][a-z]+",
    "message": r"\S+(?: \S+){2,}",
}
"""What cells are called of which all values are so."""
CELL_DELIMITERS = "\t,;|"
DIRECTIVE = re.compile(r"#\s*fields:?[\s,;|]+", re.IGNORECASE)
"""A comment that names the columns, as W3C's extended log format and Zeek have it."""


@dataclass(frozen=True)
class Lines:
    """What lines of text consist of.

    Args:
        pattern: name of a pattern, or a regular expression.
        why: the reason, in words.
        remarks: what is to be said of it.
        leaves: its groups, and what is derived from them, with their values.
        derived: name to expression, for what is within one of the groups.
        texts: the lines that are of the pattern.
    """

    pattern: str
    why: str
    remarks: list[str]
    leaves: list[Leaf]
    derived: dict[str, str]
    texts: list[str]


def lines_of(texts: Sequence[str]) -> Lines:
    """What lines consist of."""
    plain = [text for text in texts if not text.startswith("#")] or list(texts)
    pattern, why = _named(plain) or _in_cells(texts, plain) or _in_parts(plain)
    matches = {place: match for place, text in enumerate(texts) if (match := compiled(pattern).fullmatch(text))}
    found = [match.groupdict() for match in matches.values()]
    others = f"{len(texts) - len(found)} of {len(texts)} lines are not of this pattern and would go to quarantine"
    leaves = [Leaf((name,), quoted(name), [groups[name] or None for groups in found]) for name in compiled(pattern).groupindex]
    within = list(_within(leaves))
    derived = {leaf.path[-1]: sql for leaf, sql in within}
    remarks = [others] if len(found) < len(texts) else []
    return Lines(pattern, why, remarks, [*leaves, *(leaf for leaf, _ in within)], derived, [texts[place] for place in matches])


def _named(texts: Sequence[str]) -> tuple[str, str] | None:
    shares = {name: sum(1 for text in texts if compiled(name).fullmatch(text)) / len(texts) for name in PATTERNS}
    best = max(shares, key=lambda name: shares[name])
    return (best, f"{shares[best]:.0%} of the lines are of this pattern") if shares[best] >= MATCHING_SHARE else None


def _in_cells(texts: Sequence[str], plain: Sequence[str]) -> tuple[str, str] | None:
    """Lines that have the same number of cells, two at least."""
    named = next((DIRECTIVE.sub("", text).strip() for text in texts if DIRECTIVE.match(text)), "")
    for delimiter in (*CELL_DELIMITERS, *(" " if named else "")):
        rows = [cells(text, delimiter) for text in plain]
        count, often = Counter(map(len, rows)).most_common(1)[0]
        is_prose = any(row[-1][:1] == " " for row in rows if len(row) == count)
        if count > 2 and often >= STEP_SHARE * len(rows) and not is_prose:
            columns = list(zip(*(row for row in rows if len(row) == count), strict=True))
            titles = cells(named, delimiter) if named else []
            names = _unique([_cell_name(n, column, titles[n - 1] if len(titles) == count else "") for n, column in enumerate(columns, 1)])
            sign = {"\t": r"\t", "|": "[|]"}.get(delimiter, delimiter)
            whole = sign.join(_cell(name, column, sign.strip("[]")) for name, column in zip(names, columns, strict=True))
            told = "a comment names the columns" if len(titles) == count else "cells without a header, so that their names are guesses"
            return whole, f"each line has {count} cells; {told}"
    return None


def _cell_name(number: int, column: Sequence[str], title: str) -> str:
    values = [value for value in column if value not in ("", "-")]
    alike = next((name for name, shape in NAMES_OF_CELLS.items() if values and all(re.fullmatch(shape, v) for v in values)), "")
    return words(title) or alike or f"field_{number}"


def _cell(name: str, values: Sequence[str], delimiter: str) -> str:
    """The pattern of a cell; quotation marks belong to it only where it holds what must be in them."""
    if delimiter == r"\t":
        return rf"(?<{name}>[^\t]*)"
    if any(sign in value for value in values for sign in (delimiter, '"')):
        return rf'(?<{name}>"(?:[^"]|"")*+"|[^{delimiter}]*)'
    return rf'"?(?<{name}>[^"{delimiter}]*)"?'


def _unique(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        usable = name if re.fullmatch("[a-z][a-z0-9_]*", name) else f"field_{name}"
        usable = f"{usable}_value" if usable in TAKEN_IN_SILVER else usable
        number = sum(1 for one in found if one == usable or re.fullmatch(rf"{usable}_\d+", one))
        found.append(f"{usable}_{number + 1}" if number else usable)
    return found


@dataclass
class _Parted:
    """Lines that go on alike up to some place.

    Args:
        pattern: of what stands before that place.
        rests: the lines behind it.
        names: of the parts.
    """

    pattern: str
    rests: list[str]
    names: list[str]


def _in_parts(texts: Sequence[str]) -> tuple[str, str]:
    """Part by part from the beginning of the line, as long as nearly all lines have the same kind of part there."""
    found = _Parted("", list(texts), [])
    while len(found.names) < MAX_PARTS and (longer := _with_next(found)):
        found = longer
    why = "no pattern is known for these lines: a regular expression with the parts that they begin with"
    return f"{found.pattern}(?<{_unique([*found.names, 'message'])[-1]}>.*)", why


def _with_next(found: _Parted) -> _Parted | None:
    for opening, closing, inner in (("", "", ""), *QUOTES.values()):
        for name, shapes in ({**PARTS, "part": (inner,)} if inner else PARTS).items():
            shape = "|".join(_used(shapes, opening, found.rests)) or "(?!)"
            whole = re.compile(f"{opening}(?P<part>{shape}){closing}(?P<between>{SEPARATOR.pattern})", re.ASCII)
            matches = [match for rest in found.rests if (match := whole.match(rest)) and (match["between"] or match.end() == len(rest))]
            if len(matches) < STEP_SHARE * len(found.rests) or not _is_column(name, [match["part"] for match in matches]):
                continue
            unique = _unique([*found.names, name])
            between = _separator([match["between"] for match in matches])
            pattern = f"{found.pattern}{opening}(?<{unique[-1]}>{shape}){closing}{between}"
            return _Parted(pattern, [match.string[match.end() :] for match in matches], unique)
    return None


def _used(shapes: Sequence[str], opening: str, rests: Sequence[str]) -> list[str]:
    """Those of the forms of a part that some line has."""
    return [shape for shape in shapes if any(re.match(f"{opening}(?:{shape})", rest, re.ASCII) for rest in rests)]


def _is_column(name: str, values: Sequence[str]) -> bool:
    return name != "word" or len(set(values)) <= max(3, WORDS_PER_COLUMN * len(values))


def _separator(seen: Sequence[str]) -> str:
    stripped = {one.strip() for one in seen}
    if len(set(seen)) == 1:
        return re.sub("  +", " +", seen[0].replace("|", "[|]"))
    if stripped == {""}:
        return " +" if all(seen) and not any("\t" in one for one in seen) else "[ \\t]*"
    return f"[ \\t]*{stripped.pop()}[ \\t]*" if len(stripped) == 1 else SEPARATOR.pattern


PAIR = re.compile(r'(?:^|[ ,;({\[])([A-Za-z_][A-Za-z0-9_.-]*)=("[^"]*"|[^ ,;)}\]]*)')
PAIR_FORMS = {
    (True,): """nullif(regexp_extract({f}, '(?:^|[ ,;({{\\\\[]){key}="([^"]*)"', 1), '')""",
    (False,): """nullif(regexp_extract({f}, '(?:^|[ ,;({{\\\\[]){key}=([^ ,;)}}\\\\]]*)', 1), '')""",
    ("<",): """nullif(regexp_extract({f}, '(?:^|[ ,;({{\\\\[]){key}=<([^>]*)>', 1), '')""",
    (False, True): """nullif(trim(both '"' from regexp_extract({f}, '(?:^|[ ,;({{\\\\[]){key}=("[^"]*"|[^ ,;)}}\\\\]]*)', 1)), '')""",
}
"""Spark SQL for the value behind a key, by whether such values stand in quotation marks; "<": all of them in angle brackets."""


def _within(leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, str]]:
    """What is within a text that holds pairs of key and value, or a JSON object: the value, and the expression for it."""
    taken = {leaf.path[0].lower() for leaf in leaves} | TAKEN_IN_SILVER
    for leaf in leaves:
        for read, expression in ((_pairs_of, _pair_sql), (_members_of, _member_sql)):
            rows = [read(value or "") for value in leaf.values]
            often = Counter(key for row in rows for key in row)
            if sum(1 for row in rows if len(row) > 1) * 2 < len(rows):
                continue
            for key in [key for key, _ in often.most_common(MAX_DERIVED)]:
                name = words(key) if re.match("[a-z]", words(key)) else f"key_{words(key)}"
                name = f"{name}_value" if name in taken else name
                if name not in taken:
                    taken.add(name)
                    values = [row.get(key) for row in rows]
                    yield Leaf((leaf.path[0], name), quoted(name), [v and _bare(v) for v in values]), expression(leaf.sql, key, values)


def _pairs_of(text: str) -> dict[str, str | None]:
    return {match[1]: match[2] for match in PAIR.finditer(text)}


def _pair_sql(within: str, key: str, values: Sequence[str | None]) -> str:
    told = [value for value in values if value]
    if told and all(value.startswith("<") and value.endswith(">") for value in told):
        form = PAIR_FORMS["<",]
    else:
        form = PAIR_FORMS[tuple(sorted({value.startswith('"') for value in told})) or (False,)]
    return form.format(f=within, key=key.replace(".", "[.]"))


def _bare(value: str) -> str:
    return value[1:-1] if value.startswith("<") and value.endswith(">") else value.strip('"')


def _members_of(text: str) -> dict[str, str | None]:
    """The scalars of a JSON object and of the objects in it, by their dotted names."""
    try:
        found = json.loads(text) if text.startswith("{") else None
    except ValueError:
        return {}
    return dict(_scalars(found, ())) if isinstance(found, dict) else {}


def _scalars(value: Mapping[str, object], before: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _scalars(inner, (*before, key))
        elif re.fullmatch(r"[A-Za-z_@][A-Za-z0-9_@-]*", key) and not isinstance(inner, list):
            yield ".".join((*before, key)), as_text(inner)


def _member_sql(within: str, key: str, _values: Sequence[str | None]) -> str:
    return f"get_json_object({within}, {text_literal('$.' + key)})"
