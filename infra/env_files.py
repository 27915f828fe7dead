"""The instance's `*.env` files: read, and written whole and atomically.

Does not belong here: what the variables mean.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values


def read_env(path: Path) -> dict[str, str]:
    """The variables of a file; empty where it does not exist."""
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}


def write_env(path: Path, values: Mapping[str, str], *, heading: str) -> None:
    """Replace a file by these variables, readable by its owner only."""
    lines = [f"# {line}" for line in heading.splitlines()] + [f"{name}={_quoted(value)}" for name, value in values.items()]
    write_private(path, "\n".join(lines) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, never leaving a half one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def _quoted(value: str) -> str:
    plain = value.replace("_", "a").replace("-", "a")
    if plain.isalnum() or not value:
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
