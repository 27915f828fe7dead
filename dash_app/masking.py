"""Records with their values masked: what a record is like can be seen, what it says cannot.

Does not belong here: which pages mask, or who may see what is behind a mask.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

LONGEST = 2000
"""Characters of a masked record that are shown."""
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,63}")
"""A name of a field that can be shown: what else stands in its place may be a person's (an address as a key)."""


def masked(raw: str | None) -> str:
    """A record with each letter as x and each digit as 0; of a JSON object or array the names of fields stay, of text only the marks."""
    if raw is None:
        return ""
    try:
        read = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _shape(raw[:LONGEST])
    if not isinstance(read, dict | list):
        return _shape(raw[:LONGEST])
    return orjson.dumps(_masked_value(read)).decode()[:LONGEST]


def _masked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name if PLAIN_NAME.fullmatch(name) else _shape(name): _masked_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked_value(inner) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    return _shape(str(value))


def _shape(text: str) -> str:
    return "".join("x" if c.isalpha() or ord(c) > 127 else "0" if c.isdigit() else c for c in text)
