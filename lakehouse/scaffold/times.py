"""Which value of a record is its time, and how it is written.

Does not belong here: other meanings (lakehouse.scaffold.meanings), or reading a time (Spark does).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lakehouse.scaffold.shapes import Leaf

SHARE = 0.8
"""Of the values that must be times."""
SELDOM = 0.02
"""Of the values, below which a way to write a time is none of the field's."""
TRIED = 50
"""First values of a field, among which one is a time if it is a field of times."""
EARLIEST_YEAR = 2000
"""A number that would be an earlier time is taken for something else."""


@dataclass(frozen=True)
class TimeGuess:
    """The time of a record.

    Args:
        value: Spark SQL, or the keys of a TimeText.
        why: the reason, in words.
        decide: what is left to decide.
        year: of the earliest time seen; None where the times have none.
    """

    value: str | Mapping[str, str]
    why: str
    decide: tuple[str, ...]
    year: int | None


@dataclass(frozen=True)
class Form:
    """A way to write a time.

    Args:
        shape: regular expression of a value.
        called: what it is, in words.
        sql: Spark SQL with `{f}` for the field; empty where `text` and `format` say it.
        text: Spark SQL of the text that `format` reads.
        format: pattern, for what has no zone.
        decide: what is left to decide.
    """

    shape: str
    called: str
    sql: str = ""
    text: str = "{f}"
    format: str = ""
    decide: str = ""


NO_ZONE = "the texts name no zone; UTC is assumed. For another one write {text: ..., format: ..., zone: Europe/Berlin}"
NO_ZONE_HERE = "the texts name no zone; UTC is assumed"
CLOCK = r"\d\d:\d\d:\d\d"
DAY = r"\d{4}-\d\d-\d\d"
ISO = rf"{DAY}[T ]{CLOCK}"
DATED = "try_to_timestamp(case when {f} like '____-__-___%' then {f} end)"
FORMS = (
    Form(rf"{ISO}([.]\d+)? ?(Z|[+-]\d\d(:?\d\d)?|UTC|GMT)", "an ISO 8601 text with its zone", DATED),
    Form(rf"{ISO}([.]\d+)?", "an ISO 8601 text", DATED, decide=NO_ZONE),
    Form(
        rf"{ISO},\d+ ?(Z|[+-]\d\d(:?\d\d)?|UTC|GMT)",
        "an ISO 8601 text with a comma and its zone",
        DATED.replace("{f}", "replace({f}, ',', '.')"),
    ),
    Form(
        rf"{ISO},\d+",
        "an ISO 8601 text with a comma",
        text="replace({f}, 'T', ' ')",
        format="yyyy-MM-dd HH:mm:ss[,SSSSSSSSS]",
        decide=NO_ZONE_HERE,
    ),
    Form(DAY, "a day", "try_to_timestamp({f}, 'yyyy-MM-dd')", decide="the texts are days without a time of day"),
    Form(rf"\d\d?/[A-Z][a-z]{{2}}/\d{{4}}:{CLOCK} [+-]\d{{4}}", "a web server's text", "try_to_timestamp({f}, 'd/MMM/yyyy:HH:mm:ss Z')"),
    Form(
        rf"\d\d?/[A-Z][a-z]{{2}}/\d{{4}}:{CLOCK}([.]\d+)?",
        "a text such as 06/Feb/2026:12:14:14.655",
        format="d/MMM/yyyy:HH:mm:ss[.SSSSSSSSS]",
        decide=NO_ZONE_HERE,
    ),
    Form(rf"[A-Z][a-z]{{2}} +\d\d? {CLOCK}", "a text without year", format="MMM d HH:mm:ss", decide=NO_ZONE_HERE),
    Form(
        rf"\d{{4}}/\d\d/\d\d {CLOCK}([.]\d+)?",
        "a text such as 2026/02/06 12:14:14",
        format="yyyy/MM/dd HH:mm:ss[.SSSSSSSSS]",
        decide=NO_ZONE_HERE,
    ),
    Form(
        rf"[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} +\d\d? {CLOCK} \d{{4}}",
        "a text such as Fri Feb 6 12:14:14 2026",
        text="substr({f}, 5)",
        format="MMM d HH:mm:ss yyyy",
        decide=NO_ZONE_HERE,
    ),
    Form(
        rf"[A-Z][a-z]{{2}}, \d\d? [A-Z][a-z]{{2}} \d{{4}} {CLOCK} [+-]\d{{4}}",
        "a text of RFC 2822",
        "try_to_timestamp(substr({f}, 6), 'd MMM yyyy HH:mm:ss Z')",
    ),
    Form(
        rf"[A-Z][a-z]{{2}}, \d\d? [A-Z][a-z]{{2}} \d{{4}} {CLOCK} [A-Z]{{3,4}}",
        "a text of RFC 1123",
        "try_to_timestamp(substr({f}, 6), 'd MMM yyyy HH:mm:ss z')",
    ),
    Form(
        r"(0?[1-9]|1[012])/\d\d?/\d{4},? \d?\d:\d\d:\d\d [AP]M",
        "a text with slashes",
        text="replace({f}, ',', '')",
        format="M/d/yyyy h:mm:ss a",
        decide="the month is taken to come first, and the zone to be UTC",
    ),
    Form(
        rf"(0?[1-9]|1[012])/\d\d?/\d{{4}},? {CLOCK}",
        "a text with slashes",
        text="replace({f}, ',', '')",
        format="M/d/yyyy HH:mm:ss",
        decide="the month is taken to come first, and the zone to be UTC",
    ),
    Form(
        rf"\d\d?[/.](0?[1-9]|1[012])[/.]\d{{4}},? {CLOCK}",
        "a text with the day first",
        text="translate({f}, '.,', '/')",
        format="d/M/yyyy HH:mm:ss",
        decide=NO_ZONE_HERE,
    ),
    Form(r"\d{8}T\d{6}Z", "a text such as 20260206T121414Z", r"try_to_timestamp({f}, 'yyyyMMdd\'T\'HHmmssX')"),
    Form(
        r"20\d\d(0[1-9]|1[012])\d\d([01]\d|2[0-3])[0-5]\d[0-5]\d",
        "digits such as 20260206121414",
        format="yyyyMMddHHmmss",
        decide=NO_ZONE_HERE,
    ),
)
"""Ways to write a time as text; the first that fits nearly all values counts."""

LATEST_SECOND = 253_402_300_799
BIG = "try_cast({f} as bigint)"
DECIMAL = "try_cast({f} as decimal(20, 6))"
EPOCHS: Mapping[int, Form] = {
    1: Form(
        "",
        "seconds since 1970",
        f"case when {DECIMAL} between 1 and {LATEST_SECOND} then timestamp_micros(cast({DECIMAL} * 1000000 as bigint)) end",
    ),
    10**3: Form("", "milliseconds since 1970", f"case when {BIG} between 1 and {LATEST_SECOND}999 then timestamp_millis({BIG}) end"),
    10**6: Form("", "microseconds since 1970", f"case when {BIG} between 1 and {LATEST_SECOND}999999 then timestamp_micros({BIG}) end"),
    10**9: Form("", "nanoseconds since 1970", f"case when {BIG} > 0 then timestamp_micros({BIG} div 1000) end"),
}
"""Units of numbers that are times, by how many make a second; the limits keep them from overflowing, which would be an error."""

NAMES = (
    "(event_?|iso_?)?time_?(stamp)?(_?utc)?|timestamp_?(ms|us|ns)|ts|_time",
    "(event|log|activity|occurred|published|logged)_?(created|date|time|at|on)?(_?time)?|published|occurred",
    "date_?time|date|.*(event|log)_?time(stamp)?|id_time|.*timestamp",
    "created(_?at|_?on|_?time|_?date_?time)?|start(ed)?(_?at|_?time)?|.*activity_date_time",
    ".*time|.*_at|.*date.*",
)
"""Regular expressions of the words of a name, the likelier first."""
OTHER_TIMES = re.compile(
    r"(.*_)?(exp|iat|nbf|expir\w*|valid\w*|birth\w*|last_\w+|updated?\w*|modified\w*|ingest\w*|received\w*|parse_time|end\w*|next_\w+)(_.*)?"
)
"""Names of times that are seldom when it happened."""


def time_of(leaves: Sequence[Leaf]) -> TimeGuess | None:
    """The time of the records; None where no value looks like one."""
    found = sorted(_found([*leaves, *_composed(leaves)]), key=lambda one: one.rank)
    if not found:
        return None
    first, others = found[0], found[1:]
    form = first.forms[0]
    decide = [one.decide for one in first.forms if one.decide]
    used = [first]
    if form.format and len(first.forms) == 1:
        text = {"text": form.text.replace("{f}", first.leaf.sql), "format": form.format, "zone": "UTC"}
        value: str | Mapping[str, str] = text if "y" in form.format else {**text, "year": "landed"}
    else:
        used += _filling(first, others)
        expressions = list(dict.fromkeys(one.sql.replace("{f}", seen.leaf.sql) for seen in used for one in seen.forms if one.sql))
        value = expressions[0] if len(expressions) == 1 else "coalesce(" + ",\n".join(expressions) + ")"
    missing = sum(1 for values in zip(*(one.leaf.values for one in used), strict=True) if not any(values))
    if missing:
        decide.append(f"{missing} of {len(first.leaf.values)} records have no such time, and would go to quarantine")
    unused = [one.leaf.name for one in others if one not in used][:3]
    why = ", else ".join(f"{one.leaf.name} is {' or '.join(form.called for form in one.forms)}" for one in used)
    years = [one.year for one in used if one.year]
    also = f"; also times: {', '.join(unused)}" if unused else ""
    return TimeGuess(value, why + also, tuple(decide), min(years, default=None))


@dataclass(frozen=True, eq=False)
class Seen:
    """A scalar that is a time.

    Args:
        leaf: it.
        forms: the ways in which it is written, the commonest first.
        rank: the smaller, the likelier it says when it happened.
        year: of the earliest one.
    """

    leaf: Leaf
    forms: list[Form]
    rank: tuple[bool, int, float, int, bool]
    year: int | None


def _filling(first: Seen, others: Sequence[Seen]) -> list[Seen]:
    """Further times for the records that the first has none for."""
    used: list[Seen] = []
    left = {place for place, value in enumerate(first.leaf.values) if not value}
    for one in others:
        filled = {place for place in left if one.leaf.values[place]}
        if filled and all(form.sql for form in one.forms):
            used.append(one)
            left -= filled
    return used[:2]


def _found(leaves: Sequence[Leaf]) -> Iterator[Seen]:
    for leaf in leaves:
        rank = next((n for n, names in enumerate(NAMES) if any(re.fullmatch(names, w) for w in (leaf.last_words, leaf.words))), len(NAMES))
        forms = _forms(leaf.present)
        if forms and (rank < len(NAMES) or not any(form in EPOCHS.values() for form in forms)):
            is_other = OTHER_TIMES.fullmatch(leaf.last_words) is not None
            likely = (is_other, rank + 2 * (leaf.share < SHARE), -round(leaf.share, 1), len(leaf.path), bool(forms[0].decide))
            yield Seen(leaf, forms, likely, _year(leaf.present, forms))


def _forms(values: Sequence[str]) -> list[Form]:
    """The ways in which times are written, where nearly all values are times; several only where each of them reads by itself."""
    if not any(map(_form, values[:TRIED])):
        return []
    counted = Counter(form for value in values if (form := _form(value)))
    usual = [form for form, count in counted.most_common() if count >= SELDOM * len(values)]
    if not usual or sum(counted[form] for form in usual) < SHARE * len(values):
        return []
    return usual[:1] if usual[0].format else [form for form in usual if form.sql]


def _form(value: str) -> Form | None:
    form = next((form for form in FORMS if re.fullmatch(form.shape, value, re.ASCII)), None)
    if form or not re.fullmatch(r"\d{9,19}([.]\d+)?", value, re.ASCII):
        return form
    latest = datetime.now(UTC).timestamp() + 366 * 86400
    low = datetime(EARLIEST_YEAR, 1, 1, tzinfo=UTC).timestamp()
    return next((form for unit, form in EPOCHS.items() if low <= float(value) / unit <= latest), None)


def _year(values: Sequence[str], forms: Sequence[Form]) -> int | None:
    years = []
    for value in values:
        form = _form(value)
        if form in EPOCHS.values():
            unit = next(unit for unit, one in EPOCHS.items() if one is form)
            years.append(datetime.fromtimestamp(float(value) / unit, UTC).year)
        elif form in forms and (found := re.search(r"(?:19|20)\d\d", value)):
            years.append(int(found[0]))
    return min(years, default=None)


def _composed(leaves: Sequence[Leaf]) -> Iterator[Leaf]:
    """A day and a time of day that stand in two fields."""
    shapes = {"date": DAY, "time": rf"{CLOCK}([.]\d+)?"}
    days, clocks = (
        [leaf for leaf in leaves if leaf.last_words == name and leaf.present and all(re.fullmatch(shape, v) for v in leaf.present)]
        for name, shape in shapes.items()
    )
    for day, clock in zip(days[:1], clocks[:1], strict=False):
        values = [f"{d} {t}" if d and t else None for d, t in zip(day.values, clock.values, strict=True)]
        yield Leaf(("timestamp",), f"concat({day.sql}, ' ', {clock.sql})", values)
