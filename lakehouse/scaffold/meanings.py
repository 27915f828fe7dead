"""What the scalars of a record mean, guessed from their names and values.

Does not belong here: the names and words to look for (lakehouse.scaffold.vocabulary), times (lakehouse.scaffold.times), or writing a guess
down (lakehouse.scaffold.making).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lakehouse.scaffold import vocabulary as known
from lakehouse.scaffold.shapes import Leaf, text_literal
from lakehouse.scaffold.vocabulary import Meaning, Words
from lakehouse.sources import FILLED_BY_THE_LAKE
from lakehouse.tables import Column, Table


@dataclass(frozen=True)
class Guess:
    """An expression.

    Args:
        sql: Spark SQL.
        why: the reason, in words.
        decide: what is left to decide.
    """

    sql: str
    why: str = ""
    decide: str = ""


def best(leaves: Sequence[Leaf], meanings: Sequence[Meaning]) -> tuple[Leaf, Meaning] | None:
    """The scalar that most likely means something: by name, then by how much of its values there is, then the one that nests less."""
    ranked: list[tuple[tuple[int, int, float, int], Leaf, Meaning]] = []
    for place, meaning in enumerate(meanings):
        for leaf in leaves:
            rank = _rank(leaf, meaning.names)
            is_named = (rank is not None or meaning.anywhere) and not re.fullmatch(meaning.never, leaf.last_words)
            if is_named and leaf.share >= RARE and (not meaning.values or is_of(leaf, meaning.values, meaning.share)):
                rank = len(meaning.names) if rank is None else rank
                ranked.append(((place, rank + 2 * (leaf.share < HALF), -round(leaf.share, 1), len(leaf.path)), leaf, meaning))
    return min(ranked, key=lambda one: one[0])[1:] if ranked else None


RARE = 0.05
"""Of the records, below which a value says nothing of the kind of record."""
HALF = 0.5


def _rank(leaf: Leaf, names: Sequence[str]) -> int | None:
    return next((n for n, shape in enumerate(names) if re.fullmatch(shape, leaf.last_words) or re.fullmatch(shape, leaf.words)), None)


def is_of(leaf: Leaf, shape: str, share: float = known.SHARE) -> bool:
    """Whether a share of the values of a scalar are of a shape."""
    matching = re.compile(shape, re.DOTALL)
    return sum(1 for value in leaf.present if matching.fullmatch(value)) >= share * len(leaf.present) > 0


def event_id_of(leaves: Sequence[Leaf], texts: Sequence[str]) -> tuple[Leaf | None, str]:
    """The scalar that tells records apart, and the reason for it or against one."""
    places = {text: place for place, text in enumerate(texts)}.values()
    repeated = ""
    for leaf in sorted((one for one in leaves if known.EVENT_ID.fullmatch(one.words)), key=lambda one: len(one.path)):
        values = [leaf.values[place] for place in places]
        if all(values) and len(set(values)) == len(values) and len(values) > 1:
            return leaf, f"{leaf.name} is there in all of {len(values)} distinct records, and in each another"
        others = len(values) - len(set(filter(None, values)))
        repeated = repeated or f"{leaf.name} is missing or repeated in {others} of {len(values)} records"
    return None, repeated or "no field is named like an id"


def users_of(leaves: Sequence[Leaf]) -> list[str]:
    """Spark SQL of who did it, the best first."""
    found = [found for column in ("user_id", "user_email") if (found := best(leaves, known.MEANINGS[column]))]
    meanings = dict(reversed(found))
    leaves_found = dict.fromkeys(leaf for leaf, _ in found)
    return [_filled(meanings[leaf].sql.replace("lower({f})", "{f}"), _with_namesakes(leaf, leaves)) for leaf in leaves_found]


def columns_of(table: Table, leaves: Sequence[Leaf]) -> tuple[dict[str, Guess], dict[str, Guess]]:
    """The first mapping to a table: derived values, and columns. What is required and cannot be guessed has a plain placeholder."""
    leaves = [leaf for leaf in leaves if leaf.reaches_silver]
    derived, columns = _auth_columns(leaves) if table.name == "silver.auth_events" else ({}, {})
    for column in table.columns:
        if column.name in columns or column.name in FILLED_BY_THE_LAKE:
            continue
        if guess := _by_meaning(column.name, leaves) or _by_name(column, leaves) or (_placeholder(column) if column.required else None):
            columns[column.name] = guess
    return derived, {column.name: columns[column.name] for column in table.columns if column.name in columns}


def _by_meaning(column: str, leaves: Sequence[Leaf]) -> Guess | None:
    found = best(leaves, known.MEANINGS.get(column, ()))
    return Guess(_filled(found[1].sql, _with_namesakes(found[0], leaves)), "", found[1].decide) if found else None


def _with_namesakes(leaf: Leaf, leaves: Sequence[Leaf]) -> Leaf:
    """The scalar and those of the same name elsewhere that have a value where it has none."""
    for other in leaves:
        if (
            other is not leaf
            and other.last_words == leaf.last_words
            and any(b and not a for a, b in zip(leaf.values, other.values, strict=True))
        ):
            values = [a or b for a, b in zip(leaf.values, other.values, strict=True)]
            leaf = Leaf(leaf.path, f"coalesce({leaf.sql}, {other.sql})", values)
    return leaf


def _filled(sql: str, leaf: Leaf) -> str:
    return sql.replace("{f}", leaf.clean).replace("{raw}", leaf.sql)


def _by_name(column: Column, leaves: Sequence[Leaf]) -> Guess | None:
    """The field that is called like the column."""
    if column.type.startswith("map") or column.name in (*known.MEANINGS, "failure_reason"):
        return None
    leaf = next((leaf for leaf in leaves if column.name in (leaf.words, leaf.last_words) and leaf.present), None)
    if leaf is None:
        return None
    if column.type == "timestamp":
        return Guess(f"try_to_timestamp(case when {leaf.sql} like '____-__-___%' then {leaf.sql} end)")
    return Guess(leaf.clean if column.type == "string" else f"try_cast({leaf.clean} as {column.type})")


PLACEHOLDERS = {"string": "'unknown'", "timestamp": "event_time", "boolean": "false", "map<string,string>": "map()"}


def _placeholder(column: Column) -> Guess:
    if column.name.endswith("_id"):
        return Guess("event_id", "", "no field is known that says it; the event id stands here")
    value = text_literal(column.values[0]) if column.values else PLACEHOLDERS.get(column.type, "0")
    return Guess(value, "", "no field is known that says it")


def _auth_columns(leaves: Sequence[Leaf]) -> tuple[dict[str, Guess], dict[str, Guess]]:
    names = {leaf.words for leaf in leaves} | {part.lower() for leaf in leaves for part in leaf.path}
    action, basis = _action(leaves)
    derived: dict[str, Guess] = {}
    columns = {"project_id": _project(leaves), "environment": Guess("'live'", "", "test environments are 'test'")}
    columns["action"] = Guess(action.clean if action else "'event'", "", "" if action else "no field is known that names the event")
    columns["activity"] = _activity(basis)
    columns["auth_method"] = _method(leaves, basis)
    columns["phase"] = Guess("'completed'", "", "what only begins something is 'started', what is on its way 'delivered'")
    ended = _outcome(leaves, basis)
    ending = _free("ended", names)
    derived[ending] = ended
    columns["outcome"] = Guess(ending)
    if error := best(leaves, [Meaning(known.ERRORS)]):
        columns["failure_reason"] = Guess(f"case when {ending} = 'failure' then {error[0].clean} end")
    if agent := _by_meaning("user_agent", leaves):
        name = _free(known.AGENT, names)
        derived[name] = agent
        columns["user_agent"] = Guess(name)
        columns["device"] = Guess(known.DEVICE_SQL.replace(known.AGENT, name))
    else:
        columns["device"] = Guess("'unknown'", "no field is known that holds a user agent")
    return derived, columns


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_here", taken)


def _project(leaves: Sequence[Leaf]) -> Guess:
    if found := best(leaves, [Meaning(known.PROJECT)]):
        return Guess(f"coalesce({found[0].clean}, 'unknown')")
    return Guess("tenant_id", "no field is known that names a project; each tenant lands its own")


def _action(leaves: Sequence[Leaf]) -> tuple[Leaf | None, Leaf | None]:
    """The scalar that names the event, and the one whose words say what was attempted: the same, or the text of the record."""
    named = [leaf for leaf in leaves if (rank := _rank(leaf, known.ACTION)) is not None and _names_events(leaf, rank)]
    named.sort(key=lambda leaf: (_rank(leaf, known.ACTION), -round(leaf.share, 1), len(leaf.path)))
    prose = [leaf for names in known.PROSE for leaf in leaves if re.fullmatch(names, leaf.last_words) and leaf not in named]
    told = {
        leaf: round(sum(sum(v.values()) for k, v in _sorted_out(known.ACTIVITIES, leaf).items() if k) / len(leaf.values), 1)
        for leaf in (*named, *prose)
    }
    events = [leaf for leaf in named if told[leaf] and (_rank(leaf, known.ACTION) or 0) < len(known.ACTION) - 1]
    basis = next(iter(events), None) or max((leaf for leaf in told if told[leaf]), key=lambda leaf: told[leaf], default=None)
    return (basis if basis in named else next(iter(named), None)), basis


def _names_events(leaf: Leaf, rank: int) -> bool:
    values = Counter(leaf.present)
    if not values or max(map(len, values)) > known.LONGEST_ACTION:
        return False
    is_few = len(values) <= min(known.FEW_VALUES, max(2, len(leaf.present) // 2))
    return rank < len(known.ACTION) - 1 or (is_few and leaf.share >= known.SHARE)


def _first_of(words: Words, value: str) -> str | None:
    return next((meaning for meaning, choices in words.items() if any(_fits(choice, value) for choice in choices)), None)


def _fits(choice: Sequence[str], value: str) -> bool:
    return re.search(".*".join(f"(?:{part})" for part in choice), value.lower(), re.DOTALL) is not None


def _narrowed(choices: Sequence[Sequence[str]], values: Iterable[str]) -> str:
    """The alternatives as one regular expression, with the words only that some value holds."""
    found: list[str] = []
    for choice in choices:
        held = [value.lower() for value in values if _fits(choice, value)]
        parts = [[word for word in part.split("|") if any(re.search(word, value) for value in held)] for part in choice]
        if held:
            found.append(".*".join("|".join(part) if len(choice) == 1 or len(part) == 1 else f"({'|'.join(part)})" for part in parts))
    return "|".join(found)


def _sorted_out(words: Words, leaf: Leaf) -> dict[str, Counter[str]]:
    """The values of a scalar by what they are taken for, in the order of the words; under an empty name those that fit nothing."""
    words = _of_prose(words) if is_prose(leaf) else words
    found = {meaning: Counter(value for value in leaf.present if (_first_of(words, value) or "") == meaning) for meaning in (*words, "")}
    return {meaning: values for meaning, values in found.items() if values}


def is_prose(leaf: Leaf) -> bool:
    """Whether a scalar is a sentence or a path rather than a name: the values seldom repeat."""
    distinct = len(set(leaf.present))
    return any(re.fullmatch(names, leaf.last_words) for names in known.PROSE) and distinct > min(known.FEW_VALUES, len(leaf.present) / 2)


def _of_prose(words: Words) -> Words:
    """Without the words that may stand far apart: in a sentence they say nothing of each other."""
    return {meaning: tuple(choice for choice in choices if len(choice) == 1) for meaning, choices in words.items()}


def _listed(leaf: Leaf, values: Counter[str], most: int = 6) -> str:
    """Values with how often they were seen; of prose and addresses, which name people, only how many."""
    if is_prose(leaf) or is_of(leaf, known.EMAIL, RARE):
        return f"{sum(values.values())} records"
    shown = ", ".join(f"{' '.join(value.split())} ({count})" for value, count in values.most_common(most))
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


def _cases(words: Words, leaf: Leaf, otherwise: str) -> str:
    found = _sorted_out(words, leaf)
    shapes = {name: text_literal(_narrowed(words[name], values)) for name, values in found.items() if name}
    cases = [f"when lower({leaf.sql}) rlike {shape} then '{name}'" for name, shape in shapes.items()]
    return "\n".join(["case", *cases, f"{otherwise} end".strip()])


def applicable_of(table: Table, leaves: Sequence[Leaf]) -> Guess | None:
    """Which records are rows of the table: those whose words say something about signing in."""
    _, basis = _action([leaf for leaf in leaves if leaf.reaches_silver])
    if table.name != "silver.auth_events" or basis is None:
        return None
    found = _sorted_out(known.ACTIVITIES, basis)
    others = found.pop("", None)
    silent = len(basis.values) - len(basis.present)
    without = (
        f"; {silent} of {len(basis.values)} records have no {basis.name} and go to quarantine, if they are let through" if silent else ""
    )
    if not others:
        said = f"every {basis.name} seen says something about signing in{without}"
        return Guess("true", said, "whether there are others, which are no rows")
    alike = "|".join(dict.fromkeys("|".join(_narrowed(known.ACTIVITIES[name], values) for name, values in found.items()).split("|")))
    return Guess(
        f"{basis.clean} is null\nor lower({basis.sql}) rlike {text_literal(alike)}",
        f"no rows are, so far: {_listed(basis, others)}{without}",
        "which events are about signing in",
    )


def _activity(basis: Leaf | None) -> Guess:
    if basis is None:
        return Guess("'sign_in'", "", "no field is known that tells sign-ins from other events")
    found = _sorted_out(known.ACTIVITIES, basis)
    said = "; ".join(f"{name}: {_listed(basis, values, 4)}" for name, values in found.items() if name)
    return Guess(
        _cases(known.ACTIVITIES, basis, ""), said, "whether each is what it is taken for; what fits nothing is null, and goes to quarantine"
    )


def _method(leaves: Sequence[Leaf], basis: Leaf | None) -> Guess:
    named = [leaf for leaf in leaves if _rank(leaf, known.METHOD) is not None and any(_sorted_out(known.METHODS, leaf).keys() - {""})]
    leaf = min(named, key=lambda one: (_rank(one, known.METHOD), -round(one.share, 1)), default=None) or basis
    if leaf is None or not any(_sorted_out(known.METHODS, leaf).keys() - {""}):
        return Guess("'unknown'", "", "no field is known that says how the user proved who they are")
    return Guess(_cases(known.METHODS, leaf, "else 'unknown'"), f"{leaf.name}: {_listed(leaf, Counter(leaf.present))}")


def _outcome(leaves: Sequence[Leaf], basis: Leaf | None) -> Guess:
    """How it ended: by a result, else by an error, else by an HTTP status, else by the words of the event."""
    for guess in (_by_result(leaves), _by_error(leaves), _by_status(leaves), _by_words(basis)):
        if guess:
            return guess
    return Guess("'pending'", "", "no field is known that says how it ended: 'success', 'failure' or 'pending'")


def _by_result(leaves: Sequence[Leaf]) -> Guess | None:
    named = [leaf for leaf in leaves if _rank(leaf, known.OUTCOME) is not None and leaf.share >= HALF and _tells(leaf)]
    leaf = min(named, key=lambda one: (_rank(one, known.OUTCOME), -round(one.share, 1), len(one.path)), default=None)
    if leaf is None:
        return None
    found = _sorted_out(known.ENDINGS, leaf)
    cases = [] if leaf.share == 1 else [f"when {leaf.clean} is null then 'pending'"]
    for ending, values in found.items():
        if ending:
            told = ", ".join(map(text_literal, sorted({value.lower() for value in values})))
            cases.append(f"when lower({leaf.sql}) in ({told}) then '{ending}'")
    return Guess(
        "\n".join(["case", *cases, "end"]), f"{leaf.name}: {_listed(leaf, Counter(leaf.present))}", "other results; they go to quarantine"
    )


def _tells(leaf: Leaf) -> bool:
    found = _sorted_out(known.ENDINGS, leaf)
    told = sum(sum(found[ending].values()) for ending in ("failure", "success") if ending in found)
    return len(set(leaf.present)) <= known.FEW_VALUES and told >= known.SHARE * len(leaf.present) > 0


def _by_error(leaves: Sequence[Leaf]) -> Guess | None:
    found = best(leaves, [Meaning(known.ERRORS[:2])])
    if found is None:
        return None
    none = sorted({value for value in found[0].present if value.lower() in known.NO_ERROR})
    listed = f" and {found[0].sql} not in ({', '.join(map(text_literal, none))})" if none else ""
    sql = f"case when {found[0].clean} is not null{listed} then 'failure' else 'success' end"
    return Guess(sql, f"a record with {found[0].name} failed", "whether one without it is always a success")


def _by_status(leaves: Sequence[Leaf]) -> Guess | None:
    found = best(leaves, known.MEANINGS["http_status"])
    if found is None:
        return None
    status = _filled(found[1].sql, found[0])
    sql = f"case\nwhen {status} >= 400 then 'failure'\nwhen {status} >= 100 then 'success'\nelse 'pending' end"
    return Guess(sql, f"{found[0].name} is an HTTP status")


def _by_words(basis: Leaf | None) -> Guess | None:
    failures = Counter(value for value in basis.present if _fits((known.FAILURE,), value)) if basis else None
    if basis is None or not failures:
        return None
    sql = f"case when lower({basis.sql}) rlike {text_literal(_narrowed(((known.FAILURE,),), failures))} then 'failure' else 'success' end"
    return Guess(sql, f"failures by their words: {_listed(basis, failures, 4)}", "whether all others are successes")
