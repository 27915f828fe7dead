"""The commands of `lakehouse`. A group is a module here with `register(app)`; add its name to `GROUPS`.

Does not belong here: work; a command reads its arguments, calls a function elsewhere and prints.
"""

from __future__ import annotations

GROUPS = ("stack", "sql")
