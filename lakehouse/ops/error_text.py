"""Errors in words that hold no value of the data: what went wrong and where, without what it went wrong for.

Only a LakehouseError is told in its own words: it is written by this project. Any other error may quote a value of the data, as Spark's
failed casts and Python's KeyErrors do. Of these the class is told, the error condition, the words outside of quotes, and the stack.

Does not belong here: secrets (lakehouse.ops.redaction), or where errors are recorded.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

from lakehouse.errors import LakehouseError

LEFT_OUT = "…"
CONDITION = re.compile(r"(?:\([\w.$]+\) |[\w.$]+: )*(\[[A-Z][A-Z0-9]*_[A-Z0-9_]*(?:\.[A-Z0-9_]+)*\]) ?")
"""Spark's error condition, where a message begins with it; what comes before it are names of Java classes."""
SQLSTATE = re.compile(r"\bSQLSTATE: (\w{5})\b")
OF_THE_QUERY = "42"
"""Class of the SQLSTATEs that are about the text of a query (ISO/IEC 9075): such messages name columns and tables, not rows."""
QUOTED = re.compile(r"""(?:(?<!\w)['’]|["“”‘«`]).*(?:['’](?!\w)|["“”»`])|(?:(?<!\w)['’]|["“‘«`]).*""", re.DOTALL)
"""From the first quotation mark to the last: what is quoted may have some within. Where nothing closes it, all that follows."""
QUOTED_TEXT = re.compile(r"""(?:(?<!\w)'|").*(?:'(?!\w)|")|(?:(?<!\w)'|").*""", re.DOTALL)
"""The same, less what is in back-ticks, in which Spark puts the names of columns and tables."""
BRACED = re.compile(r"[{<].*[}>]|(?!\[Errno -?\d+\]|\[[A-Z][A-Z0-9]*_[A-Z0-9_.]*\])\[.*\]", re.DOTALL)
"""What is in braces or brackets, but for numbers of the operating system and Spark's conditions, which a cause further in may have."""
VALUES = re.compile(r"\S*@\S*|\d{6,}")
"""Addresses of people, and numbers that are longer than those of ports, lines and counts of tries."""
QUOTES_UNMARKED = re.compile(r"(Value|Parser|Validation|Decode|Type|Overflow|InvalidOperation|ArrowInvalid)(Error)?$|DecodeError$|^Arrow")
"""Classes of errors that may tell the value behind a colon, without quotation marks."""
NAMES_ONLY = re.compile(
    r"'\w+' object has no attribute '\w+'|(type object|module) '[\w.]+' has no attribute '\w+'|name '\w+' is not defined"
    r"|No module named '[\w.]+'|cannot import name '\w+' from '[\w.]+' \([^)]*\)|'\w+' object is not (callable|iterable|subscriptable)"
    r"|[\w.<>]+\(\) (missing \d+ required [a-z-]+ arguments?: ('\w+'(, (and )?| and )?)+|got an unexpected keyword argument '\w+')"
)
"""What Python says of the program itself."""
JAVA_FRAME = re.compile(r"\s*at [\w.$/@<>-]+\([\w.$: -]*\)")
JAVA_CAUSE = re.compile(r"\s*Caused by: ([\w.$]+)(?:: (.*))?")
JAVA_FRAMES = 12
"""Frames of Java that are told of an error, and of each of its causes: further out they are those of Spark's threads."""


def words_of(error: BaseException) -> str:
    """An error's message in one line, without values of the data; empty where nothing is left to tell."""
    if isinstance(error, LakehouseError):
        return error.message
    return without_values(str(error), type(error).__name__)


def without_values(message: str, class_name: str) -> str:
    """A message of an error that is no LakehouseError, in one line, without what may be a value of the data.

    Args:
        class_name: of the error, without its module.
    """
    text = message.strip()
    if found := CONDITION.match(text):
        return _of_condition(found.group(1), text[found.end() :])
    if NAMES_ONLY.fullmatch(text):
        return text
    if class_name == "KeyError":
        return LEFT_OUT
    head, colon, _ = text.partition(": ")
    told = f"{head}: {LEFT_OUT}" if colon and QUOTES_UNMARKED.search(class_name) else text
    return _first_line(VALUES.sub(LEFT_OUT, BRACED.sub(LEFT_OUT, QUOTED.sub(LEFT_OUT, told))))


def _of_condition(condition: str, text: str) -> str:
    state = SQLSTATE.search(text)
    if state is None:
        return condition
    if not state.group(1).startswith(OF_THE_QUERY):
        return f"{condition} {state.group()}"
    about = VALUES.sub(LEFT_OUT, QUOTED_TEXT.sub(LEFT_OUT, text[: state.start()])).strip()
    return " ".join(f"{condition} {about} {state.group()}".split())


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def stack_of(error: BaseException) -> str:
    """An error with its causes, outermost first, each with its class, its words and its frames."""
    return "\ncaused by ".join(_told(one) for one in chain(error))


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error, then what it was raised from, and so on; of a group also its parts."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += getattr(current, "exceptions", ())
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        waiting += [cause] if cause else []


def _told(error: BaseException) -> str:
    words = str(error) if isinstance(error, LakehouseError) else words_of(error)
    frames = "".join(traceback.format_tb(error.__traceback__)) + java_frames(_java_stack(error))
    return heading(type(error).__name__, words) + (f"\n{frames.rstrip()}" if frames else "")


def heading(class_name: str, words: str) -> str:
    """Class and words of an error in one line."""
    return f"{class_name}: {words}" if words else class_name


def _java_stack(error: BaseException) -> str:
    """What Spark's server tells of where an error came from; with the message, where its session is set up to show it."""
    told = getattr(error, "_stacktrace", None)
    return told if isinstance(told, str) else str(error)


def java_frames(text: str) -> str:
    """The innermost frames of Java in a text, and of each cause in it, whose class is told; a line each."""
    kept, frames = [], 0
    for line in text.splitlines():
        if JAVA_FRAME.fullmatch(line):
            frames += 1
            kept += [f"  {line.strip()}"] if frames <= JAVA_FRAMES else []
        elif found := JAVA_CAUSE.fullmatch(line):
            condition = CONDITION.match(found.group(2) or "")
            kept.append(heading(f"  caused by {found.group(1)}", condition.group(1) if condition else ""))
            frames = 0
    return "\n".join(kept)
