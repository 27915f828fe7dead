"""No secret of an instance is left in a text, however it is spelled there; what is no secret stays."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from lakehouse.ops.redaction import Redaction
from lakehouse.settings import CREDENTIALS_FILE, USER_FILE, Settings
from lakehouse.tenants import tenant_key

ODD = 'p@ss/w:o"rd %1é'
DATABASE = f"postgresql://reader:{quote(ODD, safe='')}@db.example.com:5432/billing"
SLACK = "https://hooks.slack.example/services/T0000AAAA/B0000BBBB/abcdefSECRETghijkl"


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / USER_FILE).write_text(f"BILLING_DATABASE_URL='{DATABASE}'\nLAKEHOUSE_ONCALL_URL='{SLACK}'\n")
    (tmp_path / CREDENTIALS_FILE).write_text("LAKEHOUSE_TRINO_SERVICE_PASSWORD=service-password-1\n")
    monkeypatch.setenv("LAKEHOUSE_PAGER", "pagerduty://integrationkey99@token-of-the-pager")
    monkeypatch.setenv("PGPASSWORD", "of-the-environment")
    return Settings(home=tmp_path, s3_access_key_id=SecretStr("lake"), s3_secret_access_key=SecretStr("store-secret-key"))


SPELLINGS = {
    "as it is": ODD,
    "in a URL": quote(ODD, safe=""),
    "in small hexadecimal digits": quote(ODD, safe="").replace("%C3%A9", "%c3%a9").replace("%2F", "%2f").replace("%3A", "%3a"),
    "in JSON": json.dumps(ODD)[1:-1],
    "as Python shows it": repr(ODD)[1:-1],
    "as the user info of its URL": DATABASE,
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_databases_password_goes_however_it_is_spelled(instance: Settings, spelled: str) -> None:
    told = Redaction(instance)(f"cannot connect: {spelled}; try again")
    assert spelled not in told
    assert "***" in told
    assert told.startswith("cannot connect: ")
    assert told.endswith("; try again")


@pytest.mark.parametrize(
    "secret",
    [
        "store-secret-key", "service-password-1", "of-the-environment", SLACK, "/services/T0000AAAA/B0000BBBB/abcdefSECRETghijkl",
        "abcdefSECRETghijkl", "integrationkey99", "token-of-the-pager",
    ],
)  # fmt: skip
def test_a_secret_of_settings_files_and_environment_goes(instance: Settings, secret: str) -> None:
    assert secret not in Redaction(instance)(f"it is {secret}, or url: {secret}")


def test_a_tenants_key_goes_in_digits_of_any_size_and_padded_and_hashes_stay(instance: Settings) -> None:
    key = tenant_key(instance, "acme").hex()
    padded = bytes(b ^ 0x36 for b in bytes.fromhex(key).ljust(64, b"\0")).hex()
    hashed = "ab" * 32
    assert Redaction(instance)(f"{key} {key.upper()} {padded} {hashed}") == f"*** *** *** {hashed}"


def test_what_becomes_secret_later_goes_too(instance: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    redact = Redaction(instance)
    assert redact("later-secret") == "later-secret"
    monkeypatch.setenv("LAKEHOUSE_CHANNEL_TOKEN", "later-secret")
    assert redact("later-secret") == "***"
    key = tenant_key(instance, "globex").hex()
    assert redact(key) == "***"


def test_user_info_and_signatures_of_urls_that_nobody_declared_go(instance: Settings) -> None:
    told = Redaction(instance)("at https://ann:hush@example.com/a?x=1&X-Amz-Signature=0a1b2c&y=2 and postgresql://:hush@db/x")
    assert told == "at https://***@example.com/a?x=1&X-Amz-Signature=***&y=2 and postgresql://***@db/x"


def test_a_short_secret_goes_as_a_word_and_does_not_spoil_others(instance: Settings) -> None:
    assert Redaction(instance)("key lake of the lakehouse in lake_bucket") == "key *** of the lakehouse in lake_bucket"


def test_plain_settings_and_addresses_stay(instance: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_S3_ENDPOINT", "http://127.0.0.1:9000")
    monkeypatch.setenv("LAKEHOUSE_LAKE_BUCKET", "the-lake-of-ours")
    text = f"s3a://the-lake-of-ours/x at http://127.0.0.1:9000, {instance.home}, db.example.com:5432, hooks.slack.example"
    assert Redaction(instance)(text) == text
