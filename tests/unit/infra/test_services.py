"""What the user brings is not run; what is configured holds no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.instance import create_or_open
from infra.services import s3a, spark, trino
from infra.services.base import Context
from infra.services.registry import SERVICES, embedded
from infra.supervisor import render
from infra.tls import Certificates
from lakehouse.settings import Settings

SECRET = "a-very-secret-value"
PORTS = {name: 20000 + number for number, name in enumerate(name for service in SERVICES.values() for name in service.ports)}


def _settings(tmp_path: Path, **more: object) -> Settings:
    secret = SecretStr(SECRET)
    given = {
        "home": tmp_path, "s3_endpoint": "http://127.0.0.1:9000", "metastore_uri": "thrift://127.0.0.1:9083", "s3_access_key_id": secret,
        "s3_secret_access_key": secret, "spark_token": secret, "trino_service_password": secret,
    }  # fmt: skip
    return Settings(**{**given, **more})  # type: ignore[arg-type]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(create_or_open(tmp_path), _settings(tmp_path), PORTS)


@pytest.mark.parametrize(
    ("setting", "left_out"),
    [("s3_endpoint", "minio"), ("spark_remote", "spark"), ("metastore_uri", "metastore"), ("trino_host", "trino")],
)
def test_a_server_that_the_user_brings_is_not_run(setting: str, left_out: str, tmp_path: Path) -> None:
    bare = Settings(home=tmp_path)
    with_it = Settings(home=tmp_path, **{setting: "x"})  # type: ignore[arg-type]
    assert {service.name for service in embedded(bare)} - {service.name for service in embedded(with_it)} == {left_out}


def test_every_needed_service_exists() -> None:
    assert {needed for service in SERVICES.values() for needed in service.needs} <= set(SERVICES)


def test_no_two_services_want_the_same_port() -> None:
    usual = [port for service in SERVICES.values() for port in service.ports.values()]
    assert len(usual) == len(set(usual))


def test_no_configuration_file_holds_a_secret(context: Context) -> None:
    files = trino.files(context, Path("/trino"), Certificates(Path("/ca"), Path("/server")))
    written = [*files.values(), json.dumps(spark.options(context)), render(context.instance, Path("/tmp/s"), SERVICES.values())]
    assert [text for text in written if SECRET in text] == []


def test_no_argument_of_spark_holds_a_secret(context: Context) -> None:
    started = spark.launch(context)
    assert [argument for argument in started.argv if SECRET in argument] == []
    assert started.env["SPARK_CONNECT_AUTHENTICATE_TOKEN"] == SECRET


def test_spark_never_gets_the_setting_that_loses_commits(context: Context) -> None:
    assert not [name for name in spark.options(context) if "create.performance" in name]


def test_without_keys_the_sdk_finds_its_own(tmp_path: Path) -> None:
    settings = _settings(tmp_path, s3_access_key_id=None, s3_secret_access_key=None)
    assert "fs.s3a.aws.credentials.provider" not in s3a.s3a_options(settings, tmp_path)
    assert "AWS_ACCESS_KEY_ID" not in s3a.key_environment(settings)


def test_a_role_is_assumed_with_the_keys_of_the_environment(tmp_path: Path) -> None:
    options = s3a.s3a_options(_settings(tmp_path, s3_role_arn="arn:aws:iam::1:role/x"), tmp_path)
    assert options["fs.s3a.aws.credentials.provider"] == s3a.ASSUMED_ROLE
    assert options["fs.s3a.assumed.role.credentials.provider"] == s3a.ENVIRONMENT_KEYS


def test_a_percent_sign_in_the_home_survives_the_supervisors_configuration(tmp_path: Path) -> None:
    instance = create_or_open(tmp_path / "50%")
    assert "50%%" in render(instance, Path("/tmp/s"), SERVICES.values())
