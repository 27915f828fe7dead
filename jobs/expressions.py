"""Whether the expressions of a declaration are Spark SQL over its fields: they are analysed, and no data is read.

Does not belong here: what else a declaration must be (lakehouse.sources), or mapping any record.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pyspark.errors import AnalysisException, PySparkException, QueryContextType
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StructType

from jobs.parse import parse_fields, to_type
from jobs.records import EMPTY_RECORDS
from lakehouse.errors import InfrastructureError
from lakehouse.mistakes import Location, Wrong, hint, nearest
from lakehouse.patterns import expression
from lakehouse.sources import COPY, Source, TimeText
from lakehouse.spark import is_spark_gone
from lakehouse.tables import TABLES

LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
"""What Spark's client tells each error to as well, with the server's stack."""
TIMES = ("timestamp", "timestamp_ntz", "date")


@dataclass(frozen=True)
class Expression:
    """An expression of a declaration.

    Args:
        location: its keys.
        sql: as written; what is told of it is told by its characters.
        value: what is made of it.
        types: names of the types that it may have; any where empty.
        named: what it is called by those that follow it in the same part.
    """

    location: Location
    sql: str
    value: Column
    types: tuple[str, ...] = ()
    named: str = ""


def wrong_expressions(session: SparkSession, source: Source) -> list[Wrong]:
    """The mistakes in the types and expressions of a declaration, all that can be told of them without data."""
    if wrong := _wrong_types(session, source):
        return wrong
    landed = session.createDataFrame([], f"{EMPTY_RECORDS}, tenant_id string")
    stored = session.createDataFrame([], source.bronze.ddl)
    identified, wrong = _with_derived(landed, source)
    mapped, wrong_again = _with_derived(stored, source)
    told = {one.location for one in wrong}
    wrong += [one for one in wrong_again if one.location not in told]
    wrong += _analysed(identified.drop(COPY).withColumn("landed_on", F.current_date()), _identity(source))
    wrong += _analysed(mapped, list(_mapping(source)))
    regexes = _wrong_regexes(session, [*_derived(source), *_identity(source), *_mapping(source)])
    return [*wrong, *regexes, *_wrong_format(session, source), *_wrong_pattern(session, source)]


def explained(session: SparkSession, source: Source, error: PySparkException) -> list[Wrong]:
    """What is wrong in a declaration that made a query fail; nothing where that cannot be told. Raises where Spark is gone."""
    _unless_gone(error)
    if isinstance(error, AnalysisException) and (wrong := wrong_expressions(session, source)):
        return wrong
    written = (*_derived(source), *_identity(source), *_mapping(source))
    if regex := _wrong_regex(error, written):
        return [regex]
    told = [context for context in error.getQueryContext() if context.contextType() is QueryContextType.SQL] if error.getCondition() else []
    fragment = told[0].fragment() if told else ""
    failing = next((one for one in written if fragment and fragment in one.sql), None)
    if failing is None and str(error.getCondition()).startswith("CAST_") and (casting := [one for one in written if CAST.search(one.sql)]):
        which = "" if len(casting) == 1 else ", or another of these casts"
        return [Wrong(one.location, f"this cast{which} fails: {in_brief(error)}{SAFE_FORMS}") for one in casting]
    if failing is None:
        return []
    return [Wrong(failing.location, f"{fragment} fails: {in_brief(error)}{SAFE_FORMS}", _before(failing, fragment))]


def _wrong_regex(error: PySparkException, written: Iterable[Expression]) -> Wrong | None:
    """A regular expression that Java does not take: Spark tells which one, and only when it is used."""
    if error.getCondition() != "INVALID_PARAMETER_VALUE.PATTERN":
        return None
    said = (error.getMessageParameters() or {}).get("value", "").strip("'")
    forms = (said, said.replace("\\", "\\\\"))
    one, form = next(((one, form) for one in written for form in forms if form and form in one.sql), (None, ""))
    if one is None:
        return None
    return _no_regex(one, repr(said), form)


def _no_regex(one: Expression, told: str, written: str) -> Wrong:
    return Wrong(one.location, f"{told} is no regular expression of Java's", _before(one, written))


def _before(one: Expression, fragment: str) -> int:
    """How many characters that are no white space stand before a fragment of an expression."""
    return _inked(one.sql.split(fragment)[0])


REGEX = re.compile(
    r"""(?:\b(?:not\s+)?rlike\s+|\bregexp(?:_\w+)?\s*\([^']*?,\s*|\bregexp\s+)('(?:[^'\\]|\\.)*')""", re.IGNORECASE | re.DOTALL
)
"""A literal that an expression uses as a regular expression."""


def _wrong_regexes(session: SparkSession, written: Sequence[Expression]) -> list[Wrong]:
    """The regular expressions among literals that Java does not take; each expression is asked for by itself only where some are wrong."""
    with_some = [(one, found) for one in written if (found := REGEX.findall(one.sql))]
    if not with_some or _of_regexes(session, [literal for _, found in with_some for literal in found]) is None:
        return []
    failed = [(one, literal, _of_regexes(session, [literal])) for one, found in with_some for literal in found]
    return [_no_regex(one, literal, literal) for one, literal, error in failed if error is not None]


def _of_regexes(session: SparkSession, literals: Sequence[str]) -> PySparkException | None:
    """What Spark says of regular expressions, given as SQL literals, when it uses them; None where they are right."""
    try:
        session.range(1).select(*(F.expr(f"cast(id as string) rlike {literal}") for literal in literals)).collect()
    except PySparkException as error:
        _unless_gone(error)
        return error
    return None


CAST = re.compile(r"\bcast\s*\(|::", re.IGNORECASE)
"""Where an expression casts; Spark does not always tell which one failed. `try_cast` is another word."""

SAFE_FORMS = " Use a form that gives null: try_cast, try_to_timestamp, get(array, n), try_element_at, try_divide"


def in_brief(error: PySparkException) -> str:
    """What Spark says of an error, without the plan, the stack and the codes."""
    said = str(error).strip().splitlines()[0]
    return re.sub(r"^\[[\w.]+\] | SQLSTATE: .*| Please, refer to .*|;$", "", said)


@contextmanager
def quiet_errors() -> Iterator[None]:
    """Keep Spark's client from logging each error with the server's stack. Raises InfrastructureError where Spark goes away."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    except PySparkException as error:
        if is_spark_gone(error):
            raise InfrastructureError("Spark went away", next_step="run `lakehouse status`, then try again") from error
        raise
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _wrong_types(session: SparkSession, source: Source) -> list[Wrong]:
    try:
        session.createDataFrame([], source.fields_ddl)
        return []
    except PySparkException as error:
        _unless_gone(error)
    wrong = []
    for name, type_ in source.fields.items():
        try:
            session.createDataFrame([], f"`x` {type_}")
        except PySparkException as error:
            _unless_gone(error)
            wrong.append(Wrong(("fields", name), f"{type_!r} is no Spark type: {_of_type(error)}"))
    return wrong


def _of_type(error: PySparkException) -> str:
    named = (error.getMessageParameters() or {}).get("typeName", "").strip('"').lower()
    near = nearest(named, TYPE_NAMES) if named else ""
    return f"{in_brief(error).rstrip('.')}{near and f'; the nearest is {near!r}'}"


TYPE_NAMES = (
    "string", "boolean", "int", "bigint", "double", "float", "decimal", "date", "timestamp", "binary", "struct", "array", "map",
)  # fmt: skip


def _with_derived(rows: DataFrame, source: Source) -> tuple[DataFrame, list[Wrong]]:
    """The fields and derived values beside rows; those that are wrong are texts, so that each is told once."""
    scope = parse_fields(rows, source.model_copy(update={"derived": {}}))
    wrong = _analysed(scope, _derived(source))
    bad = {one.location[-1] for one in wrong}
    for name, sql in source.derived.items():
        scope = scope.withColumn(name, F.lit(None).cast("string") if name in bad else F.expr(sql))
    return scope, wrong


def _derived(source: Source) -> list[Expression]:
    return [Expression(("derived", name), sql, F.expr(sql), named=name) for name, sql in source.derived.items()]


def _identity(source: Source) -> list[Expression]:
    found = [Expression((key,), sql, F.expr(sql)) for key in ("event_id", "user") if (sql := getattr(source, key))]
    if isinstance(source.event_time, TimeText):
        return [*found, Expression(("event_time", "text"), source.event_time.text, F.trim(F.expr(source.event_time.text)))]
    return [*found, Expression(("event_time",), source.event_time, F.expr(source.event_time), TIMES)]


def _mapping(source: Source) -> Iterator[Expression]:
    silver = source.silver
    yield Expression(("silver", "applicable"), silver.applicable, F.expr(silver.applicable), ("boolean",))
    if silver.expand is not None:
        yield Expression(("silver", "expand"), silver.expand, F.expr(silver.expand).try_cast("int"))
    for column in TABLES[silver.table].columns:
        if sql := silver.columns.get(column.name):
            yield Expression(("silver", "columns", column.name), sql, to_type(F.expr(sql), column.type), named=column.name)


def _analysed(scope: DataFrame, expressions: Sequence[Expression]) -> list[Wrong]:
    """What is wrong with expressions over one scope. All are asked for at once, and one by one only where that fails."""
    if not expressions:
        return []
    try:
        types = _types(scope, expressions)
    except PySparkException as error:
        _unless_gone(error)
        return _one_by_one(scope, expressions)
    return [wrong for one, type_ in zip(expressions, types, strict=True) if (wrong := _wrong_type(one, type_))]


def _types(scope: DataFrame, expressions: Sequence[Expression]) -> list[str]:
    """The types of expressions. `raw` beside them keeps out what makes one row of many; a struct or cast around each, many of one.

    Columns of silver are named, since Spark lets a later one speak of an earlier one.
    """
    for one in expressions:
        scope = scope.withColumn(one.named, one.value) if one.location[0] == "derived" else scope
    values = [
        one.value.alias(one.named) if one.location[:2] == ("silver", "columns") else F.struct(one.value.alias(WITHIN))
        for one in expressions
    ]
    kinds = [field.dataType for field in scope.select("raw", *values).schema.fields[1:]]
    return [(kind[WITHIN].dataType if isinstance(kind, StructType) and WITHIN in kind.names else kind).simpleString() for kind in kinds]


WITHIN = "_within"


def _one_by_one(scope: DataFrame, expressions: Sequence[Expression]) -> list[Wrong]:
    wrong: list[Wrong] = []
    good: list[Expression] = []
    for one in expressions:
        found = _mistake_in(scope, one, good)
        good.append(replace(one, value=F.lit(None).cast("string")) if found else one)
        wrong += [found] if found else []
    return wrong


def _mistake_in(scope: DataFrame, one: Expression, before: Sequence[Expression]) -> Wrong | None:
    """What is wrong with one expression, by itself or else behind those that stand before it."""
    raised: PySparkException | None = None
    for others in ([], before) if one.location[0] == "silver" else (before,):
        try:
            return _wrong_type(one, _types(scope, [*others, one])[-1])
        except PySparkException as error:
            _unless_gone(error)
            raised = raised or error
    return _told(raised, one, scope.schema) if raised else None


def _unless_gone(error: PySparkException) -> None:
    """Raises the error again where it says nothing of an expression."""
    if is_spark_gone(error):
        raise error


def _wrong_type(one: Expression, type_: str) -> Wrong | None:
    if not one.types or type_ in one.types:
        return None
    return Wrong(one.location, f"gives {type_}, and must give {one.types[0]}{TYPE_HINTS.get((one.types[0], type_), '')}")


TYPE_HINTS = {
    ("timestamp", "string"): ": try_to_timestamp(...) reads a text",
    ("timestamp", "bigint"): ": timestamp_seconds, timestamp_millis or timestamp_micros reads a number",
    ("timestamp", "int"): ": timestamp_seconds(...) reads a number",
}


def _wrong_format(session: SparkSession, source: Source) -> list[Wrong]:
    """What Spark does not take for a datetime pattern; that is told only when a time is read."""
    if not isinstance(source.event_time, TimeText):
        return []
    probe = source.event_time.model_copy(update={"text": "''"})
    try:
        session.range(1).select(F.lit("2026-01-01").cast("date").alias("landed_on")).select(F.expr(probe.sql)).collect()
    except PySparkException as error:
        _unless_gone(error)
        return [Wrong(("event_time", "format"), f"{source.event_time.format!r} is no datetime pattern of Spark's: {_of_format(error)}")]
    return []


def _of_format(error: PySparkException) -> str:
    said = next((line for line in str(error).splitlines() if "Fail to recognize" in line or "Unrecognized" in line), str(error))
    brief = re.sub(r"^\[[^]]*\] | SQLSTATE.*| You can .*", "", said)
    return f"{brief} yyyy is the year, MM the month, dd the day; E (weekday) cannot be read"


def _wrong_pattern(session: SparkSession, source: Source) -> list[Wrong]:
    """Where a regular expression is one of Python's and none of Java's; that, too, is told only when it is used."""
    if source.pattern is None:
        return []
    try:
        session.range(1).select(F.regexp_replace(F.lit(""), F.lit(expression(source.pattern)), F.lit(""))).collect()
    except PySparkException as error:
        _unless_gone(error)
        return [Wrong(("pattern",), "is no regular expression of Java's, which Spark uses")]
    return []


Told = Callable[[Mapping[str, str], Expression, StructType], str]


def _told(error: PySparkException, one: Expression, scope: StructType) -> Wrong:
    condition, parameters = error.getCondition() or "", error.getMessageParameters() or {}
    tell = next((tell for known, tell in CONDITIONS.items() if condition.startswith(known)), None)
    return Wrong(one.location, tell(parameters, one, scope) if tell else in_brief(error), _ink(error, one))


def _ink(error: PySparkException, one: Expression) -> int | None:
    """How many characters that are no white space stand before what an error speaks of."""
    at = re.search(r"line (\d+),? pos (\d+)", str(error))
    if at is None:
        return None
    lines = one.sql.splitlines()[: int(at[1])]
    before = "".join(lines[:-1]) + (lines[-1][: int(at[2])] if lines else "")
    return _inked(before)


def _inked(text: str) -> int:
    return len("".join(text.split()))


def _unquoted(name: str) -> str:
    return name.replace("`.`", ".").strip("`")


def _no_column(parameters: Mapping[str, str], one: Expression, scope: StructType) -> str:
    name = _unquoted(parameters.get("objectName", ""))
    paths = list(_paths(scope, (), PATH_DEPTH))
    within = next((path for path in paths if path.lower().endswith(f".{name.lower()}")), "")
    near = within or nearest(name, [path for path in paths if "." not in path]) or nearest(name, paths)
    if near:
        return f"there is no field or derived value {name!r}; the nearest is {near!r}"
    as_text = f"; a text needs quotation marks of its own: \"'{name}'\"" if one.sql == name else ""
    return f"there is no field or derived value {name!r}{as_text}"


PATH_DEPTH = 4


def _paths(type_: DataType, before: tuple[str, ...], depth: int) -> Iterator[str]:
    inner: Any = type_.elementType if isinstance(type_, ArrayType) else type_
    if isinstance(inner, StructType) and depth:
        for field in inner.fields:
            yield ".".join((*before, field.name))
            yield from _paths(field.dataType, (*before, field.name), depth - 1)


def _no_member(parameters: Mapping[str, str], _one: Expression, _scope: StructType) -> str:
    name = _unquoted(parameters.get("fieldName", ""))
    return f"there is no {name!r} in it{hint(name, [_unquoted(part) for part in parameters.get('fields', '').split(', ')])}"


def _no_struct(parameters: Mapping[str, str], _one: Expression, _scope: StructType) -> str:
    base = parameters.get("base", "").strip('"')
    declared = parameters.get("other", "").strip('"').lower()
    return f"{base} is declared {declared}, which has no members: declare it struct<...>, or use get_json_object({base}, '$....')"


def _no_function(parameters: Mapping[str, str], _one: Expression, _scope: StructType) -> str:
    return f"Spark has no function {_unquoted(parameters.get('routineName', ''))!r}"


def _no_syntax(parameters: Mapping[str, str], _one: Expression, _scope: StructType) -> str:
    return f"cannot be read at {parameters.get('error', '')}: look for a missing quotation mark, comma, bracket or `end`"


def _no_cast(parameters: Mapping[str, str], _one: Expression, _scope: StructType) -> str:
    given, wanted = (parameters.get(name, "").strip('"').lower() for name in ("srcType", "targetType"))
    return f"{given} cannot become {wanted}"


def _many_rows(_parameters: Mapping[str, str], _one: Expression, _scope: StructType) -> str:
    return "an expression makes one value of one record: no aggregates, and no explode (use `expand` and `copy`)"


CONDITIONS: Mapping[str, Told] = {
    "UNRESOLVED_COLUMN": _no_column,
    "FIELD_NOT_FOUND": _no_member,
    "INVALID_EXTRACT_BASE_FIELD_TYPE": _no_struct,
    "UNRESOLVED_ROUTINE": _no_function,
    "PARSE_SYNTAX_ERROR": _no_syntax,
    "DATATYPE_MISMATCH.CAST": _no_cast,
    "MISSING_GROUP_BY": _many_rows,
    "MISSING_AGGREGATION": _many_rows,
    "UNSUPPORTED_GENERATOR": _many_rows,
}
"""What is said of an error, by what its condition begins with."""
