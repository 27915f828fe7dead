"""The record of what people do on the pages: one row of ops.actions for each action, with who and when.

Does not belong here: doing what is recorded (the pages, sign_in), or how facts are kept (lakehouse.ops).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask import Flask, current_app
from flask_login import current_user

from lakehouse.ops.store import Writer
from lakehouse.tables.ops import ACTIONS

NOT_SIGNED_IN = "(not signed in)"
"""Who acts where nobody is signed in; no account can have this name."""
_KEY = "clearlake_actions"


def keep_actions(server: Flask, writer: Writer) -> None:
    """Tell the app where its actions are kept."""
    server.extensions[_KEY] = writer


def record(action: str, target: str | None = None, **detail: Any) -> bool:
    """Record what the person of the present request did. Returns whether it is kept; where the store is down it waits in the spool.

    Args:
        action: what they did, as a verb in the past: `acknowledged`.
        target: to what: an incident, a table, an account.
        detail: with what values; no secret, and nothing of a payload. What JSON has no word for is written as text.
    """
    writer: Writer = current_app.extensions[_KEY]
    return writer.append(
        ACTIONS.name,
        [
            {
                "actor": actor(),
                "action": action,
                "target": target,
                "detail": json.dumps(detail, sort_keys=True, default=str) if detail else None,
                "acted_at": datetime.now(UTC),
            }
        ],
    )


def actor() -> str:
    """Name of the person of the present request."""
    return str(current_user.name) if current_user.is_authenticated else NOT_SIGNED_IN
