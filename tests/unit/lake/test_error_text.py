"""What is told of an error holds no value of the data, and says what went wrong and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from pydantic import BaseModel

from lakehouse.errors import DataError
from lakehouse.ops.error_text import JAVA_FRAMES, java_frames, stack_of, without_values, words_of

VALUE = 'Zaphod O\'Brien "42"'


class Row(BaseModel):
    """A row of data."""

    age: int


def raised(action: Callable[[], object]) -> Exception:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - any error is what is asked for
        return error
    raise AssertionError("nothing was raised")


ERRORS = {
    "KeyError": (lambda: {}[VALUE], "…"),
    "int": (lambda: int(VALUE), "invalid literal for int() with base 10: …"),
    "date": (lambda: datetime.fromisoformat(VALUE), "Invalid isoformat string: …"),
    "decimal": (lambda: Decimal(VALUE), "…"),
    "json": (lambda: json.loads(VALUE), "Expecting value: …"),
    "pydantic": (lambda: Row.model_validate({"age": VALUE}), "1 validation error for Row"),
    "no attribute": (lambda: None.mail, "'NoneType' object has no attribute 'mail'"),  # type: ignore[attr-defined]
    "division": (lambda: 1 / 0, "division by zero"),
    "position": (lambda: list("a")[1], "list index out of range"),
}


@pytest.mark.parametrize(("action", "told"), ERRORS.values(), ids=ERRORS.keys())
def test_pythons_errors_are_told_without_the_value(action: Callable[[], object], told: str) -> None:
    assert words_of(raised(action)) == told


@pytest.mark.parametrize("quoted", [f"'{VALUE}'", f'"{VALUE}"', f"“{VALUE}”", f"'{VALUE}", f"{{'name': {VALUE!r}}}", f"[{VALUE!r}, 1]"])
def test_a_quoted_value_goes_whatever_quotes_it_has_within(quoted: str) -> None:
    told = without_values(f"cannot read {quoted} here", "RuntimeError")
    assert not {"Zaphod", "Brien", "42"} & set(told.replace("'", " ").replace('"', " ").split())
    assert told.startswith("cannot read …")


def test_addresses_of_people_and_long_numbers_go() -> None:
    assert without_values("row of ann@example.com: 4111111111111111 at port 9083", "RuntimeError") == "row of … … at port 9083"


CAST = (
    f'[CAST_INVALID_INPUT] The value \'{VALUE}\' of the type "STRING" cannot be cast to "INT" because it is malformed. SQLSTATE: 22018\n'
    f"== DataFrame ==\n{VALUE}"
)
MALFORMED = f"(org.apache.spark.SparkException) [MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] Malformed: [{VALUE}]. SQLSTATE: 22023"
UNRESOLVED = (
    "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `mail` cannot be resolved. Did you mean [`email`]? "
    f"SQLSTATE: 42703; line 1 pos 7;\n'Project ['{VALUE}]"
)


def test_of_sparks_errors_the_condition_stays_and_of_the_query_its_names() -> None:
    assert without_values(CAST, "NumberFormatException") == "[CAST_INVALID_INPUT] SQLSTATE: 22018"
    assert without_values(MALFORMED, "SparkException") == "[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] SQLSTATE: 22023"
    assert without_values(UNRESOLVED, "AnalysisException") == (
        "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `mail` cannot be resolved. Did you mean [`email`]? SQLSTATE: 42703"
    )


def test_javas_frames_stay_and_its_messages_go() -> None:
    text = (
        f"{CAST}\n\nJVM stacktrace:\norg.apache.spark.SparkException: {VALUE}\n"
        "\tat org.apache.spark.sql.Dataset.collect(Dataset.scala:12)\n"
        f"Caused by: java.lang.NumberFormatException: [CAST_INVALID_INPUT] {VALUE}\n"
        "\tat java.base/java.lang.Integer.parseInt(Integer.java:1)"
    )
    assert java_frames(text).splitlines() == [
        "  at org.apache.spark.sql.Dataset.collect(Dataset.scala:12)",
        "  caused by java.lang.NumberFormatException: [CAST_INVALID_INPUT]",
        "  at java.base/java.lang.Integer.parseInt(Integer.java:1)",
    ]


def test_javas_causes_stay_however_deep_they_are() -> None:
    text = "\tat a.B.c(B.scala:1)\n" * 90 + "Caused by: java.io.IOException: gone\n" + "\tat d.E.f(E.java:2)\n" * 90
    lines = java_frames(text).splitlines()
    assert len(lines) == 2 * JAVA_FRAMES + 1
    assert lines[JAVA_FRAMES] == "  caused by java.io.IOException"


def fail() -> None:
    try:
        {}[VALUE]
    except KeyError as error:
        try:
            int(VALUE)
        except ValueError as further:
            raise DataError("the books do not balance", next_step="report this") from ExceptionGroup("all", [error, further])


def test_a_stack_has_every_cause_with_its_place_and_no_value() -> None:
    told = stack_of(raised(fail))
    assert [line for line in told.splitlines() if not line.startswith("  ")] == [
        "DataError: the books do not balance Next: report this",
        "caused by ExceptionGroup: all (2 sub-exceptions)",
        "caused by KeyError: …",
        "caused by ValueError: invalid literal for int() with base 10: …",
    ]
    assert told.count(f'File "{__file__}", line') >= 4
    assert "Zaphod" not in told
    assert "O'Brien" not in told
