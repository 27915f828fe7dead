"""What stands in the credentials counts from the next start on."""

from __future__ import annotations

from pathlib import Path

from dash_app.accounts import Accounts, users_path
from infra.credentials import HEADING, OPERATIONS_PASSWORD, ensure_credentials
from infra.env_files import read_env, write_env
from infra.first_account import FIRST_ACCOUNT, ensure_first_account
from lakehouse.settings import CREDENTIALS_FILE, Settings


def test_the_first_account_follows_the_password_in_the_credentials(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    accounts = Accounts(users_path(settings))
    given = ensure_credentials(tmp_path, external_store=False, external_spark=False, external_trino=False)
    ensure_first_account(settings)
    assert accounts.verify(FIRST_ACCOUNT, given[OPERATIONS_PASSWORD])
    known = accounts.fingerprint(FIRST_ACCOUNT)
    ensure_first_account(settings)
    assert accounts.fingerprint(FIRST_ACCOUNT) == known

    path = tmp_path / CREDENTIALS_FILE
    write_env(path, {**read_env(path), OPERATIONS_PASSWORD: "edited-by-the-user"}, heading=HEADING)
    ensure_credentials(tmp_path, external_store=False, external_spark=False, external_trino=False)
    ensure_first_account(settings)
    assert accounts.verify(FIRST_ACCOUNT, "edited-by-the-user")
