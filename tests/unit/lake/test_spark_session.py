"""A session means the same on every Spark server, however that server is set up."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

from lakehouse import spark
from lakehouse.settings import Settings


class Server:
    """A Spark server of a team in another zone, with ANSI mode off."""

    def __init__(self) -> None:
        self.conf: Any = self
        self.client = MagicMock()
        self.set_to = {"spark.sql.session.timeZone": "America/New_York", "spark.sql.ansi.enabled": "false"}
        self.asked: list[dict[str, str]] = []

    def remote(self, _address: str) -> Server:
        return self

    def create(self) -> Server:
        return self

    def set(self, name: str, value: str) -> None:
        self.set_to[name] = value

    def sql(self, _text: str) -> Any:
        self.asked.append(dict(self.set_to))
        return MagicMock()


def test_zone_and_ansi_mode_are_the_lakes_own_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr(spark, "_require_listening", lambda _remote: None)
    monkeypatch.setattr(spark, "SparkSession", MagicMock(builder=server))
    spark.connect(Settings(spark_remote="sc://elsewhere:15002"))
    assert server.asked
    for conf in server.asked:
        assert conf["spark.sql.session.timeZone"] == "UTC"
        assert conf["spark.sql.ansi.enabled"] == "true"


def test_what_a_session_has_shown_to_sql_goes_before_the_session_does() -> None:
    session = MagicMock()
    rows = MagicMock(sparkSession=session)
    spark.show(rows, "staged_events")
    spark.show(rows, "accepted")
    spark.end(session)
    calls = [name for name, _, _ in session.mock_calls]
    assert sorted(call.args[0] for call in session.catalog.dropTempView.call_args_list) == ["accepted", "staged_events"]
    assert calls[-1] == "stop"
