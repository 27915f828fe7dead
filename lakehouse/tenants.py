"""Tenants: their time zones, and the keys under which their users' identities are hashed.

Does not belong here: what a tenant may see (the SQL endpoint's rules), or any data of theirs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from lakehouse.errors import ConfigurationError, InfrastructureError
from lakehouse.settings import Settings
from lakehouse.store import list_objects, put_if_absent, s3_client

TENANTS_PREFIX = "ctl/tenants/"
TENANT_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")
DEFAULT_ZONE = "UTC"
KEY_BYTES = 32


@dataclass(frozen=True)
class Tenant:
    """A customer of the provider: id, name to show, and the IANA zone that its days are cut in."""

    tenant_id: str
    name: str
    time_zone: str = DEFAULT_ZONE

    def __post_init__(self) -> None:
        if not TENANT_ID.match(self.tenant_id):
            raise ConfigurationError(f"{self.tenant_id!r} is no tenant id", next_step="use lower-case letters, digits, - and _")
        if self.time_zone not in _zones():
            raise ConfigurationError(f"{self.time_zone!r} is no IANA time zone", next_step="use a name such as Europe/Berlin")


@cache
def _zones() -> set[str]:
    return available_timezones()


class TenantRegistry:
    """The declared tenants, as numbered objects that are put once and never changed; the highest number counts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = s3_client(settings)

    def all(self) -> dict[str, Tenant]:
        """Declared tenants by id."""
        newest: dict[str, str] = {}
        for found in list_objects(self._client, self._settings.lake_bucket, TENANTS_PREFIX):
            newest[found.key.removeprefix(TENANTS_PREFIX).split("/")[0]] = found.key
        return {tenant_id: self._read(key) for tenant_id, key in newest.items()}

    def declare(self, tenant: Tenant) -> bool:
        """Declare a tenant. Returns False where it is declared so already.

        Raises ConfigurationError where its zone would change: its gold days are cut in the old one.
        """
        known = self.all().get(tenant.tenant_id)
        if known == tenant:
            return False
        if known and known.time_zone != tenant.time_zone:
            raise ConfigurationError(
                f"tenant {tenant.tenant_id} has days in {known.time_zone}; they cannot move to {tenant.time_zone} in place",
                next_step="declare tenants before their data come; for this one, declare a new tenant id, or keep the zone",
            )
        number = sum(1 for _ in list_objects(self._client, self._settings.lake_bucket, f"{TENANTS_PREFIX}{tenant.tenant_id}/")) + 1
        if not put_if_absent(self._client, self._settings.lake_bucket, _key(tenant.tenant_id, number), json.dumps(asdict(tenant)).encode()):
            raise InfrastructureError(f"tenant {tenant.tenant_id} was changed by another process", next_step="try again")
        return True

    def ensure(self, tenant_ids: Iterable[str]) -> None:
        """Declare those tenants that nobody has declared, in UTC: their data have come, so their days must be cut in some zone."""
        for tenant_id in tenant_ids:
            body = json.dumps(asdict(Tenant(tenant_id, tenant_id))).encode()
            put_if_absent(self._client, self._settings.lake_bucket, _key(tenant_id, 1), body)

    def _read(self, key: str) -> Tenant:
        body = self._client.get_object(Bucket=self._settings.lake_bucket, Key=key)["Body"].read()
        return Tenant(**json.loads(body))


def _key(tenant_id: str, number: int) -> str:
    return f"{TENANTS_PREFIX}{tenant_id}/{number:06d}.json"


def keys_folder(settings: Settings) -> Path:
    """Where the tenants' keys are."""
    return settings.state_dir / "tenant_keys"


def key_files(settings: Settings) -> list[Path]:
    """The files that hold a tenant's key each, in hexadecimal digits."""
    return sorted(keys_folder(settings).glob("*.key"))


def tenant_key(settings: Settings, tenant_id: str) -> bytes:
    """The tenant's key for user identities: made once, kept under the instance's state, outside the lake."""
    if not TENANT_ID.match(tenant_id):
        raise ConfigurationError(f"{tenant_id!r} is no tenant id", next_step="use lower-case letters, digits, - and _")
    folder = keys_folder(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{tenant_id}.key"
    partial = folder / f".{tenant_id}.{secrets.token_hex(8)}"
    if not path.exists():
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
        partial.unlink()
    return bytes.fromhex(path.read_text().strip())
