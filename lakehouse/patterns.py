"""Shapes of lines of text, by name: regular expressions whose named groups are the fields.

Does not belong here: what the fields mean (assets/sources), or reading anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lakehouse.mistakes import hint

SYSLOG = (
    r"(?:<(?<priority>[0-9]{1,3})>)?(?<time>[A-Z][a-z]{2} +[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}) (?<host>[^ ]+) "
    r"(?<program>[^ \[:]+)(?:\[(?<pid>[0-9]+)\])?: "
    r"(?:message repeated (?<repeated>[0-9]+) times: \[ ?(?<repeated_message>.*)\]|(?<message>.*))"
)
"""BSD syslog (RFC 3164) as rsyslog writes it to files: no year, no zone; rsyslog folds equal messages into one."""

SYSLOG_ISO = (
    r"(?:<(?<priority>[0-9]{1,3})>)?(?<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+) (?<host>[^ ]+) "
    r"(?<program>[^ \[:]+)(?:\[(?<pid>[0-9]+)\])?: "
    r"(?:message repeated (?<repeated>[0-9]+) times: \[ ?(?<repeated_message>.*)\]|(?<message>.*))"
)
"""The same with times of RFC 3339, rsyslog's default since Debian 12."""

COMBINED_LOG = (
    r'(?<client>[^ ]+) (?<identity>[^ ]+) (?<user>[^ ]+|"[^"]*") \[(?<time>[^\]]+)\] '
    r'"(?:(?<method>[A-Z][A-Z_-]*) (?<path>(?:[^ "\\]++|\\.)*+)(?: (?<protocol>HTTP/[0-9.]+))?|(?<request>(?:[^"\\]++|\\.)*+))" '
    r'(?<status>[0-9]{3}) (?<bytes>[0-9]+|-)(?: "(?<referrer>(?:[^"\\]++|\\.)*+)"?(?: "(?<user_agent>(?:[^"\\]++|\\.)*+)"?)?)?.*'
)
"""Apache's and nginx's common and combined log format, a line cut off within its last text too; what is no HTTP request line is in
`request`.

Texts in quotation marks are matched possessively: Java goes one call deeper for each turn of a group that it could give back, and
5,000 turns are more than a thread's stack, whose overflow ends the server.
"""

PATTERNS: Mapping[str, str] = {"syslog": SYSLOG, "syslog_iso": SYSLOG_ISO, "combined_log": COMBINED_LOG}

NAME = re.compile(r"\w+")
GROUP = re.compile(r"\(\?<(?P<name>[a-zA-Z][a-zA-Z0-9_]*)>")


def expression(pattern: str) -> str:
    """The regular expression of a pattern's name, or the expression itself, for Spark.

    Its groups go by number: Java's names have no underscores.
    """
    return GROUP.sub("(", PATTERNS.get(pattern, pattern))


def compiled(pattern: str) -> re.Pattern[str]:
    """The same for Python, its groups by name. Raises ValueError where it is no regular expression."""
    try:
        return re.compile(GROUP.sub(lambda group: f"(?P<{group['name']}>", PATTERNS.get(pattern, pattern)), re.ASCII | re.DOTALL)
    except re.error as error:
        raise ValueError(f"neither a named pattern ({', '.join(PATTERNS)}) nor a regular expression: {error}") from error


def groups(pattern: str) -> tuple[str, ...]:
    """The fields of a pattern, in order. Raises ValueError where it is neither a name nor a regular expression with named groups."""
    found = compiled(pattern)
    if NAME.fullmatch(pattern) and pattern not in PATTERNS:
        raise ValueError(f"there is no pattern {pattern!r}{hint(pattern, PATTERNS)}")
    if not found.groupindex or found.groups != len(found.groupindex):
        raise ValueError(f"{pattern!r}: all groups are named, as (?<field>...), and there is at least one; others are (?:...)")
    return tuple(found.groupindex)
