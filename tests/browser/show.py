"""The operations app over made-up facts, served on the loopback address: for tests in a browser, and to look at it.

    python -m tests.browser.show healthy|failing|empty|down [port]

Does not belong here: assertions, or facts (tests/unit/dash_app).
"""

from __future__ import annotations

import sys
import tempfile
import threading
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from waitress.server import create_server

from dash_app.accounts import set_password, users_path
from dash_app.operations import create_app
from lakehouse.settings import Settings
from tests.unit.dash_app import lake_facts, troubles
from tests.unit.dash_app.facts import Facts, FakeReader, fortnight
from tests.unit.dash_app.lake_facts import HOSTILE, FakeLake

PASSWORD = "correct-horse-battery"
SCENES = ("healthy", "failing", "empty", "down")


class Shown(AbstractContextManager["Shown"]):
    """An app that is served while the context lasts.

    Attributes:
        reader: its facts, which may be changed; it takes what people do.
        heart: its evaluator's heartbeat.
        url: where it is.
    """

    def __init__(self, home: Path, reader: FakeReader, heart: troubles.Heart, lake: FakeLake | None = None, port: int = 0) -> None:
        self.reader, self.heart = reader, heart
        settings = Settings(home=home)
        set_password(users_path(settings), "admin", PASSWORD)
        app = create_app(settings, reader, reader, heart, lake=lake or FakeLake())
        self._server = create_server(app.server, host="127.0.0.1", port=port, threads=4)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Shown:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop serving."""
        self._server.close()

    def wait(self) -> None:
        """Serve until the process is ended."""
        self._thread.join()


def scene(name: str, now: datetime) -> tuple[FakeReader, troubles.Heart, FakeLake]:
    """The facts of a healthy lake, of one with trouble, of an empty one, or of one whose evaluator and channel are dead."""
    if name == "empty":
        return FakeReader(), troubles.Heart(), FakeLake()
    facts: Facts = fortnight(now, hours=3 * 24)
    facts["ops.lineage_edges"] += troubles.edges()
    rows = troubles.incidents(now)
    if name == "healthy":
        over = {row["incident_id"] for row in rows if row["event"] == "resolved"}
        rows = [row for row in rows if row["incident_id"] in over]
        facts["ops.run_events"] = [row for row in facts["ops.run_events"] if row["status"] not in ("FAILED", "TERMINATED")]
    facts["ops.incident_events"] = rows
    facts["ops.metrics"] = troubles.measured_hours(now, "okta", "bronze.okta", lost_hours=0 if name == "healthy" else 6)
    facts["ops.alert_deliveries"] = troubles.deliveries(now)
    facts["ops.sla_evaluations"] = troubles.promises(now, broken=name != "healthy")
    facts["ops.check_results"] = lake_facts.checks_of_a_fortnight(now, is_failing=name != "healthy")
    if name != "healthy":
        facts["ctl.files"] += [row for row in lake_facts.files_left_out(now) if HOSTILE not in row["path"]]
        facts["ops.anomalies"] = [row for row in lake_facts.anomalies(now) if row.get("dimension") != HOSTILE]
    return FakeReader(facts), troubles.Heart(_beat(name, now)), _lake(name, now)


def _lake(name: str, now: datetime) -> FakeLake:
    rows = [] if name == "healthy" else lake_facts.quarantine_of_a_bad_fortnight(now)
    lake = FakeLake([row for row in rows if row["reasons"] != [HOSTILE]], lake_facts.states_of_every_table(now, ["okta", "cloudtrail"]))
    lake.put_versions(lake_facts.versions(now))
    return lake


def _beat(name: str, now: datetime) -> bytes:
    if name == "healthy":
        return troubles.heartbeat(now, interval_s=3600)
    return troubles.heartbeat(
        now - timedelta(minutes=14), interval_s=60 if name == "down" else 3600, dead={"webhook": "connection refused"}
    )


def main(name: str = "failing", port: str = "8099") -> None:
    """Serve one scene until the process is ended."""
    with tempfile.TemporaryDirectory() as home, Shown(Path(home), *scene(name, datetime.now(UTC)), int(port)) as shown:
        print(f"{shown.url}, admin, {PASSWORD}", flush=True)
        shown.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
