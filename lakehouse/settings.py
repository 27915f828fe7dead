"""Every setting of an instance, read from one place.

Does not belong here: starting, probing or configuring servers (infra), or a default that is also written elsewhere.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ENV_PREFIX = "LAKEHOUSE_"
SHIPPED_SOURCES = Path(__file__).resolve().parents[1] / "assets" / "sources"

USER_FILE = "config.env"
"""What a person sets for this instance; `lakehouse up` never writes it."""
ALLOTTED_FILE = "instance.env"
"""What `lakehouse up` allotted to the embedded servers: ports and addresses."""
CREDENTIALS_FILE = "credentials.env"
"""Keys and passwords, mode 0600."""
STAMP = "instance.json"
"""The id of the instance and the version of its folder."""


def _listed(value: Any) -> Any:
    """Text as a person writes a list: JSON, or words between commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return tuple(word.strip() for word in value.split(",") if word.strip())


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """Settings, from the environment (`LAKEHOUSE_*`), then the files of the instance, then these defaults.

    A server's address that is left unset by the user means: run the embedded one.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", frozen=True)

    home: Path = Path.home() / ".lakehouse"

    s3_endpoint: str | None = None
    s3_region: str = "us-east-1"
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_session_token: SecretStr | None = None
    s3_role_arn: str | None = None
    s3_ca_file: Path | None = None
    s3_path_style: bool = True
    landing_bucket: str = "landing"
    lake_bucket: str = "lake"

    spark_remote: str | None = None
    spark_token: SecretStr | None = None
    spark_master: str = "local[*]"
    spark_driver_memory: str = "1500m"

    metastore_uri: str | None = None

    trino_host: str | None = None
    trino_port: int = 8443
    trino_ca_file: Path | None = None
    trino_catalog: str = "lake"
    trino_service_user: str = "service"
    trino_service_password: SecretStr | None = None

    dagster_url: str | None = None
    operations_url: str | None = None

    oidc_issuer: str | None = None
    """Address of an OpenID Connect provider; where it is set, people sign in to the operations pages there."""
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    """None for a client without a secret, which PKCE alone protects."""
    oidc_ca_file: Path | None = None
    oidc_allowed: Words = ()
    """E-mail addresses and their domains; `*` for everybody whom the provider lets in."""
    oidc_allowed_groups: Words = ()
    oidc_groups_claim: str = "groups"
    oidc_keeps_local_accounts: bool = False

    geoip_database: Path | None = None
    """A database in MaxMind's format (`.mmdb`) that tells where addresses are; what has no place of its own has none without it."""

    evaluation_interval_s: float = 60.0
    """How often everything is judged; what processes leave behind is looked after more often."""
    drill_cron: str = "0 9 * * 1"
    """When a canary fails on purpose (UTC), to prove that messages arrive."""
    heartbeat_url: SecretStr | None = None
    """Asked for at each round that went well: an outside dead-man's switch tells when it no longer is."""

    openlineage_url: str | None = None
    """Where `lakehouse lineage export` sends run events; its path is OpenLineage's own where it names none."""
    openlineage_api_key: SecretStr | None = None
    openlineage_namespace: str = "clearlake"
    """Namespace of the jobs in these events; another one for each instance that sends to the same place."""

    otlp_endpoint: str | None = None
    """Base address of an OpenTelemetry endpoint (OTLP over HTTP) that metrics are sent to; none are where it is unset."""
    otlp_headers: SecretStr | None = None
    """Headers for it, as OpenTelemetry writes them: `name=value` pairs with commas between them, URL-encoded."""

    sources_dirs: tuple[Path, ...] = (SHIPPED_SOURCES,)
    loaded_sources: Path | None = None
    """Declarations in the place of all others; set in Dagster's processes only (infra.loaded_sources)."""

    @property
    def state_dir(self) -> Path:
        """Local state that is not in the bucket: spool, tenant keys, Dagster's storage."""
        return self.home / "state"

    def landing_uri(self, key: str = "") -> str:
        """`s3a://` address of a key in the landing bucket."""
        return f"s3a://{self.landing_bucket}/{key}"

    def lake_uri(self, key: str = "") -> str:
        """`s3a://` address of a key in the lake bucket."""
        return f"s3a://{self.lake_bucket}/{key}"


def read_settings(home: Path | None = None, *, user_only: bool = False, **overrides: Any) -> Settings:
    """Read the settings of the instance in `home` (default: `LAKEHOUSE_HOME`, else `~/.lakehouse`).

    With `user_only`, what `up` allotted is left out: what is unset then is what the embedded servers must provide.
    """
    home = (home or Path(os.environ.get(f"{ENV_PREFIX}HOME", Settings.model_fields["home"].default))).expanduser().resolve()
    names = (USER_FILE,) if user_only else (ALLOTTED_FILE, CREDENTIALS_FILE, USER_FILE)
    files = tuple(home / name for name in names)
    return Settings(_env_file=files, **{**overrides, "home": home})


@cache
def settings() -> Settings:
    """The settings of this process's instance, read once."""
    return read_settings()
