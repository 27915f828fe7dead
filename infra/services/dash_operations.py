"""The operations pages, served by waitress on the loopback address.

Does not belong here: the pages (dash_app).
"""

from __future__ import annotations

from infra.ports import LOOPBACK
from infra.services.base import Context
from infra.stack_files import read_credentials
from lakehouse.settings import Settings

THREADS = 6
OPERATOR = "operator"
"""Who signs in with LAKEHOUSE_OPERATIONS_PASSWORD."""


def serve(context: Context) -> None:
    """Serve until told to stop."""
    from waitress import serve as listen

    from dash_app.operations import create_app

    _ensure_account(context.settings, read_credentials(context.instance.home)["LAKEHOUSE_OPERATIONS_PASSWORD"])
    application = create_app(context.settings).server
    listen(application, host=LOOPBACK, port=context.ports["dash_operations"], threads=THREADS, ident=None)


def _ensure_account(settings: Settings, password: str) -> None:
    from dash_app.accounts import Accounts, set_password, users_path

    path = users_path(settings)
    if not Accounts(path).verify(OPERATOR, password):
        set_password(path, OPERATOR, password)
