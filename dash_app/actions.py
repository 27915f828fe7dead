"""What people do on the pages is recorded, with who and when.

Does not belong here: doing it (incident_actions).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask_login import current_user

from dash_app.context import knowledge_of_this_app


def actor() -> str:
    """Who is signed in."""
    return str(current_user.name)


def record(action: str, target: str, **detail: Any) -> bool:
    """Record that the signed-in person did something to something; returns whether it is kept. The detail must hold no secret."""
    row = {"actor": actor(), "action": action, "target": target, "detail": json.dumps(detail, default=str), "acted_at": datetime.now(UTC)}
    return knowledge_of_this_app().writer.append("ops.actions", [row])
