"""What an instance needs once its servers answer: catalog, views, the first account.

Does not belong here: starting servers, or data.
"""

from __future__ import annotations

from dash_app.accounts import set_password, users_path
from infra.env_files import read_env
from infra.views import create_views
from jobs.catalog import ensure_catalog
from jobs.context import Context
from lakehouse.ops.runs import Run
from lakehouse.settings import CREDENTIALS_FILE, Settings

FIRST_ACCOUNT = "admin"
PASSWORD_VARIABLE = "LAKEHOUSE_OPERATIONS_PASSWORD"


def prepare(settings: Settings) -> None:
    """Bring catalog, views and the first account up to this version; quick where nothing has changed."""
    context = Context(settings, Run("prepare", trigger="cli"))
    try:
        changed = ensure_catalog(context)
    finally:
        context.close()
    if changed:
        create_views(settings)
    password = read_env(settings.home / CREDENTIALS_FILE).get(PASSWORD_VARIABLE)
    if password and not users_path(settings).exists():
        set_password(users_path(settings), FIRST_ACCOUNT, password)
