"""The object store: clients, addresses and the one atomic operation that control state rests on.

Does not belong here: what the objects mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lakehouse.errors import ConfigurationError, InfrastructureError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from lakehouse.settings import Settings

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 30
ROLE_SESSION = "clearlake"
RENEW_BEFORE = timedelta(minutes=10)
"""How long before they expire a role's keys are renewed: longer than any one call to the store takes."""
SERVER_ERROR = 500
CLIENTS_KEPT = 4
"""Making one takes as long as dozens of calls."""
UNUSED_PROXY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class StoredObject:
    """An object as the store lists it: key, entity tag without quotes, size in bytes, time of the put (UTC)."""

    key: str
    etag: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class Credentials:
    """Keys in the clear, for handing to a client library."""

    access_key_id: str | None
    secret_access_key: str | None
    session_token: str | None
    expires_at: datetime | None = None


_assumed: dict[Settings, Credentials] = {}
_assuming = Lock()


def credentials(settings: Settings) -> Credentials:
    """The keys of the settings, or those of the role that the settings name; a role's keys are renewed before they expire.

    Raises InfrastructureError where the role cannot be assumed.
    """
    if not settings.s3_role_arn:
        return _own_keys(settings)
    with _assuming:
        known = _assumed.get(settings)
        if known is None or known.expires_at is None or known.expires_at - RENEW_BEFORE <= datetime.now(UTC):
            known = _assumed[settings] = _assume(settings)
        return known


def assumed(settings: Settings) -> Credentials | None:
    """The keys of the settings' role, where this process has assumed it."""
    return _assumed.get(settings)


def _own_keys(settings: Settings) -> Credentials:
    return Credentials(_clear(settings.s3_access_key_id), _clear(settings.s3_secret_access_key), _clear(settings.s3_session_token))


def _clear(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _assume(settings: Settings) -> Credentials:
    try:
        sts = boto3.client("sts", region_name=settings.s3_region, **_client_arguments(_own_keys(settings)))
        given = sts.assume_role(RoleArn=settings.s3_role_arn, RoleSessionName=ROLE_SESSION)["Credentials"]
    except (BotoCoreError, ClientError) as error:
        raise InfrastructureError(
            f"cannot assume role {settings.s3_role_arn}: {error}", next_step="check the role's trust policy"
        ) from error
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], given["Expiration"])


def _client_arguments(keys: Credentials) -> dict[str, Any]:
    return {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key,
        "aws_session_token": keys.session_token,
    }


def endpoint(settings: Settings) -> str:
    """Address of the instance's store. Without one, client libraries would turn to AWS with whatever keys they find.

    Raises ConfigurationError where `up` has not allotted one and none is set.
    """
    if not settings.s3_endpoint:
        raise ConfigurationError(
            f"There is no instance in {settings.home}, and no store is set.",
            next_step="run `lakehouse up`, or set LAKEHOUSE_HOME, or LAKEHOUSE_S3_ENDPOINT for a store of your own",
        )
    return settings.s3_endpoint


def s3_client(settings: Settings) -> Any:
    """A boto3 S3 client for the instance's store, with short time-outs and three tries; the same one as long as its keys hold.

    Raises ConfigurationError where there is no store.
    """
    authority = str(settings.s3_ca_file) if settings.s3_ca_file else None
    style = "path" if settings.s3_path_style else "auto"
    return _s3_client(endpoint(settings), settings.s3_region, authority, style, credentials(settings))


@lru_cache(maxsize=CLIENTS_KEPT)
def _s3_client(address: str | None, region: str, authority: str | None, style: str, keys: Credentials) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name=region,
        verify=authority,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": style},
            max_pool_connections=16,
        ),
        **_client_arguments(keys),
    )


def delta_rs_options(settings: Settings) -> dict[str, str]:
    """Storage options for delta-rs, with time-outs short enough for the spool to take over when the store is down.

    They hold for as long as the keys do: ask for them again for each use.
    Raises ConfigurationError where there is no store, or the file of its authority cannot be read.
    """
    keys = credentials(settings)
    options = {
        "AWS_ENDPOINT_URL": endpoint(settings),
        "AWS_REGION": settings.s3_region,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
        "AWS_ALLOW_HTTP": "true" if endpoint(settings).startswith("http://") else "false",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false" if settings.s3_path_style else "true",
        "aws_conditional_put": "etag",
        "connect_timeout": "2s",
        "timeout": "30s",
        "max_retries": "2",
        "retry_timeout": "5s",
        **_authority(settings),
    }
    return {name: value for name, value in options.items() if value is not None}


def _authority(settings: Settings) -> dict[str, str]:
    """Has delta-rs trust the store's own authority: it takes one for a proxy only, so it is given a proxy that it uses for no host."""
    if not settings.s3_ca_file:
        return {}
    try:
        certificates = settings.s3_ca_file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the store's CA file cannot be read: {error}", next_step="mend LAKEHOUSE_S3_CA_FILE (PEM)") from error
    return {"proxy_url": UNUSED_PROXY, "proxy_excludes": "*", "proxy_ca_certificate": certificates}


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn a store that does not answer, or not as it should, into an InfrastructureError; what it refuses goes on as it is."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        answered = isinstance(error, ClientError) and error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < SERVER_ERROR
        if answered:
            raise
        raise InfrastructureError(f"the store did not answer: {error}", next_step="run `lakehouse doctor`") from error


def put_if_absent(client: Any, bucket: str, key: str, body: bytes | IO[bytes]) -> bool:
    """Put an object unless one is there. Returns whether this call put it; of racing calls exactly one returns True."""
    try:
        client.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"):
            return False
        raise
    return True


def list_objects(client: Any, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
    """Objects under a prefix in the order of their keys, those after `after` only."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **({"StartAfter": after} if after else {}))
    for page in pages:
        for found in page.get("Contents", ()):
            yield StoredObject(found["Key"], found["ETag"].strip('"'), found["Size"], found["LastModified"])
