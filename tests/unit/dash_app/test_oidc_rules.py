"""Which of a provider's people may come in, by what name, and how these settings are written.

Does not belong here: how somebody proves who they are (test_oidc).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dash_app.oidc_rules import Rules
from dash_app.operations import create_app
from dash_app.people import Refused
from lakehouse.errors import ConfigurationError
from lakehouse.settings import USER_FILE, Settings, read_settings
from tests.unit.dash_app.facts import FakeReader, FakeWriter

ISSUER = {"oidc_issuer": "https://id.example.org", "oidc_client_id": "clearlake"}
ANA = {"sub": "1", "email": "Ana@Example.org", "email_verified": True, "preferred_username": "ana", "groups": ["staff", "oncall"]}


def rules(*allowed: str, groups: tuple[str, ...] = (), **more: Any) -> Rules:
    """Rules as a person sets them."""
    return Rules.of(Settings(**ISSUER, oidc_allowed=allowed, oidc_allowed_groups=groups, **more))


@pytest.mark.parametrize("allowed", ["ana@example.org", "ANA@example.ORG", "example.org", "@example.org", "Example.Org", "*"])
def test_listed_addresses_domains_and_everybody_come_in(allowed: str) -> None:
    assert rules("bob@elsewhere.example", allowed).admit(ANA).name == "ana@example.org"


@pytest.mark.parametrize("allowed", ["bob@example.org", "example.com", "ample.org", "org", "sub.example.org"])
def test_others_do_not(allowed: str) -> None:
    with pytest.raises(Refused) as refused:
        rules(allowed).admit(ANA)
    assert (refused.value.reason, refused.value.name, refused.value.status) == ("not_allowed", "ana@example.org", 403)


@pytest.mark.parametrize("email", ["ana@example.org.evil.example", "ana@sub.example.org", "ana@notexample.org", "example.org", "", None])
def test_a_domain_is_the_whole_of_what_stands_behind_the_last_at(email: str | None) -> None:
    with pytest.raises(Refused):
        rules("example.org").admit({**ANA, "email": email})


@pytest.mark.parametrize("verified", [False, None, "false", 1.5, "yes", []])
def test_an_address_that_the_provider_does_not_vouch_for_counts_for_nothing(verified: object) -> None:
    with pytest.raises(Refused) as refused:
        rules("example.org").admit({**ANA, "email_verified": verified})
    assert refused.value.reason == "email_not_verified"
    assert "does not vouch" in refused.value.message


def test_a_group_is_asked_for_beside_the_address() -> None:
    assert rules("example.org", groups=("oncall", "other")).admit(ANA)
    for claims in ({**ANA, "groups": ["guests"]}, {**ANA, "groups": []}, {k: v for k, v in ANA.items() if k != "groups"}):
        with pytest.raises(Refused) as refused:
            rules("example.org", groups=("oncall",)).admit(claims)
        assert refused.value.reason == "not_in_group"
    with pytest.raises(Refused):
        rules("elsewhere.example", groups=("oncall",)).admit(ANA)


def test_a_group_is_enough_where_no_address_is_listed() -> None:
    assert rules(groups=("oncall",)).admit(ANA).name == "ana@example.org"
    assert rules(groups=("oncall",), oidc_groups_claim="roles").admit({**ANA, "roles": "oncall"})
    with pytest.raises(Refused):
        rules(groups=("oncall",), oidc_groups_claim="roles").admit(ANA)
    with pytest.raises(Refused):
        rules(groups=("call",)).admit({**ANA, "groups": "oncall"})


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "7", "preferred_username": "admin"}, "admin (7)"),
        ({"sub": "7", "email": "admin", "email_verified": True}, "admin (7)"),
        ({"sub": "7", "email": "ana@example.org"}, "ana@example.org (7)"),
        ({"sub": "admin"}, "(admin)"),
    ],
)
def test_nobody_of_the_providers_has_the_name_of_a_local_account_or_of_a_vouched_address(claims: dict[str, Any], name: str) -> None:
    assert rules("*").admit(claims).name == name


@pytest.mark.parametrize("claims", [{"sub": "a\nb"}, {"sub": "x" * 400}])
def test_a_name_that_cannot_be_shown_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        rules("*").admit(claims)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (ISSUER, "OIDC_ALLOWED"),
        ({**ISSUER, "oidc_client_id": None, "oidc_allowed": ("*",)}, "OIDC_CLIENT_ID"),
        ({**ISSUER, "oidc_issuer": "http://id.example.org", "oidc_allowed": ("*",)}, "OIDC_ISSUER"),
        ({**ISSUER, "oidc_issuer": "", "oidc_allowed": ("*",)}, "OIDC_ISSUER"),
        ({**ISSUER, "oidc_allowed": ("*.example.org",)}, "OIDC_ALLOWED"),
        ({**ISSUER, "oidc_allowed": ("ana example",)}, "OIDC_ALLOWED"),
    ],
)
def test_settings_that_cannot_work_are_told_at_the_start(tmp_path: Path, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        create_app(Settings(home=tmp_path, **settings), FakeReader(), FakeWriter())
    assert named in str(told.value)
    assert told.value.next_step


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ana@example.org, example.com", ("ana@example.org", "example.com")),
        ("example.com", ("example.com",)),
        ('\'["cn=a,dc=b", "c"]\'', ("cn=a,dc=b", "c")),
        ("", ()),
    ],
)
def test_lists_are_written_with_commas_or_as_json(tmp_path: Path, written: str, read: tuple[str, ...]) -> None:
    (tmp_path / USER_FILE).write_text(f"LAKEHOUSE_OIDC_ALLOWED={written}\nLAKEHOUSE_OIDC_CLIENT_SECRET=hush-hush\n")
    settings = read_settings(tmp_path)
    assert settings.oidc_allowed == read
    assert "hush" not in repr(settings)
