"""A table of customers in a database, and the source that pulls it: the example of the documentation, changed where a test says so.

Does not belong here: assertions.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.settings import Settings
from lakehouse.sources import Pull, Source, read_source
from lakehouse.store import list_objects, s3_client
from tests.postgres import Database

EXAMPLE = Path(__file__).parents[1] / "docs" / "how-to" / "app_customers.yaml"
NAME = EXAMPLE.stem
CONNECTION = "BILLING_DATABASE_URL"
TABLE = """
create table billing.customers (
    id text primary key, updated_at timestamptz, tenant text, name text, email text, currency text, balance bigint, metadata jsonb
)
"""
DAY = "2020-03-02"
INSERT = "insert into billing.customers (id, updated_at, tenant, balance) values"


def example(**pull: Any) -> Source:
    """The source of the documentation, with other settings of its pull."""
    source, mistakes = read_source(EXAMPLE)
    assert source, mistakes
    assert source.pull
    return source.model_copy(update={"pull": Pull.model_validate({**source.pull.model_dump(), **pull})})


def row(customer: str, time: str, tenant: str = "acme", balance: int = 0) -> str:
    """A customer as changed at a time of DAY, as SQL."""
    return f"('{customer}', '{DAY} {time}+00', '{tenant}', {balance})"


def prepare(database: Database, monkeypatch: pytest.MonkeyPatch, *rows: str) -> None:
    """Make the table with some rows, and tell where it is."""
    database.run("create schema billing", TABLE)
    insert(database, *rows)
    monkeypatch.setenv(CONNECTION, database.address)


def insert(database: Database, *rows: str) -> None:
    """Insert rows in one transaction."""
    if rows:
        database.run(f"{INSERT} {', '.join(rows)}")


def landed(settings: Settings, source: str = NAME) -> dict[str, list[dict[str, Any]]]:
    """What lies in the landing bucket: records by key."""
    return {key: [json.loads(line) for line in lines] for key, lines in landed_lines(settings, source).items()}


def landed_lines(settings: Settings, source: str = NAME) -> dict[str, list[str]]:
    """The same as text."""
    client = s3_client(settings)
    bodies = {
        found.key: client.get_object(Bucket=settings.landing_bucket, Key=found.key)["Body"].read()
        for found in list_objects(client, settings.landing_bucket, f"{source}/")
    }
    return {key: gzip.decompress(body).decode().removesuffix("\n").split("\n") for key, body in bodies.items()}


def landed_ids(settings: Settings) -> list[tuple[int, str, str]]:
    """Number of the pull, folder of the tenant, and id of each landed record, sorted."""
    return sorted(
        (int(key.rsplit("pull-", 1)[1][:10]), key.split("/")[2].removeprefix("tenant="), record["id"])
        for key, records in landed(settings).items()
        for record in records
    )
