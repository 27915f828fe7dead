"""The buckets of an instance.

Does not belong here: what is in them, or their lifecycle rules.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings


def client(settings: Settings) -> Any:
    """An S3 client that gives up soon."""
    secrets = {
        "aws_access_key_id": settings.s3_access_key_id,
        "aws_secret_access_key": settings.s3_secret_access_key,
        "aws_session_token": settings.s3_session_token,
    }
    config = Config(
        connect_timeout=3, read_timeout=15, retries={"max_attempts": 1},
        s3={"addressing_style": "path" if settings.s3_path_style else "auto"},
    )  # fmt: skip
    return boto3.client(
        "s3", endpoint_url=settings.s3_endpoint, region_name=settings.s3_region, config=config,
        verify=str(settings.s3_ca_file) if settings.s3_ca_file else None,
        **{name: secret.get_secret_value() for name, secret in secrets.items() if secret},
    )  # fmt: skip


def ensure_buckets(settings: Settings) -> None:
    """Make the landing and the lake bucket where they do not exist."""
    s3 = client(settings)
    for bucket in dict.fromkeys((settings.landing_bucket, settings.lake_bucket)):
        try:
            _ensure(s3, bucket, settings.s3_region)
        except (ClientError, BotoCoreError) as error:
            raise ConfigurationError(
                f"The bucket {bucket} cannot be used: {error}",
                next_step="Make it, or set LAKEHOUSE_LANDING_BUCKET and LAKEHOUSE_LAKE_BUCKET in config.env, and check the keys.",
            ) from error


def _ensure(s3: Any, bucket: str, region: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
