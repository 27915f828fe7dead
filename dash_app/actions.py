"""What people do on the pages, recorded with who and when.

Does not belong here: doing it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Flask, current_app
from flask_login import current_user

from lakehouse.ops.store import Writer

_KEY = "clearlake_actions"


def keep_actions(server: Flask, writer: Writer) -> None:
    """Tell the app where its actions are kept."""
    server.extensions[_KEY] = writer


def record(action: str, target: str | None = None, **detail: Any) -> bool:
    """Record what the person who is signed in did. Returns whether it is kept.

    Args:
        action: what they did, such as `released`.
        target: to what.
        detail: with what values; never a secret.
    """
    writer: Writer = current_app.extensions[_KEY]
    actor = getattr(current_user, "name", None) or "unknown"
    told = orjson.dumps(detail, default=str).decode() if detail else None
    row = {"actor": actor, "action": action, "target": target, "detail": told, "acted_at": datetime.now(UTC)}
    return writer.append("ops.actions", [row])
