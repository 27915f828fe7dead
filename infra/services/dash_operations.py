"""The operations pages, served by waitress on the loopback address.

Does not belong here: the pages (dash_app).
"""

from __future__ import annotations

from infra.ports import LOOPBACK
from infra.services.base import Context

THREADS = 6


def serve(context: Context) -> None:
    """Serve until told to stop, with the first account as the credentials have it."""
    from waitress import serve as listen

    from dash_app.operations import create_app
    from infra.first_account import ensure_first_account

    ensure_first_account(context.settings)
    application = create_app(context.settings).server
    listen(application, host=LOOPBACK, port=context.ports["dash_operations"], threads=THREADS, ident=None)
