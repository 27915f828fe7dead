"""Settings of an instance on an object store of its own, whose other servers do not run.

Does not belong here: test data, or fixtures of one folder only.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from lakehouse.settings import SHIPPED_SOURCES, Settings
from lakehouse.store import s3_client


@pytest.fixture
def settings(store_alone: Settings, tmp_path: Path) -> Settings:
    """Settings of an instance with two empty buckets of its own."""
    name = uuid.uuid4().hex[:12]
    made = Settings(
        home=tmp_path, s3_endpoint=store_alone.s3_endpoint, s3_access_key_id=store_alone.s3_access_key_id,
        s3_secret_access_key=store_alone.s3_secret_access_key, lake_bucket=f"{name}-lake", landing_bucket=f"{name}-landing",
        sources_dirs=(SHIPPED_SOURCES,),
    )  # fmt: skip
    for bucket in (made.lake_bucket, made.landing_bucket):
        s3_client(made).create_bucket(Bucket=bucket)
    return made
