"""A server on 127.0.0.1 that answers in Dagster's place: it takes every run, or refuses it, and does nothing.

Does not belong here: tests, or anything that Dagster itself must prove.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Dagster:
    """What answers in Dagster's place.

    Attributes:
        asked: parameters of the runs that it was asked for.
        answer: what it says to that.
        url: where it listens.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {"__typename": "LaunchRunSuccess", "run": {"runId": "run-of-the-page"}}
        dagster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply({})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                dagster.asked.append(body["variables"]["params"])
                self.reply({"data": {"launchRun": dagster.answer}})

            def reply(self, told: dict[str, Any]) -> None:
                body = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self._is_up = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Answer no more."""
        if self._is_up:
            self._is_up = False
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
