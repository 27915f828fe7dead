"""The first account of the operations pages, whose password is the generated one in the instance's credentials.

Does not belong here: further accounts, or signing in (dash_app).
"""

from __future__ import annotations

from dash_app.accounts import Accounts, set_password, users_path
from infra.credentials import OPERATIONS_PASSWORD
from infra.env_files import read_env
from lakehouse.settings import CREDENTIALS_FILE, Settings

FIRST_ACCOUNT = "admin"


def ensure_first_account(settings: Settings) -> None:
    """Give the first account the password that stands in the credentials; nothing where it has it, or none stands there.

    Raises ConfigurationError for a poor password.
    """
    password = read_env(settings.home / CREDENTIALS_FILE).get(OPERATIONS_PASSWORD)
    if password and not Accounts(users_path(settings)).verify(FIRST_ACCOUNT, password):
        set_password(users_path(settings), FIRST_ACCOUNT, password)
