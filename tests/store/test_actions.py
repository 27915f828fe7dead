"""What people do on the pages is a row of ops.actions in the store.

Does not belong here: what is recorded of which action (tests/unit/dash_app/test_actions).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from dash_app.accounts import set_password, users_path
from dash_app.operations import create_app
from lakehouse.ops.store import OpsReader
from lakehouse.settings import Settings
from tests.unit.dash_app.conftest import PASSWORD, sign_in


def test_sign_ins_and_refused_ones_are_rows_of_ops_actions(settings: Settings) -> None:
    set_password(users_path(settings), "admin", PASSWORD)
    before = datetime.now(UTC)
    client = create_app(settings).server.test_client()
    assert sign_in(client, "a-wrong-guess").status_code == 401
    assert sign_in(client).status_code == 302
    rows = OpsReader(settings).rows("select * from ops.actions order by acted_at")
    assert [(row["actor"], row["action"], row["target"]) for row in rows] == [
        ("(not signed in)", "sign_in_refused", "admin"),
        ("admin", "signed_in", "admin"),
    ]
    assert json.loads(rows[0]["detail"]) == {"by": "password", "reason": "wrong_password"}
    assert before <= rows[0]["acted_at"] <= rows[1]["acted_at"] <= datetime.now(UTC)
