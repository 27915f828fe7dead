"""The rules let the analyst read what is open, and let nobody write but the one view."""

from __future__ import annotations

import re
from typing import Any

import bcrypt
import pytest

from infra.trino_access import access_rules, password_lines

RULES: dict[str, Any] = access_rules("lake", "service")


def _privileges(user: str, catalog: str, schema: str, table: str) -> list[str]:
    """What the first matching rule allows, as Trino reads them."""
    for rule in RULES["tables"]:
        asked = {"user": user, "catalog": catalog, "schema": schema, "table": table}
        if all(re.fullmatch(rule.get(name, ".*"), value) for name, value in asked.items()):
            return list(rule["privileges"])
    return []


@pytest.mark.parametrize("schema", ["silver", "gold", "ops"])
def test_the_analyst_reads_what_is_open(schema: str) -> None:
    assert _privileges("analyst", "lake", schema, "x") == ["SELECT"]


@pytest.mark.parametrize(("catalog", "schema"), [("lake", "bronze"), ("lake", "ctl"), ("system", "runtime"), ("lake_ddl", "silver")])
def test_the_analyst_reads_nothing_else(catalog: str, schema: str) -> None:
    assert _privileges("analyst", catalog, schema, "x") == []


@pytest.mark.parametrize("schema", ["bronze", "silver", "gold", "ops", "ctl"])
def test_the_service_reads_the_whole_lake(schema: str) -> None:
    assert _privileges("service", "lake", schema, "x") == ["SELECT"]


def test_an_unknown_user_reads_nothing() -> None:
    assert _privileges("acme.jane", "lake", "gold", "auth_daily") == []


def test_only_the_view_can_be_replaced_and_only_by_the_service() -> None:
    assert "OWNERSHIP" in _privileges("service", "lake_ddl", "ops", "run_log")
    assert _privileges("service", "lake_ddl", "ops", "run_events") == []
    assert _privileges("analyst", "lake_ddl", "ops", "run_log") == []


def test_only_the_service_speaks_for_others() -> None:
    assert RULES["impersonation"] == [{"original_user": "service", "new_user": ".*", "allow": True}]


def test_a_password_that_did_not_change_keeps_its_hash() -> None:
    first = password_lines([], {"analyst": "secret"})
    assert password_lines(first, {"analyst": "secret"}) == first
    assert password_lines(first, {"analyst": "other"}) != first


def test_hashes_are_in_the_form_that_trino_reads() -> None:
    (line,) = password_lines([], {"analyst": "secret"})
    name, _, hashed = line.partition(":")
    assert name == "analyst"
    assert re.fullmatch(r"\$2y\$(0[89]|1\d)\$.{53}", hashed)
    assert bcrypt.checkpw(b"secret", hashed.replace("$2y$", "$2b$").encode())


def test_users_that_others_added_stay() -> None:
    assert "acme.jane:$2y$10$x" in password_lines(["acme.jane:$2y$10$x"], {"analyst": "secret"})
