"""Keys of a role are renewed in processes that live longer than they do, and a store's own authority is trusted by every client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from infra.tls import ensure_certificates
from lakehouse import delta_rs, store
from lakehouse.delta import DeltaLog
from lakehouse.errors import ConfigurationError
from lakehouse.ops.store import OpsReader, OpsWriter
from lakehouse.settings import Settings
from lakehouse.store import credentials, s3_client
from lakehouse.tables import table

COUNT = "select count(*) as n from ops.event_log"


@pytest.fixture
def with_role(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", str(settings.s3_endpoint))
    return settings.model_copy(update={"s3_role_arn": "arn:aws:iam::123456789012:role/lake"})


def expire(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the keys of now, which last an hour, count as about to expire."""
    monkeypatch.setattr(store, "RENEW_BEFORE", timedelta(hours=2))


def test_a_roles_keys_are_kept_until_shortly_before_they_expire(with_role: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = credentials(with_role)
    assert with_role.s3_access_key_id
    assert first.access_key_id != with_role.s3_access_key_id.get_secret_value()
    assert credentials(with_role) == first
    expire(monkeypatch)
    assert credentials(with_role).access_key_id != first.access_key_id


def test_reader_and_writer_go_on_with_the_renewed_keys(with_role: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    opened = delta_rs.DeltaTable

    class Watched(opened):  # type: ignore[valid-type, misc]
        def __init__(self, *args: Any, storage_options: dict[str, str], **more: Any) -> None:
            used.append(storage_options["AWS_ACCESS_KEY_ID"])
            super().__init__(*args, storage_options=storage_options, **more)

    writer, reader = OpsWriter(with_role), OpsReader(with_role)
    writer.append_now("ops.event_log", [a_line()])
    assert reader.rows(COUNT) == [{"n": 1}]
    first = credentials(with_role).access_key_id
    monkeypatch.setattr(delta_rs, "DeltaTable", Watched)
    writer.append_now("ops.event_log", [a_line()])
    assert reader.rows(COUNT) == [{"n": 2}]
    assert used == []
    expire(monkeypatch)
    writer.append_now("ops.event_log", [a_line()])
    assert reader.rows(COUNT) == [{"n": 3}]
    assert len(used) == 2
    assert first not in used


def a_line() -> dict[str, Any]:
    return {"run_id": "r", "level": "INFO", "logger": "l", "message": "m", "logged_at": datetime.now(UTC)}


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Settings]:
    """An instance whose store shows a certificate of an authority that nobody else knows, the second of the two in its CA file."""
    certificates, other = ensure_certificates(tmp_path / "tls"), ensure_certificates(tmp_path / "other")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(other.authority.read_text() + certificates.authority.read_text())
    application = DomainDispatcherApplication(create_backend_app)
    shown = (str(certificates.server), str(certificates.server))
    server = make_server("127.0.0.1", 0, application, threaded=True, ssl_context=shown)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Settings(
        home=tmp_path, s3_endpoint=f"https://localhost:{server.port}", s3_access_key_id="key", s3_secret_access_key="secret",
        s3_ca_file=bundle, lake_bucket="private-lake",
    )  # fmt: skip
    server.shutdown()


def test_facts_and_logs_are_read_and_written_on_a_store_with_its_own_authority(private: Settings) -> None:
    s3_client(private).create_bucket(Bucket=private.lake_bucket)
    OpsWriter(private).create_tables()
    assert OpsReader(private).rows(COUNT) == [{"n": 0}]
    assert DeltaLog(private, table("ops.event_log")).version == 0


def test_a_ca_file_that_is_not_there_is_a_mistake_in_the_settings(private: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CA file"):
        OpsReader(private.model_copy(update={"s3_ca_file": tmp_path / "none.pem"})).rows(COUNT)
