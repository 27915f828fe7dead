"""Who may see what in Trino: the access rules and the password file.

Does not belong here: starting Trino, or generating passwords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bcrypt

from lakehouse.ops.views import VIEWS

ANALYST = "analyst"
DDL_CATALOG = "lake_ddl"
"""The same tables, writable, for one purpose: the read-only catalog refuses CREATE VIEW."""
OPEN_SCHEMAS = "silver|gold|ops"
REFRESH = "2s"
BCRYPT_ROUNDS = 10


def access_rules(catalog: str, service_user: str) -> dict[str, object]:
    """The rules of file-based access control: what is not allowed here is denied."""
    return {
        "catalogs": [
            {"user": service_user, "catalog": DDL_CATALOG, "allow": "all"},
            {"catalog": f"{catalog}|system", "allow": "read-only"},
        ],
        "schemas": [{"owner": False}],
        "tables": _table_rules(catalog, service_user),
        "functions": [],
        "procedures": [],
        "impersonation": [{"original_user": service_user, "new_user": ".*", "allow": True}],
        "queries": [
            {"user": service_user, "allow": ["execute", "kill", "view"]},
            {"allow": ["execute"]},
        ],
        "system_information": [{"user": service_user, "allow": ["read"]}],
        "system_session_properties": [{"user": service_user, "allow": True}, {"allow": False}],
        "catalog_session_properties": [{"user": service_user, "allow": True}, {"allow": False}],
    }


def _table_rules(catalog: str, service_user: str) -> list[dict[str, object]]:
    return [
        *(_owned_view(service_user, name) for name in VIEWS),
        {"catalog": DDL_CATALOG, "privileges": []},
        {"user": service_user, "catalog": f"{catalog}|system", "privileges": ["SELECT"]},
        {"user": ANALYST, "catalog": catalog, "schema": OPEN_SCHEMAS, "privileges": ["SELECT"]},
        {"catalog": "system", "schema": "jdbc", "privileges": ["SELECT"]},
        {"privileges": []},
    ]


def _owned_view(service_user: str, name: str) -> dict[str, object]:
    schema, view = name.split(".")
    return {"user": service_user, "catalog": DDL_CATALOG, "schema": schema, "table": view, "privileges": ["OWNERSHIP", "SELECT"]}


def password_lines(known: Sequence[str], users: Mapping[str, str]) -> list[str]:
    """`user:hash` for each user, keeping what stands there for others and every hash that still fits."""
    hashes = dict(line.split(":", 1) for line in known if ":" in line)
    own = {user: hashes[user] if _fits(password, hashes.get(user)) else hashed(password) for user, password in users.items()}
    return [f"{user}:{value}" for user, value in {**hashes, **own}.items()]


def hashed(password: str) -> str:
    """A bcrypt hash in the form that Trino reads."""
    return "$2y$" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode().removeprefix("$2b$")


def _fits(password: str, known: str | None) -> bool:
    return known is not None and bcrypt.checkpw(password.encode(), known.replace("$2y$", "$2b$", 1).encode())
