"""The commands of `lakehouse`. A group is a module here with `register(app)`; it is found by itself.

Does not belong here: work; a command reads its arguments, calls a function elsewhere and prints.
"""

from __future__ import annotations

from pkgutil import iter_modules

INTERRUPTED = 130
"""Exit code of a command that was interrupted."""

GROUPS = tuple(sorted(module.name for module in iter_modules(__path__)))

QUICK = {
    **dict.fromkeys(("up", "down", "status", "logs", "restart", "destroy"), "stack"),
    "doctor": "doctor",
    "lineage": "lineage",
    "runs": "runs",
    "sql": "sql",
    "sources": "sources",
    "alerts": "alerts",
    "incidents": "incidents",
}
"""Commands whose group alone is imported: all groups together pull in Dagster, which takes seconds."""


def groups_for(arguments: list[str]) -> tuple[str, ...]:
    """The groups that must be imported to carry out these arguments."""
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    return (QUICK[command],) if command in QUICK else GROUPS
