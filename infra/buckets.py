"""The buckets of an instance.

Does not belong here: what is in them, or their lifecycle rules.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings
from lakehouse.store import s3_client

FIRST_REGION = "us-east-1"
"""S3 refuses a location constraint that names this region."""


def ensure_buckets(settings: Settings) -> None:
    """Make the landing and the lake bucket where they do not exist."""
    s3 = s3_client(settings)
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
        place = {} if region == FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
