"""The object store: clients, addresses and the one atomic operation that control state rests on.

Does not belong here: what the objects mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lakehouse.errors import InfrastructureError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 30
ROLE_SESSION = "clearlake"
SERVER_ERROR = 500


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


def credentials(settings: Settings) -> Credentials:
    """The keys of the settings, or those of the role that the settings name.

    Raises InfrastructureError where the role cannot be assumed.
    """
    plain = Credentials(
        *(
            secret.get_secret_value() if secret else None
            for secret in (settings.s3_access_key_id, settings.s3_secret_access_key, settings.s3_session_token)
        )
    )
    if not settings.s3_role_arn:
        return plain
    try:
        sts = boto3.client("sts", region_name=settings.s3_region, **_client_arguments(plain))
        given = sts.assume_role(RoleArn=settings.s3_role_arn, RoleSessionName=ROLE_SESSION)["Credentials"]
    except (BotoCoreError, ClientError) as error:
        raise InfrastructureError(
            f"cannot assume role {settings.s3_role_arn}: {error}", next_step="check the role's trust policy"
        ) from error
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _client_arguments(keys: Credentials) -> dict[str, Any]:
    return {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key,
        "aws_session_token": keys.session_token,
    }


def s3_client(settings: Settings) -> Any:
    """A boto3 S3 client for the instance's store, with short time-outs and three tries."""
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        verify=str(settings.s3_ca_file) if settings.s3_ca_file else None,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path" if settings.s3_path_style else "auto"},
            max_pool_connections=16,
        ),
        **_client_arguments(credentials(settings)),
    )


def delta_rs_options(settings: Settings) -> dict[str, str]:
    """Storage options for delta-rs, with time-outs short enough for the spool to take over when the store is down."""
    keys = credentials(settings)
    options = {
        "AWS_ENDPOINT_URL": settings.s3_endpoint,
        "AWS_REGION": settings.s3_region,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
        "AWS_ALLOW_HTTP": "true" if (settings.s3_endpoint or "").startswith("http://") else "false",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false" if settings.s3_path_style else "true",
        "aws_conditional_put": "etag",
        "connect_timeout": "2s",
        "timeout": "30s",
        "max_retries": "2",
        "retry_timeout": "5s",
    }
    return {name: value for name, value in options.items() if value is not None}


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


def put_if_absent(client: Any, bucket: str, key: str, body: bytes) -> bool:
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
